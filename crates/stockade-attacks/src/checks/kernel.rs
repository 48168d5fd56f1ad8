//! Doors of the kernel.

use super::{Check, Control, refused};

pub(super) const fn mount_call() -> Check {
    refused("mounts a file system of its own", "CVE-2022-0185", Control::Syscalls)
}

pub(super) const fn umount_call() -> Check {
    refused("takes a file system away to see what is below", "CVE-2023-2640", Control::Syscalls)
}

pub(super) const fn change_root() -> Check {
    refused("leaves the root directory it was given", "chroot escape", Control::Syscalls)
}

pub(super) const fn mount_objects() -> Check {
    refused(
        "makes mounts by the calls that work on descriptors",
        "CVE-2022-0185",
        Control::Syscalls,
    )
}

pub(super) const fn user_namespace() -> Check {
    refused(
        "makes a user namespace to have every capability in it",
        "CVE-2024-1086",
        Control::Syscalls,
    )
}

pub(super) const fn namespace_by_clone3() -> Check {
    refused(
        "makes namespaces by a call whose flags no filter can see",
        "filter bypass",
        Control::Syscalls,
    )
}

pub(super) const fn enter_namespace() -> Check {
    refused("enters the namespaces of another process", "CVE-2024-21626", Control::Syscalls)
}

pub(super) const fn kernel_program() -> Check {
    refused(
        "loads code into the kernel: a program, a module, or another kernel",
        "CVE-2021-3490",
        Control::Syscalls,
    )
}

pub(super) const fn fault_handler() -> Check {
    refused(
        "holds the kernel up by handling page faults itself",
        "exploit primitive",
        Control::Syscalls,
    )
}

pub(super) const fn performance_counter() -> Check {
    refused("opens a performance counter", "CVE-2023-2235", Control::Syscalls)
}

pub(super) const fn kernel_keys() -> Check {
    refused(
        "reaches for the kernel's keyrings, which no namespace divides",
        "CVE-2016-0728",
        Control::Syscalls,
    )
}

pub(super) const fn ring() -> Check {
    refused(
        "sets up an io_uring, through which calls pass no filter",
        "CVE-2022-29582",
        Control::Syscalls,
    )
}

pub(super) const fn trace() -> Check {
    refused("traces another process", "CVE-2019-13272", Control::Syscalls)
}

pub(super) const fn foreign_memory() -> Check {
    refused("reads the memory of the process that started it", "CVE-2026-41163", Control::Syscalls)
}

pub(super) const fn foreign_descriptor() -> Check {
    refused("takes a descriptor out of another process", "descriptor theft", Control::Syscalls)
}

pub(super) const fn file_watch() -> Check {
    refused("has every access to a file system reported", "fanotify", Control::Syscalls)
}

pub(super) const fn host_switches() -> Check {
    refused(
        "reaches for swap, accounting, clock, host name and reboot",
        "administration",
        Control::Syscalls,
    )
}

pub(super) const fn kernel_log() -> Check {
    refused(
        "reads the kernel's messages, which tell addresses",
        "information leak",
        Control::Syscalls,
    )
}

pub(super) const fn fixed_addresses() -> Check {
    refused(
        "switches off that addresses are chosen at random",
        "exploit primitive",
        Control::Syscalls,
    )
}

pub(super) const fn terminal_injection() -> Check {
    refused("types into the terminal of its starter", "CVE-2017-5226", Control::Syscalls)
}

pub(super) const fn old_entry() -> Check {
    refused(
        "calls by the entry of 32-bit programs, whose numbers are others",
        "filter bypass",
        Control::Syscalls,
    )
}

pub(super) const fn io_ports() -> Check {
    refused(
        "reaches for the machine's ports and its own descriptor table",
        "CVE-2015-3290",
        Control::Syscalls,
    )
}
