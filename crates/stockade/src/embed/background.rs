//! [`Background`]: a run that goes on by itself.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rustix::event::{EventfdFlags, eventfd};
use stockade_core::{Error, ErrorKind, Execution, Killer, Report, Result as Outcome, Verdict};

use super::drain::News;
use super::streams::Streams;

/// How long what a stopped run has printed may take to where it goes.
const PATIENCE: Duration = Duration::from_secs(1);

/// How a run has ended, for as many as want to know.
pub type Ended = Result<Arc<Report>, Arc<Error>>;

/// A run that a thread of its own waits for, named `stockade-run`. It can be used from many threads
/// at once. Dropping it kills the run and does not wait: see [`finish`](Self::finish).
///
/// # Example
/// ```
/// use std::fs::File;
/// use std::io::Read;
///
/// use stockade::embed::{Background, Sink, Source, Streams};
/// # use stockade::Control;
/// use stockade::{Policy, Program};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let program = Program::executable("echo").args(["hello"]);
/// let policy = Policy::default();
/// # let mut policy = policy;
/// # policy.best_effort.extend([Control::Memory, Control::CpuTime, Control::Processes]);
/// let sandbox = stockade::auto(&program)?;
///
/// let mut streams = Streams::open(Source::Empty, Sink::Pipe, Sink::Stdout)?;
/// let run = sandbox.start(&policy, &program, streams.stdio())?;
/// let run = Background::watch(run, streams)?;
///
/// let mut text = String::new();
/// let pipe = run.take_pipe(1).ok_or("standard output is a pipe")?;
/// File::from(pipe).read_to_string(&mut text)?;
/// assert_eq!(text, "hello\n");
///
/// run.wait(None);
/// let report = run.poll().ok_or("it is over")??;
/// assert_eq!(report.verdict, stockade::Verdict::Exited { code: 0 });
/// # Ok(())
/// # }
/// ```
pub struct Background {
    end: Arc<End>,
    killer: Arc<dyn Killer>,
    news: Sender<News>,
    pipes: Mutex<[Option<OwnedFd>; 3]>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

/// What the thread leaves when the run is over.
struct End {
    outcome: Mutex<Option<Ended>>,
    came: Condvar,
    /// Can be read from then on.
    bell: OwnedFd,
}

impl Background {
    /// Has a thread wait for `run`, and others move its streams, with whose
    /// [`stdio`](Streams::stdio) it was started.
    ///
    /// # Errors
    /// What the system says when there is no descriptor or thread left. The run is killed then.
    pub fn watch(mut run: Box<dyn Execution>, streams: Streams) -> io::Result<Self> {
        let (news, heard) = mpsc::channel();
        let (pipes, awaited) = streams.connect(&mut *run, &news)?;
        let bell = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        let end = Arc::new(End { outcome: Mutex::new(None), came: Condvar::new(), bell });
        let killer = run.killer();
        let teller = Teller(Arc::clone(&end));
        let thread = thread::Builder::new().name("stockade-run".to_owned());
        let thread = thread.spawn(move || {
            let outcome = run.wait();
            settle(&outcome, awaited, &heard);
            teller.tell(outcome);
        })?;
        let (pipes, thread) = (Mutex::new(pipes), Mutex::new(Some(thread)));
        Ok(Self { end, killer, news, pipes, thread })
    }

    /// The caller's end of standard input, output or error, which are 0, 1 and 2, if it is a pipe and
    /// was not taken yet. What is not taken is closed when this is dropped, and not before.
    pub fn take_pipe(&self, stream: usize) -> Option<OwnedFd> {
        let mut pipes = self.pipes.lock().unwrap_or_else(PoisonError::into_inner);
        pipes.get_mut(stream)?.take()
    }

    /// How the run has ended, if it is over: what has been printed is where it goes then, except what a
    /// pipe or a channel still holds.
    pub fn poll(&self) -> Option<Ended> {
        self.end.outcome.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Waits for the end, for this long at most; says whether it has come.
    pub fn wait(&self, time: Option<Duration>) -> bool {
        let outcome = self.end.outcome.lock().unwrap_or_else(PoisonError::into_inner);
        let goes_on = |outcome: &mut Option<Ended>| outcome.is_none();
        let outcome = match time {
            None => self.end.came.wait_while(outcome, goes_on),
            Some(time) => {
                let waited = self.end.came.wait_timeout_while(outcome, time, goes_on);
                return waited.unwrap_or_else(PoisonError::into_inner).0.is_some();
            }
        };
        outcome.unwrap_or_else(PoisonError::into_inner).is_some()
    }

    /// Stops the run, whose verdict is `cancelled` then; once it is over this does nothing. What it has
    /// printed has a second to get to descriptors that nobody empties.
    pub fn kill(&self) {
        self.killer.kill();
        // Nobody hears it when the run is over.
        let _ = self.news.send(News::Stopped);
    }

    /// A descriptor that can be read once the run is over. It is not to be read: it rings for all.
    pub fn bell(&self) -> BorrowedFd<'_> {
        self.end.bell.as_fd()
    }

    /// Kills the run and waits until nothing of it is alive and the thread that waited for it has ended.
    ///
    /// The thread of an output whose reader neither reads nor leaves ends when that does either: drop
    /// the receiver of [`Chunks`](super::Sink::Chunks) first.
    pub fn finish(&self) {
        self.kill();
        // Held, so that whoever comes second waits too.
        let mut thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(thread) = thread.take() {
            // Its panic was told as the outcome.
            let _ = thread.join();
        }
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Waits until the outputs are where they go. A program of the host has written all of it when it
/// ends; this one has written it into Stockade's hands.
fn settle(outcome: &Outcome<Report>, awaited: usize, heard: &Receiver<News>) {
    let ended = outcome.as_ref().is_ok_and(|report| {
        matches!(report.verdict, Verdict::Exited { .. } | Verdict::Signaled { .. })
    });
    let mut until = (!ended).then(|| Instant::now() + PATIENCE);
    let mut left = awaited;
    while left > 0 {
        let news = match until {
            None => heard.recv().ok(),
            Some(until) => heard.recv_timeout(until.saturating_duration_since(Instant::now())).ok(),
        };
        match news {
            Some(News::Moved) => left -= 1,
            Some(News::Stopped) => until = until.or(Some(Instant::now() + PATIENCE)),
            None => return,
        }
    }
}

/// Tells the end, whatever it is: nobody is left waiting for a thread that has panicked.
struct Teller(Arc<End>);

/// The thread that waited for a run has panicked.
#[derive(Debug, thiserror::Error)]
#[error("the thread that waited for the run has panicked")]
struct Panicked;

impl Teller {
    fn tell(&self, outcome: Outcome<Report>) {
        let End { outcome: place, came, bell } = &*self.0;
        let outcome = outcome.map(Arc::new).map_err(Arc::new);
        let mut place = place.lock().unwrap_or_else(PoisonError::into_inner);
        place.get_or_insert(outcome);
        // Rung before anybody can see the outcome. A counter that is at its end already rings all the same.
        let _ = rustix::io::write(bell, &1u64.to_ne_bytes());
        came.notify_all();
    }
}

impl Drop for Teller {
    fn drop(&mut self) {
        if thread::panicking() {
            self.tell(Err(Error::new(ErrorKind::Internal, Panicked)));
        }
    }
}
