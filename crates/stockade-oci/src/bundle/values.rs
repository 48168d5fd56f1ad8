//! What becomes of the values of those fields whose values have names: namespaces, resource limits,
//! mounts and their options, hidden paths.

use super::table::{Row, Shape, Treatment};

const fn honoured(name: &'static str, text: &'static str) -> Row {
    Row { name, shape: Shape::Any, treatment: Treatment::Honoured, text }
}

const fn harmless(name: &'static str, text: &'static str) -> Row {
    Row { name, shape: Shape::Any, treatment: Treatment::Harmless, text }
}

const fn not_enforced(name: &'static str, text: &'static str) -> Row {
    Row { name, shape: Shape::Any, treatment: Treatment::NotEnforced, text }
}

const fn depends(name: &'static str, text: &'static str) -> Row {
    Row { name, shape: Shape::Any, treatment: Treatment::Depends, text }
}

const fn refused(name: &'static str, text: &'static str) -> Row {
    Row { name, shape: Shape::Any, treatment: Treatment::Refused, text }
}

/// Types of namespaces. Every sandbox has all of them but the network's of its own.
pub(crate) const NAMESPACES: &[Row] = &[
    honoured("pid", "new in every sandbox, also where it is not asked for"),
    honoured("ipc", "new in every sandbox, also where it is not asked for"),
    honoured("uts", "new in every sandbox, also where it is not asked for"),
    honoured("mount", "new in every sandbox, also where it is not asked for"),
    honoured("user", "new in every sandbox, also where it is not asked for"),
    honoured(
        "cgroup",
        "new in every sandbox where the kernel has them, also where it is not asked for",
    ),
    honoured(
        "network",
        "new, with a loopback interface and no other; where it is not asked for, the host's network",
    ),
    harmless(
        "time",
        "the host's clocks, which a program cannot set and a new namespace would show as well",
    ),
];

const UNBOUNDED: &str = "harmless when unlimited; otherwise refused";

/// Resource limits, by `process.rlimits[].type`. The soft limit counts; no program can raise it.
pub(crate) const RLIMITS: &[Row] = &[
    honoured("RLIMIT_NOFILE", "`limits.open_files`"),
    honoured("RLIMIT_FSIZE", "`limits.file_size`"),
    honoured("RLIMIT_CPU", "`limits.cpu_time`, which counts all processes together"),
    honoured("RLIMIT_NPROC", "`limits.processes`, unless `pids.limit` is smaller"),
    harmless("RLIMIT_CORE", "no core file is ever written"),
    harmless("RLIMIT_NICE", "always zero"),
    harmless("RLIMIT_RTPRIO", "always zero"),
    harmless("RLIMIT_MSGQUEUE", "always zero"),
    depends("RLIMIT_SIGPENDING", "always 1024, so less is refused"),
    depends("RLIMIT_AS", UNBOUNDED),
    depends("RLIMIT_DATA", UNBOUNDED),
    depends("RLIMIT_LOCKS", UNBOUNDED),
    depends("RLIMIT_MEMLOCK", UNBOUNDED),
    depends("RLIMIT_RSS", UNBOUNDED),
    depends("RLIMIT_RTTIME", UNBOUNDED),
    depends("RLIMIT_STACK", UNBOUNDED),
];

/// Places that are the sandbox's own or are not there, with the types that are mounted at them. A bind
/// of the same place of the host's counts as one of them.
pub(crate) const PLACES: &[(&str, &[&str], Row)] = &[
    ("/proc", &["proc"], harmless("`proc` at `/proc`", "a sandbox has its own, read-only")),
    (
        "/dev",
        &["tmpfs"],
        harmless("`tmpfs` at `/dev`", "a sandbox has its own, read-only, with five devices"),
    ),
    (
        "/dev/pts",
        &["devpts"],
        harmless("`devpts` at `/dev/pts`", "not there: a sandbox has no terminals"),
    ),
    (
        "/dev/mqueue",
        &["mqueue"],
        harmless("`mqueue` at `/dev/mqueue`", "not there: a sandbox has no message queues"),
    ),
    (
        "/sys",
        &["sysfs"],
        harmless("`sysfs` at `/sys`", "not there: a sandbox shows nothing of the host's devices"),
    ),
    (
        "/sys/fs/cgroup",
        &["cgroup", "cgroup2"],
        harmless(
            "`cgroup`, `cgroup2` at `/sys/fs/cgroup`",
            "not there: a sandbox shows no control groups",
        ),
    ),
];

/// Every other mount.
pub(crate) const MOUNTS: &[Row] = &[
    honoured(
        "a bind, of any type",
        "a `bind` in `filesystem.mounts`; a relative source stays in the bundle",
    ),
    honoured("`tmpfs`", "a `tmpfs` in `filesystem.mounts`; its size is added to `limits.disk`"),
    refused("any other type", "nothing else is mounted"),
    refused("at `/`, or beneath `/proc` or `/dev` (but `/dev/shm`)", "these are the sandbox's own"),
    refused("a bind of what is in `/proc`, `/sys` or `/dev`", "a window into the host's kernel"),
];

const TIMES: &str = "when access times are written makes no wall";
const SPREADS: &str = "no mount can be made inside, and none of the host's arrives later";
const CACHES: &str = "how soon data is written makes no wall";
const GIVES: &str = "nothing is given by it: a program never has it";

/// Options of mounts; those with a value end in `=`.
pub(crate) const OPTIONS: &[Row] = &[
    depends(
        "bind",
        "honoured for a file, and for a directory with no mount beneath it; otherwise refused",
    ),
    honoured("rbind", "what is mounted beneath comes along"),
    depends("ro", "honoured for binds; refused for a `tmpfs`"),
    depends(
        "rro",
        "honoured for binds, which are read-only with all beneath them; refused for a `tmpfs`",
    ),
    honoured("rw", "as without it"),
    honoured("rrw", "as `rw`"),
    honoured("nosuid", "always"),
    honoured("rnosuid", "always"),
    honoured("nodev", "always"),
    honoured("rnodev", "always"),
    not_enforced(
        "noexec",
        "a program can always run what it copies to `/tmp`, so that it would keep nothing",
    ),
    not_enforced(
        "rnoexec",
        "a program can always run what it copies to `/tmp`, so that it would keep nothing",
    ),
    honoured("size=", "of a `tmpfs`: bytes, or with `k`, `m` or `g`; from 4 KiB; not in per cent"),
    harmless("mode=", "a program is the only user of its sandbox"),
    harmless("uid=", "a program is the only user of its sandbox"),
    harmless("gid=", "a program is the only user of its sandbox"),
    harmless("ptmxmode=", "a sandbox has no terminals"),
    harmless("newinstance", "a sandbox has no terminals"),
    harmless("defaults", "nothing is asked by it"),
    harmless("silent", "nothing is asked by it"),
    harmless("loud", "nothing is asked by it"),
    harmless("exec", "nothing is asked by it"),
    harmless("rexec", "nothing is asked by it"),
    harmless("symfollow", "nothing is asked by it"),
    harmless("rsymfollow", "nothing is asked by it"),
    harmless("suid", GIVES),
    harmless("rsuid", GIVES),
    harmless("dev", GIVES),
    harmless("rdev", GIVES),
    harmless("atime", TIMES),
    harmless("noatime", TIMES),
    harmless("diratime", TIMES),
    harmless("nodiratime", TIMES),
    harmless("relatime", TIMES),
    harmless("norelatime", TIMES),
    harmless("strictatime", TIMES),
    harmless("nostrictatime", TIMES),
    harmless("ratime", TIMES),
    harmless("rnoatime", TIMES),
    harmless("rdiratime", TIMES),
    harmless("rnodiratime", TIMES),
    harmless("rrelatime", TIMES),
    harmless("rnorelatime", TIMES),
    harmless("rstrictatime", TIMES),
    harmless("rnostrictatime", TIMES),
    harmless("lazytime", TIMES),
    harmless("nolazytime", TIMES),
    harmless("iversion", TIMES),
    harmless("noiversion", TIMES),
    harmless("async", CACHES),
    harmless("sync", CACHES),
    harmless("dirsync", CACHES),
    harmless("mand", GIVES),
    harmless("nomand", "always"),
    harmless("private", SPREADS),
    harmless("rprivate", SPREADS),
    harmless("slave", SPREADS),
    harmless("rslave", SPREADS),
    harmless("shared", SPREADS),
    harmless("rshared", SPREADS),
    harmless("unbindable", SPREADS),
    harmless("runbindable", SPREADS),
    refused("nosymfollow", "links are followed, within the sandbox"),
    refused("rnosymfollow", "links are followed, within the sandbox"),
    refused("remount", "what a sandbox mounts is not changed afterwards"),
    refused("idmap", "owners are mapped in Stockade's own way"),
    refused("ridmap", "owners are mapped in Stockade's own way"),
    refused("tmpcopyup", "a `tmpfs` is empty at the start"),
];

const NOT_THERE: &str = "kernels since 4.11 do not have it";

/// Paths of `linux.maskedPaths`.
pub(crate) const MASKED: &[Row] = &[
    honoured("/proc/acpi", "covered in every sandbox"),
    honoured("/proc/asound", "covered in every sandbox"),
    honoured("/proc/interrupts", "covered in every sandbox"),
    honoured("/proc/kallsyms", "covered in every sandbox"),
    honoured("/proc/kcore", "covered in every sandbox"),
    honoured("/proc/keys", "covered in every sandbox"),
    honoured("/proc/kmsg", "covered in every sandbox"),
    honoured("/proc/latency_stats", "covered in every sandbox"),
    honoured("/proc/sched_debug", "covered in every sandbox"),
    honoured("/proc/scsi", "covered in every sandbox"),
    honoured("/proc/sysrq-trigger", "covered in every sandbox"),
    honoured("/proc/timer_list", "covered in every sandbox"),
    harmless("/proc/timer_stats", NOT_THERE),
];

/// Paths of `linux.maskedPaths` and `linux.readonlyPaths` by what they are beneath.
pub(crate) const PATHS: &[Row] = &[
    honoured("masked: listed above", "as it says there"),
    harmless(
        "masked: beneath `/sys`",
        "not there, unless the root has such a directory of its own",
    ),
    refused("masked: any other", "no other path is covered"),
    honoured("read-only: beneath `/proc`", "all of it is"),
    harmless("read-only: beneath `/sys`", "not there"),
    depends("read-only: in the root", "all of it is, unless the root is writable: then refused"),
    refused(
        "read-only: at, above or beneath a place that is writable",
        "of a mount, all or nothing is writable",
    ),
];
