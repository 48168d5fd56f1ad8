//! The sandbox's first process, up to the fork of the workload: mounts, host name, loopback.
//!
//! It begins as a clone of the warden in new mount, pid, IPC and host name namespaces, with the
//! root's tree as `/` and nothing of the host's tree in reach.

use crate::board::{Board, attempt};
use crate::groups::Groups;
use crate::init::{self, Disks};
use crate::layer;
use crate::sys::{
    self, Cloned, Errno, Fd, NODEV, NOEXEC, NOSUID, O_DIRECTORY, O_PATH, RDONLY, RESOLVE_IN_ROOT,
    RESOLVE_NO_MAGICLINKS, RESOLVE_NO_SYMLINKS, Result, S_IFCHR, S_IFDIR, S_IFMT,
};
use crate::text::Text;
use crate::wire::board::{Space, Step, Word};
use crate::wire::plan::{Bind, MAX_BINDS, Net, Number, Plan, Section, Tmpfs};
use crate::wire::request::MAX_GROUPS;
use crate::workload;

/// Everything a sandbox's first process is born with.
pub struct Birth {
    pub board: Board,
    pub plan: Plan<'static>,
    /// Argument vector and environment.
    pub vectors: (usize, usize),
    /// `/proc` of the warden.
    pub proc: Fd,
    /// The warden, to see whether it still lives.
    pub warden: Fd,
    /// The run's socket.
    pub socket: Fd,
    /// The program's ends of its standard streams.
    pub streams: [Fd; 3],
    /// Where the program waits to be begun; 0 if it does not.
    pub gate: Fd,
    /// The slot's user namespace.
    pub user: Fd,
    /// Ids of init inside, and of the workload as seen by the warden.
    pub init_id: u32,
    pub work_id_outside: u32,
    pub single_id: bool,
    /// Whether there can be no `/proc`; the root has something empty there.
    pub no_proc: bool,
    pub groups: Groups,
    /// User namespaces for the plan's binds, in their order.
    pub id_maps: [Fd; MAX_BINDS],
    /// The one for a root that is made writable; 0 for none.
    pub root_map: Fd,
}

/// Builds the world, forks the workload, stays as init.
pub fn first_process(birth: &Birth) -> ! {
    let board = birth.board;
    board.stamp(Word::TimeClone);
    let _ = sys::die_with_parent();
    for space in [Space::Mount, Space::Pid, Space::Ipc, Space::Uts] {
        board.own_space(space);
    }
    let mut disks = Disks::NONE;
    let built = shed(birth).and_then(|()| build(birth, &mut disks));
    let built = attempt(board, built);
    let main = built.and_then(|()| {
        board.begin(Step::Fork);
        let unified = (birth.groups.unified != 0).then_some(birth.groups.unified);
        match attempt(board, sys::clone(0, false, unified))? {
            Cloned::Child => workload::become_program(birth),
            Cloned::Parent { pid, .. } => Some(pid),
        }
    });
    match main {
        Some(main) => init::serve(birth, main, &disks),
        None => {
            board.report(birth.socket);
            sys::exit(1)
        }
    }
}

/// Closes what the warden has open for others. It may be thousands, and the workload's process would
/// have to close them all over again.
fn shed(birth: &Birth) -> Result<()> {
    const MOST: usize = 9 + 2 * MAX_GROUPS + MAX_BINDS;
    let [stdin, stdout, stderr] = birth.streams;
    let own = [
        birth.proc,
        birth.warden,
        birth.socket,
        birth.gate,
        birth.user,
        birth.root_map,
        stdin,
        stdout,
        stderr,
    ];
    let groups = birth.groups.descriptors().chain(birth.groups.entrances());
    let mut keep = [0; MOST];
    for (place, fd) in keep.iter_mut().zip(own.into_iter().chain(groups).chain(birth.id_maps)) {
        *place = fd;
    }
    sys::keep_only(&mut keep)
}

fn build(birth: &Birth, disks: &mut Disks) -> Result<()> {
    let (board, plan) = (birth.board, birth.plan);
    board.begin(Step::Session);
    sys::new_session()?;
    let mut root = sys::open_at(sys::AT_FDCWD, b"/\0", O_PATH | O_DIRECTORY, 0)?;

    let mut scratch = Scratch::default();
    if !plan.section(Section::Writable).is_empty() {
        board.begin(Step::Layer);
        let writable = plan.writable().ok_or(Errno::EPROTO)?;
        scratch.filesystem = new_scratch(board, plan, disks)?;
        sys::attach(scratch.filesystem, root)?;
        root = layer::add(birth, writable, root, scratch.filesystem)?;
    }

    if !birth.no_proc {
        board.begin(Step::Proc);
        let options: [(&[u8], &[u8]); 1] = [(b"hidepid\0", b"invisible\0")];
        let proc = sys::new_filesystem(b"proc\0", &options, RDONLY | NOSUID | NODEV | NOEXEC)?;
        mount(root, proc, b"/proc\0")?;
        board.begin(Step::Mask);
        mask(board, plan, root, proc)?;
    }

    board.begin(Step::Tmpfs);
    tmpfs(board, plan, root, disks, scratch)?;
    board.begin(Step::Binds);
    binds(birth, root)?;
    board.stamp(Word::TimeMounts);

    board.begin(Step::Hostname);
    sys::set_hostname(plan.section(Section::Hostname))?;
    board.begin(Step::Loopback);
    if plan.number(Number::Net) == Net::Loopback as u64 {
        sys::loopback(true)?;
        board.set(Word::ReadInterfaces, 1);
    }
    if !birth.single_id {
        // The streams are pipes of the host's; the program may reopen them by path.
        let id = birth.work_id_outside;
        for (index, stream) in birth.streams.into_iter().enumerate() {
            board.item(index);
            sys::chown(stream, id, id)?;
        }
    }
    Ok(())
}

/// Opens a place inside. No link is followed: host and warden must mean the same place.
pub fn resolve(root: Fd, path: &[u8]) -> Result<Fd> {
    let resolve = RESOLVE_IN_ROOT | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;
    sys::open_how(root, path, O_PATH, resolve)
}

pub fn mount(root: Fd, mount: Fd, path: &[u8]) -> Result<()> {
    let target = resolve(root, path)?;
    let result = sys::attach(mount, target);
    sys::close(target);
    result
}

/// Puts nothing where the kernel would tell a guest about its host. Paths are walked from the
/// mount itself, so no link in a root can lead elsewhere.
fn mask(board: Board, plan: Plan<'_>, root: Fd, proc: Fd) -> Result<()> {
    let null = resolve(root, b"/dev/null\0")?;
    if sys::stat_fd(null)?.mode & S_IFMT != S_IFCHR {
        // The root's directory is the host's, and has been swapped for one with a file there. Only
        // a device covers anything: either it is the one that was mounted, or it cannot be opened.
        return Err(Errno::ESTALE);
    }
    let mut records = plan.records(Section::Masks);
    let mut index = 0;
    let mut empty = 0;
    while !records.is_empty() {
        board.item(index);
        index += 1;
        let path = records.c_str().ok_or(Errno::EPROTO)?;
        let name = path.strip_prefix(b"/proc/").ok_or(Errno::EPROTO)?;
        let target = match sys::open_how(proc, name, O_PATH, RESOLVE_NO_MAGICLINKS) {
            Err(Errno::ENOENT) => continue,
            other => other?,
        };
        let cover = if sys::stat_fd(target)?.mode & S_IFMT != S_IFDIR {
            sys::clone_tree(null, b"\0")?
        } else if empty != 0 {
            sys::clone_tree(empty, b"\0")?
        } else {
            let options: [(&[u8], &[u8]); 1] = [(b"nr_inodes\0", b"1\0")];
            empty = sys::new_filesystem(b"tmpfs\0", &options, RDONLY | NOSUID | NODEV | NOEXEC)?;
            empty
        };
        let result = sys::attach(cover, target);
        if cover != empty {
            sys::close(cover);
        }
        sys::close(target);
        result?;
    }
    sys::close(null);
    if empty != 0 {
        sys::close(empty);
    }
    Ok(())
}

/// Mounts a new in-memory filesystem and notes its capacity.
fn new_tmpfs(board: Board, disks: &mut Disks, bytes: u64, inodes: u64) -> Result<Fd> {
    let size = Text::<24>::new().number(bytes).push(b"\0");
    let count = Text::<24>::new().number(inodes).push(b"\0");
    let options: [(&[u8], &[u8]); 3] =
        [(b"mode\0", b"1777\0"), (b"size\0", size.bytes()), (b"nr_inodes\0", count.bytes())];
    let given = if bytes == 0 { &options[..1] } else { &options[..] };
    let mount = sys::new_filesystem(b"tmpfs\0", given, NOSUID | NODEV)?;
    let stat = sys::stat_fs(mount)?;
    let capacity = stat.blocks.saturating_mul(stat.block_size);
    board.set(Word::ReadDisk, board.get(Word::ReadDisk).saturating_add(capacity));
    board.set(Word::ReadInodes, board.get(Word::ReadInodes).saturating_add(stat.inodes));
    disks.add(mount);
    Ok(mount)
}

/// The filesystem of all writable directories that have no size of their own, so that together they
/// have one bound. Each is a part of it.
#[derive(Default)]
struct Scratch<'a> {
    /// 0 until something needs it.
    filesystem: Fd,
    /// Where it is attached, which the first part goes over.
    under: Option<&'a [u8]>,
    parts: u64,
}

fn new_scratch(board: Board, plan: Plan<'_>, disks: &mut Disks) -> Result<Fd> {
    let bytes = plan.number(Number::ScratchBytes);
    let inodes = plan.number(Number::ScratchInodes);
    new_tmpfs(board, disks, bytes, inodes)
}

/// Mounts the writable directories.
fn tmpfs<'a>(
    board: Board,
    plan: Plan<'a>,
    root: Fd,
    disks: &mut Disks,
    mut scratch: Scratch<'a>,
) -> Result<()> {
    let mut records = plan.records(Section::Tmpfs);
    let part = |index: u64| Text::<24>::new().number(index).push(b"\0");
    let mut index = 0;
    while !records.is_empty() {
        board.item(index);
        index += 1;
        let record = Tmpfs::next(&mut records).ok_or(Errno::EPROTO)?;
        if record.late {
            make_place(root, record.path, true)?;
        }
        if record.bytes != 0 {
            let filesystem = new_tmpfs(board, disks, record.bytes, record.inodes)?;
            mount(root, filesystem, record.path)?;
            continue;
        }
        let name = part(scratch.parts);
        scratch.parts += 1;
        if scratch.filesystem == 0 {
            scratch.filesystem = new_scratch(board, plan, disks)?;
            // Attached first, since only an attached mount can be copied; covered below.
            mount(root, scratch.filesystem, record.path)?;
            sys::make_dir(scratch.filesystem, name.bytes(), 0o1777)?;
            scratch.under = Some(record.path);
            continue;
        }
        sys::make_dir(scratch.filesystem, name.bytes(), 0o1777)?;
        let copy = sys::clone_tree(scratch.filesystem, name.bytes())?;
        let result = mount(root, copy, record.path);
        sys::close(copy);
        result?;
    }
    if let Some(path) = scratch.under {
        let copy = sys::clone_tree(scratch.filesystem, part(0).bytes())?;
        let result = mount(root, copy, path);
        sys::close(copy);
        result?;
    }
    Ok(())
}

/// Finishes each bind: a copy in which the files of its owner are the workload's, put where the
/// program is to find it.
fn binds(birth: &Birth, root: Fd) -> Result<()> {
    let mut records = birth.plan.records(Section::Binds);
    for (index, userns) in birth.id_maps.into_iter().enumerate() {
        if records.is_empty() {
            break;
        }
        birth.board.item(index);
        let bind = Bind::next(&mut records).ok_or(Errno::EPROTO)?;
        let moves = bind.from != bind.path;
        if birth.single_id && !moves {
            continue;
        }
        let held = resolve(root, bind.from)?;
        let copy = sys::clone_tree(held, b"\0")?;
        if !birth.single_id {
            match sys::set_id_map(copy, userns) {
                // The filesystem cannot do it. A reader can live with the owner's permissions.
                Err(Errno::EINVAL) if !bind.write => {}
                other => other?,
            }
        }
        if moves {
            let directory = sys::stat_fd(held)?.mode & S_IFMT == S_IFDIR;
            make_place(root, bind.path, directory)?;
            sys::unmount(bind.from)?;
        }
        mount(root, copy, bind.path)?;
        sys::close(copy);
        sys::close(held);
    }
    if records.is_empty() { Ok(()) } else { Err(Errno::EPROTO) }
}

/// Makes a mount point, and the directories above it, in a directory that is new in every run.
fn make_place(root: Fd, path: &[u8], directory: bool) -> Result<()> {
    let mut at = 1;
    while let Some(len) =
        path.get(at..).and_then(|rest| rest.iter().position(|b| *b == b'/' || *b == 0))
    {
        let end = at + len;
        let above = Text::<4200>::new().push(path.get(..at).unwrap_or(&[])).push(b"\0");
        let name = Text::<260>::new().push(path.get(at..end).unwrap_or(&[])).push(b"\0");
        let last = path.get(end) == Some(&0);
        let dir = resolve(root, above.bytes())?;
        let made = if last && !directory {
            sys::make_file(dir, name.bytes())
        } else {
            sys::make_dir(dir, name.bytes(), 0o1777)
        };
        sys::close(dir);
        match made {
            // What is there already may be on a read-only filesystem.
            Ok(()) | Err(Errno::EEXIST | Errno::EROFS) => {}
            Err(errno) => return Err(errno),
        }
        if last {
            break;
        }
        at = end + 1;
    }
    Ok(())
}
