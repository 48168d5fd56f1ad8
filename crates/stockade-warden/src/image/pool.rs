//! Runs that wait: built up to their `execve`, and begun by their host without a word of the warden's.
//!
//! A plan that wants some has a *shelf*, a socket on which every waiting run is a packet with its
//! descriptors. The kernel gives a packet to one receiver, and only the receiver may begin or end the
//! run. So a run that has waited too long is ended by taking its packet back, at this end of the host's
//! end: what the host has taken meanwhile is the host's.

use crate::board::Board;
use crate::groups::Groups;
use crate::run::Taken;
use crate::serve::{GATE, State, key};
use crate::sys::{self, EPOLLIN, Errno, Fd, Result};
use crate::wire::board::Word;
use crate::wire::request::{MAX_POOLS, MAX_WAITING, PACKET_WORDS, Packet, VERSION, Waiting, Warm};

/// How often the age of the waiting and the memory that is left are looked at.
const TEND_PACE: u64 = 1_000_000_000;
/// How long no run is built after one has failed, or there was no memory for it.
const SULK: u64 = 1_000_000_000;

/// The waiting runs of one plan. Zeros mean that there is none.
pub struct Pool {
    /// The plan, plus one.
    plan: usize,
    wanted: u64,
    waiting: u64,
    age_ns: u64,
    floor: u64,
    /// The end of the shelf that packets are put into, and the one they are taken from.
    shelf: [Fd; 2],
    /// It is being filled up: begun when half of it is gone, or nothing runs.
    filling: bool,
    resume_at: u64,
}

/// All pools. Zeros are a valid start.
pub struct Pools {
    all: [Pool; MAX_POOLS],
    /// Pools behind this index have never been.
    high: usize,
    serial: u64,
    /// The run that is being built to wait, plus one.
    building: usize,
    /// When to look after them next; 0 for never.
    tend_at: u64,
    /// How many runs wait.
    pub waiting: usize,
}

/// What makes a run wait.
#[derive(Clone, Copy)]
pub struct Place {
    /// Its pool, plus one; 0 for a run that does not wait, or whose pool has given it up.
    pub pool: usize,
    pub serial: u64,
    /// Where it hears that it may begin; 0 for a run that has begun.
    pub gate: Fd,
    since: u64,
}

impl Place {
    pub const NONE: Self = Self { pool: 0, serial: 0, gate: 0, since: 0 };
}

impl Pools {
    fn get(&mut self, place: usize) -> Option<&mut Pool> {
        self.all.get_mut(place.checked_sub(1)?)
    }

    /// One waiting run less in a pool.
    pub fn leave(&mut self, place: Place) {
        if let Some(pool) = self.get(place.pool) {
            pool.waiting = pool.waiting.saturating_sub(1);
            self.waiting = self.waiting.saturating_sub(1);
        }
    }
}

impl State {
    /// Has runs of a plan wait, or another number of them.
    pub fn warm(&mut self, packet: &Packet, fds: &[Fd]) -> Result<()> {
        let word = |index: Warm| packet.get(index as usize).copied().unwrap_or(0);
        let plan = usize::try_from(word(Warm::Plan)).unwrap_or(usize::MAX);
        let entry = self.plans.get(plan).filter(|entry| entry.known && !entry.dropped);
        entry.ok_or(Errno::EPROTO)?;
        let known = self.pools.all.iter().position(|pool| pool.plan == plan + 1);
        let index = match (known, fds) {
            (Some(index), []) => index,
            (None, &[ours, hosts]) => {
                let free = self.pools.all.iter().position(|pool| pool.plan == 0);
                let index = free.ok_or(Errno::EAGAIN)?;
                self.pools.all[index].shelf = [ours, hosts];
                self.pools.all[index].plan = plan + 1;
                self.pools.high = self.pools.high.max(index + 1);
                index
            }
            _ => return Err(Errno::EPROTO),
        };
        let pool = &mut self.pools.all[index];
        pool.wanted = word(Warm::Count).min(MAX_WAITING);
        pool.age_ns = word(Warm::AgeNs);
        pool.floor = word(Warm::Floor);
        pool.resume_at = 0;
        while self.pools.all[index].waiting > self.pools.all[index].wanted {
            if !self.withdraw(index) {
                break;
            }
        }
        Ok(())
    }

    /// Ends the waiting runs of a plan that is forgotten.
    pub fn drop_pool(&mut self, plan: usize) {
        let Some(index) = self.pools.all.iter().position(|pool| pool.plan == plan + 1) else {
            return;
        };
        while self.withdraw(index) {}
        // What the host has taken and not begun yet is waited for no more.
        for run in self.runs.iter_mut().take(self.high).filter(|run| run.live) {
            if run.place.pool == index + 1 {
                self.pools.leave(run.place);
                run.place.pool = 0;
            }
        }
        let pool = &mut self.pools.all[index];
        pool.shelf.into_iter().for_each(sys::close);
        pool.plan = 0;
        pool.wanted = 0;
        pool.filling = false;
    }

    /// Takes the run that has waited longest back and ends it; false if none is there to be taken.
    fn withdraw(&mut self, index: usize) -> bool {
        let taken = sys::receive(self.pools.all[index].shelf[1]);
        let Ok(Some(taken)) = taken else { return false };
        taken.fds.into_iter().take(taken.count).for_each(sys::close);
        let run = usize::try_from(taken.packet[Waiting::Run as usize]).unwrap_or(usize::MAX);
        let serial = taken.packet[Waiting::Serial as usize];
        // One that has died by itself was noted then.
        if let Some(run) = self.runs.get_mut(run).filter(|run| run.live)
            && run.place.pool == index + 1
            && run.place.serial == serial
        {
            let place = core::mem::replace(&mut run.place.pool, 0);
            sys::kill_pidfd(run.pidfd);
            self.pools.leave(Place { pool: place, ..run.place });
        }
        true
    }

    /// The pool that wants a run to be built now, if one does.
    pub fn lacking(&mut self, now: u64) -> Option<usize> {
        let quiet = self.live == self.pools.waiting;
        self.pools.all.iter_mut().take(self.pools.high).position(|pool| {
            let begins = quiet || pool.waiting * 2 < pool.wanted;
            pool.filling = pool.waiting < pool.wanted && (pool.filling || begins);
            pool.filling && pool.resume_at <= now
        })
    }

    /// When pools are to be looked at next, though nothing happens.
    pub fn pools_due(&self) -> Option<u64> {
        let pools = self.pools.all.iter().take(self.pools.high);
        let resume = pools.filter(|pool| pool.waiting < pool.wanted && pool.filling);
        let resume = resume.map(|pool| pool.resume_at).filter(|at| *at != 0);
        let tend = (self.pools.waiting != 0).then_some(self.pools.tend_at);
        resume.chain(tend).min()
    }

    /// Builds one run to wait in this pool, unless the one before is still being built: so to fill
    /// pools takes no more than one CPU.
    pub fn fill(&mut self, index: usize, now: u64) {
        if let Some(run) = self.pools.building.checked_sub(1) {
            let being_built = self.runs.get(run).is_some_and(|run| run.live && run.place.gate != 0);
            if being_built && self.board(run).get(Word::TimeWaiting) == 0 {
                return;
            }
            self.pools.building = 0;
        }
        if !self.has_room(index, now) {
            self.pools.all[index].resume_at = now + SULK;
            return;
        }
        let plan = self.pools.all[index].plan - 1;
        let free = self.runs.iter().position(|run| !run.live);
        let parked = free.ok_or(Errno::EAGAIN).and_then(|run| self.park(index, plan, run));
        if parked.is_err() {
            self.pools.all[index].resume_at = now + SULK;
        }
    }

    /// Builds one run and puts it on the shelf.
    fn park(&mut self, index: usize, plan: usize, run: usize) -> Result<()> {
        let mut fds = Ends::NONE;
        let result = fds.open().and_then(|()| self.park_with(&fds, index, plan, run));
        // The run and the packet have copies of their own.
        fds.close();
        result
    }

    fn park_with(&mut self, ends: &Ends, index: usize, plan: usize, run: usize) -> Result<()> {
        let board = self.board(run);
        board.reset();
        let socket = sys::duplicate(ends.socket[0])?;
        let gate = sys::duplicate(ends.gate)?;
        let mut taken = Taken { run, plan, slot: None, groups: Groups::NONE };
        self.pools.serial += 1;
        let now = sys::now();
        let place = Place { pool: index + 1, serial: self.pools.serial, gate, since: now };
        if let Err(errno) = self.launch(&mut taken, socket, ends.programs(), place) {
            self.give_back(taken);
            [socket, gate].into_iter().for_each(sys::close);
            return Err(errno);
        }
        let _ = sys::epoll_add(self.epoll, gate, EPOLLIN, key(GATE, run));
        self.pools.all[index].waiting += 1;
        self.pools.waiting += 1;
        self.pools.building = run + 1;
        if self.pools.waiting == 1 {
            self.pools.tend_at = now + TEND_PACE;
        }
        self.pools.tend_at = self.pools.tend_at.min(now + self.pools.all[index].age_ns);
        let mut packet: Packet = [0; PACKET_WORDS];
        packet[0] = VERSION;
        packet[Waiting::Run as usize] = run as u64;
        packet[Waiting::Serial as usize] = place.serial;
        if sys::send_with(self.pools.all[index].shelf[0], &packet, &ends.hosts()).is_err() {
            // As many as the kernel lets there be: its bound on descriptors under way, say.
            self.pools.all[index].wanted = self.pools.all[index].waiting - 1;
            if let Some(run) = self.runs.get_mut(run) {
                self.pools.leave(run.place);
                run.place.pool = 0;
                sys::kill_pidfd(run.pidfd);
            }
        }
        Ok(())
    }

    /// The host has opened a gate: the run has begun.
    pub fn opened(&mut self, index: usize) {
        let board = self.board(index);
        let Some(run) = self.runs.get_mut(index).filter(|run| run.live && run.place.gate != 0)
        else {
            return;
        };
        let place = core::mem::replace(&mut run.place, Place::NONE);
        shut(self.epoll, place);
        self.pools.leave(place);
        let (plan, begun) = (run.plan, began(board));
        if let Some(plan) = self.plans.get(plan).and_then(|entry| entry.plan()) {
            run.begin(plan, self.home.cpus, begun);
        }
    }

    /// A run has ended that may have been waiting. One that failed is not replaced at once: the next
    /// would fail as well.
    pub fn left(&mut self, board: Board, place: Place) {
        shut(self.epoll, place);
        self.pools.leave(place);
        if let Some(index) = place.pool.checked_sub(1)
            && board.get(Word::TimeRequest) == 0
        {
            // Its packet lies somewhere on the shelf.
            while self.withdraw(index) {}
            self.pools.all[index].resume_at = sys::now() + SULK;
        }
    }

    /// Whether there is enough memory for runs of this pool to wait.
    fn has_room(&mut self, index: usize, now: u64) -> bool {
        let floor = self.pools.all[index].floor;
        self.home.room.is_enough(self.home.proc, floor, now)
    }

    /// Ends what has waited too long, and what there is too little memory for.
    pub fn tend(&mut self, now: u64) {
        if self.pools.waiting == 0 || self.pools.tend_at > now {
            return;
        }
        let mut next = now + TEND_PACE;
        for index in 0..self.pools.high {
            if self.pools.all[index].waiting != 0 && !self.has_room(index, now) {
                self.pools.all[index].resume_at = now + SULK;
                while self.withdraw(index) {}
                continue;
            }
            let too_old = now.saturating_sub(self.pools.all[index].age_ns);
            let mut old = 0;
            for run in self.runs.iter().take(self.high).filter(|run| run.live) {
                if run.place.pool == index + 1 {
                    old += usize::from(run.place.since <= too_old);
                    if run.place.since > too_old {
                        next = next.min(run.place.since + self.pools.all[index].age_ns);
                    }
                }
            }
            for _ in 0..old {
                self.withdraw(index);
            }
        }
        self.pools.tend_at = next;
    }
}

/// When a run that waited was begun: by its own account, or now, if it has given none yet.
fn began(board: Board) -> u64 {
    match board.get(Word::TimeRequest) {
        0 => sys::now(),
        at => at,
    }
}

/// Forgets a gate.
fn shut(epoll: Fd, place: Place) {
    if place.gate != 0 {
        sys::epoll_remove(epoll, place.gate);
        sys::close(place.gate);
    }
}

/// Both ends of everything between a host and a run that waits.
struct Ends {
    socket: [Fd; 2],
    gate: Fd,
    /// Standard input, output and error; each the reading end first.
    pipes: [[Fd; 2]; 3],
}

impl Ends {
    const NONE: Self = Self { socket: [0; 2], gate: 0, pipes: [[0; 2]; 3] };

    fn open(&mut self) -> Result<()> {
        self.socket = sys::packet_pair()?;
        self.gate = sys::gate()?;
        for pipe in &mut self.pipes {
            *pipe = sys::pipe()?;
        }
        Ok(())
    }

    /// The program's standard streams.
    fn programs(&self) -> [Fd; 3] {
        let [input, output, error] = self.pipes;
        [input[0], output[1], error[1]]
    }

    /// What the host is given.
    fn hosts(&self) -> [Fd; crate::wire::request::waiting::FDS] {
        let [input, output, error] = self.pipes;
        [self.socket[1], self.gate, input[1], input[0], output[0], error[0]]
    }

    fn close(&self) {
        let pipes = self.pipes.iter().flatten();
        let all = self.socket.iter().chain([&self.gate]).chain(pipes);
        all.copied().filter(|fd| *fd != 0).for_each(sys::close);
    }
}
