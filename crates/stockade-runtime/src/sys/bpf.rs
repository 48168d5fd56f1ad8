//! bpf(2), as far as control groups need it: programs that decide on devices.

use std::io;
use std::mem::size_of;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

const PROG_LOAD: libc::c_int = 5;
const PROG_ATTACH: libc::c_int = 8;
const PROG_DETACH: libc::c_int = 9;
const PROG_GET_FD_BY_ID: libc::c_int = 13;
const PROG_QUERY: libc::c_int = 16;

const PROG_TYPE_CGROUP_DEVICE: u32 = 15;
const ATTACH_CGROUP_DEVICE: u32 = 6;
/// Programs of this group, of those above and of a service manager all have to agree.
const ALLOW_MULTI: u32 = 2;

/// One instruction, as the kernel has it.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Instruction {
    pub(crate) code: u8,
    /// Both registers.
    registers: u8,
    pub(crate) offset: i16,
    pub(crate) immediate: i32,
}

impl Instruction {
    pub(crate) const fn new(code: u8, to: u8, from: u8, offset: i16, immediate: i32) -> Self {
        // Two fields of four bits each: the order follows that of bytes.
        let registers =
            if cfg!(target_endian = "little") { from << 4 | to } else { to << 4 | from };
        Self { code, registers, offset, immediate }
    }

    /// The registers: the one that is written to, and the other.
    #[cfg(test)]
    pub(crate) const fn registers(self) -> (u8, u8) {
        let (low, high) = (self.registers & 0xf, self.registers >> 4);
        if cfg!(target_endian = "little") { (low, high) } else { (high, low) }
    }
}

/// The part of `union bpf_attr` that loads a program.
#[repr(C)]
struct Load {
    kind: u32,
    count: u32,
    instructions: u64,
    license: u64,
    log_level: u32,
    log_size: u32,
    log: u64,
    kernel_version: u32,
    flags: u32,
}

/// The part that attaches and detaches one.
#[repr(C)]
struct Attach {
    target: u32,
    program: u32,
    kind: u32,
    flags: u32,
}

/// The part that asks which are attached.
#[repr(C)]
struct Query {
    target: u32,
    kind: u32,
    flags: u32,
    attached: u32,
    ids: u64,
    count: u32,
    padding: u32,
}

/// The part that opens a program.
#[repr(C)]
struct ById {
    id: u32,
    next: u32,
    flags: u32,
}

/// Loads a program that decides on devices.
///
/// # Errors
/// What the kernel says; `EACCES` or `EINVAL` if its verifier refuses the program.
pub(crate) fn load_device_program(program: &[Instruction]) -> io::Result<OwnedFd> {
    // It calls no function of the kernel, so any licence is fine.
    let license = c"MIT OR Apache-2.0";
    let mut attr = Load {
        kind: PROG_TYPE_CGROUP_DEVICE,
        count: u32::try_from(program.len()).map_err(|_| io::ErrorKind::InvalidInput)?,
        instructions: program.as_ptr() as u64,
        license: license.as_ptr() as u64,
        log_level: 0,
        log_size: 0,
        log: 0,
        kernel_version: 0,
        flags: 0,
    };
    // SAFETY: the pointers in `attr` are to `count` instructions and to a string that ends with NUL,
    // which outlive the call and are only read.
    let fd = unsafe { bpf(PROG_LOAD, &mut attr) }?;
    // SAFETY: the kernel has just made this descriptor (close-on-exec) for nobody else.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Attaches a program to a group of version 2.
///
/// # Errors
/// What the kernel says.
pub(crate) fn attach_device_program(
    group: BorrowedFd<'_>,
    program: BorrowedFd<'_>,
) -> io::Result<()> {
    let mut attr = attach(group, program, ALLOW_MULTI);
    // SAFETY: nothing in `attr` is a pointer.
    unsafe { bpf(PROG_ATTACH, &mut attr) }.map(drop)
}

/// Takes every program away that decides on devices and is attached to the group itself; how many.
///
/// # Errors
/// What the kernel says.
pub(crate) fn detach_device_programs(group: BorrowedFd<'_>) -> io::Result<u32> {
    let ids = attached_programs(group)?;
    for &id in &ids {
        let mut attr = ById { id, next: 0, flags: 0 };
        // SAFETY: nothing in `attr` is a pointer.
        let fd = match unsafe { bpf(PROG_GET_FD_BY_ID, &mut attr) } {
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            fd => fd?,
        };
        // SAFETY: the kernel has just made this descriptor for nobody else.
        let program = unsafe { OwnedFd::from_raw_fd(fd) };
        let mut attr = Attach { program: program.as_raw_fd() as u32, ..attach(group, group, 0) };
        // SAFETY: nothing in `attr` is a pointer.
        unsafe { bpf(PROG_DETACH, &mut attr) }?;
    }
    Ok(ids.len() as u32)
}

/// The ids of programs that decide on devices and are attached to the group itself.
///
/// # Errors
/// What the kernel says; `ENOSPC` if there are more than 64, which is the most it lets be attached.
pub(crate) fn attached_programs(group: BorrowedFd<'_>) -> io::Result<Vec<u32>> {
    let mut ids = [0_u32; 64];
    let mut attr = Query {
        target: group.as_raw_fd() as u32,
        kind: ATTACH_CGROUP_DEVICE,
        flags: 0,
        attached: 0,
        ids: ids.as_mut_ptr() as u64,
        count: ids.len() as u32,
        padding: 0,
    };
    // SAFETY: `ids` has room for `count` numbers and outlives the call.
    unsafe { bpf(PROG_QUERY, &mut attr) }?;
    Ok(ids[..(attr.count as usize).min(ids.len())].to_vec())
}

fn attach(group: BorrowedFd<'_>, program: BorrowedFd<'_>, flags: u32) -> Attach {
    Attach {
        target: group.as_raw_fd() as u32,
        program: program.as_raw_fd() as u32,
        kind: ATTACH_CGROUP_DEVICE,
        flags,
    }
}

/// # Safety
/// Every pointer in `attr` that the command uses must be good for what it does with it.
unsafe fn bpf<T>(command: libc::c_int, attr: &mut T) -> io::Result<RawFd> {
    let at: *mut T = attr;
    // SAFETY: `at` is good for reading and writing of the size that is said; the rest is the caller's
    // promise.
    let result = unsafe { libc::syscall(libc::SYS_bpf, command, at, size_of::<T>()) };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result as RawFd) }
}
