//! Where overlayfs does less, or nothing.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use stockade_conformance::{Job, Subject as _};
use stockade_core::{
    Ability, Bytes, Control, ErrorKind, Limit, Policy, Report, Result, Stdio, Verdict,
};
use stockade_guests::CHANGE_FILES;

use super::{OLD, OWNERS, Tree, mechanism, with_disk};
use crate::elsewhere::{Place, role, say, there};
use crate::machine::{Subject, has_overlay, subject};

/// What of [`OWNERS`] ends otherwise where a user's files in memory have no extended attributes, before Linux
/// 6.6: directories of which the overlay cannot note what is gone.
pub(super) const BARE: [(&str, &str); 3] = [
    ("rename:/var/lib/x=/var/z", "EXDEV"),
    ("rmdir:/etc/deep", "EIO"),
    ("mkdir:/etc/deep", "EEXIST"),
];

/// Whether this is such a place, by what the report says.
pub(super) fn is_bare(report: &Report) -> bool {
    let is_bare = mechanism(report).ends_with("over the root, without extended attributes");
    let known = !rustix::process::geteuid().is_root() && linux() < (6, 6);
    assert!(!is_bare || known, "files in memory have them here");
    is_bare
}

/// The version of the kernel.
fn linux() -> (u32, u32) {
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").expect("a file of the kernel's");
    let mut numbers = release.split(['.', '-']).map_while(|number| number.parse().ok());
    (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0))
}

#[test]
fn an_overlay_without_extended_attributes_does_less_and_says_so() {
    if !has_overlay() {
        return;
    }
    let name = "an_overlay_without_extended_attributes_does_less_and_says_so";
    if role().is_some() {
        let subject = subject().expect("it was there before");
        let tree = Tree::new();
        let before = tree.state();
        let steps = [
            "append:/etc/deep/file=x",
            "write:/etc/new=new",
            "unlink:/etc/hosts",
            "list:/etc",
            "unlink:/etc/deep/file",
            "rmdir:/etc/deep",
            "rmdir:/etc/deep",
        ];
        let (said, report) = tree.steps(&subject, &steps);
        assert!(mechanism(&report).ends_with("over the root, without extended attributes"));
        assert_eq!(said.all()[..5], ["ok", "ok", "ok", "deep link new", "ok"]);
        // Only this process is told that there are none; root's overlays have them all the same.
        let root = rustix::process::geteuid().is_root();
        let expected = if root { ["ok", "ENOENT"] } else { ["EIO", "EIO"] };
        assert_eq!(said.all()[5..], expected);
        assert_eq!(tree.state(), before, "the host's directory has changed");
        return say("done");
    }
    if subject().is_none() {
        return;
    }
    let none = Place::Without(libc::SYS_setxattr, libc::EOPNOTSUPP, 0);
    there(&none, module_path!(), name, "none");
}

/// Has a directory be on a filesystem over which nothing can be layered: an overlay over an overlay.
/// What was there is beneath.
fn bury(tree: &Tree) {
    for name in ["one", "two"] {
        let [upper, work] =
            ["upper", "work"].map(|part| tree.scratch.dir(&format!("{name}-{part}")));
        let (root, upper, work) = (tree.root.display(), upper.display(), work.display());
        let options = format!("lowerdir={root},upperdir={upper},workdir={work},userxattr");
        mount(&["-t", "overlay", "overlay", "-o", &options], &tree.root);
    }
}

fn dig(tree: &Tree) {
    for name in ["two", "one"] {
        unmount(&tree.root);
        // What an overlay leaves there is closed to everybody.
        let left = tree.scratch.path().join(format!("{name}-work/work"));
        fs::set_permissions(left, Permissions::from_mode(0o700)).expect("it is ours");
    }
}

#[test]
fn where_there_can_be_no_overlay_the_root_is_copied() {
    if !has_overlay() {
        return;
    }
    let name = "where_there_can_be_no_overlay_the_root_is_copied";
    if role().is_some() {
        let tree = Tree::new();
        fs::write(tree.root.join("var/large"), vec![7; 3 << 20]).expect("there is room");
        bury(&tree);
        // Afterwards: none of these mounts finds its way to a helper that is there already.
        let subject = subject().expect("it was there before");
        let before = tree.state();
        is_a_copy(&tree, &subject);
        counts_as_written(&tree, &subject);
        assert_eq!(tree.state(), before, "the host's directory has changed");
        dig(&tree);
        return say("done");
    }
    if subject().is_none() {
        return;
    }
    there(&Place::After(apart()), module_path!(), name, "mount");
}

/// Whether memory is counted to the byte here.
fn is_counted(subject: &Subject) -> bool {
    matches!(subject.sandbox().support().ability(Control::Memory), Ability::Enforced { .. })
}

fn is_a_copy(tree: &Tree, subject: &Subject) {
    let steps: Vec<&str> = OWNERS.iter().map(|(step, _)| *step).collect();
    let (outcomes, report) = tree.steps(subject, &steps[..14]);
    assert_eq!(mechanism(&report).rsplit("; ").next(), Some("a copy of the root in memory"));
    for ((step, expected), outcome) in OWNERS[..14].iter().zip(outcomes.all()) {
        assert!(outcome.starts_with(expected), "{step}: {outcome}, not {expected}");
    }
    assert!(!is_counted(subject) || report.usage.peak_memory >= 3 << 20, "{report:?}");
    let expected = [
        ("stat:/etc/hosts", format!("640 1000:1000 {OLD}")),
        ("stat:/var/lib", format!("755 1000:1000 {OLD}")),
        // A directory that is copied is the program's own.
        ("rename:/etc/deep=/var/deep", "ok".to_owned()),
        ("list:/var", "deep large lib old".to_owned()),
        ("list:/dev", "fd full null random shm stderr stdin stdout urandom zero".to_owned()),
        ("list:/", "bin data dev etc proc tmp var".to_owned()),
        ("read:/etc/link", "of the root".to_owned()),
        ("fill:/tmp/x=100000", "ok".to_owned()),
    ];
    let (outcomes, _) = tree.steps(subject, &expected.each_ref().map(|(step, _)| *step));
    assert_eq!(outcomes.all(), expected.each_ref().map(|(_, outcome)| outcome.as_str()));
}

/// A copy counts as what the program writes and holds, and what is too large is refused before it runs.
fn counts_as_written(tree: &Tree, subject: &Subject) {
    let run = |change: &dyn Fn(&mut Policy)| -> Result<_> {
        let job = tree.job(subject, &CHANGE_FILES, &["write:/x=x"]).policy(change);
        job.try_prepare()
            .expect("that is found out later")
            .start(Stdio::captured())
            .and_then(Job::wait)
    };
    let error = run(&with_disk(1 << 20)).expect_err("it does not fit");
    assert_eq!(error.kind(), ErrorKind::Setup, "{error}");
    assert!(error.hint().is_some_and(|hint| hint.contains("limits.disk")), "{error:?}");
    if !is_counted(subject) {
        return;
    }
    // Who hears of it first, the helper or the sandbox, is not certain.
    match run(&|policy| policy.limits.memory = Limit::At(Bytes(2 << 20))) {
        Ok(report) => {
            let by_memory =
                matches!(report.verdict, Verdict::Limit { control: Control::Memory, .. });
            assert!(by_memory, "{report:?}");
        }
        Err(error) => {
            assert!(error.hint().is_some_and(|hint| hint.contains("limits.memory")), "{error:?}");
        }
    }
}

#[test]
fn a_filesystem_that_is_mounted_in_it_is_refused() {
    if !has_overlay() {
        return;
    }
    let name = "a_filesystem_that_is_mounted_in_it_is_refused";
    if role().is_some() {
        let subject = subject().expect("it was there before");
        let tree = Tree::new();
        mount(&["-t", "tmpfs", "tmpfs"], &tree.root.join("data"));
        let job = tree.job(&subject, &CHANGE_FILES, &["list:/"]);
        let error = job.try_prepare().err().expect("a refusal");
        assert_eq!(error.kind(), ErrorKind::InvalidPolicy);
        assert!(error.to_string().contains("/data") && error.hint().is_some(), "{error}");
        unmount(&tree.root.join("data"));
        return say("done");
    }
    if subject().is_none() {
        return;
    }
    there(&Place::After(apart()), module_path!(), name, "mount");
}

/// Mounts of its own, which go with it.
fn apart() -> &'static str {
    if rustix::process::geteuid().is_root() {
        r#"exec unshare --mount "$0" "$@""#
    } else {
        r#"exec unshare --user --map-root-user --mount "$0" "$@""#
    }
}

fn mount(words: &[&str], at: &Path) {
    let status = Command::new("mount").args(words).arg(at).status();
    assert!(status.expect("it starts").success(), "mount {words:?}");
}

fn unmount(at: &Path) {
    assert!(Command::new("umount").arg(at).status().expect("it starts").success());
}
