//! Running many jobs at once, as many as the host has room for.
//!
//! [`run_all`] takes jobs from an iterator and gives their reports as they come. A job starts as
//! soon as its share of the host is free ([`Capacity`]), not when one of a fixed number of places
//! is: ten jobs of 100 MiB take the room of one of 1 GiB. The [manual](crate::manual::batch) says
//! more.
//!
//! # Threads
//! A batch has threads of its own, all named `stockade-batch`: one for each job that runs, and one
//! that takes the next job from the iterator. Dropping the [`Batch`] ends and joins them.

mod capacity;
mod crew;
mod host;
mod shelf;

use std::num::NonZeroUsize;
use std::sync::Arc;

use stockade_core::{
    Error, ErrorKind, Input, Killer, Policy, Prepared, Program, Report, Result, Sandbox, Stdio,
};

pub use capacity::Capacity;
use crew::Crew;

/// One run of a batch: what runs, under which policy, and with which streams.
///
/// A job owns what it needs, so that jobs of different sandboxes, policies and programs can be in
/// one batch.
pub struct Job {
    work: Work,
    stdio: Stdio,
}

/// What a job starts.
enum Work {
    Prepared(Arc<dyn Prepared>),
    Program { sandbox: Arc<dyn Sandbox>, policy: Arc<Policy>, program: Program },
}

impl Job {
    /// A job that runs `program` with no input and its output captured. Equal programs under equal
    /// policies are prepared once for many jobs of a batch.
    pub fn new(
        sandbox: Arc<dyn Sandbox>,
        policy: impl Into<Arc<Policy>>,
        program: Program,
    ) -> Self {
        let work = Work::Program { sandbox, policy: policy.into(), program };
        Self { work, stdio: Stdio::captured() }
    }

    /// A job that starts what is prepared already.
    pub fn prepared(prepared: Arc<dyn Prepared>) -> Self {
        Self { work: Work::Prepared(prepared), stdio: Stdio::captured() }
    }

    /// The same job, with these streams. Nobody takes a stream that is
    /// [streamed](stockade_core::Output::Streamed): it is read and dropped.
    #[must_use]
    pub fn stdio(mut self, stdio: Stdio) -> Self {
        self.stdio = stdio;
        self
    }

    /// The same job, with this input.
    #[must_use]
    pub fn stdin(mut self, input: impl Into<Input>) -> Self {
        self.stdio = self.stdio.stdin(input);
        self
    }

    fn policy(&self) -> &Policy {
        match &self.work {
            Work::Prepared(prepared) => &prepared.plan().policy,
            Work::Program { policy, .. } => policy,
        }
    }
}

/// So that an iterator of jobs needs no wrapping.
impl From<Job> for Result<Job> {
    fn from(job: Job) -> Self {
        Ok(job)
    }
}

/// How many jobs of a batch run at once.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Options {
    /// What the jobs share; [`Capacity::of_host`] when the batch begins, unless it is given.
    pub capacity: Option<Capacity>,
    /// Most jobs at once, whatever there is room for; not bounded unless it is given.
    pub max_parallel: Option<NonZeroUsize>,
}

/// Most results that wait to be taken: with so many, no further job is taken from the iterator.
pub const MAX_WAITING: usize = 32;

/// Runs every job of `jobs`, as many at once as there is room for, and gives the reports in the
/// order in which the runs end.
///
/// `jobs` yields [`Job`]s, or results of making one: an error takes the place of the job, and comes
/// out under its index. It is asked for the next job, in one of the batch's threads, when the last
/// one has started, and not while [`MAX_WAITING`] results wait to be taken; so a stream of millions
/// holds no more memory than a short one.
///
/// Jobs start in their order. One that has to wait for room holds up those behind it, so that a
/// large one is not passed over for ever.
///
/// # Errors
/// `Io` when the host cannot be looked at, or gives no thread.
///
/// # Examples
/// ```
/// use stockade::batch::{self, Job, Options};
/// use stockade::{Control, Policy, Program};
/// use std::sync::Arc;
///
/// # fn main() -> stockade::Result<()> {
/// let program = Program::executable("cat");
/// let sandbox = Arc::from(stockade::auto(&program)?);
/// let mut policy = Policy::default();
/// # policy.best_effort.extend([Control::Memory, Control::CpuTime, Control::Processes]);
/// let policy = Arc::new(policy);
///
/// let inputs = ["one", "two", "three"];
/// let jobs = inputs.map(|input| {
///     Job::new(Arc::clone(&sandbox), policy.clone(), program.clone()).stdin(input)
/// });
/// for (index, result) in batch::run_all(jobs, Options::default())? {
///     assert_eq!(result?.stdout, inputs[index].as_bytes());
/// }
/// # Ok(())
/// # }
/// ```
pub fn run_all<I>(jobs: I, options: Options) -> Result<Batch>
where
    I: IntoIterator<Item: Into<Result<Job>> + 'static>,
    I::IntoIter: Send + 'static,
{
    let capacity = options.capacity.map_or_else(Capacity::of_host, Ok)?;
    let jobs = Box::new(jobs.into_iter().map(Into::into));
    let crew = Arc::new(Crew::new(jobs, capacity, options.max_parallel));
    crew.hire().map_err(|error| Error::new(ErrorKind::Io, error))?;
    Ok(Batch { crew })
}

/// The results of jobs that run, as they come: pairs of a job's place in the iterator, counted from
/// 0, and its report or error. Made by [`run_all`].
///
/// The error of one job does not end the others. When the iterator of jobs panics, or a backend
/// does, no job is started any more, and the panic goes on in [`next`](Iterator::next) once every
/// result was given.
///
/// Dropping it kills every run, waits until nothing of them is alive, and joins the threads. If a
/// thread is in the iterator of jobs, it waits until that returns.
pub struct Batch {
    crew: Arc<Crew>,
}

impl Batch {
    /// A handle that stops the batch from any thread: every run is killed and reported as
    /// `cancelled`, and no other job starts. Jobs that had not started have no result.
    pub fn killer(&self) -> Arc<dyn Killer> {
        self.crew.clone()
    }

    /// How many jobs run now.
    pub fn running(&self) -> usize {
        self.crew.running()
    }
}

impl Iterator for Batch {
    type Item = (usize, Result<Report>);

    /// Waits for the next result. `None` when every job has given its own, or the batch was stopped
    /// and nothing runs any more.
    fn next(&mut self) -> Option<Self::Item> {
        self.crew.next_result()
    }
}

impl Drop for Batch {
    fn drop(&mut self) {
        self.crew.dismiss();
    }
}

#[cfg(test)]
mod tests;
