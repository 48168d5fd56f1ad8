//! Files, directories and descriptors.

use super::{Errno, Fd, Result, c_path, call, nr, plain};
use bare::{STAT_MODE, STAT_OWNER};

pub const O_RDONLY: u32 = 0;
pub const O_WRONLY: u32 = 1;
pub const O_RDWR: u32 = 2;
pub const O_CREAT: u32 = 0o100;
pub const O_EXCL: u32 = 0o200;
pub const O_CLOEXEC: u32 = 0o2_000_000;
pub const O_PATH: u32 = 0o10_000_000;
#[cfg(target_arch = "x86_64")]
pub const O_DIRECTORY: u32 = 0o200_000;
#[cfg(target_arch = "x86_64")]
pub const O_NOFOLLOW: u32 = 0o400_000;
#[cfg(target_arch = "aarch64")]
pub const O_DIRECTORY: u32 = 0o40_000;
#[cfg(target_arch = "aarch64")]
pub const O_NOFOLLOW: u32 = 0o100_000;

pub const RESOLVE_NO_MAGICLINKS: u64 = 0x02;
pub const RESOLVE_NO_SYMLINKS: u64 = 0x04;
pub const RESOLVE_IN_ROOT: u64 = 0x10;

pub const AT_EMPTY_PATH: u32 = 0x1000;
const AT_REMOVEDIR: usize = 0x200;
pub const AT_SYMLINK_NOFOLLOW: usize = 0x100;

pub const S_IFMT: u32 = 0o170_000;
pub const S_IFDIR: u32 = 0o040_000;
pub const S_IFCHR: u32 = 0o020_000;
pub const S_IFREG: u32 = 0o100_000;
pub const S_IFLNK: u32 = 0o120_000;

const CLOSE_RANGE_CLOEXEC: usize = 4;
const EPOLL_CTL_ADD: usize = 1;
const CLOSE_RANGE: usize = 436;
const OPENAT2: usize = 437;
const EPOLL_PWAIT2: usize = 441;

/// What the warden needs of a `stat`.
#[derive(Clone, Copy)]
pub struct Stat {
    pub device: u64,
    pub inode: u64,
    pub mode: u32,
    pub uid: u32,
    pub gid: u32,
    pub size: u64,
    /// When its contents changed: seconds and nanoseconds.
    pub modified: [u64; 2],
}

/// What the warden needs of a `statfs`.
#[derive(Clone, Copy)]
pub struct StatFs {
    pub block_size: u64,
    pub blocks: u64,
    pub free: u64,
    pub inodes: u64,
    pub free_inodes: u64,
}

#[repr(C)]
struct OpenHow {
    flags: u64,
    mode: u64,
    resolve: u64,
}

pub fn open_at(dir: Fd, path: &[u8], flags: u32, mode: u32) -> Result<Fd> {
    let path = c_path(path)?;
    let args = [dir as usize, path, (flags | O_CLOEXEC) as usize, mode as usize, 0, 0];
    // SAFETY: openat(2) reads the path up to its NUL, which c_path has checked.
    unsafe { call(nr::OPENAT, args) }.map(|fd| fd as Fd)
}

/// `openat2(2)`: opens with rules about links.
pub fn open_how(dir: Fd, path: &[u8], flags: u32, resolve: u64) -> Result<Fd> {
    let how = OpenHow { flags: u64::from(flags | O_CLOEXEC), mode: 0, resolve };
    let how_at = &raw const how as usize;
    let args = [dir as usize, c_path(path)?, how_at, size_of::<OpenHow>(), 0, 0];
    // The kernel answers EAGAIN when a rename raced with the walk; it asks to be asked again.
    for _ in 0..128 {
        // SAFETY: reads the path up to its NUL and the structure of the given size.
        match unsafe { call(OPENAT2, args) } {
            Err(Errno::EAGAIN) => {}
            other => return other.map(|fd| fd as Fd),
        }
    }
    Err(Errno::EAGAIN)
}

pub fn close(fd: Fd) {
    // SAFETY: takes a number.
    let _ = unsafe { plain(nr::CLOSE, [fd as usize]) };
}

/// Closes the descriptors from `first` to `last`.
pub fn close_between(first: Fd, last: Fd) -> Result<()> {
    // SAFETY: takes numbers.
    unsafe { plain(CLOSE_RANGE, [first as usize, last as usize, 0]) }.map(drop)
}

/// Closes every descriptor that is not in the list. Zeros in it mean nothing.
pub fn keep_only(keep: &mut [Fd]) -> Result<()> {
    keep.sort_unstable();
    let mut next = 0;
    for fd in keep.iter().copied().filter(|fd| *fd != 0) {
        if fd > next {
            close_between(next, fd - 1)?;
        }
        next = fd + 1;
    }
    close_between(next, Fd::MAX)
}

/// Marks every descriptor from `first` on to be closed by `execve`.
pub fn close_on_exec_from(first: Fd) -> Result<()> {
    // SAFETY: takes numbers.
    unsafe { plain(CLOSE_RANGE, [first as usize, u32::MAX as usize, CLOSE_RANGE_CLOEXEC]) }
        .map(drop)
}

/// Makes `to` a copy of `from` that survives `execve`.
pub fn dup_onto(from: Fd, to: Fd) -> Result<()> {
    // SAFETY: takes numbers.
    unsafe { plain(nr::DUP3, [from as usize, to as usize, 0]) }.map(drop)
}

pub fn read(fd: Fd, buffer: &mut [u8]) -> Result<usize> {
    let args = [fd as usize, buffer.as_mut_ptr() as usize, buffer.len(), 0, 0, 0];
    // SAFETY: writes at most the buffer's length into the buffer.
    unsafe { call(nr::READ, args) }
}

pub fn write(fd: Fd, bytes: &[u8]) -> Result<usize> {
    let args = [fd as usize, bytes.as_ptr() as usize, bytes.len(), 0, 0, 0];
    // SAFETY: reads the slice.
    unsafe { call(nr::WRITE, args) }
}

/// Writes all of `bytes`.
pub fn write_all(fd: Fd, mut bytes: &[u8]) -> Result<()> {
    while !bytes.is_empty() {
        match write(fd, bytes) {
            Ok(done) => bytes = bytes.get(done..).unwrap_or(&[]),
            Err(Errno::EINTR) => {}
            Err(errno) => return Err(errno),
        }
    }
    Ok(())
}

/// Opens `path` below `dir`, writes `bytes` in one call, closes it.
pub fn write_file(dir: Fd, path: &[u8], bytes: &[u8]) -> Result<()> {
    let fd = open_at(dir, path, O_WRONLY, 0)?;
    let result = write(fd, bytes);
    close(fd);
    match result {
        Ok(done) if done == bytes.len() => Ok(()),
        Ok(_) => Err(Errno::EINVAL),
        Err(errno) => Err(errno),
    }
}

/// Reads the beginning of the file `path` below `dir`.
pub fn read_file<'a>(dir: Fd, path: &[u8], buffer: &'a mut [u8]) -> Result<&'a [u8]> {
    let fd = open_at(dir, path, O_RDONLY, 0)?;
    let result = read(fd, buffer);
    close(fd);
    result.map(|len| buffer.get(..len).unwrap_or(&[]))
}

/// Room for the kernel's `struct stat`, which is smaller on both architectures.
type RawStat = [u64; 18];

impl Stat {
    fn of(raw: &RawStat) -> Self {
        let [mode, uid, gid] =
            [STAT_MODE, STAT_OWNER[0], STAT_OWNER[1]].map(|(at, shift)| (raw[at] >> shift) as u32);
        let (size, modified) = (raw[6], [raw[11], raw[12]]);
        Self { device: raw[0], inode: raw[1], mode, uid, gid, size, modified }
    }
}

pub fn stat_fd(fd: Fd) -> Result<Stat> {
    let mut raw: RawStat = [0; 18];
    // SAFETY: writes one stat into the room for it.
    unsafe { call(nr::FSTAT, [fd as usize, raw.as_mut_ptr() as usize, 0, 0, 0, 0]) }?;
    Ok(Stat::of(&raw))
}

pub fn stat_at(dir: Fd, path: &[u8]) -> Result<Stat> {
    let mut raw: RawStat = [0; 18];
    let args = [dir as usize, c_path(path)?, raw.as_mut_ptr() as usize, 0, 0, 0];
    // SAFETY: reads the path up to its NUL and writes one stat into the room for it.
    unsafe { call(nr::NEWFSTATAT, args) }?;
    Ok(Stat::of(&raw))
}

/// As [`stat_at`], of a link itself.
pub fn stat_link(dir: Fd, path: &[u8]) -> Result<Stat> {
    let mut raw: RawStat = [0; 18];
    let args = [dir as usize, c_path(path)?, raw.as_mut_ptr() as usize, AT_SYMLINK_NOFOLLOW, 0, 0];
    // SAFETY: reads the path up to its NUL and writes one stat into the room for it.
    unsafe { call(nr::NEWFSTATAT, args) }?;
    Ok(Stat::of(&raw))
}

pub fn stat_fs(fd: Fd) -> Result<StatFs> {
    let mut raw = [0u64; 15];
    // SAFETY: writes one statfs, 120 bytes on 64-bit targets.
    unsafe { call(nr::FSTATFS, [fd as usize, raw.as_mut_ptr() as usize, 0, 0, 0, 0]) }?;
    Ok(StatFs {
        block_size: raw[1],
        blocks: raw[2],
        free: raw[3],
        inodes: raw[5],
        free_inodes: raw[6],
    })
}

pub fn make_dir(dir: Fd, path: &[u8], mode: u32) -> Result<()> {
    let args = [dir as usize, c_path(path)?, mode as usize, 0, 0, 0];
    // SAFETY: reads the path up to its NUL.
    unsafe { call(nr::MKDIRAT, args) }.map(drop)
}

/// An empty file that can be mounted on.
pub fn make_file(dir: Fd, path: &[u8]) -> Result<()> {
    open_at(dir, path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o444).map(close)
}

pub fn remove_dir(dir: Fd, path: &[u8]) -> Result<()> {
    // SAFETY: reads the path up to its NUL.
    unsafe { call(nr::UNLINKAT, [dir as usize, c_path(path)?, AT_REMOVEDIR, 0, 0, 0]) }.map(drop)
}

pub fn link_to(target: &[u8], dir: Fd, path: &[u8]) -> Result<()> {
    let args = [c_path(target)?, dir as usize, c_path(path)?, 0, 0, 0];
    // SAFETY: reads two paths up to their NULs.
    unsafe { call(nr::SYMLINKAT, args) }.map(drop)
}

pub fn read_link<'a>(dir: Fd, path: &[u8], buffer: &'a mut [u8]) -> Result<&'a [u8]> {
    let at = buffer.as_mut_ptr() as usize;
    let args = [dir as usize, c_path(path)?, at, buffer.len(), 0, 0];
    // SAFETY: writes at most the buffer's length.
    let len = unsafe { call(nr::READLINKAT, args) }?;
    Ok(buffer.get(..len).unwrap_or(&[]))
}

/// Makes `path` the root of this process.
pub fn change_root(path: &[u8]) -> Result<()> {
    // SAFETY: reads the path up to its NUL.
    unsafe { call(nr::CHROOT, [c_path(path)?, 0, 0, 0, 0, 0]) }.map(drop)
}

pub fn enter_dir(path: &[u8]) -> Result<()> {
    // SAFETY: reads the path up to its NUL.
    unsafe { call(nr::CHDIR, [c_path(path)?, 0, 0, 0, 0, 0]) }.map(drop)
}

pub fn enter_dir_fd(fd: Fd) -> Result<()> {
    // SAFETY: takes a number.
    unsafe { plain(nr::FCHDIR, [fd as usize]) }.map(drop)
}

pub fn set_umask(mask: u32) {
    // SAFETY: takes a number.
    let _ = unsafe { plain(nr::UMASK, [mask as usize]) };
}

/// Fills `buffer` with directory entries.
pub fn list_dir(fd: Fd, buffer: &mut [u8]) -> Result<usize> {
    let args = [fd as usize, buffer.as_mut_ptr() as usize, buffer.len(), 0, 0, 0];
    // SAFETY: writes at most the buffer's length.
    unsafe { call(nr::GETDENTS64, args) }
}

/// The first name in a directory's entries, with its NUL, and the entries behind it; see getdents64(2).
pub fn next_name(entries: &[u8]) -> Option<(&[u8], &[u8])> {
    let size = u16::from_ne_bytes([*entries.get(16)?, *entries.get(17)?]);
    let (entry, rest) = entries.split_at_checked(usize::from(size))?;
    let name = entry.get(19..)?;
    let end = name.iter().position(|byte| *byte == 0)?;
    Some((name.get(..=end)?, rest))
}

pub fn event_fd() -> Result<Fd> {
    // SAFETY: takes numbers; EFD_CLOEXEC | EFD_NONBLOCK.
    unsafe { plain(nr::EVENTFD2, [0, 0o2_004_000]) }.map(|fd| fd as Fd)
}

/// A count that is taken from one by one; whoever reads it waits.
pub fn gate() -> Result<Fd> {
    // SAFETY: takes numbers; EFD_CLOEXEC | EFD_SEMAPHORE.
    unsafe { plain(nr::EVENTFD2, [0, 0o2_000_001]) }.map(|fd| fd as Fd)
}

/// A pipe whose ends do not wait: the one to read, then the one to write.
pub fn pipe() -> Result<[Fd; 2]> {
    const O_CLOEXEC: usize = 0o2_000_000;
    const O_NONBLOCK: usize = 0o4_000;
    let mut fds = [0; 2];
    let args = [fds.as_mut_ptr() as usize, O_CLOEXEC | O_NONBLOCK, 0, 0, 0, 0];
    // SAFETY: writes two descriptors.
    unsafe { call(nr::PIPE2, args) }?;
    Ok(fds)
}

/// The reading end of a pipe that nobody will write to.
pub fn ended_pipe() -> Result<Fd> {
    let [reader, writer] = pipe()?;
    close(writer);
    Ok(reader)
}

/// Another descriptor of the same file.
pub fn duplicate(fd: Fd) -> Result<Fd> {
    const F_DUPFD_CLOEXEC: usize = 1030;
    // SAFETY: takes numbers.
    unsafe { plain(nr::FCNTL, [fd as usize, F_DUPFD_CLOEXEC, 3]) }.map(|fd| fd as Fd)
}

/// Has reads and writes of a pipe's end wait.
pub fn set_blocking(fd: Fd) -> Result<()> {
    const F_SETFL: usize = 4;
    // SAFETY: takes numbers.
    unsafe { plain(nr::FCNTL, [fd as usize, F_SETFL, 0]) }.map(drop)
}

/// An epoll event as the kernel lays it out.
#[derive(Clone, Copy)]
#[cfg_attr(target_arch = "x86_64", repr(C, packed))]
#[cfg_attr(not(target_arch = "x86_64"), repr(C))]
pub struct Event {
    pub events: u32,
    pub data: u64,
}

pub const EPOLLIN: u32 = 0x1;
pub const EPOLLPRI: u32 = 0x2;
/// Tell once of each change.
pub const EPOLLET: u32 = 1 << 31;

pub fn epoll_create() -> Result<Fd> {
    // SAFETY: takes a number; EPOLL_CLOEXEC.
    unsafe { plain(nr::EPOLL_CREATE1, [O_CLOEXEC as usize]) }.map(|fd| fd as Fd)
}

pub fn epoll_add(epoll: Fd, fd: Fd, events: u32, data: u64) -> Result<()> {
    let event = Event { events, data };
    let at = &raw const event as usize;
    // SAFETY: reads one event.
    unsafe { call(nr::EPOLL_CTL, [epoll as usize, EPOLL_CTL_ADD, fd as usize, at, 0, 0]) }.map(drop)
}

/// Forgets a descriptor. Closing it is not enough while a clone of this process holds it too.
pub fn epoll_remove(epoll: Fd, fd: Fd) {
    const EPOLL_CTL_DEL: usize = 2;
    // SAFETY: takes numbers; this operation reads no event.
    let _ = unsafe { call(nr::EPOLL_CTL, [epoll as usize, EPOLL_CTL_DEL, fd as usize, 0, 0, 0]) };
}

/// Waits for events, at most `timeout` nanoseconds; `None` waits for ever.
pub fn epoll_wait(epoll: Fd, events: &mut [Event], timeout: Option<u64>) -> Result<usize> {
    let time = timeout.map(|ns| [ns / 1_000_000_000, ns % 1_000_000_000]);
    let time_at = time.as_ref().map_or(0, |time| time.as_ptr() as usize);
    let args = [epoll as usize, events.as_mut_ptr() as usize, events.len(), time_at, 0, 8];
    // SAFETY: writes at most the slice's length of events; reads one timespec or nothing.
    unsafe { call(EPOLL_PWAIT2, args) }
}

/// Whether a memfd can neither be written, shrunk nor grown, nor lose these seals.
pub fn is_sealed(fd: Fd) -> bool {
    const F_GET_SEALS: usize = 1034;
    const ALL: usize = 0b1111;
    // SAFETY: takes numbers.
    unsafe { plain(nr::FCNTL, [fd as usize, F_GET_SEALS]) }.is_ok_and(|seals| seals & ALL == ALL)
}

/// Reads from the start of a file, or what an event descriptor holds.
pub fn read_start(fd: Fd, buffer: &mut [u8]) -> Result<usize> {
    let args = [fd as usize, buffer.as_mut_ptr() as usize, buffer.len(), 0, 0, 0];
    // SAFETY: writes at most the buffer's length.
    match unsafe { call(nr::PREAD64, args) } {
        Err(_) => read(fd, buffer),
        done => done,
    }
}
