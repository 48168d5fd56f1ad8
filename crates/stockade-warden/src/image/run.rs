//! Runs: from the request to the report.

use crate::board::Board;
use crate::groups::Groups;
use crate::plans::Memory;
use crate::pool::Place;
use crate::serve::{PIDFD, SOCKET, State, WATCH, key};
use crate::setup::{self, Birth};
use crate::slots::Slots;
use crate::sys::{
    self, CLONE_NEWIPC, CLONE_NEWNET, CLONE_NEWNS, CLONE_NEWPID, CLONE_NEWUTS, Cloned, EPOLLET,
    EPOLLIN, Errno, Fd, Result,
};
use crate::wire::board::{Step, Word};
use crate::wire::plan::{Bind, MAX_BINDS, Net, Number, Plan, Section, when};
use crate::wire::request::{MAX_PLANS, MAX_RUNS};

/// One run.
pub struct Run {
    pub live: bool,
    pub plan: usize,
    /// Where it waits, if it does.
    pub place: Place,
    slot: usize,
    /// The sandbox's init, as the warden sees it.
    pub init: i32,
    pub pidfd: Fd,
    socket: Fd,
    pub groups: Groups,
    pub started: u64,
    /// When the wall clock limit ends it; 0 for never.
    pub wall_at: u64,
    /// When it is looked at next; 0 for never.
    pub check_at: u64,
    /// Time between looks that is being stretched.
    pub pace: u64,
    pub last_look: u64,
    /// What the last sample saw resident.
    pub last_resident: u64,
    /// When shared memory may be divided again for the sake of the peak alone.
    pub weigh_at: u64,
}

/// What a run has taken that must be given back if it fails.
pub struct Taken {
    pub run: usize,
    pub plan: usize,
    pub slot: Option<usize>,
    pub groups: Groups,
}

impl State {
    /// Starts a run. Every answer goes to the run's own socket.
    pub fn start(&mut self, plan: Result<usize>, fds: &[Fd]) {
        let (socket, mut streams) = match *fds {
            [socket, stdout, stderr] => (socket, [0, stdout, stderr]),
            [socket, stdout, stderr, stdin] => (socket, [stdin, stdout, stderr]),
            _ => return fds.iter().for_each(|fd| sys::close(*fd)),
        };
        let requested = sys::now();
        let free = self.runs.iter().position(|run| !run.live);
        // Without a free place there is no board either; the closed socket tells the host.
        if let Some(index) = free {
            let board = self.board(index);
            board.reset();
            board.set(Word::TimeRequest, requested);
            let place = plan.unwrap_or(MAX_PLANS);
            let mut taken = Taken { run: index, plan: place, slot: None, groups: Groups::NONE };
            board.begin(Step::Decode);
            let launched = plan.and_then(|_| {
                board.begin(Step::Streams);
                give_input(&mut streams)?;
                self.launch(&mut taken, socket, streams, Place::NONE)
            });
            if let Err(errno) = launched {
                board.fail(errno);
                board.report(socket);
                self.give_back(taken);
                sys::close(socket);
            }
        } else {
            sys::close(socket);
        }
        streams.into_iter().filter(|fd| *fd != 0).for_each(sys::close);
    }

    pub fn give_back(&mut self, taken: Taken) {
        if let Some(slot) = taken.slot {
            self.slots.release(slot);
        }
        self.bury(taken.groups);
    }

    /// Clones a sandbox, whose program waits at its gate if it has one.
    pub fn launch(
        &mut self,
        taken: &mut Taken,
        socket: Fd,
        streams: [Fd; 3],
        place: Place,
    ) -> Result<()> {
        let board = self.board(taken.run);
        board.begin(Step::Decode);
        let entry = self.plans.get(taken.plan).ok_or(Errno::EPROTO)?;
        let plan = entry.plan().ok_or(Errno::EPROTO)?;
        let (vectors, memory) = (entry.vectors(), entry.memory());

        board.begin(Step::Slot);
        let net = plan.number(Number::Net);
        let work_id = plan.number(Number::WorkId);
        let pooled = net == Net::None as u64;
        let slot = self.slots.take(&self.home, work_id, pooled)?;
        taken.slot = Some(slot);

        board.begin(Step::Cgroup);
        if !plan.section(Section::Groups).is_empty() {
            taken.groups = match self.spares.take(plan) {
                Some(groups) => groups,
                None => self.make_groups(plan)?,
            };
        }
        taken.groups.show_limits(board);

        board.begin(Step::Binds);
        let (id_maps, root_map) = self.id_maps(plan, slot)?;
        board.begin(Step::EnterRoot);
        self.enter_root(plan.number(Number::Root) as usize)?;

        let ids = Slots::ids(&self.home, slot);
        let birth = Birth {
            board,
            plan,
            vectors,
            proc: self.home.proc,
            warden: self.home.own,
            socket,
            streams,
            gate: place.gate,
            user: self.slots.user(slot),
            init_id: if self.home.single_id { work_id as u32 } else { 0 },
            work_id_outside: ids.work as u32,
            single_id: self.home.single_id,
            no_proc: self.home.no_proc,
            groups: taken.groups,
            id_maps,
            root_map,
        };
        board.begin(Step::Clone);
        let (pid, pidfd) = clone_first(&birth, memory)?;
        self.adopt(taken, plan, socket, Child { pid, pidfd, place });
        Ok(())
    }

    fn make_groups(&mut self, plan: Plan<'_>) -> Result<Groups> {
        self.next_group += 1;
        Groups::make(&self.home, plan, self.next_group)
    }

    /// Makes groups ahead of the next run with the limits of a plan.
    pub fn make_spare(&mut self, index: usize) {
        let Some(plan) = self.plans.get(index).and_then(|entry| entry.plan()) else { return };
        if plan.section(Section::Groups).is_empty() || self.spares.has(plan) {
            return;
        }
        // A failure shows, with its errno, in the run that then makes its own.
        if let Ok(groups) = self.make_groups(plan) {
            let evicted = self.spares.keep(plan, groups);
            self.bury(evicted);
        }
    }

    /// User namespaces for the owners of a plan's binds, and for that of a root that is made writable.
    fn id_maps(&mut self, plan: Plan<'_>, slot: usize) -> Result<([Fd; MAX_BINDS], Fd)> {
        let mut id_maps = [0; MAX_BINDS];
        if self.home.single_id {
            return Ok((id_maps, 0));
        }
        let mut records = plan.records(Section::Binds);
        let count = core::iter::from_fn(|| Bind::next(&mut records)).count();
        self.slots.make_room(slot, count + 1);
        let mut records = plan.records(Section::Binds);
        for place in &mut id_maps {
            if records.is_empty() {
                break;
            }
            let record = Bind::next(&mut records).ok_or(Errno::EPROTO)?;
            *place = self.slots.id_map(&self.home, slot, record.uid, record.gid)?;
        }
        let root_map = match plan.writable() {
            Some(root) => self.slots.id_map(&self.home, slot, root.uid, root.gid)?,
            None => 0,
        };
        Ok((id_maps, root_map))
    }

    /// Takes on a sandbox that was just cloned.
    fn adopt(&mut self, taken: &Taken, plan: Plan<'_>, socket: Fd, child: Child) {
        let Child { pid: init, pidfd, place } = child;
        let requested = self.board(taken.run).get(Word::TimeRequest);
        let _ = sys::epoll_add(self.epoll, pidfd, EPOLLIN, key(PIDFD, taken.run));
        // Nothing but its end is of interest: init may not be able to hear it yet.
        let _ = sys::epoll_add(self.epoll, socket, EPOLLET, key(SOCKET, taken.run));
        for (index, (fd, events)) in taken.groups.watches().enumerate() {
            let _ = sys::epoll_add(self.epoll, fd, events, key(WATCH + index as u64, taken.run));
        }
        if let Some(entry) = self.plans.get_mut(taken.plan) {
            entry.runs += 1;
        }
        if let Some(run) = self.runs.get_mut(taken.run) {
            *run = Run {
                live: true,
                plan: taken.plan,
                place,
                slot: taken.slot.unwrap_or(0),
                init,
                pidfd,
                socket,
                groups: taken.groups,
                started: 0,
                wall_at: 0,
                check_at: 0,
                pace: crate::watch::FIRST_PACE,
                last_look: 0,
                last_resident: 0,
                weigh_at: 0,
            };
            if place.gate == 0 {
                run.begin(plan, self.home.cpus, requested);
            }
            run.groups.let_go();
            self.newest = taken.run;
            self.live += 1;
            self.high = self.high.max(taken.run + 1);
        }
        self.wants_spare = taken.plan + 1;
    }

    /// Cleans up after a sandbox whose init has ended, and reports if init could not.
    pub fn finish(&mut self, index: usize) {
        let board = self.board(index);
        let Some(run) = self.runs.get_mut(index).filter(|run| run.live) else { return };
        let Ok(Some(reaped)) = sys::reap(run.init, false) else { return };
        run.live = false;
        let (plan_index, slot, groups) = (run.plan, run.slot, run.groups);
        let (socket, pidfd) = (run.socket, run.pidfd);
        let place = core::mem::replace(&mut run.place, Place::NONE);
        run.groups = Groups::NONE;
        self.live -= 1;
        let plan = self.plans.get(plan_index).and_then(|entry| entry.plan());
        if board.get(Word::Reported) == 0 {
            self.account(board, &groups, plan, &reaped);
            board.report(socket);
        }
        // What was cloned meanwhile has copies. As long as those live, epoll(7) would tell of the end
        // again and again, and it would be taken for that of the place's next run.
        for fd in [socket, pidfd].into_iter().chain(groups.watches().map(|(fd, _)| fd)) {
            sys::epoll_remove(self.epoll, fd);
        }
        [socket, pidfd].into_iter().for_each(sys::close);
        self.slots.release(slot);
        self.bury(groups);
        self.leave_plan(plan_index);
        self.left(board, place);
    }

    /// The last entries of a board whose init was killed.
    fn account(&self, board: Board, groups: &Groups, plan: Option<Plan<'_>>, init: &sys::Reaped) {
        if !board.stopped() && !board.failed() && board.get(Word::TimeEnd) == 0 {
            // Somebody else killed it, or it crashed; its own status tells how.
            board.set(Word::Status, u64::from(init.status));
            board.fail(Errno::EPROTO);
        }
        if let Some(plan) = plan {
            groups.count(plan, when::END, board);
            board.resident(plan, init.max_resident);
        }
        board.cpu_times(init.user_ns, init.system_ns);
        let now = sys::now();
        if board.get(Word::TimeEnd) == 0 {
            board.set(Word::TimeEnd, now);
        }
        board.set(Word::TimeDead, now);
    }

    fn leave_plan(&mut self, index: usize) {
        if let Some(entry) = self.plans.get_mut(index) {
            entry.runs = entry.runs.saturating_sub(1);
            if entry.dropped && entry.runs == 0 {
                entry.unload();
            }
        }
    }

    /// How many places for runs there are.
    pub const PLACES: usize = MAX_RUNS;
}

/// Clones a sandbox's first process, which alone has a copy of the plan.
fn clone_first(birth: &Birth, memory: Memory) -> Result<(i32, Fd)> {
    let mut flags = CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWUTS;
    if birth.plan.number(Number::Net) == Net::Loopback as u64 {
        flags |= CLONE_NEWNET;
    }
    memory.inherit(true)?;
    let cloned = sys::clone(flags, true, None);
    if let Ok(Cloned::Child) = cloned {
        setup::first_process(birth);
    }
    // Not having done it only costs time.
    let _ = memory.inherit(false);
    match cloned? {
        Cloned::Parent { pid, pidfd } => Ok((pid, pidfd)),
        Cloned::Child => Err(Errno::EPROTO),
    }
}

/// Has a program without input read the end of it.
fn give_input(streams: &mut [Fd; 3]) -> Result<()> {
    if streams[0] == 0 {
        streams[0] = sys::ended_pipe()?;
    }
    Ok(())
}

/// A sandbox that was just cloned.
struct Child {
    pid: i32,
    pidfd: Fd,
    place: Place,
}

impl Run {
    /// Sets its deadlines.
    pub fn begin(&mut self, plan: Plan<'_>, cpus: u64, begun: u64) {
        let (now, wall) = (sys::now(), plan.number(Number::WallNs));
        self.started = begun;
        self.wall_at = if wall == 0 { 0 } else { begun.saturating_add(wall) };
        self.check_at = crate::watch::first_look(plan, cpus, now);
        self.last_look = now;
    }

    /// Takes note of an alarm, so that it does not ring again for the same event.
    pub fn quiet(&self, watch: usize) {
        let Some((fd, _)) = self.groups.watches().nth(watch) else { return };
        // A pollable file is re-armed by reading it from the start; an event by reading its count.
        let _ = sys::read_start(fd, &mut [0; 256]);
    }
}
