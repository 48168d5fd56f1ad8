export GIT_AUTHOR_NAME=A GIT_AUTHOR_EMAIL=a@example.com GIT_COMMITTER_NAME=A GIT_COMMITTER_EMAIL=a@example.com
export GIT_AUTHOR_DATE='2020-01-01T00:00:00Z' GIT_COMMITTER_DATE='2020-01-01T00:00:00Z' GIT_CONFIG_NOSYSTEM=1
git -c init.defaultBranch=main init --quiet first
cd first
for number in 1 2 3 4 5; do
    seq "$number" 2000 > numbers
    git add numbers
    git commit --quiet --message "number $number"
done
git switch --quiet --create side HEAD~2
echo text > other
git add other
git commit --quiet --message side
git switch --quiet main
git merge --quiet --no-edit side
git rebase --quiet HEAD~1
git tag --annotate --message one v1
git gc --quiet
git fsck --strict
cd ..
git clone --quiet "file://$PWD/first" second
cd second
git grep --count 17 numbers
git blame --porcelain numbers | sha256sum
git archive v1 | sha256sum
git log --all --graph --oneline
git stash list
git worktree add --quiet ../third HEAD~1
git push --quiet origin HEAD:refs/heads/pushed
git ls-remote origin
