//! What a sandbox holds while its program sleeps.

use std::fs;
use std::thread;
use std::time::Duration;

use stockade::{
    Ability, Base, Control, Execution, Mount, NamespaceSandbox, Policy, Program, Result, Sandbox,
    Stdio,
};
use stockade_guests::SLEEP_FOREVER;

const SANDBOXES: usize = 50;

/// Starts many, measures, and kills them.
pub(crate) fn print(sandbox: &NamespaceSandbox) -> Result<()> {
    let warden = sandbox.warden_id()?;
    let image = fs::metadata(format!("/proc/{warden}/exe")).map(|file| file.len());
    println!("\nmemory, with {SANDBOXES} sandboxes whose programs sleep");
    let idle = pss(warden);
    let held = start(sandbox)?;
    // Until the last of them is past its start.
    thread::sleep(Duration::from_millis(300));

    line("warden's image", image.ok());
    line("warden, resident share (PSS) before", idle);
    line("warden, resident share (PSS) now", pss(warden));
    let inits = children(warden);
    let programs: Vec<u32> = inits.iter().flat_map(|init| children(*init)).collect();
    println!("{:44} {:>6} and {}", "inits and programs found", inits.len(), programs.len());
    line("one init, resident share (PSS)", mean(&inits, pss));
    line("one program, resident share (PSS)", mean(&programs, pss));
    line("one sandbox's cgroup, kernel memory", mean(&programs, kernel_memory));
    drop(held);
    Ok(())
}

fn start(sandbox: &NamespaceSandbox) -> Result<Vec<Box<dyn Execution>>> {
    let mut policy = Policy::default();
    policy.filesystem.base = Base::Empty;
    policy.filesystem.mounts = vec![Mount::file("/guest", SLEEP_FOREVER.image)];
    for control in [Control::Memory, Control::CpuTime, Control::Processes] {
        if matches!(sandbox.support().ability(control), Ability::Approximated { .. }) {
            policy.best_effort.insert(control);
        }
    }
    let prepared = sandbox.prepare(&policy, &Program::executable("/guest"))?;
    (0..SANDBOXES).map(|_| prepared.start(Stdio::discarded())).collect()
}

fn line(what: &str, bytes: Option<u64>) {
    match bytes {
        Some(bytes) => println!("{what:44} {:>6.1} KiB", bytes as f64 / 1024.0),
        None => println!("{what:44} {:>6}", "not readable"),
    }
}

/// The mean over those that can be read; none if none can.
fn mean(pids: &[u32], read: impl Fn(u32) -> Option<u64>) -> Option<u64> {
    let read: Vec<u64> = pids.iter().filter_map(|pid| read(*pid)).collect();
    let count = u64::try_from(read.len()).ok().filter(|count| *count > 0)?;
    Some(read.iter().sum::<u64>() / count)
}

/// See proc(5), `task/TID/children`.
fn children(pid: u32) -> Vec<u32> {
    let text = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    text.split_whitespace().filter_map(|word| word.parse().ok()).collect()
}

/// Proportional set size of a process, in bytes; see proc(5), `smaps_rollup`.
fn pss(pid: u32) -> Option<u64> {
    let text = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).ok()?;
    let value = text.lines().find_map(|line| line.strip_prefix("Pss:"))?;
    value.split_whitespace().next()?.parse::<u64>().ok().map(|kib| kib * 1024)
}

/// Kernel memory charged to the cgroup of a process, version 1 or 2.
fn kernel_memory(pid: u32) -> Option<u64> {
    let groups = fs::read_to_string(format!("/proc/{pid}/cgroup")).ok()?;
    for group in groups.lines() {
        let mut fields = group.splitn(3, ':').skip(1);
        let (controllers, path) = (fields.next()?, fields.next()?);
        if controllers.split(',').any(|name| name == "memory") {
            let file = format!("/sys/fs/cgroup/memory{path}/memory.kmem.usage_in_bytes");
            return fs::read_to_string(file).ok()?.trim().parse().ok();
        }
        if controllers.is_empty()
            && let Ok(stat) = fs::read_to_string(format!("/sys/fs/cgroup{path}/memory.stat"))
        {
            let value = stat.lines().find_map(|line| line.strip_prefix("kernel "))?;
            return value.trim().parse().ok();
        }
    }
    None
}
