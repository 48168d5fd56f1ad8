use stockade::{Control, Verdict};

use super::{exit, last_line, stopped};
use crate::exit::Exit;

const MIB: u64 = 1 << 20;
const SECOND: u64 = 1_000_000_000;

fn line(control: Control, limit: u64, observed: u64) -> String {
    stopped(&Verdict::Limit { control, limit, observed }).expect("a limit stops")
}

#[test]
fn every_limit_says_what_was_reached_and_what_was_seen() {
    let lines = [
        (Control::Memory, 64 * MIB, 64 * MIB, "memory limit 64 MiB reached (peak 64.0 MiB)"),
        (Control::CpuTime, SECOND, SECOND, "cpu_time limit 1 s reached (used 1.00 s)"),
        (
            Control::WallTime,
            SECOND / 4,
            SECOND * 26 / 100,
            "wall_time limit 0.25 s reached (ran 0.26 s)",
        ),
        (Control::Processes, 64, 64, "processes limit 64 reached (peak 64)"),
        (Control::OpenFiles, 256, 256, "open_files limit 256 reached (open 256)"),
        (Control::FileSize, 1000, 1000, "file_size limit 1000 B reached (used 1000 B)"),
        (Control::Disk, 3 * MIB / 2, 2 * MIB, "disk limit 1.5 MiB reached (used 2.0 MiB)"),
        (Control::Output, MIB, MIB + 1, "output limit 1 MiB reached (printed 1.0 MiB)"),
        (Control::Fuel, 10, 10, "fuel limit 10 reached (used 10)"),
    ];
    for (control, limit, observed, expected) in lines {
        assert_eq!(line(control, limit, observed), expected);
    }
}

#[test]
fn a_module_that_asked_for_too_much_never_held_it() {
    let verdict = Verdict::Limit { control: Control::Memory, limit: 48 * MIB, observed: 90 * MIB };
    let line = last_line(&verdict, 26 * MIB);
    let said = "stopped: memory limit 48 MiB reached (held 26.0 MiB, asked for 90.0 MiB)";
    assert_eq!(line.as_deref(), Some(said));
}

#[test]
fn any_amount_can_be_shown() {
    for amount in [0, 1, 1023, 1024, u64::MAX] {
        for control in Control::ALL {
            assert!(line(control, amount, amount).contains(control.name()));
        }
    }
}

#[test]
fn a_refusal_says_what_was_refused() {
    let denied = |control, detail: &str| {
        stopped(&Verdict::Denied { control, detail: detail.to_owned() }).expect("a refusal stops")
    };
    assert_eq!(denied(Control::Syscalls, "ptrace"), "system call refused (ptrace)");
    assert_eq!(denied(Control::Network, "connect"), "refused by network (connect)");
}

#[test]
fn a_trap_is_told_as_an_abort_and_not_as_a_stop() {
    let trapped = Verdict::Trapped { trap: "unreachable".to_owned(), backtrace: None };
    assert_eq!(last_line(&trapped, 0).as_deref(), Some("trapped: unreachable"));
    assert_eq!(exit(&trapped), Exit::signal(6));
    assert_eq!(last_line(&Verdict::Cancelled, 0).as_deref(), Some("stopped: cancelled"));
}

#[test]
fn a_program_that_ends_by_itself_was_not_stopped() {
    let killed = Verdict::Signaled { signal: "SIGSEGV".to_owned(), number: 11 };
    assert_eq!(last_line(&Verdict::Exited { code: 7 }, 0), None);
    assert_eq!(last_line(&killed, 0), None);
    assert_eq!(exit(&Verdict::Exited { code: 7 }), Exit::program(7));
    assert_eq!(exit(&killed), Exit::signal(11));
    assert_eq!(exit(&Verdict::Cancelled), Exit::STOPPED);
}
