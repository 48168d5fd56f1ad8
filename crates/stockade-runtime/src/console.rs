//! The container's terminal: made inside, its master given to whoever shows it.

mod foreground;

#[cfg(test)]
mod tests;

use std::ffi::CString;
use std::io::{IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd as _, BorrowedFd, OwnedFd};
use std::path::Path;

use rustix::fs::{self, CWD, FileType, Mode, OFlags, ResolveFlags};
use rustix::io::Errno;
use rustix::net::{
    self, AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, SocketAddrUnix, SocketFlags, SocketType,
};
use rustix::pty::{self, OpenptFlags};
use rustix::termios::{self, Winsize};
use rustix::{process, stdio};

use crate::failure::{Context as _, Failure, Outcome};

pub(crate) use foreground::Foreground;

/// Of linux/magic.h.
const DEVPTS: u64 = 0x1cd1;

/// A terminal of the container's own /dev/pts.
pub(crate) struct Console {
    master: OwnedFd,
    slave: OwnedFd,
    name: CString,
}

impl Console {
    /// Makes one, of so many columns and rows if they are said. Inside the container's root: it is to
    /// be found there by its name.
    pub(crate) fn open(size: Option<oci_spec::runtime::Box>) -> Outcome<Self> {
        let what = || "cannot make a terminal".into();
        // A folder or a file that the image has in the place of the kernel's is not opened.
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let folder = fs::openat(CWD, "/dev/pts", flags, Mode::empty())
            .context(|| "cannot make a terminal: /dev/pts".into())?;
        if u64::try_from(fs::fstatfs(&folder).context(what)?.f_type) != Ok(DEVPTS) {
            return Err(Failure::new("cannot make a terminal: /dev/pts is no devpts"));
        }
        let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
        let resolve = ResolveFlags::NO_XDEV | ResolveFlags::NO_SYMLINKS;
        let master = match fs::openat2(&folder, "ptmx", flags, Mode::empty(), resolve) {
            // It is for nobody unless it was mounted with a mode.
            Err(Errno::ACCESS) => {
                device().context(|| "cannot make a terminal: /dev/ptmx".into())?
            }
            master => master.context(|| "cannot make a terminal: /dev/pts/ptmx".into())?,
        };
        pty::unlockpt(&master).context(what)?;
        let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
        let slave = pty::ioctl_tiocgptpeer(&master, flags).context(what)?;
        let name = pty::ptsname(&master, Vec::new()).context(what)?;
        if let Some(size) = size {
            let number = |number: u64| {
                u16::try_from(number).context(|| format!("process.consoleSize: {number}"))
            };
            let size = winsize(number(size.height())?, number(size.width())?);
            termios::tcsetwinsize(&master, size).context(what)?;
        }
        Ok(Self { master, slave, name })
    }

    /// The end that the program has, to be mounted on /dev/console.
    pub(crate) fn slave(&self) -> BorrowedFd<'_> {
        self.slave.as_fd()
    }

    /// Gives the master away, with the slave's name, as engines expect it from runc.
    pub(crate) fn send(&self, socket: BorrowedFd<'_>) -> Outcome<()> {
        let descriptors = [self.master.as_fd()];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        control.push(SendAncillaryMessage::ScmRights(&descriptors));
        let name = [IoSlice::new(self.name.as_bytes())];
        net::sendmsg(socket, &name, &mut control, SendFlags::NOSIGNAL)
            .context(|| "cannot send the terminal to the console socket".into())
            .map(drop)
    }

    /// Becomes the leader of a session that has this terminal, if it is none yet, and makes the slave
    /// the three standard streams. The master is closed here: it is to be sent before.
    ///
    /// The user gets the slave when it gets the other streams, in
    /// [`Identity::take`](crate::identity::Identity::take).
    pub(crate) fn into_stdio(self) -> Outcome<()> {
        let what = || "cannot make the terminal the process's own".into();
        match process::setsid() {
            Ok(_) | Err(Errno::PERM) => {}
            Err(error) => return Err(error).context(what),
        }
        process::ioctl_tiocsctty(&self.slave).context(what)?;
        stdio::dup2_stdin(&self.slave).context(what)?;
        stdio::dup2_stdout(&self.slave).context(what)?;
        stdio::dup2_stderr(&self.slave).context(what)
    }
}

/// The device /dev/ptmx, which makes a terminal in the folder beside it. Nothing else of that name.
fn device() -> Result<OwnedFd, Errno> {
    let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
    let master = fs::openat2(CWD, "/dev/ptmx", flags, Mode::empty(), ResolveFlags::NO_SYMLINKS)?;
    let about = fs::fstat(&master)?;
    let is_device = FileType::from_raw_mode(about.st_mode) == FileType::CharacterDevice;
    if is_device && about.st_rdev == fs::makedev(5, 2) { Ok(master) } else { Err(Errno::NOTTY) }
}

fn winsize(rows: u16, columns: u16) -> Winsize {
    Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 }
}

/// Connects to `--console-socket`. In the host's root; the path may be longer than an address of a
/// socket.
pub(crate) fn connect(path: &Path) -> Outcome<OwnedFd> {
    let what = || format!("cannot connect to the console socket {}", path.display());
    let flags = OFlags::PATH | OFlags::CLOEXEC;
    let place = fs::openat(CWD, path, flags, Mode::empty()).context(what)?;
    let address = format!("/proc/self/fd/{}", place.as_raw_fd());
    let address = SocketAddrUnix::new(address.as_str()).context(what)?;
    let kind = (AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC);
    let socket = net::socket_with(kind.0, kind.1, kind.2, None).context(what)?;
    net::connect(&socket, &address).context(what)?;
    Ok(socket)
}

/// A console socket and its other end, where this program itself shows the terminal.
pub(crate) fn pair() -> Outcome<(OwnedFd, OwnedFd)> {
    net::socketpair(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None)
        .context(|| "cannot make a console socket".into())
}

/// The master that was sent. Waits for it; an error when the other end was closed without.
pub(crate) fn receive(socket: BorrowedFd<'_>) -> Outcome<OwnedFd> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut name = [0; 4096];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    loop {
        let mut into = [IoSliceMut::new(&mut name)];
        match net::recvmsg(socket, &mut into, &mut control, RecvFlags::CMSG_CLOEXEC) {
            Ok(_) => break,
            Err(Errno::INTR) => {}
            Err(error) => return Err(error).context(|| "cannot receive the terminal".into()),
        }
    }
    let mut received = control.drain().filter_map(|message| match message {
        RecvAncillaryMessage::ScmRights(mut descriptors) => descriptors.next(),
        _ => None,
    });
    received.next().ok_or_else(|| Failure::new("the container sent no terminal"))
}
