//! [`NamespaceExecution`]: one run, from the host's side.

use std::io::{self, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags, recv, send};
use rustix::pipe::{PipeFlags, pipe_with};
use stockade_core::{
    Error, ErrorKind, Execution, GoOn, Input, Killer, Output, OutputOverflow, Report, Result, Stdio,
};
use stockade_warden::wire::board::{WORDS, Word};
use stockade_warden::wire::request::{MAX_RUNS, order};

use crate::account::Account;
use crate::host::link_error;
use crate::outcome::{self, Birth, Printed};
use crate::prepare::Blueprint;
use crate::registration::Registration;
use crate::streams::{Ends, Feed, LiveInput, LiveOutput, Meter, Sink};
use crate::warden::{Link, LinkError, wait_nudging, wait_once};

/// How long a run that was told to stop may take before its init is taken to be stuck.
const PATIENCE: Timespec = Timespec { tv_sec: 2, tv_nsec: 0 };

/// How long a wait lasts until it is asked whether the run is to go on.
const TURN: Duration = Duration::from_millis(50);

/// The host's end of a run's socket: what stops it, from any thread.
#[derive(Debug)]
pub(crate) struct Lifeline {
    socket: OwnedFd,
    over: AtomicBool,
    /// The process that started the run; a child forked from it has no say.
    owner: u32,
    /// A run that has ended keeps no warden.
    link: Weak<Link>,
}

impl Lifeline {
    fn is_over(&self) -> bool {
        self.over.load(Ordering::Acquire) || self.owner != std::process::id()
    }

    fn order(&self, order: u8) {
        if !self.is_over() {
            // A run that has ended has nobody to stop.
            let _ = send(&self.socket, &[order], SendFlags::NOSIGNAL | SendFlags::DONTWAIT);
        }
    }

    /// Can be read, or has ended, as soon as nothing of the run is alive.
    pub(crate) fn news(&self) -> PollFd<'_> {
        PollFd::new(&self.socket, PollFlags::IN)
    }

    /// Continues the run's warden, should somebody have stopped it.
    pub(crate) fn nudge(&self) {
        if let Some(link) = self.link.upgrade() {
            link.nudge();
        }
    }

    /// Ends the run because it printed too much.
    pub(crate) fn stop_for_output(&self) {
        self.order(order::OUTPUT);
    }
}

impl Killer for Lifeline {
    fn kill(&self) {
        self.order(order::CANCEL);
        if !self.is_over() {
            // A run that has not begun yet hears of it from its warden.
            self.nudge();
        }
    }
}

/// One run.
#[derive(Debug)]
pub(crate) struct NamespaceExecution {
    registration: Arc<Registration>,
    blueprint: Arc<Blueprint>,
    birth: Birth,
    run: Arc<Lifeline>,
    feed: Feed,
    /// Standard output and error, as far as the caller has not taken them.
    outputs: [Stream; 2],
    live_input: Option<LiveInput>,
    /// Held until the run is over: tells a [`LiveInput`].
    still_running: Option<OwnedFd>,
    stdin_guard: Option<OwnedFd>,
}

/// One output stream.
#[derive(Debug)]
struct Stream {
    sink: Sink,
    /// The pipe of a streamed output, until the caller takes it or the run is waited for.
    live: Option<OwnedFd>,
    /// The pipe that the caller took, while the caller has it: a program must notice when its
    /// reader leaves.
    taken: Weak<OwnedFd>,
    meter: Arc<Meter>,
}

impl NamespaceExecution {
    pub(crate) fn new(
        registration: Arc<Registration>,
        blueprint: Arc<Blueprint>,
        stdio: Stdio,
        ends: Ends,
        birth: Birth,
    ) -> Self {
        let limits = &blueprint.plan.policy.limits;
        let limit = limits.output.get().map(|bytes| bytes.0);
        let drop_rest = limits.output_overflow == OutputOverflow::Truncate;
        let stream = |kind: Output, pipe: OwnedFd| {
            let (live, pipe) = match kind {
                Output::Streamed => (Some(pipe), None),
                _ => (None, Some(pipe)),
            };
            Stream {
                sink: Sink::new(pipe, kind == Output::Captured, limit),
                live,
                taken: Weak::new(),
                meter: Arc::new(Meter::new(limit, drop_rest)),
            }
        };
        let [stdout, stderr] = ends.outputs;
        let outputs = [stream(stdio.stdout, stdout), stream(stdio.stderr, stderr)];
        let run = Arc::new(Lifeline {
            socket: ends.socket,
            over: AtomicBool::new(false),
            owner: registration.link.owner(),
            link: Arc::downgrade(&registration.link),
        });
        let mut execution = Self {
            registration,
            blueprint,
            birth,
            run,
            feed: Feed::new(Input::Empty, None),
            outputs,
            live_input: None,
            still_running: None,
            stdin_guard: None,
        };
        match (stdio.stdin, ends.stdin, ends.stdin_guard) {
            (Input::Streamed, Some(pipe), Some(guard)) => execution.stream_input(pipe, guard),
            (input, pipe, guard) => {
                execution.feed = Feed::new(input, pipe);
                execution.stdin_guard = guard;
            }
        }
        execution
    }

    fn stream_input(&mut self, pipe: OwnedFd, guard: OwnedFd) {
        // Without a pipe more there is no live input; the program then reads its end.
        if let Ok((over, still_running)) = pipe_with(PipeFlags::CLOEXEC) {
            let run = Arc::clone(&self.run);
            self.live_input = Some(LiveInput { pipe, guard, over, run });
            self.still_running = Some(still_running);
        }
    }

    fn take_output(&mut self, which: usize) -> Option<Box<dyn Read + Send>> {
        let stream = &mut self.outputs[which];
        let pipe = Arc::new(stream.live.take()?);
        stream.taken = Arc::downgrade(&pipe);
        let meter = Arc::clone(&stream.meter);
        Some(Box::new(LiveOutput { pipe, meter, run: Arc::clone(&self.run) }))
    }

    /// Moves bytes until the board arrives.
    fn pump(&mut self, mut asker: Option<Asker>) -> Result<Account> {
        let truncates = self.truncates();
        let mut buffer = Vec::new();
        let mut failure: Option<io::Error> = None;
        for stream in &mut self.outputs {
            if let Some(pipe) = stream.live.take() {
                let limit = self.blueprint.plan.policy.limits.output.get().map(|bytes| bytes.0);
                stream.sink = Sink::new(Some(pipe), false, limit);
            }
        }
        loop {
            let ready = self.wait_for_news(asker.as_mut())?;
            for (stream, news) in self.outputs.iter_mut().zip(ready.outputs) {
                stream.sink.hear(news, &mut buffer);
                if stream.sink.over() {
                    if !truncates {
                        self.run.stop_for_output();
                    }
                    stream.sink.drop_rest();
                    stream.sink.drain(&mut buffer);
                }
            }
            if failure.is_none() && (ready.input || ready.pipe) {
                let result = if ready.input { self.feed.fill() } else { self.feed.pour() };
                if let Err(error) = result {
                    failure = Some(error);
                    self.feed = Feed::new(Input::Empty, None);
                    self.run.kill();
                }
            }
            if ready.board {
                let account = self.receive()?;
                for stream in &mut self.outputs {
                    stream.sink.drain(&mut buffer);
                }
                return match failure {
                    Some(error) => Err(Error::new(ErrorKind::Io, error)
                        .with_hint("the input given for standard input cannot be read")),
                    None => Ok(account),
                };
            }
        }
    }

    fn truncates(&self) -> bool {
        self.blueprint.plan.policy.limits.output_overflow == OutputOverflow::Truncate
    }

    fn wait_for_news(&self, asker: Option<&mut Asker>) -> Result<Ready> {
        let mut fds = Vec::with_capacity(5);
        fds.push(PollFd::new(&self.run.socket, PollFlags::IN));
        let input = self.feed.readable();
        let pipe = self.feed.writable();
        let [stdout, stderr] = [&self.outputs[0], &self.outputs[1]].map(|out| out.sink.readable());
        let mut at = [None; 4];
        for (place, (fd, flags)) in at.iter_mut().zip([
            (input, PollFlags::IN),
            (pipe, PollFlags::OUT),
            (stdout, PollFlags::IN),
            (stderr, PollFlags::IN),
        ]) {
            if let Some(fd) = fd {
                *place = Some(fds.len());
                fds.push(PollFd::from_borrowed_fd(fd, flags));
            }
        }
        match asker {
            Some(asker) => self.wait_asking(&mut fds, asker),
            None => wait_nudging(&mut fds, || self.run.nudge()),
        }
        .map_err(|errno| Error::new(ErrorKind::Io, io::Error::from(errno)))?;
        let news = at.map(|at| at.map_or(PollFlags::empty(), |at| fds[at].revents()));
        Ok(Ready {
            board: !fds[0].revents().is_empty(),
            input: !news[0].is_empty(),
            pipe: !news[1].is_empty(),
            outputs: [news[2], news[3]],
        })
    }

    /// Waits until one of these is ready; stops the run when it is not to go on.
    fn wait_asking(&self, fds: &mut [PollFd<'_>], asker: &mut Asker) -> rustix::io::Result<()> {
        let turn = Timespec { tv_sec: 0, tv_nsec: TURN.as_nanos() as i64 };
        loop {
            let ready = wait_once(fds, &turn)?;
            // A signal may be what the caller asks for; and a program that prints all the time must
            // not keep the question from being asked.
            if (!ready || asker.asked.elapsed() >= TURN) && !asker.ask() {
                self.run.kill();
            }
            if ready {
                return Ok(());
            }
            self.run.nudge();
        }
    }

    /// Receives the board, which is the last thing a run sends.
    fn receive(&self) -> Result<Account> {
        let mut bytes = [0u8; WORDS * 8];
        loop {
            match recv(&self.run.socket, &mut bytes[..], RecvFlags::empty()) {
                // An order that came too late was left unread; the board lies behind that news.
                Err(Errno::INTR | Errno::CONNRESET) => {}
                Ok((len, _)) if len == bytes.len() => break,
                Ok(_) | Err(_) => {
                    let error = if self.registration.link.has_gone(1000) {
                        LinkError::Lost
                    } else {
                        // The warden lives and has closed the socket unanswered.
                        LinkError::Exhausted { what: "runs", count: MAX_RUNS }
                    };
                    return Err(link_error(error));
                }
            }
        }
        self.run.over.store(true, Ordering::Release);
        Ok(Account::read(&bytes))
    }

    fn end(mut self: Box<Self>, asker: Option<Asker>) -> Result<Report> {
        if self.run.is_over() {
            // A forked child: the report belongs to its parent.
            return Err(link_error(LinkError::Lost));
        }
        // Input that was never taken has ended.
        self.live_input = None;
        let account = self.pump(asker)?;
        self.still_running = None;
        self.report(&account)
    }

    fn report(&mut self, account: &Account) -> Result<Report> {
        let orphaned = account.get(Word::Errno) == libc::ESRCH as u64;
        if orphaned && self.registration.link.has_gone(1000) {
            // Init saw the end of its warden before it could die of it.
            return Err(link_error(LinkError::Lost));
        }
        let [stdout, stderr] = &mut self.outputs;
        let printed = [stdout, stderr].map(Stream::printed);
        outcome::report(&self.blueprint.plan, account, self.birth, printed)
    }
}

impl Stream {
    fn printed(&mut self) -> Printed {
        let sink = std::mem::replace(&mut self.sink, Sink::new(None, false, None));
        let taken = self.taken.upgrade();
        let live = taken.map_or_else(|| self.meter.seen(), |pipe| self.meter.settle(&pipe));
        let over = sink.over() || self.meter.over();
        Printed { bytes: sink.seen + live, over, kept: sink.into_kept() }
    }
}

/// Asks now and then whether a run is to go on.
struct Asker {
    go_on: GoOn,
    asked: Instant,
}

impl Asker {
    fn ask(&mut self) -> bool {
        self.asked = Instant::now();
        (self.go_on)()
    }
}

/// What has become ready.
struct Ready {
    board: bool,
    input: bool,
    pipe: bool,
    outputs: [PollFlags; 2],
}

impl Execution for NamespaceExecution {
    fn stdin(&mut self) -> Option<Box<dyn Write + Send>> {
        self.live_input.take().map(|input| Box::new(input) as Box<dyn Write + Send>)
    }

    fn stdout(&mut self) -> Option<Box<dyn Read + Send>> {
        self.take_output(0)
    }

    fn stderr(&mut self) -> Option<Box<dyn Read + Send>> {
        self.take_output(1)
    }

    fn killer(&self) -> Arc<dyn Killer> {
        Arc::clone(&self.run) as Arc<dyn Killer>
    }

    fn wait(self: Box<Self>) -> Result<Report> {
        self.end(None)
    }

    fn wait_while(self: Box<Self>, go_on: GoOn) -> Result<Report> {
        self.end(Some(Asker { go_on, asked: Instant::now() }))
    }
}

impl Drop for NamespaceExecution {
    fn drop(&mut self) {
        if self.run.is_over() {
            return;
        }
        self.run.kill();
        // The board comes when nothing of the run is alive; the end of the socket, if init died.
        let mut fds = [PollFd::from_borrowed_fd(self.run.socket.as_fd(), PollFlags::IN)];
        while let Err(Errno::INTR) = poll(&mut fds, Some(&PATIENCE)) {}
        self.run.over.store(true, Ordering::Release);
        let _ = rustix::net::shutdown(&self.run.socket, rustix::net::Shutdown::Both);
    }
}
