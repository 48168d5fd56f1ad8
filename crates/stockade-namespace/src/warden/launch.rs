//! Launching the warden: its bytes go into a sealed memfd, and a spawn that shares the host's
//! memory until `execve` (`posix_spawn`) starts it. The host is never forked.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::fs::{FileExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Instant;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{MemfdFlags, Mode, SealFlags, fchmod, fcntl_add_seals, memfd_create};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use stockade_warden::IMAGE;

/// Why the warden could not be launched.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LaunchError {
    /// No descriptor or memory for its image or socket.
    #[error("cannot make the helper's {what}")]
    Resource {
        /// What was being made.
        what: &'static str,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// It could not be executed.
    #[error("cannot execute the helper from {from}")]
    Execute {
        /// Where its image was.
        from: String,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// It could not be executed from memory, and a file that can be executed could not be had.
    #[error("cannot execute the helper from memory ({memory}) nor from the file {}", file.display())]
    OnDisk {
        /// Why not from memory.
        memory: io::Error,
        /// The file.
        file: PathBuf,
        /// Why not from that.
        #[source]
        source: io::Error,
    },
    /// It was executed and ended at once.
    #[error("the helper ended at once with {status}")]
    Ended {
        /// Its exit status.
        status: std::process::ExitStatus,
    },
    /// What was to execute it in a group of its own did not.
    #[error("{program} ended with {status}: {said}")]
    Declined {
        /// The path of that.
        program: String,
        /// Its exit status.
        status: std::process::ExitStatus,
        /// The end of what it said.
        said: String,
    },
    /// What was to execute it took too long, and was killed.
    #[error("{program} did not come to an end")]
    Late {
        /// The path of that.
        program: String,
    },
    /// It was executed and found out that it cannot work here.
    #[error("the helper lacks a call of the kernel that it cannot do without")]
    Lacking(#[source] io::Error),
}

fn resource(what: &'static str) -> impl FnOnce(Errno) -> LaunchError {
    move |errno| LaunchError::Resource { what, source: errno.into() }
}

/// Launches a warden and gives the host's end of its socket.
pub(super) fn launch() -> Result<OwnedFd, LaunchError> {
    let (host, warden) = connection()?;
    let image = sealed("stockade-warden", IMAGE).map_err(resource("image"))?;
    let path = PathBuf::from(format!("/proc/self/fd/{}", image.as_raw_fd()));
    match spawn(&path, &warden) {
        // `vm.memfd_noexec=2`, or no /proc.
        Err(LaunchError::Execute { source, .. })
            if matches!(
                source.kind(),
                io::ErrorKind::PermissionDenied | io::ErrorKind::NotFound
            ) =>
        {
            launch_from_disk(&warden, source)?;
        }
        other => other?,
    }
    retire(&image)?;
    Ok(host)
}

/// How often a file is written anew that another process has open.
const TRIES: usize = 100;

/// Launches the image as a file that is gone once it runs.
fn launch_from_disk(warden: &OwnedFd, memory: io::Error) -> Result<(), LaunchError> {
    let mut tries = 0;
    let (file, source) = loop {
        tries += 1;
        let image = match DiskImage::write(IMAGE) {
            Ok(image) => image,
            Err((path, source)) => break (path, source),
        };
        match spawn(&image.path, warden) {
            // A process that another thread has forked meanwhile has it open for writing, until it
            // executes something (`ETXTBSY`, execve(2)), which may be never.
            Err(LaunchError::Execute { source, .. })
                if source.kind() == io::ErrorKind::ExecutableFileBusy && tries < TRIES =>
            {
                thread::yield_now();
            }
            Err(LaunchError::Execute { source, .. }) => break (image.path.clone(), source),
            Ok(()) => return image.retire(),
            other => return other,
        }
    };
    Err(LaunchError::OnDisk { memory, file, source })
}

/// Lets nobody execute or open the image any more. A program finds it as `/proc/self/exe` right before
/// it is executed, and may be a script that names this as its interpreter.
fn retire(image: impl AsFd) -> Result<(), LaunchError> {
    fchmod(image, Mode::empty()).map_err(resource("image"))
}

/// Launches a warden by a command that becomes the program which is its last argument, and gives the
/// host's end of its socket.
pub(super) fn launch_by(mut launcher: Command, deadline: Instant) -> Result<OwnedFd, LaunchError> {
    let (host, warden) = connection()?;
    let image = sealed("stockade-warden", IMAGE).map_err(resource("image"))?;
    let heard = memfd_create("stockade-launcher", MemfdFlags::CLOEXEC).map_err(resource("pipe"))?;
    let heard = File::from(heard);
    let program = launcher.get_program().to_string_lossy().into_owned();
    let failed = |source| LaunchError::Execute { from: program.clone(), source };
    // Only standard streams can be handed on without a hook in a forked child, and no other child
    // of a threaded host can come by them. The image is sealed: nothing can be written to it.
    launcher.arg("/proc/self/fd/1").stdin(warden);
    launcher.stdout(image.try_clone().map_err(failed)?);
    launcher.stderr(heard.try_clone().map_err(failed)?);
    let mut child = launcher.spawn().map_err(failed)?;
    // It holds the other end of the socket.
    drop(launcher);
    if !has_ended(&child, deadline) {
        let _ = child.kill();
        let _ = child.wait();
        return Err(LaunchError::Late { program });
    }
    match child.wait() {
        Ok(status) if !status.success() => {
            Err(LaunchError::Declined { program, status, said: end_of(&heard) })
        }
        Err(error) if error.raw_os_error() != Some(libc::ECHILD) => Err(failed(error)),
        // As above, of a host that reaps every child.
        _ => retire(&image).map(|()| host),
    }
}

/// Whether a child ends in time; it is not reaped.
fn has_ended(child: &Child, deadline: Instant) -> bool {
    match pidfd_open(Pid::from_child(child), PidfdFlags::empty()) {
        Ok(process) => is_readable(&process, deadline),
        // A host that ignores its children has none to reap.
        Err(errno) => errno == Errno::SRCH,
    }
}

/// Waits until a descriptor can be read, or the time is up.
pub(super) fn is_readable(fd: &OwnedFd, deadline: Instant) -> bool {
    let mut fds = [PollFd::new(fd, PollFlags::IN)];
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let Ok(left) = Timespec::try_from(left) else { return false };
        match poll(&mut fds, Some(&left)) {
            Err(Errno::INTR) => {}
            ready => return ready == Ok(1),
        }
    }
}

/// The last line of what was written to a file, as far as it is short.
fn end_of(file: &File) -> String {
    let mut bytes = [0; 1024];
    let length = file.read_at(&mut bytes, 0).unwrap_or(0);
    let text = String::from_utf8_lossy(bytes.get(..length).unwrap_or_default());
    let line = text.lines().rfind(|line| !line.trim().is_empty()).unwrap_or("nothing was said");
    line.chars().filter(|char| !char.is_control()).take(200).collect()
}

/// Two ends of a socket: the host's and the warden's.
fn connection() -> Result<(OwnedFd, OwnedFd), LaunchError> {
    socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)
        .map_err(resource("socket"))
}

/// A memfd with these contents that nobody can change any more.
pub(super) fn sealed(name: &str, contents: &[u8]) -> rustix::io::Result<OwnedFd> {
    // Kernels before 6.3 do not know the flag that says "executable", and need none.
    let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
    let memfd = match memfd_create(name, flags | MemfdFlags::EXEC) {
        Err(Errno::INVAL) => memfd_create(name, flags)?,
        // With `vm.memfd_noexec=2` only a memfd that is not executable can be had.
        Err(Errno::ACCESS) => memfd_create(name, flags)?,
        other => other?,
    };
    let mut rest = contents;
    while !rest.is_empty() {
        let done = rustix::io::write(&memfd, rest)?;
        rest = &rest[done..];
    }
    let seals = SealFlags::WRITE | SealFlags::GROW | SealFlags::SHRINK | SealFlags::SEAL;
    fcntl_add_seals(&memfd, seals)?;
    Ok(memfd)
}

/// Spawns the image; what is spawned leaves a clone of itself behind and ends at once.
fn spawn(path: &Path, socket: &OwnedFd) -> Result<(), LaunchError> {
    let socket =
        socket.try_clone().map_err(|source| LaunchError::Resource { what: "socket", source })?;
    let status = Command::new(path)
        .env_clear()
        .stdin(Stdio::from(socket))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .and_then(|mut child| child.wait());
    match status {
        Ok(status) if status.success() => Ok(()),
        // Before it begins to serve, its status is an errno.
        Ok(status) => Err(match status.code() {
            Some(errno) => LaunchError::Lacking(io::Error::from_raw_os_error(errno)),
            None => LaunchError::Ended { status },
        }),
        // A host that reaps every child, or ignores SIGCHLD, took the status away; the warden's
        // first answer tells whether it runs.
        Err(error) if error.raw_os_error() == Some(libc::ECHILD) => Ok(()),
        Err(source) => Err(LaunchError::Execute { from: path.display().to_string(), source }),
    }
}

/// The image as a file that only this user can read, removed when this is dropped.
struct DiskImage {
    path: PathBuf,
}

impl DiskImage {
    /// Writes it, or gives the path at which it could not be written, and why.
    fn write(image: &[u8]) -> Result<Self, (PathBuf, io::Error)> {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let mut options = OpenOptions::new();
        options.write(true).create_new(true).mode(0o700).custom_flags(libc::O_NOFOLLOW);
        loop {
            let number = COUNT.fetch_add(1, Ordering::Relaxed);
            let name = format!("stockade-warden-{}-{number}", std::process::id());
            let path = std::env::temp_dir().join(name);
            let mut file = match options.open(&path) {
                // Of a host that was killed, or that has the same number in another container.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => continue,
                Err(error) => return Err((path, error)),
                Ok(file) => file,
            };
            let written = Self { path };
            // Whatever the umask says.
            let mode = Permissions::from_mode(0o700);
            return match file.set_permissions(mode).and_then(|()| file.write_all(image)) {
                Ok(()) => Ok(written),
                Err(error) => Err((written.path.clone(), error)),
            };
        }
    }

    /// As the function of that name.
    fn retire(&self) -> Result<(), LaunchError> {
        fs::set_permissions(&self.path, Permissions::from_mode(0o000))
            .map_err(|source| LaunchError::Resource { what: "image on disk", source })
    }
}

impl Drop for DiskImage {
    fn drop(&mut self) {
        // It runs from the open file by now; a leftover would be harmless but untidy.
        let _ = fs::remove_file(&self.path);
    }
}
