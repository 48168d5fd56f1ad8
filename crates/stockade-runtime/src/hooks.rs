//! Runs hooks: programs of the host's that are told about the container.

#[cfg(test)]
mod tests;

use std::fs::File;
use std::io::{ErrorKind, Read as _, Write as _};
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use oci_spec::runtime::Hook;
use rustix::event::{self, PollFd, PollFlags, Timespec};
use rustix::fs::{self, OFlags};
use rustix::io;
use rustix::process::{self, Pid, PidfdFlags, Signal};

use crate::failure::{Context as _, Failure, Outcome};

/// How much of what a hook writes is kept: the end of each stream.
const KEPT: usize = 4096;

/// Runs hooks one after the other, each with the state on its standard input and with no variable but
/// its own. The first that fails, or takes longer than it may, is the last; it is killed then, with
/// what it started in its process group. One without a timeout may take for ever.
pub(crate) fn run(hooks: &[Hook], state: &str) -> Outcome<()> {
    hooks.iter().enumerate().try_for_each(|(number, hook)| {
        let what = || format!("error running hook #{number} {}", hook.path().display());
        run_one(hook, state).context(what)
    })
}

fn run_one(hook: &Hook, state: &str) -> Outcome<()> {
    let path: &Path = hook.path();
    if !path.is_absolute() {
        return Err(Failure::new("its path is not absolute"));
    }
    let limit = match hook.timeout() {
        None => None,
        Some(seconds) => match u64::try_from(seconds) {
            Ok(seconds) if seconds > 0 => Some(Duration::from_secs(seconds)),
            _ => return Err(Failure::new(format!("its timeout is {seconds} seconds"))),
        },
    };
    let mut command = Command::new(path);
    if let Some((name, arguments)) = hook.args().as_deref().and_then(<[String]>::split_first) {
        command.arg0(name).args(arguments);
    }
    for variable in hook.env().iter().flatten() {
        let (name, value) = variable
            .split_once('=')
            .filter(|(name, _)| !name.is_empty())
            .ok_or_else(|| Failure::new(format!("invalid environment variable: {variable:?}")))?;
        command.env(name, value);
    }
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
    let child = clear(command).spawn().context(|| "it cannot be started".into())?;
    Running::new(child)?.finish(state, limit)
}

/// Takes away the variables of this program, and leaves those that were given.
fn clear(mut command: Command) -> Command {
    let given: Vec<_> = command
        .get_envs()
        .filter_map(|(name, value)| Some((name.to_owned(), value?.to_owned())))
        .collect();
    command.env_clear().envs(given);
    command
}

/// A hook that runs. Killed and reaped when it is dropped before its end.
struct Running {
    child: Child,
    pid: Pid,
    handle: OwnedFd,
    ended: bool,
}

impl Running {
    fn new(mut child: Child) -> Outcome<Self> {
        let opened = Pid::from_raw(child.id().cast_signed())
            .ok_or(io::Errno::SRCH)
            .and_then(|pid| Ok((pid, process::pidfd_open(pid, PidfdFlags::empty())?)));
        match opened {
            Ok((pid, handle)) => Ok(Self { child, pid, handle, ended: false }),
            Err(error) => {
                let _ = child.kill();
                let _ = child.wait();
                Err(error).context(|| "it cannot be waited for".into())
            }
        }
    }

    /// Feeds it and listens to it until it has ended, however little it reads and whoever else holds
    /// its streams.
    fn finish(mut self, state: &str, limit: Option<Duration>) -> Outcome<()> {
        let deadline = limit.map(|limit| Instant::now() + limit);
        let mut input = self.child.stdin.take().map(|pipe| Input { pipe, rest: state.as_bytes() });
        let mut output = Tail::new(self.child.stdout.take());
        let mut errors = Tail::new(self.child.stderr.take());
        for stream in [
            input.as_ref().map(|input| input.pipe.as_fd()),
            output.stream.as_ref().map(|stream| stream.as_fd()),
            errors.stream.as_ref().map(|stream| stream.as_fd()),
        ] {
            stream.map_or(Ok(()), unblock).context(|| "its pipes".into())?;
        }
        loop {
            let Some(left) = left(deadline) else {
                let limit = limit.unwrap_or_default().as_secs_f64();
                let what = format!("hook ran past specified timeout of {limit:.1}s");
                return Err(Failure::new(what + &said(&output, &errors)));
            };
            let ready = {
                let mut descriptors = vec![PollFd::new(&self.handle, PollFlags::IN)];
                let streams = [&output, &errors].into_iter().flat_map(|tail| &tail.stream);
                descriptors.extend(streams.map(|stream| PollFd::new(stream, PollFlags::IN)));
                let pipe = input.iter().map(|input| PollFd::new(&input.pipe, PollFlags::OUT));
                descriptors.extend(pipe);
                match event::poll(&mut descriptors, left.as_ref()) {
                    Err(io::Errno::INTR) => continue,
                    polled => polled.context(|| "waiting for it".into())?,
                };
                descriptors.first().is_some_and(|first| !first.revents().is_empty())
            };
            input = input.and_then(Input::feed);
            output.listen();
            errors.listen();
            if ready {
                let status = self.child.wait().context(|| "waiting for it".into())?;
                self.ended = true;
                // What was written last.
                output.listen();
                errors.listen();
                return judge(status, &output, &errors);
            }
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if !self.ended {
            // It is not reaped: the group is still its own.
            let _ = process::kill_process_group(self.pid, Signal::KILL);
            let _ = self.child.wait();
        }
    }
}

/// What is left of the time, rounded up; none when it is over.
fn left(deadline: Option<Instant>) -> Option<Option<Timespec>> {
    let Some(deadline) = deadline else { return Some(None) };
    let left = deadline.checked_duration_since(Instant::now()).filter(|left| !left.is_zero())?;
    Timespec::try_from(left).ok().map(Some)
}

fn unblock(stream: BorrowedFd<'_>) -> Result<(), io::Errno> {
    let flags = fs::fcntl_getfl(stream)?;
    fs::fcntl_setfl(stream, flags | OFlags::NONBLOCK)
}

fn judge(status: ExitStatus, output: &Tail, errors: &Tail) -> Outcome<()> {
    if status.success() {
        return Ok(());
    }
    // In runc's words: "exit status 1" and "signal: 9 (SIGKILL)".
    let status =
        status.code().map_or_else(|| status.to_string(), |code| format!("exit status {code}"));
    Err(Failure::new(status + &said(output, errors)))
}

fn said(output: &Tail, errors: &Tail) -> String {
    format!(", stdout: {}, stderr: {}", output.text(), errors.text())
}

/// The state, as far as the hook has not read it.
struct Input<'a> {
    pipe: ChildStdin,
    rest: &'a [u8],
}

impl Input<'_> {
    /// Writes what fits. None, and with it the end of the stream, once all is written or nobody reads.
    fn feed(mut self) -> Option<Self> {
        while !self.rest.is_empty() {
            match self.pipe.write(self.rest) {
                Ok(length) => self.rest = self.rest.get(length..).unwrap_or_default(),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Some(self),
                Err(_) => return None,
            }
        }
        None
    }
}

/// The end of what a stream said.
struct Tail {
    stream: Option<File>,
    bytes: Vec<u8>,
}

impl Tail {
    fn new(stream: Option<impl Into<OwnedFd>>) -> Self {
        Self { stream: stream.map(|stream| File::from(stream.into())), bytes: Vec::new() }
    }

    /// Reads what is there, though no more than a hook that never stops could have us read at once.
    fn listen(&mut self) {
        let mut buffer = [0; KEPT];
        for _ in 0..64 {
            let Some(stream) = &mut self.stream else { return };
            match stream.read(&mut buffer) {
                Ok(0) => self.stream = None,
                Ok(length) => {
                    self.bytes.extend(buffer.iter().take(length));
                    let surplus = self.bytes.len().saturating_sub(KEPT);
                    self.bytes.drain(..surplus);
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(_) => self.stream = None,
            }
        }
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(self.bytes.trim_ascii()).into_owned()
    }
}
