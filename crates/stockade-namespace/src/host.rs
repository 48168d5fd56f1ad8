//! What this host offers, found out by doing.

mod refusal;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use stockade_core::{Ability, Control, Error, ErrorKind, Support};

use crate::cgroup::{Cgroups, Hierarchies, sweep};
use crate::left_out::LeftOut;
use crate::limits::SAMPLE_GAP;
use crate::sandbox::NamespaceSandbox;
use crate::sight;
use crate::warden::{IdRange, LaunchError, LinkError};

/// Far enough apart that neighbouring process ids do not meet the second warden of one of them.
const SEATS_APART: u32 = 7919;

/// Name of this backend in reports.
pub(crate) const BACKEND: &str = "namespace";

/// What was found out before a warden is launched.
#[derive(Debug)]
pub(crate) struct Host {
    privileged: bool,
    uid_map: String,
    gid_map: String,
    pub(crate) cgroups: Cgroups,
    /// The cgroup in which, or above which, the memory of this process may be bounded.
    pub(crate) memory_group: Option<PathBuf>,
    /// Whether the warden cannot see the processes of its sandboxes.
    blind: bool,
    /// What is not used, though it may be there.
    pub(crate) left_out: LeftOut,
}

/// Capabilities without which the warden needs a user namespace of its own: `CAP_CHOWN`,
/// `CAP_KILL`, `CAP_SETGID`, `CAP_SETUID`, `CAP_SETPCAP`, `CAP_NET_ADMIN`, `CAP_SYS_CHROOT`,
/// `CAP_SYS_PTRACE`, `CAP_SYS_ADMIN`.
const NEEDED: u64 =
    1 << 0 | 1 << 5 | 1 << 6 | 1 << 7 | 1 << 8 | 1 << 12 | 1 << 18 | 1 << 19 | 1 << 21;

/// What a container that covers parts of its `/proc` costs.
const NO_PROC: &str = "/proc is empty in a sandbox, since parts of it are covered here and the \
                       kernel then allows no new one; everything else is as asked";

/// How container engines are told to leave `/proc` as it is.
const UNMASK: &str = "start the container with an uncovered /proc: `docker run --security-opt \
                      systempaths=unconfined` or `podman run --security-opt unmask=ALL`";

impl Host {
    /// Looks at ids and cgroups, and clears away cgroups of hosts that have died.
    pub(crate) fn look() -> Self {
        Self::look_past(LeftOut::default())
    }

    /// The same, but for what is to be left out.
    pub(crate) fn look_past(left_out: LeftOut) -> Self {
        let text = |path: &str| fs::read_to_string(path).unwrap_or_default();
        let status = text("/proc/self/status");
        let effective = status
            .lines()
            .find_map(|line| line.strip_prefix("CapEff:"))
            .and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok())
            .unwrap_or(0);
        let privileged = rustix::process::geteuid().is_root() && effective & NEEDED == NEEDED;
        let (uid_map, gid_map) = (text("/proc/self/uid_map"), text("/proc/self/gid_map"));
        let none = || Hierarchies::parse("", "");
        let hierarchies = match left_out.cgroups {
            true => none(),
            false => Hierarchies::read().unwrap_or_else(|_| none()),
        };
        let cgroups = Cgroups::probe(&hierarchies);
        sweep(&cgroups.parents);
        let memory_group = hierarchies.memory().map(Path::to_owned);
        let mut host =
            Self { privileged, uid_map, gid_map, cgroups, memory_group, blind: false, left_out };
        host.blind = host.single_id() && sight::is_hidden(&text("/proc/self/mountinfo"));
        host
    }

    /// Whether workloads have no id but the caller's.
    pub(crate) fn single_id(&self) -> bool {
        self.ids_at(0) == IdRange::Single
    }

    /// Ids for the workloads of one warden: others than those of the last one, where there is
    /// room.
    pub(crate) fn next_ids(&self) -> IdRange {
        static WARDENS: AtomicU32 = AtomicU32::new(0);
        let count = WARDENS.fetch_add(1, Ordering::Relaxed);
        self.ids_at(std::process::id().wrapping_add(count.wrapping_mul(SEATS_APART)))
    }

    fn ids_at(&self, seat: u32) -> IdRange {
        IdRange::choose(self.privileged, &self.uid_map, &self.gid_map, seat)
    }

    /// What is sampled cannot be where there is nothing to see.
    fn if_seen(&self, ability: Ability) -> Ability {
        match ability {
            Ability::Approximated { reason, .. } if self.blind => Ability::unavailable(
                format!("/proc hides processes (hidepid), so they cannot be sampled ({reason})"),
                Some("mount -o remount,hidepid=0 /proc"),
            ),
            ability => ability,
        }
    }

    /// What can be enforced, given a warden that has settled.
    pub(crate) fn support(&self, landlock_abi: u64, no_proc: bool) -> Support {
        let landlock = match landlock_abi {
            0 => "no Landlock here".to_owned(),
            abi => format!("Landlock ABI {abi}"),
        };
        let ids = match self.ids_at(0) {
            IdRange::Single => "the caller's id, mapped",
            IdRange::Range { .. } => "ids of its own",
        };
        let found = |control| match control {
            Control::Memory | Control::CpuTime | Control::Cpus | Control::Processes => self
                .cgroups
                .ability(control, SAMPLE_GAP)
                .map(|ability| self.if_seen(ability))
                .unwrap_or_else(|| Ability::unavailable("no cgroup counts it", None)),
            Control::WallTime => Ability::enforced("CLOCK_MONOTONIC deadline in the warden"),
            Control::OpenFiles => Ability::enforced("RLIMIT_NOFILE"),
            Control::FileSize => Ability::enforced("RLIMIT_FSIZE"),
            Control::Disk => Ability::enforced("tmpfs size and nr_inodes"),
            Control::Output => Ability::enforced("bounded pipes"),
            Control::Filesystem => {
                let mechanism = format!("mount namespace, pivot_root; {landlock}");
                if no_proc {
                    Ability::approximated(mechanism, NO_PROC, Some(UNMASK))
                } else {
                    Ability::enforced(mechanism)
                }
            }
            Control::Network => Ability::enforced("network namespace, seccomp socket filter"),
            Control::Syscalls => Ability::enforced("seccomp-bpf"),
            Control::Privileges => Ability::enforced(format!(
                "user namespace with {ids}, no capabilities, no_new_privs"
            )),
            Control::ProcessTree => Ability::enforced("pid namespace"),
            Control::Ipc => Ability::enforced("IPC namespace"),
            _ => Ability::unavailable("only WebAssembly counts instructions", None),
        };
        Support::new(BACKEND, |control| {
            self.left_out.ability(control).unwrap_or_else(|| found(control))
        })
    }
}

impl NamespaceSandbox {
    /// What this host could enforce if namespaces could be made, for diagnosis where
    /// [`NamespaceSandbox::new`] fails. Tries cgroups, launches nothing, and asks no service manager
    /// for a scope.
    pub fn outlook() -> Support {
        Host::look().support(0, false)
    }
}

/// The public error for a warden that does not do what it was asked.
pub(crate) fn link_error(error: LinkError) -> Error {
    match error {
        LinkError::Lost => Error::new(ErrorKind::HostLost, LinkError::Lost)
            .with_hint("run again: the next run starts a new helper process"),
        LinkError::Settle { step, source } => refusal::refusal(step, source),
        LinkError::Exhausted { .. } => {
            Error::new(ErrorKind::Setup, error).with_hint("drop some of what was prepared")
        }
        LinkError::Launch(LaunchError::OnDisk { .. }) => {
            Error::new(ErrorKind::Setup, error).with_hint(NOWHERE)
        }
        error => Error::new(ErrorKind::Setup, error).with_hint(WANTING),
    }
}

const WANTING: &str = "Linux 5.14 or later is needed, and a container's seccomp profile must allow its \
     calls; `stockade doctor` shows what this host can enforce";

const NOWHERE: &str = "have TMPDIR name a directory in which this process may write files and execute \
     them; or let programs be executed from memory: `sysctl -w vm.memfd_noexec=1`, with /proc mounted";

#[cfg(test)]
mod tests;
