mkdir -p tree/one tree/two
for number in $(seq 1 200); do
    echo "$number $((number * 7919 % 1000))" > "tree/one/$number"
done
cp -a tree/one/. tree/two/
ln -s ../one/1 tree/two/link
ln tree/one/2 tree/two/hard
chmod 640 tree/one/3
find tree -type f -size -10c -newermt 2000-01-01 | sort | sha256sum
find tree -links 2 -o -type l | sort
tar --create --sort=name --mtime=@0 --owner=0 --group=0 --numeric-owner tree | sha256sum
tar --create --gzip --file tree.tar.gz tree
rm -r tree/two
tar --extract --file tree.tar.gz
diff -r tree/one tree/two && exit 1
sort --key=2n --parallel=2 --buffer-size=1M tree/one/* | awk '{ sum += $1 * NR } END { print sum }'
sed --in-place 's/7/seven/' tree/one/7
cat tree/one/7
seq 100000 | split --lines=1000 --filter='wc -l' | sort | uniq -c
seq 1000 | xargs -P 4 -n 100 echo | wc -w
# Two that exclude each other, a time-out, and signals.
(flock 9; sleep 0.2; echo first) 9> lock &
sleep 0.1
(flock 9; echo second) 9> lock
wait
set +e
timeout 0.1 sleep 5
echo "timeout $?"
bash -c 'trap "echo trapped; exit 3" TERM; kill -TERM $$; sleep 1'
echo "trap $?"
bash -c 'coproc cat; echo hello >&"${COPROC[1]}"; read -r line <&"${COPROC[0]}"; echo "$line"'
bash -c 'diff <(seq 3) <(seq 4); mapfile -t lines < <(seq 5); echo "${#lines[@]} ${lines[4]}"'
nice -n 5 nice
bash -c 'ulimit -c; ulimit -s; umask'
