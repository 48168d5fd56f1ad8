//! The warden's loop: requests, ended sandboxes, deadlines, and housekeeping when idle.

use core::sync::atomic::AtomicU64;

use crate::board::Board;
use crate::groups::Groups;
use crate::house::BUSY_PAUSE;
use crate::plans::PlanEntry;
use crate::pool::Pools;
use crate::roots::Building;
use crate::run::Run;
use crate::settle::{self, Home};
use crate::slots::Slots;
use crate::spares::Spares;
use crate::sys::{self, CLONE_NEWNS, EPOLLIN, Errno, Event, Fd, Result};
use crate::wire::board::WORDS;
use crate::wire::request::{
    Census, MAX_PLANS, MAX_ROOTS, MAX_RUNS, Operation, PACKET_WORDS, Packet, Reply, VERSION,
};
use crate::{HOST, sys::Received};

/// Kinds of epoll keys; the rest of a key is a run's index.
pub const PIDFD: u64 = 1;
pub const HOST_END: u64 = 2;
pub const SOCKET: u64 = 3;
pub const ROOT: u64 = 4;
pub const GATE: u64 = 5;
pub const WATCH: u64 = 6;

/// An epoll key.
pub const fn key(kind: u64, index: usize) -> u64 {
    kind << 32 | index as u64
}

/// How long nothing must happen before work is done that nobody waits for: a sandbox that was just
/// cloned may be waiting for this very processor.
const IDLE: u64 = 120_000;
/// How often the last cgroups are tried to be removed: for two seconds.
const LAST_ATTEMPTS: usize = 1000;
/// Requests answered before other events are looked at.
const REQUESTS: usize = 2;
/// Most cgroup sets that wait to be removed.
const GRAVES: usize = 1024;

/// All the warden knows. Zeros are a valid start.
pub struct State {
    pub home: Home,
    settled: bool,
    pub slots: Slots,
    pub spares: Spares,
    pub plans: [PlanEntry; MAX_PLANS],
    roots: [Fd; MAX_ROOTS],
    building: Building,
    /// The root whose mount namespace the warden is in, plus one; 0 at home.
    in_root: usize,
    pub runs: [Run; MAX_RUNS],
    pub pools: Pools,
    pub live: usize,
    /// Runs behind this index have never been.
    pub high: usize,
    boards: Option<&'static AtomicU64>,
    pub epoll: Fd,
    pub next_group: u64,
    /// The plan that should get spare groups, plus one.
    pub wants_spare: usize,
    /// The run that was begun last.
    pub newest: usize,
    /// How often work was put off for it.
    pub put_off: u32,
    /// Groups that are to be removed.
    pub graves: [Groups; GRAVES],
    pub buried: usize,
    pub dig_at: u64,
}

/// Serves until the host is gone.
pub fn serve() -> ! {
    match prepare() {
        Ok(state) => state.serve(),
        Err(errno) => sys::exit(errno.0),
    }
}

fn prepare() -> Result<&'static mut State> {
    let state = sys::zeroed::<State>()?;
    state.boards = sys::shared_words(WORDS * MAX_RUNS)?.first();
    state.epoll = sys::epoll_create()?;
    sys::epoll_add(state.epoll, HOST, EPOLLIN, 0)?;
    // Without it a warden that somebody stops is continued by its host alone, if that lives.
    let _ = sys::continue_on_news(HOST);
    Ok(state)
}

impl State {
    fn serve(&mut self) -> ! {
        let mut events = [Event { events: 0, data: 0 }; 32];
        let mut next = None;
        loop {
            let timeout = self.patience(next);
            let count = match sys::epoll_wait(self.epoll, &mut events, timeout) {
                Ok(count) => count,
                Err(Errno::EINTR) => 0,
                // Nobody could be heard any more, the end of the host included.
                Err(_) => self.leave(),
            };
            let events = events.get(..count).unwrap_or(&[]);
            if events.iter().any(|event| { event.data } == 0) {
                self.requests(REQUESTS);
            }
            for event in events {
                let data = event.data;
                let (kind, index) = (data >> 32, (data & 0xffff_ffff) as usize);
                match kind {
                    0 => {}
                    PIDFD => self.finish(index),
                    HOST_END => self.leave(),
                    SOCKET => self.hung_up(index),
                    ROOT => self.root_is_built(),
                    GATE => self.opened(index),
                    _ => self.alarm(index, kind - WATCH),
                }
            }
            let now = sys::now();
            next = self.look(now);
            self.tend(now);
            if self.building.is_on() && self.building.until <= now {
                self.building.abandon();
                answer(Err((0, u64::from(u32::MAX), Errno::ETIMEDOUT)));
            }
            if count == 0 && !self.puts_off() {
                self.keep_house();
            }
        }
    }

    /// How long to wait for events.
    fn patience(&mut self, next: Option<u64>) -> Option<u64> {
        let now = sys::now();
        if self.wants_spare != 0 || self.lacking(now).is_some() {
            return Some(IDLE);
        }
        let dig = (self.buried != 0).then_some(self.dig_at.max(now + IDLE));
        let build = self.building.is_on().then_some(self.building.until);
        let due = [next, dig, build, self.pools_due()].into_iter().flatten().min();
        due.map(|due| due.saturating_sub(now))
    }

    pub fn board(&self, index: usize) -> Board {
        Board::at(sys::words_from(self.boards, WORDS * MAX_RUNS), index)
    }

    /// Answers what has arrived, up to a bound: ended sandboxes must get their turn too, or they
    /// and their namespaces pile up under a stream of requests.
    fn requests(&mut self, bound: usize) {
        for _ in 0..bound {
            match sys::receive(HOST) {
                Ok(Some(received)) => self.request(&received),
                Err(Errno::EAGAIN | Errno::EINTR) => return,
                // The host has gone, or the socket is of no use any more.
                Ok(None) | Err(_) => self.leave(),
            }
        }
    }

    fn request(&mut self, received: &Received) {
        let fds = received.fds.get(..received.count).unwrap_or(&[]);
        let [version, operation, number, ..] = received.packet;
        let operation = Operation::from_number(operation).filter(|_| version == VERSION);
        let index = usize::try_from(number).unwrap_or(usize::MAX);
        match operation {
            Some(Operation::Start) if self.settled => return self.start(Ok(index), fds),
            Some(Operation::Once) if self.settled => return self.start_once(fds),
            Some(Operation::Join) if !self.settled => self.join(fds),
            Some(Operation::Hello) if !self.settled => return self.hello(&received.packet, fds),
            Some(Operation::MakeRoot) if self.settled => self.make_root(index, fds),
            Some(Operation::DropRoot) => self.drop_root(index),
            Some(Operation::MakePlan) if self.settled => self.make_plan(fds),
            Some(Operation::DropPlan) => self.drop_plan(index),
            Some(Operation::Census) => self.census(),
            Some(Operation::Warm) if self.settled => {
                let result = self.warm(&received.packet, fds);
                answer(result.map(|()| (0, 0)).map_err(|errno| (0, 0, errno)));
                if result.is_ok() {
                    return;
                }
            }
            _ => answer(Err((0, 0, Errno::EPROTO))),
        }
        fds.iter().for_each(|fd| sys::close(*fd));
    }

    /// Moves into another cgroup by the descriptor of its `cgroup.procs`, whose opener may do so.
    fn join(&self, fds: &[Fd]) {
        let joined = fds.first().map_or(Ok(0), |group| sys::write(*group, b"0"));
        answer(joined.map(|_| (self.host_pid(), 0)).map_err(|errno| (0, 0, errno)));
    }

    fn hello(&mut self, packet: &Packet, fds: &[Fd]) {
        match settle::settle(packet, fds, &mut self.home) {
            Ok(()) => {
                self.settled = true;
                let _ = sys::epoll_add(self.epoll, self.home.host, EPOLLIN, key(HOST_END, 0));
                let mut packet = reply(self.host_pid(), sys::landlock_abi(), Errno(0));
                packet[Reply::NoProc as usize] = self.home.no_proc.into();
                let _ = sys::send_words(HOST, &packet);
            }
            Err((step, errno)) => answer(Err((step as u64, 0, errno))),
        }
    }

    fn host_pid(&self) -> u64 {
        sys::pid() as u64
    }

    /// Begins to build a root; the answer comes when it is done.
    fn make_root(&mut self, index: usize, fds: &[Fd]) {
        let free = self.roots.get(index).is_some_and(|root| *root == 0);
        let (Some(recipe), true) = (fds.first(), free && !self.building.is_on()) else {
            return answer(Err((0, 0, Errno::EPROTO)));
        };
        let begun =
            self.go_home().and_then(|()| self.building.begin(*recipe, index, self.home.no_proc));
        let watched = begun.and_then(|()| {
            sys::epoll_add(self.epoll, self.building.answer, EPOLLIN, key(ROOT, index))
        });
        if let Err(errno) = watched {
            if self.building.is_on() {
                self.building.abandon();
            }
            answer(Err((0, u64::from(u32::MAX), errno)));
        }
    }

    /// Takes over a root that was built, or says why it was not.
    fn root_is_built(&mut self) {
        if !self.building.is_on() {
            return;
        }
        let index = self.building.index;
        match self.building.finish(&self.home) {
            Ok(root) => {
                if let Some(place) = self.roots.get_mut(index) {
                    *place = root;
                }
                answer(Ok((0, 0)));
            }
            Err(failure) => answer(Err((0, u64::from(failure.item), failure.errno))),
        }
    }

    fn drop_root(&mut self, index: usize) {
        if let Some(root) = self.roots.get_mut(index).filter(|root| **root != 0) {
            sys::close(*root);
            *root = 0;
            if self.in_root == index + 1 {
                let _ = self.go_home();
            }
        }
    }

    /// Enters a root's mount namespace; what is cloned from here on begins in a copy of it.
    pub fn enter_root(&mut self, index: usize) -> Result<()> {
        if self.in_root == index + 1 {
            return Ok(());
        }
        let root = self.roots.get(index).copied().filter(|root| *root != 0);
        sys::enter_namespace(root.ok_or(Errno::EPROTO)?, CLONE_NEWNS)?;
        self.in_root = index + 1;
        Ok(())
    }

    fn go_home(&mut self) -> Result<()> {
        if self.in_root != 0 {
            sys::enter_namespace(self.home.mounts, CLONE_NEWNS)?;
            self.in_root = 0;
        }
        Ok(())
    }

    fn census(&mut self) {
        let mut packet: Packet = [0; PACKET_WORDS];
        packet[0] = VERSION;
        let groups = self.spares.all().count()
            + self.runs.iter().filter(|run| run.live && run.groups.id != 0).count()
            + self.buried;
        packet[Census::Runs as usize] = (self.live - self.pools.waiting) as u64;
        packet[Census::Waiting as usize] = self.pools.waiting as u64;
        packet[Census::Slots as usize] = self.slots.made as u64;
        packet[Census::Groups as usize] = groups as u64;
        packet[Census::Plans as usize] = self.plans.iter().filter(|e| e.known).count() as u64;
        packet[Census::Roots as usize] =
            self.roots.iter().filter(|root| **root != 0).count() as u64;
        packet[Census::Descriptors as usize] =
            sys::stat_at(self.home.proc, b"self/fd\0").map_or(0, |stat| stat.size);
        let _ = sys::send_words(HOST, &packet);
    }

    /// The host is gone: ends every sandbox, removes every cgroup, ends.
    fn leave(&mut self) -> ! {
        for run in self.runs.iter().take(self.high).filter(|run| run.live) {
            sys::kill_pidfd(run.pidfd);
        }
        if self.building.is_on() {
            // It waits for an answer, and may be past killing.
            self.building.abandon();
        }
        for run in self.runs.iter().take(self.high).filter(|run| run.live) {
            let _ = sys::reap(run.init, true);
        }
        // A process that was reaped may be in its group for another moment.
        for _ in 0..LAST_ATTEMPTS {
            if self.remove_groups() {
                break;
            }
            sys::pause(BUSY_PAUSE);
        }
        let _ = self.go_home();
        for group in self.home.groups.into_iter().filter(|fd| *fd != 0) {
            remove_own(&self.home, group);
        }
        sys::exit(0)
    }

    /// Removes every cgroup; false if one is busy.
    fn remove_groups(&mut self) -> bool {
        let high = self.high;
        let runs = self.runs.iter_mut().take(high).filter(|run| run.live);
        let graves = self.graves.iter_mut().take(self.buried);
        let groups = runs.map(|run| &mut run.groups).chain(self.spares.all()).chain(graves);
        groups.map(|groups| usize::from(groups.remove().is_err())).sum::<usize>() == 0
    }
}

/// Removes a directory that is known by its descriptor only.
fn remove_own(home: &Home, dir: Fd) {
    use crate::text::Text;
    let mut buffer = [0u8; 4000];
    let link = Text::<32>::new().push(b"self/fd/").number(dir as u64).push(b"\0");
    if let Ok(path) = sys::read_link(home.proc, link.bytes(), &mut buffer) {
        let path = Text::<4096>::new().push(path).push(b"\0");
        let _ = sys::remove_dir(sys::AT_FDCWD, path.bytes());
    }
}

/// Replies to the host: detail and item, with the errno if it failed.
pub fn answer(result: core::result::Result<(u64, u64), (u64, u64, Errno)>) {
    let packet = match result {
        Ok((detail, item)) => reply(detail, item, Errno(0)),
        Err((detail, item, errno)) => reply(detail, item, errno),
    };
    let _ = sys::send_words(HOST, &packet);
}

fn reply(detail: u64, item: u64, errno: Errno) -> Packet {
    let mut packet: Packet = [0; PACKET_WORDS];
    packet[0] = VERSION;
    packet[1] = errno.0 as u64;
    packet[Reply::Detail as usize] = detail;
    packet[Reply::Item as usize] = item;
    packet
}
