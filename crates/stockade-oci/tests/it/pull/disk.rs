//! A disk that is full.

use std::path::Path;
use std::process::{Command, Stdio};

use stockade_core::ErrorKind;
use stockade_oci::Store;

use super::{Shelf, hasty, left, part};
use crate::made::{Scratch, skip, told};

/// Where this binary, run once more, finds a small disk, what to pull and what may be left of it.
const HERE: &str = "STOCKADE_OCI_TEST_DISK";
/// What it says if all was as it should be.
const AS_IT_SHOULD: &str = "the disk was full";

/// Not a test, but what the one below runs.
#[test]
#[expect(clippy::print_stdout, reason = "the other process listens")]
fn pulls_onto_a_small_disk() {
    let Ok(text) = std::env::var(HERE) else { return };
    let [directory, name, part] = text.split(' ').collect::<Vec<_>>()[..] else {
        panic!("{text} is not what was to be said")
    };
    let store = Store::open(&Path::new(directory).join("store")).expect("a store");
    let name = name.parse().expect("a name");
    let error = store.pull(&name, &hasty(), &mut |_| {}).expect_err("it does not fit");
    assert_eq!(error.kind(), ErrorKind::Setup, "{}", told(&error));
    assert!(error.hint().expect("a hint").contains("room"));
    assert_eq!(store.list().expect("it is whole"), []);
    assert_eq!(left(&store), [part]);
    // What is left of it is in nobody's way.
    store.collect_garbage().expect("it is collected");
    assert_eq!(left(&store), [""; 0]);
    println!("{AS_IT_SHOULD}");
}

#[test]
fn a_full_disk_leaves_the_part_that_came() {
    let (shelf, layer) = Shelf::simple(4 << 20);
    let server = shelf.serve();
    let scratch = Scratch::new();
    let directory = scratch.join("disk");
    std::fs::create_dir(&directory).expect("a directory");
    let mut unshare = Command::new("unshare");
    if !rustix::process::geteuid().is_root() {
        unshare.args(["--user", "--map-root-user"]);
    }
    let script = "mount -t tmpfs -o size=1m,mode=700 tmpfs \"$1\" || exit 77; exec \"$2\" --exact \
                  pull::disk::pulls_onto_a_small_disk --nocapture";
    let output = unshare
        .args(["--mount", "sh", "-c", script, "sh"])
        .args([&directory, &std::env::current_exe().expect("this binary")])
        .env(HERE, format!("{} {} {}", directory.display(), super::name(&server), part(&layer)))
        .stdin(Stdio::null())
        .output();
    let output = match output {
        Ok(output) => output,
        Err(error) => return skip(&format!("unshare does not run: {error}")),
    };
    let said = String::from_utf8_lossy(&output.stdout);
    if output.status.code() == Some(77)
        || output.stdout.is_empty() && output.status.code() == Some(1)
    {
        return skip("no disk of its own can be mounted");
    }
    assert!(said.contains(AS_IT_SHOULD), "{output:?}");
}
