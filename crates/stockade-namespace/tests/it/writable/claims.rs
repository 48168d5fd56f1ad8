//! What roots and programs say to overlayfs in the names it has for its own notes.

use std::fs;

use rustix::fs::{CWD, FileType, Mode, XattrFlags, makedev, mknodat, setxattr};

use super::{Tree, mechanism};
use crate::machine::{expects, has_overlay, subject};
use crate::view::printed;

/// Names that overlayfs takes as its own, and what hostile ones say.
const CLAIMS: [(&str, &[u8]); 4] =
    [("opaque", b"y"), ("redirect", b"/etc"), ("metacopy", b""), ("origin", b"\0\xfb\x1d\0\0")];

#[test]
fn what_a_root_claims_to_overlayfs_leads_nowhere() {
    if !has_overlay() {
        return;
    }
    let Some(subject) = subject() else { return };
    let tree = Tree::new();
    fs::write(tree.scratch.path().join("secret"), "secret\n").expect("there is room");
    // Only root can have the names that root's overlays look at.
    let root = rustix::process::geteuid().is_root();
    let prefixes: &[&str] = if root { &["trusted", "user"] } else { &["user"] };
    let (mut steps, mut marked) = (Vec::new(), 0);
    for (at, prefix) in prefixes.iter().enumerate() {
        for (name, value) in CLAIMS {
            let dir = tree.root.join(format!("var/{at}{name}"));
            let file = tree.root.join(format!("etc/{at}{name}"));
            fs::create_dir(&dir).expect("nothing is there");
            fs::write(dir.join("inside"), "inside\n").expect("there is room");
            fs::write(&file, "file\n").expect("there is room");
            for place in [&dir, &file] {
                let name = format!("{prefix}.overlay.{name}");
                let set = setxattr(place, &name, value, XattrFlags::empty());
                marked += usize::from(set.is_ok());
            }
            steps.push(format!("list:/var/{at}{name}"));
            steps.push(format!("read:/etc/{at}{name}"));
            steps.push(format!("append:/etc/{at}{name}=more"));
            steps.push(format!("write:/var/{at}{name}/new=new"));
            steps.push(format!("list:/var/{at}{name}"));
        }
    }
    if marked == 0 {
        return expects("xattr", "this filesystem has no extended attributes");
    }
    // One that hides what is not there.
    let hidden = tree.root.join("var/lib/gone");
    let _ = mknodat(CWD, &hidden, FileType::CharacterDevice, Mode::from(0o600), makedev(0, 0));
    let before = tree.state();
    let steps = steps.iter().map(String::as_str);
    let steps: Vec<&str> = steps.chain(["read:/var/lib/gone", "write:/var/lib/gone=x"]).collect();
    let (said, report) = tree.steps(&subject, &steps);
    let text = printed(&report);
    assert!(mechanism(&report).contains("an overlay in memory"), "{report:?}");
    assert!(!text.contains("secret") && !text.contains("passwd"), "{text}");
    for part in said.all()[..steps.len() - 2].chunks(5) {
        let [list, read, append, write, after] = *part else { panic!("{part:?}") };
        assert_eq!((list, write, after), ("inside", "ok", "inside new"), "{text}");
        // What claims to be only the attributes of a file elsewhere is not opened, or is itself.
        let itself = read == "file" && append == "ok";
        assert!(
            itself || [read, append].iter().all(|said| ["EPERM", "EIO"].contains(said)),
            "{text}"
        );
    }
    assert_eq!(said.of("read:/var/lib/gone"), "ENOENT", "{text}");
    assert_eq!(said.of("write:/var/lib/gone=x"), "ok", "{text}");
    assert_eq!(tree.state(), before, "the host's directory has changed");
}

#[test]
fn a_program_makes_no_claims_to_overlayfs_itself() {
    if !has_overlay() {
        return;
    }
    let Some(subject) = subject() else { return };
    let tree = Tree::new();
    for prefix in ["trusted", "user"] {
        for (name, _) in CLAIMS {
            let mark = format!("mark:/var/old={prefix}.overlay.{name}");
            let mark_dir = format!("mark:/etc={prefix}.overlay.{name}");
            let steps =
                [mark.as_str(), &mark_dir, "read:/var/old", "list:/etc", "write:/var/new=x"];
            let (said, report) = tree.steps(&subject, &steps);
            let text = printed(&report);
            assert_eq!(said.all()[2..], ["old", "deep hosts link", "ok"], "{text}");
        }
    }
    // A device that hides others cannot be made.
    let (said, _) = tree.steps(&subject, &["whiteout:/var/w", "list:/var"]);
    assert!(["EPERM", "EACCES"].contains(&said.all()[0]), "{:?}", said.all());
    assert_eq!(said.all()[1], "lib old");
}
