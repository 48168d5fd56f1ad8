//! The sandbox's init: reaps, obeys the host, ends everything when the program has ended, and
//! reports. It holds no descriptor of the program's streams and no capability but `CAP_KILL`.

use crate::board::Board;
use crate::setup::Birth;
use crate::sys::{self, CAP_KILL, CLONE_NEWUSER, Errno, Fd, Result};
use crate::wire::board::{Step, Stop, Word};
use crate::wire::plan::{MAX_DISKS, when};
use crate::wire::request::{MAX_GROUPS, order};

/// The writable in-memory filesystems of a run.
pub struct Disks {
    mounts: [Fd; MAX_DISKS],
}

impl Disks {
    pub const NONE: Self = Self { mounts: [0; MAX_DISKS] };

    pub fn add(&mut self, mount: Fd) {
        if let Some(free) = self.mounts.iter_mut().find(|fd| **fd == 0) {
            *free = mount;
        }
    }

    fn all(&self) -> impl Iterator<Item = Fd> {
        self.mounts.into_iter().filter(|fd| *fd != 0)
    }

    fn count(&self, board: Board) {
        for mount in self.all() {
            let Ok(stat) = sys::stat_fs(mount) else { continue };
            let used = stat.blocks.saturating_sub(stat.free).saturating_mul(stat.block_size);
            board.set(Word::DiskUsed, board.get(Word::DiskUsed).saturating_add(used));
            let bounded = stat.blocks != 0;
            if bounded && (stat.free == 0 || stat.free_inodes == 0) {
                board.set(Word::DiskFull, 1);
            }
        }
    }
}

/// Serves as init until the run is over.
pub fn serve(birth: &Birth, main: i32, disks: &Disks) -> ! {
    let board = birth.board;
    match prepare(birth, disks) {
        Ok(signals) => until_over(birth, main, signals),
        Err(errno) => {
            board.begin(Step::InitIds);
            board.fail(errno);
        }
    }
    end_all(board, main);
    let plan = birth.plan;
    birth.groups.count(plan, when::END, board);
    let (user_ns, system_ns, max_resident) = sys::children_usage();
    board.cpu_times(user_ns, system_ns);
    board.resident(plan, max_resident);
    disks.count(board);
    board.stamp(Word::TimeDead);
    board.report(birth.socket);
    sys::exit(0)
}

/// Gives up what init does not need.
fn prepare(birth: &Birth, disks: &Disks) -> Result<Fd> {
    let signals = sys::child_signal_fd()?;
    let mut keep = [0; 4 + MAX_GROUPS + MAX_DISKS];
    let needed = [signals, birth.socket, birth.user, birth.warden]
        .into_iter()
        .chain(birth.groups.descriptors())
        .chain(disks.all());
    for (place, fd) in keep.iter_mut().zip(needed) {
        *place = fd;
    }
    sys::keep_only(&mut keep)?;
    sys::enter_namespace(birth.user, CLONE_NEWUSER)?;
    sys::close(birth.user);
    sys::set_ids(birth.init_id, birth.init_id)?;
    sys::set_dumpable(false);
    // Once more, since a change of ids has cleared it; and a warden that ended in between did not
    // count.
    sys::die_with_parent()?;
    if sys::is_readable(birth.warden) {
        return Err(Errno::ESRCH);
    }
    sys::close(birth.warden);
    sys::set_capabilities(1 << CAP_KILL)?;
    sys::no_new_privileges()?;
    birth.board.set(Word::InitReady, 1);
    Ok(signals)
}

/// Returns when the main process has ended or the run is to be stopped.
fn until_over(birth: &Birth, main: i32, signals: Fd) {
    let board = birth.board;
    loop {
        while let Ok(Some(child)) = sys::reap(-1, false) {
            if note(board, main, &child) {
                return;
            }
        }
        sys::wait_either(birth.socket, signals);
        let _ = sys::read(signals, &mut [0; 128]);
        let reason = match sys::receive_byte(birth.socket) {
            Ok(Some(order::OUTPUT)) => Stop::Output,
            // An order to stop, or nobody left who would give one.
            Ok(_) => Stop::Cancelled,
            Err(Errno::EAGAIN | Errno::EINTR) => continue,
            Err(_) => Stop::Cancelled,
        };
        board.stop(reason, 0);
        return;
    }
}

/// Kills and reaps every process but init.
fn end_all(board: Board, main: i32) {
    let mut reached = false;
    let mut killed = false;
    loop {
        match sys::reap(-1, reached) {
            Ok(Some(child)) => {
                note(board, main, &child);
            }
            // To signal all takes a look at every process of the machine, so only where there are any.
            Ok(None) => {
                if killed {
                    sys::pause(100_000);
                }
                // Before it has entered its user namespace, init may not signal the workload.
                reached = board.get(Word::TimeLimits) != 0;
                sys::kill_all_others();
                killed = true;
            }
            // Every process in here descends from init, whose children orphans become.
            Err(_) => return,
        }
    }
}

/// Notes a reaped child; true if it was the main process.
fn note(board: Board, main: i32, child: &sys::Reaped) -> bool {
    if child.pid != main {
        return false;
    }
    board.set(Word::Status, u64::from(child.status));
    if board.get(Word::TimeRequest) == 0 && !board.stopped() {
        // It waited to be begun, and somebody killed it.
        board.fail(Errno::EPROTO);
    } else if !board.failed() {
        board.set(Word::Step, Step::Running as u64);
    }
    // Last: once this is set, the rest is taken to be.
    board.stamp(Word::TimeEnd);
    true
}
