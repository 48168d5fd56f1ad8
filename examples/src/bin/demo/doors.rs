//! One program per closed door.

use std::error::Error;
use std::fs;
use std::path::Path;
use std::process;

use stockade::{Policy, Report, Sandbox, SyscallProfile, Verdict};
use stockade_guests as guests;

use crate::case::{Case, Tally};
use crate::screen::Screen;
use crate::text;

/// Runs them all.
pub(crate) fn run(
    screen: &Screen,
    sandbox: &dyn Sandbox,
    home: &Path,
    tally: &mut Tally,
) -> Result<(), Box<dyn Error>> {
    let secret = home.join("secret");
    fs::write(&secret, "the host's secret\n")?;
    screen.heading("3  Programs that try a door, one per wall");
    screen.columns("wall", "what the program tries", "what it got");
    for case in cases(&secret.to_string_lossy()) {
        tally.add(case.run(screen, sandbox)?);
    }
    Ok(())
}

fn cases(secret: &str) -> [Case; 6] {
    let us = process::id().to_string();
    let case = |name, story, guest, args: &[&str]| {
        let args = args.iter().map(|&arg| arg.to_owned()).collect();
        Case { name, story, guest, args, adjust: leave, judge: refused }
    };
    [
        case("network", "opens an internet socket", guests::SOCKET_FAMILY, &["2"]),
        case("files", "reads a secret of the host", guests::CAT, &[secret]),
        case("processes", "kills the program that started it", guests::KILL_PID, &[&us]),
        case("kernel", "opens kernel switches in /proc", guests::PROC_WRITE, &[]),
        case("privileges", "makes itself root of a namespace", guests::UNSHARE_USER, &[]),
        Case {
            adjust: strict,
            judge: denied,
            ..case("syscalls", "the same under the strict profile", guests::UNSHARE_USER, &[])
        },
    ]
}

fn leave(_: &mut Policy) {}

fn strict(policy: &mut Policy) {
    policy.syscalls.profile = SyscallProfile::Strict;
}

/// The program should say which errno it was refused with, and exit with 3.
fn refused(report: &Report) -> (bool, String) {
    let said = String::from_utf8_lossy(&report.stdout);
    let first = said.lines().next().unwrap_or_default();
    // A path is long; its last part tells enough.
    let first = first.rsplit('/').next().unwrap_or(first);
    let good = report.verdict == Verdict::Exited { code: 3 };
    (good, format!("{first}, {}", text::verdict(&report.verdict)))
}

/// The kernel should have stopped the program at the call.
fn denied(report: &Report) -> (bool, String) {
    (matches!(report.verdict, Verdict::Denied { .. }), text::verdict(&report.verdict))
}
