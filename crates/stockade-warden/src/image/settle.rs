//! The first request: settling into namespaces from which sandboxes can be made.

use crate::room::Room;
use crate::sys::{
    self, AT_FDCWD, CLONE_NEWNS, CLONE_NEWPID, Cloned, Errno, Fd, NODEV, NOEXEC, NOSUID,
    O_DIRECTORY, O_PATH, O_RDONLY, RDONLY,
};
use crate::text::Text;
use crate::wire::request::{Hello, MAX_GROUPS, Settle, flags};

/// What the warden knows about itself once it has settled.
pub struct Home {
    /// `/proc` of the pid namespace the warden lives in.
    pub proc: Fd,
    /// The mount namespace in which host paths can be opened.
    pub mounts: Fd,
    /// Whether only the host's own id can be given to workloads.
    pub single_id: bool,
    /// Whether the kernel allows no `/proc` but the one that is there: parts of it are covered, and
    /// a new one would show them.
    pub no_proc: bool,
    /// Whether runs share the host's network.
    pub host_network: bool,
    /// First id of the range given to workloads.
    pub first_id: u64,
    /// Number of ids in the range.
    pub ids: u64,
    /// The host process: readable once it is gone, whoever still holds the socket.
    pub host: Fd,
    /// The warden itself, for what is cloned from it: readable once it is gone.
    pub own: Fd,
    /// Directories in which cgroups are made.
    pub groups: [Fd; MAX_GROUPS],
    /// The memory that is left.
    pub room: Room,
    /// Number of CPUs, to pace checks of the CPU clock.
    pub cpus: u64,
}

/// Settles in; or says which step failed and why.
pub fn settle(packet: &[u64], fds: &[Fd], home: &mut Home) -> Result<(), (Settle, sys::Errno)> {
    let word = |index: Hello| packet.get(index as usize).copied().unwrap_or(0);
    let wanted = word(Hello::Flags);
    home.single_id = wanted & flags::SINGLE_ID != 0;
    home.host_network = wanted & flags::HOST_NETWORK != 0;
    home.first_id = word(Hello::FirstId);
    home.ids = word(Hello::Ids);
    let (host, mut groups) = fds.split_first().ok_or((Settle::Resources, sys::Errno::EPROTO))?;
    home.host = *host;
    if wanted & flags::BOUNDED != 0 {
        let (bound, rest) = groups.split_first().ok_or((Settle::Resources, sys::Errno::EPROTO))?;
        home.room = Room::within(*bound);
        groups = rest;
    }
    home.own = sys::own_pidfd().map_err(|errno| (Settle::Resources, errno))?;
    for (slot, fd) in home.groups.iter_mut().zip(groups) {
        *slot = *fd;
    }
    home.cpus = sys::cpu_count();

    if home.single_id {
        sys::unshare(sys::CLONE_NEWUSER).map_err(|errno| (Settle::UserNamespace, errno))?;
        map_own_ids(word(Hello::Uid), word(Hello::Gid)).map_err(|e| (Settle::IdMaps, e))?;
    } else {
        sys::drop_groups().map_err(|errno| (Settle::IdMaps, errno))?;
    }
    sys::unshare(sys::CLONE_NEWNS).map_err(|errno| (Settle::MountNamespace, errno))?;
    sys::make_slave().map_err(|errno| (Settle::MountNamespace, errno))?;
    let proc_flags = O_PATH | O_DIRECTORY;
    home.proc = sys::open_at(AT_FDCWD, b"/proc\0", proc_flags, 0).map_err(|e| (Settle::Proc, e))?;
    home.mounts = sys::open_at(home.proc, b"self/ns/mnt\0", O_RDONLY, 0)
        .map_err(|errno| (Settle::Proc, errno))?;
    home.no_proc = is_proc_refused().map_err(|errno| (Settle::Proc, errno))?;
    sys::enter_dir(b"/\0").map_err(|errno| (Settle::Resources, errno))?;
    // From here on nobody of the same id may look into the warden or what is cloned from it.
    sys::set_dumpable(false);
    Ok(())
}

/// Tries to make a `/proc` as a sandbox would: in a pid namespace of its own.
fn is_proc_refused() -> sys::Result<bool> {
    match sys::clone(CLONE_NEWNS | CLONE_NEWPID, false, None)? {
        Cloned::Child => {
            let made = sys::new_filesystem(b"proc\0", &[], RDONLY | NOSUID | NODEV | NOEXEC);
            sys::exit(made.err().map_or(0, |errno| errno.0))
        }
        Cloned::Parent { pid, .. } => {
            let status = sys::reap(pid, true)?.map_or(0, |reaped| reaped.status);
            // mount_namespaces(7): a new mount may not uncover what a less privileged one covers.
            Ok(status == (Errno::EPERM.0 as u32) << 8)
        }
    }
}

fn map_own_ids(uid: u64, gid: u64) -> sys::Result<()> {
    let line = |id| Text::<48>::new().push(b"0 ").number(id).push(b" 1\n");
    sys::write_file(AT_FDCWD, b"/proc/self/setgroups\0", b"deny")?;
    sys::write_file(AT_FDCWD, b"/proc/self/uid_map\0", line(uid).bytes())?;
    sys::write_file(AT_FDCWD, b"/proc/self/gid_map\0", line(gid).bytes())
}
