//! Other processes, processes that stay, and privileges.

use super::{Check, Control, Finding, Verdict, never, refused};
use crate::sentinel::{Bystander, Marker};

pub(super) const fn kill_all() -> Check {
    refused("looks for any process that it could kill", "signals to the host", Control::ProcessTree)
}

pub(super) const fn list_processes() -> Check {
    refused("looks for processes of others", "information leak", Control::ProcessTree)
}

pub(super) const fn foreign_limits() -> Check {
    refused("changes the limits of the process that started it", "prlimit64", Control::Syscalls)
}

pub(super) const fn memory_of_starter() -> Check {
    refused(
        "opens the memory of the process that started it",
        "CVE-2024-21626",
        Control::ProcessTree,
    )
}

pub(super) const fn become_root() -> Check {
    refused("takes the identity of root", "CVE-2019-14287", Control::Privileges)
}

pub(super) const fn capabilities() -> Check {
    refused("looks for a capability in any of its sets", "capabilities(7)", Control::Privileges)
}

pub(super) const fn new_privileges() -> Check {
    refused("runs set-user-id programs with their privileges", "CVE-2021-4034", Control::Privileges)
}

pub(super) const fn precedence() -> Check {
    refused("takes precedence over every process of the host", "setpriority", Control::Privileges)
}

pub(super) const fn kill_process() -> Check {
    Check {
        story: "kills a process of the host by its number",
        class: "signals to the host",
        wall: Control::ProcessTree,
        long: false,
        exempt: never,
        play: |arena| {
            let mut bystander = Bystander::new()?;
            let ended = arena.bout().arg(bystander.id().to_string()).run()?;
            Ok(match bystander.is_alive() {
                true => ended.refused(),
                false => Finding::Breached("a process of the host was killed".to_owned()),
            })
        },
    }
}

pub(super) const fn outliving_child() -> Check {
    Check {
        story: "leaves a process behind, twice removed and in a session of its own",
        class: "outliving the run",
        wall: Control::ProcessTree,
        long: false,
        exempt: never,
        play: |arena| {
            let marker = Marker::new();
            let ended = arena.bout().arg(marker.word()).run()?;
            let left = marker.bearers()?.len();
            Ok(match ended.verdict {
                Verdict::Exited { code: 0 } if left == 0 => {
                    Finding::Held("nothing of it is alive when the run is over".to_owned())
                }
                Verdict::Exited { code: 0 } => Finding::Breached(format!("{left} processes stay")),
                _ => ended.refused(),
            })
        },
    }
}
