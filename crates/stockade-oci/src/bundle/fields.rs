//! Every field of `config.json` that a version of the specification has, and what becomes of it. The
//! check, the notes, the refusals and the manual's table are all made from this list.

use super::table::Shape::{self, *};
use super::table::{Row, Treatment};

const fn row(name: &'static str, shape: Shape, treatment: Treatment, text: &'static str) -> Row {
    Row { name, shape, treatment, text }
}

/// Done as asked.
const fn honoured(name: &'static str, shape: Shape, text: &'static str) -> Row {
    row(name, shape, Treatment::Honoured, text)
}

/// Accepted and noted, for the reason given.
const fn harmless(name: &'static str, shape: Shape, text: &'static str) -> Row {
    row(name, shape, Treatment::Harmless, text)
}

/// Decided by its value, in the code that reads it.
const fn depends(name: &'static str, shape: Shape, text: &'static str) -> Row {
    row(name, shape, Treatment::Depends, text)
}

/// Refused as soon as it asks for anything; what is in it is not looked at.
const fn refused(name: &'static str, text: &'static str) -> Row {
    row(name, Any, Treatment::Refused, text)
}

/// The same of an object whose members have names of the config's own.
const fn refused_names(name: &'static str, text: &'static str) -> Row {
    row(name, Named, Treatment::Refused, text)
}

/// Goes the way of the object it is in.
const fn part(name: &'static str, shape: Shape) -> Row {
    row(name, shape, Treatment::Part, "")
}

const WEIGHTS: &str = "bounds are enforced here, shares and weights are not";
const PLATFORM: &str = "of another platform";
const HOOK: &str = "no program of the host's is run beside a sandbox";

/// Every field of `config.json`: a member's name after a dot, `[]` for each entry of a list.
pub(crate) const FIELDS: &[Row] = &[
    honoured(
        "ociVersion",
        Text,
        "1.0.0 to 1.2.x are read, with or without a suffix; any other is an error",
    ),
    honoured("root", Object, "must be there"),
    honoured(
        "root.path",
        Text,
        "`filesystem.base`; an absolute path, or one that stays in the bundle",
    ),
    depends(
        "root.readonly",
        Flag,
        "`true` is honoured; otherwise refused, unless `writable_root_is_ephemeral`",
    ),
    honoured("process", Object, "must be there"),
    depends("process.terminal", Flag, "refused when `true`, unless `terminal_is_streams`"),
    harmless("process.consoleSize", Object, "there is no terminal whose size it could be"),
    part("process.consoleSize.height", Whole),
    part("process.consoleSize.width", Whole),
    harmless(
        "process.user",
        Object,
        "a program is user and group 1000 of a user namespace of its own, without further groups",
    ),
    part("process.user.uid", Id),
    part("process.user.gid", Id),
    depends(
        "process.user.umask",
        Id,
        "refused where it takes away more than 022, which is a native program's, and for a module",
    ),
    part("process.user.additionalGids", Ids),
    part("process.user.username", Text),
    honoured("process.args", Texts, "the program and its arguments; at least one"),
    refused("process.commandLine", PLATFORM),
    honoured(
        "process.env",
        Texts,
        "`process.env`, and nothing besides; each `NAME=value`, each name once",
    ),
    honoured("process.cwd", Text, "`process.cwd`; absolute, without `..`"),
    harmless("process.capabilities", Object, "a program has no capability, in any set"),
    part("process.capabilities.bounding", Texts),
    part("process.capabilities.effective", Texts),
    part("process.capabilities.permitted", Texts),
    part("process.capabilities.inheritable", Texts),
    part("process.capabilities.ambient", Texts),
    honoured("process.noNewPrivileges", Flag, "always set, whatever it says"),
    depends("process.rlimits", Objects, "by type: see below"),
    part("process.rlimits[].type", Text),
    part("process.rlimits[].soft", Whole),
    part("process.rlimits[].hard", Whole),
    depends(
        "process.oomScoreAdj",
        Signed,
        "a native program's is 500, so more than that is refused",
    ),
    depends("process.apparmorProfile", Text, "refused, unless it is `unconfined`"),
    refused("process.selinuxLabel", "no label is given"),
    refused("process.scheduler", "no scheduling policy is set"),
    refused("process.ioPriority", "no I/O priority is set"),
    harmless(
        "process.execCPUAffinity",
        Object,
        "of processes that are started later, which there are none",
    ),
    part("process.execCPUAffinity.initial", Text),
    part("process.execCPUAffinity.final", Text),
    honoured("hostname", Text, "`process.hostname`"),
    refused("domainname", "no domain name is set"),
    depends("mounts", Objects, "by place, type and options: see below; each place once"),
    honoured("mounts[].destination", Text, "where it appears inside; without `..`"),
    part("mounts[].source", Text),
    part("mounts[].type", Text),
    part("mounts[].options", Texts),
    refused("mounts[].uidMappings", "owners are mapped in Stockade's own way"),
    refused("mounts[].gidMappings", "owners are mapped in Stockade's own way"),
    depends("hooks", Object, "by kind"),
    refused("hooks.prestart", HOOK),
    refused("hooks.createRuntime", HOOK),
    refused("hooks.createContainer", HOOK),
    refused("hooks.startContainer", HOOK),
    refused("hooks.poststart", HOOK),
    refused("hooks.poststop", HOOK),
    harmless("annotations", Map, "nothing here acts on them"),
    depends("linux", Object, "by member"),
    depends("linux.namespaces", Objects, "by type: see below; each type once"),
    part("linux.namespaces[].type", Text),
    refused("linux.namespaces[].path", "no namespace that exists is joined"),
    harmless(
        "linux.uidMappings",
        Objects,
        "a sandbox has ids of its own, which are never more than asked for",
    ),
    part("linux.uidMappings[].containerID", Id),
    part("linux.uidMappings[].hostID", Id),
    part("linux.uidMappings[].size", Id),
    harmless(
        "linux.gidMappings",
        Objects,
        "a sandbox has ids of its own, which are never more than asked for",
    ),
    part("linux.gidMappings[].containerID", Id),
    part("linux.gidMappings[].hostID", Id),
    part("linux.gidMappings[].size", Id),
    refused(
        "linux.devices",
        "a program has `null`, `zero`, `full`, `random` and `urandom`, and no other device",
    ),
    refused_names("linux.netDevices", "no network device is moved"),
    harmless(
        "linux.cgroupsPath",
        Text,
        "Stockade makes control groups where it may, and removes them",
    ),
    depends("linux.resources", Object, "by member"),
    depends(
        "linux.resources.devices",
        Objects,
        "no device but those five is there; refused where one of them is denied by its number",
    ),
    part("linux.resources.devices[].allow", Flag),
    part("linux.resources.devices[].type", Text),
    part("linux.resources.devices[].major", Signed),
    part("linux.resources.devices[].minor", Signed),
    part("linux.resources.devices[].access", Text),
    depends("linux.resources.memory", Object, "by member"),
    honoured(
        "linux.resources.memory.limit",
        Signed,
        "`limits.memory`; `-1` for unlimited, and `0` as if it were not there",
    ),
    refused(
        "linux.resources.memory.reservation",
        "there is a bound on memory and no goal below it",
    ),
    depends(
        "linux.resources.memory.swap",
        Signed,
        "a program never swaps, so harmless beside a `limit` that is not greater; otherwise refused",
    ),
    refused("linux.resources.memory.kernel", "kernel memory is not bounded by itself"),
    refused("linux.resources.memory.kernelTCP", "kernel memory is not bounded by itself"),
    harmless("linux.resources.memory.swappiness", Whole, "a program never swaps"),
    refused(
        "linux.resources.memory.disableOOMKiller",
        "a program that reaches its limit is stopped",
    ),
    harmless(
        "linux.resources.memory.useHierarchy",
        Flag,
        "all a program starts is counted as its own",
    ),
    harmless("linux.resources.memory.checkBeforeUpdate", Flag, "limits do not change during a run"),
    depends("linux.resources.cpu", Object, "by member"),
    depends(
        "linux.resources.cpu.shares",
        Whole,
        "harmless from 1024, which is what everyone has; less is refused",
    ),
    honoured(
        "linux.resources.cpu.quota",
        Signed,
        "`limits.cpus`, once it is divided by `period`; nothing is bounded by a negative one",
    ),
    harmless("linux.resources.cpu.burst", Whole, "no more than the quota is given at any time"),
    honoured(
        "linux.resources.cpu.period",
        Whole,
        "what `quota` is divided by; 100000 where it is missing",
    ),
    refused("linux.resources.cpu.realtimeRuntime", "no real-time scheduling"),
    refused("linux.resources.cpu.realtimePeriod", "no real-time scheduling"),
    refused("linux.resources.cpu.cpus", "a program may run on every CPU that its host process may"),
    refused("linux.resources.cpu.mems", "memory may come from every node"),
    refused("linux.resources.cpu.idle", WEIGHTS),
    depends("linux.resources.pids", Object, "by member"),
    honoured("linux.resources.pids.limit", Signed, "`limits.processes`; negative for unlimited"),
    refused("linux.resources.blockIO", WEIGHTS),
    refused("linux.resources.hugepageLimits", "huge pages are not counted by themselves"),
    refused("linux.resources.network", "packets are neither tagged nor given a priority"),
    refused_names("linux.resources.rdma", "RDMA devices are not there, nor counted"),
    refused_names("linux.resources.unified", "files of control groups are not written by name"),
    depends(
        "linux.rootfsPropagation",
        Text,
        "`private`, `slave` and `unbindable` are harmless, since no mount can be made inside and none arrives; `shared` is refused",
    ),
    depends(
        "linux.seccomp",
        Object,
        "refused, unless `seccomp_is_own_profile`; never installed, since Stockade's own profile is",
    ),
    part("linux.seccomp.defaultAction", Text),
    part("linux.seccomp.defaultErrnoRet", Id),
    part("linux.seccomp.architectures", Texts),
    part("linux.seccomp.flags", Texts),
    part("linux.seccomp.listenerPath", Text),
    part("linux.seccomp.listenerMetadata", Text),
    part("linux.seccomp.syscalls", Objects),
    part("linux.seccomp.syscalls[].names", Texts),
    part("linux.seccomp.syscalls[].action", Text),
    part("linux.seccomp.syscalls[].errnoRet", Id),
    part("linux.seccomp.syscalls[].args", Objects),
    part("linux.seccomp.syscalls[].args[].index", Whole),
    part("linux.seccomp.syscalls[].args[].value", Whole),
    part("linux.seccomp.syscalls[].args[].valueTwo", Whole),
    part("linux.seccomp.syscalls[].args[].op", Text),
    refused_names("linux.sysctl", "no parameter of the kernel is set"),
    depends("linux.maskedPaths", Texts, "by path: see below"),
    depends("linux.readonlyPaths", Texts, "by path: see below"),
    refused("linux.mountLabel", "no label is given"),
    refused("linux.intelRdt", "no class of service is set"),
    refused("linux.memoryPolicy", "no memory policy is set"),
    refused("linux.personality", "no personality is set"),
    refused_names("linux.timeOffsets", "a program sees the host's clocks"),
    refused("vm", PLATFORM),
    refused("windows", PLATFORM),
    refused("solaris", PLATFORM),
    refused("zos", PLATFORM),
    refused("freebsd", PLATFORM),
];
