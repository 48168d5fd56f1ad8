//! What of the host is a window into its kernel, which no backend shows to a program.

use std::path::Path;

/// Where such interfaces are, by convention.
const PLACES: [&str; 3] = ["/proc", "/sys", "/dev"];

/// File systems that are one, wherever they are mounted (`linux/magic.h`).
const FILESYSTEMS: [u64; 18] = [
    0x9fa0,      // proc
    0x6265_6572, // sysfs
    0x27e0eb,    // cgroup
    0x6367_7270, // cgroup2
    0x1cd1,      // devpts
    0x7363_6673, // securityfs
    0x6462_6720, // debugfs
    0x7472_6163, // tracefs
    0xcafe_4a11, // bpf
    0x6e73_6673, // nsfs
    0x6165_676c, // pstore
    0xde5e_81e4, // efivarfs
    0x6265_6570, // configfs
    0x6573_5543, // fusectl
    0x4249_4e4d, // binfmt_misc
    0xf97c_ff8c, // selinux
    0x4341_5d53, // smack
    0x1980_0202, // mqueue
];

/// Files and directories of `/proc` that describe the host rather than a sandbox, which are covered in
/// one wherever they exist.
///
/// Each costs some microseconds in every run, so only those whose contents matter are here: memory and
/// messages of the kernel (`kcore`, `kmsg`), its addresses (`kallsyms`), a trigger that acts on the host
/// (`sysrq-trigger`), the host user's keyrings (`keys`), names of the host's tasks (`timer_list`,
/// `sched_debug`), the interrupt counts that keystrokes can be timed by, where the kernel's tasks wait
/// (`latency_stats`), and what drivers have put there over the years (`acpi`, `asound`, `scsi`), some of
/// it to be written to. Everything else is the kernel's version and hardware, or is closed to ids that own
/// nothing; see [proc(5)](https://man7.org/linux/man-pages/man5/proc.5.html).
pub const MASKED_PATHS: [&str; 12] = [
    "/proc/kcore",
    "/proc/kmsg",
    "/proc/sysrq-trigger",
    "/proc/keys",
    "/proc/kallsyms",
    "/proc/timer_list",
    "/proc/sched_debug",
    "/proc/interrupts",
    "/proc/latency_stats",
    "/proc/acpi",
    "/proc/asound",
    "/proc/scsi",
];

/// Whether a path without links and `..` is at or beneath one of the kernel's places: `/proc`,
/// `/sys` or `/dev`.
///
/// ```
/// assert!(stockade_core::is_kernel_place("/proc/1".as_ref()));
/// assert!(!stockade_core::is_kernel_place("/process".as_ref()));
/// ```
pub fn is_kernel_place(path: &Path) -> bool {
    PLACES.iter().any(|place| path.starts_with(place))
}

/// Whether `f_type` of
/// [`statfs(2)`](https://man7.org/linux/man-pages/man2/statfs.2.html) is of a file system that is an
/// interface to the kernel. Only the lower 32 bits are looked at: the field is signed on some
/// architectures.
pub fn is_kernel_filesystem(f_type: u64) -> bool {
    FILESYSTEMS.contains(&(f_type & 0xffff_ffff))
}
