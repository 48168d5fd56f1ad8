use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

use super::*;

#[test]
fn sizes_are_those_of_tmpfs() {
    for (text, size) in [
        ("4096", Some(4096)),
        ("64k", Some(65536)),
        ("65536K", Some(64 << 20)),
        ("2m", Some(2 << 20)),
        ("1g", Some(1 << 30)),
        ("50%", None),
        ("", None),
        ("k", None),
        ("1kk", None),
        ("+1", None),
        ("-1", None),
        ("1.5m", None),
        ("18446744073709551615g", None),
        ("1ä", None),
    ] {
        assert_eq!(bytes(text), size, "{text:?}");
    }
}

#[test]
fn blanks_of_mountinfo_are_blanks() {
    assert_eq!(unescaped(br"/a\040b"), Path::new("/a b"));
    assert_eq!(unescaped(br"/a\134040b"), Path::new(r"/a\040b"));
    assert_eq!(unescaped(br"/a\04"), Path::new(r"/a\04"));
    let odd = OsStr::from_bytes(b"/\xff");
    assert_eq!(unescaped(odd.as_bytes()), Path::new(odd));
}

#[test]
fn mounts_beneath_are_seen() {
    assert!(has_mounts_beneath(Path::new("/")), "/proc is mounted beneath it");
    assert!(!has_mounts_beneath(Path::new("/proc/self/status")));
    assert!(!has_mounts_beneath(Path::new("/does-not-exist")));
}
