//! Archives, as other programs read them.

use std::process::{Command, Output, Stdio};

use super::*;

fn listed(tool: &str, args: &[&str], archive: &[u8]) -> Option<String> {
    use std::io::Write;
    let mut command = Command::new(tool);
    command.args(args).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn().ok()?;
    child.stdin.take().expect("a pipe").write_all(archive).expect("it reads");
    let Output { status, stdout, .. } = child.wait_with_output().expect("it ends");
    assert!(status.success());
    Some(String::from_utf8_lossy(&stdout).into_owned())
}

#[test]
#[expect(clippy::print_stdout, reason = "the test runner counts what was skipped by its line")]
fn other_programs_read_what_is_written() {
    let archive = tar("work", b"four and more");
    let names = listed("tar", &["-tvf", "-"], &archive).expect("there is a tar");
    assert!(names.starts_with("-rwxr-xr-x") && names.trim().ends_with("work"), "{names}");
    match listed("cpio", &["-t"], &initramfs(b"four and more")) {
        Some(names) => assert_eq!(names, "dev\ndev/console\ninit\n"),
        None => println!("SKIP: other_programs_read_what_is_written: no cpio"),
    }
}

#[test]
fn an_initramfs_is_aligned_and_ends_with_its_trailer() {
    let archive = initramfs(b"12345");
    assert_eq!(archive.len() % 4, 0);
    assert_eq!(archive.windows(6).filter(|six| six == b"070701").count(), 4);
    assert!(archive.windows(10).any(|ten| ten == b"TRAILER!!!"));
}
