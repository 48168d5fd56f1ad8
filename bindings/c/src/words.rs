//! The numbers of `stockade.h`, and what each stands for.

use std::ffi::CStr;

use stockade::{
    Access, Base, Control, EnforcementStatus, ErrorKind, NetworkMode, OutputOverflow, Policy,
    SyscallProfile, Verdict,
};

use crate::exported::constants as c;
use crate::failure::Failure;

/// The number of a failure's kind.
pub(crate) fn kind(failure: &Failure) -> i32 {
    let kind = match failure {
        Failure::Library(error) => error.kind(),
        Failure::Argument { .. } | Failure::Order(_) => return c::STOCKADE_INVALID_ARGUMENT,
        Failure::Ended(_) => return c::STOCKADE_ENDED,
        Failure::Defect(_) => ErrorKind::Internal,
    };
    match kind {
        ErrorKind::InvalidPolicy => c::STOCKADE_INVALID_POLICY,
        ErrorKind::Unsupported => c::STOCKADE_UNSUPPORTED,
        ErrorKind::NotFound => c::STOCKADE_NOT_FOUND,
        ErrorKind::PermissionDenied => c::STOCKADE_PERMISSION_DENIED,
        ErrorKind::Setup => c::STOCKADE_SETUP,
        ErrorKind::HostLost => c::STOCKADE_HOST_LOST,
        ErrorKind::Io => c::STOCKADE_IO,
        _ => c::STOCKADE_INTERNAL,
    }
}

const CONTROLS: [(i32, Control); 16] = [
    (c::STOCKADE_CONTROL_MEMORY, Control::Memory),
    (c::STOCKADE_CONTROL_CPU_TIME, Control::CpuTime),
    (c::STOCKADE_CONTROL_WALL_TIME, Control::WallTime),
    (c::STOCKADE_CONTROL_CPUS, Control::Cpus),
    (c::STOCKADE_CONTROL_PROCESSES, Control::Processes),
    (c::STOCKADE_CONTROL_OPEN_FILES, Control::OpenFiles),
    (c::STOCKADE_CONTROL_FILE_SIZE, Control::FileSize),
    (c::STOCKADE_CONTROL_DISK, Control::Disk),
    (c::STOCKADE_CONTROL_OUTPUT, Control::Output),
    (c::STOCKADE_CONTROL_FUEL, Control::Fuel),
    (c::STOCKADE_CONTROL_FILESYSTEM, Control::Filesystem),
    (c::STOCKADE_CONTROL_NETWORK, Control::Network),
    (c::STOCKADE_CONTROL_SYSCALLS, Control::Syscalls),
    (c::STOCKADE_CONTROL_PRIVILEGES, Control::Privileges),
    (c::STOCKADE_CONTROL_PROCESS_TREE, Control::ProcessTree),
    (c::STOCKADE_CONTROL_IPC, Control::Ipc),
];

/// The control that a number of C stands for.
pub(crate) fn control(number: i32) -> Result<Control, Failure> {
    let found = CONTROLS.iter().find(|(known, _)| *known == number);
    found
        .map(|(_, control)| *control)
        .ok_or_else(|| unknown("control", number, "a STOCKADE_CONTROL"))
}

/// The number of a control; 0 for one that this header does not know.
pub(crate) fn of_control(control: Control) -> i32 {
    CONTROLS.iter().find(|(_, known)| *known == control).map_or(0, |(number, _)| *number)
}

pub(crate) fn of_verdict(verdict: &Verdict) -> i32 {
    match verdict {
        Verdict::Exited { .. } => c::STOCKADE_VERDICT_EXITED,
        Verdict::Signaled { .. } => c::STOCKADE_VERDICT_SIGNALED,
        Verdict::Limit { .. } => c::STOCKADE_VERDICT_LIMIT,
        Verdict::Denied { .. } => c::STOCKADE_VERDICT_DENIED,
        Verdict::Trapped { .. } => c::STOCKADE_VERDICT_TRAPPED,
        Verdict::Cancelled => c::STOCKADE_VERDICT_CANCELLED,
        _ => 0,
    }
}

pub(crate) fn of_enforcement(status: EnforcementStatus) -> i32 {
    match status {
        EnforcementStatus::Enforced => c::STOCKADE_ENFORCED,
        EnforcementStatus::Approximated => c::STOCKADE_APPROXIMATED,
        EnforcementStatus::NotEnforced => c::STOCKADE_NOT_ENFORCED,
        _ => 0,
    }
}

pub(crate) fn access(number: i32) -> Result<Access, Failure> {
    match number {
        c::STOCKADE_READ_ONLY => Ok(Access::Ro),
        c::STOCKADE_READ_WRITE => Ok(Access::Rw),
        _ => Err(unknown("access", number, "STOCKADE_READ_ONLY or STOCKADE_READ_WRITE")),
    }
}

/// Sets in a policy what a number of C stands for.
pub(crate) fn choose(policy: &mut Policy, choice: i32) -> Result<(), Failure> {
    match choice {
        c::STOCKADE_BASE_SYSTEM => policy.filesystem.base = Base::System,
        c::STOCKADE_BASE_EMPTY => policy.filesystem.base = Base::Empty,
        c::STOCKADE_NETWORK_NONE => policy.network.mode = NetworkMode::None,
        c::STOCKADE_NETWORK_LOOPBACK => policy.network.mode = NetworkMode::Loopback,
        c::STOCKADE_NETWORK_HOST => policy.network.mode = NetworkMode::Host,
        c::STOCKADE_SYSCALLS_DEFAULT => policy.syscalls.profile = SyscallProfile::Default,
        c::STOCKADE_SYSCALLS_STRICT => policy.syscalls.profile = SyscallProfile::Strict,
        c::STOCKADE_OUTPUT_STOP => policy.limits.output_overflow = OutputOverflow::Stop,
        c::STOCKADE_OUTPUT_TRUNCATE => policy.limits.output_overflow = OutputOverflow::Truncate,
        number => {
            let expected =
                "a STOCKADE_BASE, STOCKADE_NETWORK, STOCKADE_SYSCALLS or STOCKADE_OUTPUT";
            return Err(unknown("choice", number, expected));
        }
    }
    Ok(())
}

/// A number that stands for nothing of the kind that was expected.
pub(crate) fn unknown(name: &'static str, number: i32, expected: &str) -> Failure {
    Failure::argument(name, format!("is {number}, and has to be {expected}"))
}

/// The word of policies, reports and errors for a number.
pub(crate) fn name(number: i32) -> Option<&'static str> {
    c_name(number).and_then(|name| name.to_str().ok())
}

/// The same, for C.
pub(crate) fn c_name(number: i32) -> Option<&'static CStr> {
    Some(match number {
        c::STOCKADE_OK => c"ok",
        c::STOCKADE_INVALID_POLICY => c"invalid_policy",
        c::STOCKADE_UNSUPPORTED => c"unsupported",
        c::STOCKADE_NOT_FOUND => c"not_found",
        c::STOCKADE_PERMISSION_DENIED => c"permission_denied",
        c::STOCKADE_SETUP => c"setup",
        c::STOCKADE_HOST_LOST => c"host_lost",
        c::STOCKADE_IO => c"io",
        c::STOCKADE_INTERNAL => c"internal",
        c::STOCKADE_INVALID_ARGUMENT => c"invalid_argument",
        c::STOCKADE_ENDED => c"ended",
        c::STOCKADE_BACKEND_AUTO => c"auto",
        c::STOCKADE_BACKEND_NAMESPACE => c"namespace",
        c::STOCKADE_BACKEND_WASM => c"wasm",
        c::STOCKADE_CONTROL_MEMORY => c"memory",
        c::STOCKADE_CONTROL_CPU_TIME => c"cpu_time",
        c::STOCKADE_CONTROL_WALL_TIME => c"wall_time",
        c::STOCKADE_CONTROL_CPUS => c"cpus",
        c::STOCKADE_CONTROL_PROCESSES => c"processes",
        c::STOCKADE_CONTROL_OPEN_FILES => c"open_files",
        c::STOCKADE_CONTROL_FILE_SIZE => c"file_size",
        c::STOCKADE_CONTROL_DISK => c"disk",
        c::STOCKADE_CONTROL_OUTPUT => c"output",
        c::STOCKADE_CONTROL_FUEL => c"fuel",
        c::STOCKADE_CONTROL_FILESYSTEM => c"filesystem",
        c::STOCKADE_CONTROL_NETWORK => c"network",
        c::STOCKADE_CONTROL_SYSCALLS => c"syscalls",
        c::STOCKADE_CONTROL_PRIVILEGES => c"privileges",
        c::STOCKADE_CONTROL_PROCESS_TREE => c"process_tree",
        c::STOCKADE_CONTROL_IPC => c"ipc",
        c::STOCKADE_VERDICT_EXITED => c"exited",
        c::STOCKADE_VERDICT_SIGNALED => c"signaled",
        c::STOCKADE_VERDICT_LIMIT => c"limit",
        c::STOCKADE_VERDICT_DENIED => c"denied",
        c::STOCKADE_VERDICT_TRAPPED => c"trapped",
        c::STOCKADE_VERDICT_CANCELLED => c"cancelled",
        c::STOCKADE_ENFORCED => c"enforced",
        c::STOCKADE_APPROXIMATED => c"approximated",
        c::STOCKADE_NOT_ENFORCED => c"not_enforced",
        c::STOCKADE_BASE_SYSTEM => c"system",
        c::STOCKADE_BASE_EMPTY => c"empty",
        c::STOCKADE_NETWORK_NONE => c"none",
        c::STOCKADE_NETWORK_LOOPBACK => c"loopback",
        c::STOCKADE_NETWORK_HOST => c"host",
        c::STOCKADE_SYSCALLS_DEFAULT => c"default",
        c::STOCKADE_SYSCALLS_STRICT => c"strict",
        c::STOCKADE_OUTPUT_STOP => c"stop",
        c::STOCKADE_OUTPUT_TRUNCATE => c"truncate",
        c::STOCKADE_READ_ONLY => c"ro",
        c::STOCKADE_READ_WRITE => c"rw",
        _ => return None,
    })
}
