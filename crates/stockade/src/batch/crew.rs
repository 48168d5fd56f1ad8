//! [`Crew`]: the threads of a batch.
//!
//! They take turns. Whoever has the turn takes the next job from the iterator, waits until there is
//! room for it, passes the turn on and runs it. So a job needs no thread but the one that runs it,
//! and the iterator is never asked for a job that cannot be handed to anybody.

use std::any::Any;
use std::collections::{HashMap, VecDeque};
use std::io;
use std::num::NonZeroUsize;
use std::panic::{self, AssertUnwindSafe};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};

use stockade_core::{Killer, Report, Result};

use super::capacity::{Room, Share};
use super::shelf::Shelf;
use super::{Capacity, Job, MAX_WAITING};

/// Where jobs come from.
type Jobs = Box<dyn Iterator<Item = Result<Job>> + Send>;

/// What the threads of a batch share with the one that takes its results.
pub(super) struct Crew {
    /// Its lock is the turn. `None` when there are no more.
    jobs: Mutex<Option<Jobs>>,
    state: Mutex<State>,
    /// There may be room for a job now, or none is to be started any more.
    room: Condvar,
    /// There may be a result to take, or there will be none any more.
    result: Condvar,
    shelf: Shelf,
    capacity: Capacity,
    most: usize,
}

struct State {
    room: Room,
    /// Jobs that were taken from the iterator.
    taken: usize,
    /// Jobs that were let in and have not ended.
    running: usize,
    results: VecDeque<(usize, Result<Report>)>,
    killers: HashMap<usize, Arc<dyn Killer>>,
    threads: Vec<JoinHandle<()>>,
    /// Threads that wait for their turn or have it.
    idle: usize,
    /// No job is started any more.
    closed: bool,
    /// What runs is killed.
    stopped: bool,
    panic: Option<Box<dyn Any + Send>>,
}

/// A job that was let in.
struct Admitted {
    index: usize,
    job: Job,
    share: Share,
}

impl Crew {
    pub(super) fn new(jobs: Jobs, capacity: Capacity, most: Option<NonZeroUsize>) -> Self {
        let state = State {
            room: capacity.room(),
            taken: 0,
            running: 0,
            results: VecDeque::new(),
            killers: HashMap::new(),
            threads: Vec::new(),
            idle: 0,
            closed: false,
            stopped: false,
            panic: None,
        };
        Self {
            jobs: Mutex::new(Some(jobs)),
            state: Mutex::new(state),
            room: Condvar::new(),
            result: Condvar::new(),
            shelf: Shelf::default(),
            capacity,
            most: most.map_or(usize::MAX, NonZeroUsize::get),
        }
    }

    /// Starts one more thread.
    pub(super) fn hire(self: &Arc<Self>) -> io::Result<()> {
        let mut state = self.state();
        let crew = Arc::clone(self);
        let thread = thread::Builder::new().name("stockade-batch".to_owned());
        state.threads.push(thread.spawn(move || crew.work())?);
        state.idle += 1;
        Ok(())
    }

    /// What a thread does until no job is left.
    fn work(self: Arc<Self>) {
        while let Some(admitted) = self.turn() {
            let next = {
                let mut state = self.state();
                state.idle -= 1;
                state.idle == 0 && !state.closed
            };
            if next {
                // Without another thread, this one takes the next turn when its job is over.
                let _: io::Result<()> = self.hire();
            }
            self.run(admitted);
            self.state().idle += 1;
        }
    }

    /// Waits for the turn, for a job and for room. `None` when no job is to be started any more.
    fn turn(&self) -> Option<Admitted> {
        let mut jobs = self.jobs.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            let crowded = |state: &mut State| state.results.len() >= MAX_WAITING;
            drop(self.wait_for_room(crowded)?);
            let next = panic::catch_unwind(AssertUnwindSafe(|| {
                let next = jobs.as_mut().and_then(Iterator::next);
                if next.is_none() {
                    *jobs = None;
                }
                next
            }));
            let mut state = self.state();
            let job = match next {
                Ok(Some(job)) => job,
                Ok(None) => return self.close(state, None),
                Err(panic) => return self.close(state, Some(panic)),
            };
            let index = state.taken;
            state.taken += 1;
            match job {
                Ok(job) => {
                    let share = self.capacity.share(&job.policy().limits);
                    drop(state);
                    let full = |state: &mut State| {
                        state.running >= self.most || !state.room.holds(share, state.running)
                    };
                    let mut state = self.wait_for_room(full)?;
                    state.room.take(share);
                    state.running += 1;
                    return Some(Admitted { index, job, share });
                }
                Err(error) => {
                    state.results.push_back((index, Err(error)));
                    self.result.notify_all();
                }
            }
        }
    }

    /// Waits while `full`; `None` when no job is to be started any more.
    fn wait_for_room(
        &self,
        mut full: impl FnMut(&mut State) -> bool,
    ) -> Option<MutexGuard<'_, State>> {
        let wait = |state: &mut State| !state.closed && full(state);
        let state = self.room.wait_while(self.state(), wait);
        let state = state.unwrap_or_else(PoisonError::into_inner);
        (!state.closed).then_some(state)
    }

    fn close(
        &self,
        mut state: MutexGuard<'_, State>,
        panic: Option<Box<dyn Any + Send>>,
    ) -> Option<Admitted> {
        state.closed = true;
        // Of several panics the first goes on.
        if let Some(panic) = panic {
            state.panic.get_or_insert(panic);
        }
        self.room.notify_all();
        self.result.notify_all();
        None
    }

    fn run(&self, Admitted { index, job, share }: Admitted) {
        let ended = panic::catch_unwind(AssertUnwindSafe(|| self.attempt(index, job)));
        let mut state = self.state();
        state.killers.remove(&index);
        state.room.give_back(share);
        state.running -= 1;
        match ended {
            Ok(result) => state.results.extend(result.map(|result| (index, result))),
            Err(panic) => {
                self.close(state, Some(panic));
                return;
            }
        }
        self.room.notify_all();
        self.result.notify_all();
    }

    /// Prepares, starts and waits; `None` if the batch was stopped before the start.
    fn attempt(&self, index: usize, job: Job) -> Option<Result<Report>> {
        let run = match self.shelf.prepare(job.work) {
            Ok(prepared) if !self.state().stopped => prepared.start(job.stdio),
            Ok(_) => return None,
            Err(error) => return Some(Err(error)),
        };
        let run = match run {
            Ok(run) => run,
            Err(error) => return Some(Err(error)),
        };
        let killer = run.killer();
        let stopped = {
            let mut state = self.state();
            state.killers.insert(index, Arc::clone(&killer));
            state.stopped
        };
        if stopped {
            killer.kill();
        }
        Some(run.wait())
    }

    /// Waits for a result; `None` when there will be none any more.
    pub(super) fn next_result(&self) -> Option<(usize, Result<Report>)> {
        let waits =
            |state: &mut State| state.results.is_empty() && !(state.closed && state.running == 0);
        let state = self.result.wait_while(self.state(), waits);
        let mut state = state.unwrap_or_else(PoisonError::into_inner);
        if let Some(result) = state.results.pop_front() {
            self.room.notify_all();
            return Some(result);
        }
        let panic = state.panic.take();
        drop(state);
        match panic {
            Some(panic) => panic::resume_unwind(panic),
            None => None,
        }
    }

    pub(super) fn running(&self) -> usize {
        self.state().running
    }

    /// Kills what runs and waits for every thread.
    pub(super) fn dismiss(&self) {
        self.kill();
        loop {
            // One that is waited for here may still have hired another.
            let Some(thread) = self.state().threads.pop() else { break };
            // It catches every panic, and leaves it in the state.
            let _: thread::Result<()> = thread.join();
        }
        // A killer that outlives the batch must not keep what the jobs were made from.
        self.shelf.clear();
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner).take();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Stops the whole batch.
impl Killer for Crew {
    fn kill(&self) {
        let killers: Vec<_> = {
            let mut state = self.state();
            state.closed = true;
            state.stopped = true;
            state.killers.values().cloned().collect()
        };
        self.room.notify_all();
        self.result.notify_all();
        // A run that is about to start finds the batch stopped, and kills itself.
        for killer in killers {
            killer.kill();
        }
    }
}
