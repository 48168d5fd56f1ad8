//! The receipt: each control's status, from what was read back while the run was built.

use std::sync::Arc;

use stockade_core::{Control, Enforcement, EnforcementStatus, NetworkMode, Plan};
use stockade_warden::wire::board::{Layer, Space, Word};
use stockade_warden::wire::plan::MAX_DISKS;

use crate::account::Account;
use crate::outcome::killed_from_above;

/// The planned enforcement, corrected by what the kernel said.
pub(crate) fn receipt(plan: &Plan, account: &Account) -> Arc<[Enforcement]> {
    plan.enforcement.iter().map(|planned| entry(plan, account, planned)).collect()
}

fn entry(plan: &Plan, account: &Account, planned: &Enforcement) -> Enforcement {
    let mut entry = planned.clone();
    if planned.status == EnforcementStatus::NotEnforced {
        return entry;
    }
    if let (Control::Filesystem, Some(mechanism)) = (planned.control, &mut entry.mechanism) {
        mechanism.push_str(layer(account));
    }
    if let Some(reason) = shortfall(plan, account, planned) {
        entry.status = EnforcementStatus::NotEnforced;
        entry.reason = Some(reason);
    } else if planned.status == EnforcementStatus::Approximated {
        if let Some(seen) = precision(account, planned.control) {
            let reason = planned.reason.as_deref().unwrap_or_default();
            entry.reason = Some(format!("{reason}; {seen}"));
        }
    } else if planned.control == Control::Memory && killed_from_above(plan, account) {
        entry.reason = Some(ABOVE.to_owned());
    }
    entry
}

const ABOVE: &str =
    "the kernel killed a process for memory that ran out above: in a parent cgroup or on the host";

/// How the root was made writable, to be said beside what keeps the rest as it is.
fn layer(account: &Account) -> &'static str {
    let made = account.get(Word::ReadLayer);
    if made == Layer::Overlay as u64 {
        "; an overlay in memory over the root"
    } else if made == Layer::BareOverlay as u64 {
        "; an overlay in memory over the root, without extended attributes"
    } else if made == Layer::Copy as u64 {
        "; a copy of the root in memory"
    } else {
        ""
    }
}

/// How closely this run was looked at, where it was sampled.
fn precision(account: &Account, control: Control) -> Option<String> {
    let gap = account.get(Word::SampleGapNs) as f64 / 1e6;
    let growth = account.get(Word::SampleGrowth) as f64 / f64::from(1 << 20);
    match control {
        _ if gap == 0.0 => None,
        Control::Memory => Some(format!(
            "in this run the longest gap was {gap:.1} ms, in which memory grew by at most {growth:.1} MiB"
        )),
        Control::Processes | Control::CpuTime => {
            Some(format!("in this run the longest gap was {gap:.1} ms"))
        }
        _ => None,
    }
}

/// Why the kernel does not enforce what was asked, if it does not.
fn shortfall(plan: &Plan, account: &Account, planned: &Enforcement) -> Option<String> {
    let limits = &plan.policy.limits;
    let exact = planned.status == EnforcementStatus::Enforced;
    let at_most = |word: Word, limit: Option<u64>| {
        let (read, limit) = (account.get(word), limit?);
        (read == 0 || read > limit).then(|| format!("the kernel says {read} instead of {limit}"))
    };
    let own = |spaces: &[Space]| {
        let missing = spaces.iter().find(|s| account.get(Word::ReadSpaces) >> **s as u32 & 1 == 0);
        missing.map(|space| format!("no {space:?} namespace of its own"))
    };
    match planned.control {
        Control::Memory if exact => {
            let limit = limits.memory.get().map(|bytes| bytes.0);
            // Memory and swap together; zero where swap is not counted, since there is none.
            let swap = account.get(Word::ReadSwap) != 0;
            at_most(Word::ReadMemory, limit)
                .or_else(|| swap.then(|| at_most(Word::ReadSwap, limit)).flatten())
        }
        Control::Processes if exact => at_most(Word::ReadTasks, limits.processes.get()),
        Control::Cpus => {
            let quota = limits.cpus.map(|cpus| u64::from(cpus.milli()) * 100);
            at_most(Word::ReadQuota, quota.map(|quota| quota.max(1000)))
        }
        Control::OpenFiles => at_most(Word::ReadOpenFiles, limits.open_files.get()),
        Control::FileSize => {
            at_most(Word::ReadFileSize, limits.file_size.get().map(|bytes| bytes.0))
        }
        Control::Disk => at_most(Word::ReadDisk, limits.disk.get().map(|bytes| round_up(bytes.0))),
        Control::Filesystem => own(&[Space::Mount]).or_else(|| landlock(account, planned)),
        Control::Network => own(&[Space::Net]).or_else(|| interfaces(plan, account)),
        Control::Syscalls => {
            (account.get(Word::ReadSeccomp) != 2).then(|| "no filter is installed".to_owned())
        }
        Control::Privileges => own(&[Space::User]).or_else(|| privileges(account)),
        Control::ProcessTree => own(&[Space::Pid])
            .or_else(|| (account.get(Word::ReadPid) == 0).then(|| "no process id".to_owned())),
        Control::Ipc => own(&[Space::Ipc]),
        _ => None,
    }
}

/// In-memory filesystems are as large as whole pages.
fn round_up(bytes: u64) -> u64 {
    bytes.saturating_add(MAX_DISKS as u64 * 4096)
}

/// Whether the second wall that was announced is there.
fn landlock(account: &Account, planned: &Enforcement) -> Option<String> {
    let announced = planned.mechanism.as_ref().is_some_and(|text| text.contains("Landlock ABI"));
    let missing = announced && account.get(Word::ReadLandlock) != 1;
    missing.then(|| "the workload did not restrict itself by Landlock".to_owned())
}

fn interfaces(plan: &Plan, account: &Account) -> Option<String> {
    let up = account.get(Word::ReadInterfaces);
    let expected = u64::from(plan.policy.network.mode == NetworkMode::Loopback);
    (up != expected).then(|| format!("{up} network interfaces are up instead of {expected}"))
}

fn privileges(account: &Account) -> Option<String> {
    let capabilities = account.get(Word::ReadCapabilities);
    if capabilities != 0 {
        return Some(format!("capabilities {capabilities:#x} are left"));
    }
    (account.get(Word::ReadNoNewPrivs) != 1).then(|| "no_new_privs is not set".to_owned())
}
