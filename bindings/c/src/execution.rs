//! A run, waited for on the caller's thread, or on one of its own if its streams need it.

use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use stockade::embed::{Background, Chunk, Owned, Sink, Source, Streams};
use stockade::{Error, ErrorKind, Killer, Stdio, oci};

use crate::exported::callbacks::OutputCallback;
use crate::exported::constants as c;
use crate::exported::handles::{Execution, Report};
use crate::failure::Failure;
use crate::report::Account;
use crate::signals::{NoSignals, NoSigpipe};
use crate::words::unknown;

/// How many pieces of output wait for a callback; then the program waits.
const WAITING: usize = 16;

/// Where the streams of a run go.
pub(crate) struct Wiring {
    streams: Streams,
    deliveries: Option<Deliveries>,
    piped: bool,
    /// Whether there is something to write to the program, by the thread that waits.
    fed: bool,
}

/// Output on its way to the host's functions, in the order in which it was read.
struct Deliveries {
    chunks: Receiver<Chunk>,
    /// Those of standard output and standard error.
    callbacks: [Option<OutputCallback>; 2],
}

/// Where an output goes.
pub(crate) enum To {
    Sink(Sink),
    Callback(OutputCallback),
}

impl Wiring {
    /// No input, both outputs into the report.
    pub(crate) fn captured() -> Result<Self, Failure> {
        Self::new(Source::Empty, To::Sink(Sink::Captured), To::Sink(Sink::Captured))
    }

    pub(crate) fn new(input: Source, output: To, error: To) -> Result<Self, Failure> {
        let fed = !matches!(input, Source::Empty);
        let mut piped = matches!(input, Source::Pipe);
        let mut channel = None;
        let mut callbacks = [None, None];
        let mut sink = |place: usize, to: To| match to {
            To::Sink(sink) => {
                piped |= matches!(sink, Sink::Pipe);
                sink
            }
            To::Callback(callback) => {
                callbacks[place] = Some(callback);
                let (sender, _) = channel.get_or_insert_with(|| sync_channel(WAITING));
                Sink::Chunks(SyncSender::clone(sender))
            }
        };
        let (output, error) = (sink(0, output), sink(1, error));
        let deliveries = channel.map(|(_, chunks)| Deliveries { chunks, callbacks });
        Ok(Self { streams: Streams::open(input, output, error)?, deliveries, piped, fed })
    }

    /// What the run is started with, once.
    pub(crate) fn stdio(&mut self) -> Stdio {
        self.streams.stdio()
    }

    /// Refuses a pipe where nobody could take its other end.
    pub(crate) fn has_no_pipe(&self) -> Result<(), Failure> {
        if self.piped {
            let wrong = "has a STOCKADE_STREAM_PIPE, whose other end is taken from an execution";
            return Err(Failure::argument("stdio", wrong));
        }
        Ok(())
    }

    /// Waits for a run that was started with these streams.
    pub(crate) fn wait(self, run: Box<dyn stockade::Execution>) -> Result<Report, Failure> {
        if !self.streams.is_still() {
            return Execution::new(run, self, None)?.wait();
        }
        Ok(Report { account: Arc::new(wait(run, self.fed)?) })
    }
}

/// Waits on this thread.
fn wait(run: Box<dyn stockade::Execution>, fed: bool) -> stockade::Result<Account> {
    let _quiet = fed.then(NoSigpipe::hold);
    run.wait().map(Account::from)
}

/// One run.
pub(crate) struct Run {
    killer: Arc<dyn Killer>,
    /// What is waited for on the caller's thread, until it is.
    still: Mutex<Option<Box<dyn stockade::Execution>>>,
    fed: bool,
    /// What a thread of its own waits for.
    background: OnceLock<Background>,
    /// Taken by the thread that delivers.
    deliveries: Mutex<Option<Deliveries>>,
    /// Whether output goes to functions.
    delivers: bool,
    /// What came of it.
    end: OnceLock<Result<Arc<Account>, Arc<Error>>>,
}

impl Execution {
    pub(crate) fn new(
        run: Box<dyn stockade::Execution>,
        wiring: Wiring,
        root: Option<Arc<oci::Root>>,
    ) -> Result<Self, Failure> {
        let Wiring { streams, deliveries, fed, .. } = wiring;
        let killer = run.killer();
        let delivers = deliveries.is_some();
        let (still, background) = if streams.is_still() {
            (Some(run), OnceLock::new())
        } else {
            (None, OnceLock::from(watch(run, streams)?))
        };
        Ok(Self {
            run: Owned::new(Run {
                killer,
                still: Mutex::new(still),
                fed,
                background,
                deliveries: Mutex::new(deliveries),
                delivers,
                end: OnceLock::new(),
            }),
            _root: root,
        })
    }

    /// The caller's end of a pipe, or what tells of the end.
    pub(crate) fn take_fd(&self, stream: i32) -> Result<OwnedFd, Failure> {
        let run = self.run.get()?;
        let place = match stream {
            c::STOCKADE_END => return run.bell(),
            c::STOCKADE_STDIN => 0,
            c::STOCKADE_STDOUT => 1,
            c::STOCKADE_STDERR => 2,
            other => return Err(unknown("stream", other, "a STOCKADE_STDIN to STOCKADE_END")),
        };
        let pipe = run.background.get().and_then(|background| background.take_pipe(place));
        pipe.ok_or(Failure::Order("this stream is no STOCKADE_STREAM_PIPE, or was taken before"))
    }

    pub(crate) fn wait(&self) -> Result<Report, Failure> {
        Ok(Report { account: self.run.get()?.wait()? })
    }

    pub(crate) fn kill(&self) -> Result<(), Failure> {
        self.run.get()?.kill();
        Ok(())
    }
}

fn watch(run: Box<dyn stockade::Execution>, streams: Streams) -> io::Result<Background> {
    let _for_its_threads = NoSignals::hold();
    Background::watch(run, streams)
}

fn open<T>(lock: &Mutex<T>) -> MutexGuard<'_, T> {
    lock.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Run {
    fn kill(&self) {
        self.killer.kill();
        // It also stops waiting for outputs to get where they go.
        self.background.get().inspect(|background| background.kill());
    }

    /// Waits for the end; a second thread waits for what the first one finds.
    fn wait(&self) -> Result<Arc<Account>, Arc<Error>> {
        let mut still = open(&self.still);
        if let Some(run) = still.take() {
            let end = wait(run, self.fed).map(Arc::new).map_err(Arc::new);
            return self.end.get_or_init(|| end).clone();
        }
        drop(still);
        if let Some(end) = self.end.get() {
            return end.clone();
        }
        self.deliver();
        let end = self.background.get().and_then(|background| {
            background.wait(None);
            background.poll()
        });
        let end = match end {
            Some(end) => end.map(|report| Arc::new(Arc::unwrap_or_clone(report).into())),
            // What waited for it panicked.
            None => Err(Arc::new(Error::new(ErrorKind::Internal, "the run was lost"))),
        };
        self.end.get_or_init(|| end).clone()
    }

    /// Gives the host's functions what they are owed, until there is no more.
    fn deliver(&self) {
        let taken = open(&self.deliveries).take();
        let Some(Deliveries { chunks, callbacks }) = taken else { return };
        let mut wanted = true;
        for Chunk { stream, bytes, .. } in chunks {
            let (place, stream) = match stream {
                2 => (1, c::STOCKADE_STDERR),
                _ => (0, c::STOCKADE_STDOUT),
            };
            let callback = callbacks[place].as_ref().filter(|_| wanted);
            if callback.is_some_and(|callback| !callback.call(stream, &bytes)) {
                wanted = false;
                self.kill();
            }
        }
    }

    /// A descriptor that can be read once the run is over.
    fn bell(&self) -> Result<OwnedFd, Failure> {
        if self.delivers {
            let text = "output goes to functions, which are called by stockade_execution_wait";
            return Err(Failure::Order(text));
        }
        let Ok(mut still) = self.still.try_lock() else {
            return Err(Failure::Order("a thread is waiting for the run"));
        };
        if let Some(run) = still.take() {
            let streams = Streams::open(Source::Empty, Sink::Captured, Sink::Captured)?;
            let background = watch(run, streams)?;
            self.background.get_or_init(|| background);
        }
        match self.background.get() {
            Some(background) => Ok(background.bell().try_clone_to_owned()?),
            // The run has been waited for.
            None => {
                let (reader, mut writer) = io::pipe()?;
                writer.write_all(&[0])?;
                Ok(reader.into())
            }
        }
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        if let Some(background) = self.background.get() {
            // Nobody takes what still comes.
            *open(&self.deliveries) = None;
            background.kill();
            background.finish();
        }
    }
}
