//! One misbehaving program per limit.

use std::time::Duration;

use stockade::{Bytes, Control, Cpus, Limit, Policy, Report, Result, Sandbox, Verdict};
use stockade_guests as guests;

use crate::case::{Case, Tally};
use crate::screen::Screen;
use crate::text;

const MIB: u64 = 1 << 20;

/// Runs each of them behind both walls.
pub(crate) fn run(
    screen: &Screen,
    native: &dyn Sandbox,
    wasm: &dyn Sandbox,
    tally: &mut Tally,
) -> Result<()> {
    screen.heading("2  Programs that ask for too much, one per limit: the same C source twice");
    screen.walls(["limit", "what the program does"], ["Linux namespaces", "WebAssembly"]);
    for case in cases() {
        let cells = [Some(case.behind_namespaces(native)?), case.behind_wasm(wasm)?];
        screen.pair([case.name, case.story], &cells);
        for cell in cells.iter().flatten() {
            tally.add(cell.outcome);
        }
    }
    Ok(())
}

fn cases() -> [Case; 9] {
    let case = |name, story, guest, args: &[&str], adjust, judge| {
        let args = args.iter().map(|&arg| arg.to_owned()).collect();
        Case { name, story, guest, args, adjust, judge }
    };
    [
        case(
            "memory",
            "takes memory and never stops",
            guests::MEMORY_BOMB,
            &[],
            memory,
            |report| limit(report, Control::Memory),
        ),
        case("cpu_time", "computes forever", guests::SPIN, &[], cpu_time, |report| {
            limit(report, Control::CpuTime)
        }),
        case("wall_time", "sleeps forever", guests::SLEEP_FOREVER, &[], wall_time, |report| {
            limit(report, Control::WallTime)
        }),
        case("cpus", "wants a core, may use half", guests::BURN_CPU, &["300"], cpus, half_a_core),
        case("processes", "is a fork bomb", guests::FORK_BOMB, &[], processes, |report| {
            limit(report, Control::Processes)
        }),
        case(
            "open_files",
            "opens files and closes none",
            guests::OPEN_FLOOD,
            &["200"],
            open_files,
            |report| limit(report, Control::OpenFiles),
        ),
        case(
            "file_size",
            "grows one file to a tebibyte",
            guests::BIG_FILE,
            &["/tmp/big"],
            file_size,
            |report| limit(report, Control::FileSize),
        ),
        case("disk", "fills /tmp with files", guests::DISK_FLOOD, &["/tmp"], disk, |report| {
            limit(report, Control::Disk)
        }),
        case("output", "prints without end", guests::STDOUT_FLOOD, &[], output, |report| {
            limit(report, Control::Output)
        }),
    ]
}

fn memory(policy: &mut Policy) {
    policy.limits.memory = Bytes(64 * MIB).into();
}

fn cpu_time(policy: &mut Policy) {
    policy.limits.cpu_time = Duration::from_millis(300).into();
}

fn wall_time(policy: &mut Policy) {
    policy.limits.wall_time = Duration::from_millis(300).into();
}

fn cpus(policy: &mut Policy) {
    policy.limits.cpus = Some(Cpus::from_milli(500));
}

fn processes(policy: &mut Policy) {
    policy.limits.processes = Limit::At(32);
}

fn open_files(policy: &mut Policy) {
    policy.limits.open_files = Limit::At(64);
}

fn file_size(policy: &mut Policy) {
    policy.limits.file_size = Bytes(MIB).into();
}

fn disk(policy: &mut Policy) {
    policy.limits.disk = Bytes(8 * MIB).into();
}

fn output(policy: &mut Policy) {
    policy.limits.output = Bytes(64 << 10).into();
}

/// The run should have ended by this limit; the row says where.
fn limit(report: &Report, expected: Control) -> (bool, String) {
    match report.verdict {
        Verdict::Limit { control, observed, .. } if control == expected => {
            (true, format!("at {}", text::amount(control, observed)))
        }
        ref verdict => (false, text::verdict(verdict)),
    }
}

/// The program should have ended by itself, having had no more than it may.
fn half_a_core(report: &Report) -> (bool, String) {
    let got = report.usage.cpu_ns() as f64 / report.usage.wall_ns.max(1) as f64;
    // A period of the kernel's scheduler that has begun is granted in full.
    let good = report.verdict.success() && got < 0.7;
    (good, format!("used {got:.2} cores"))
}
