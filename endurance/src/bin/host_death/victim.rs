//! [`Victim`]: a host process, from outside.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use stockade_endurance::{Failure, soon};

use super::host::{BUSY, DONE, LOST, WARDEN};

/// How long a host may take for its first words, and for ending once it was told to.
const PATIENCE: Duration = Duration::from_secs(60);

/// A host process; killed when dropped.
pub(super) struct Victim {
    child: Child,
    input: Option<ChildStdin>,
    lines: Receiver<String>,
    said: Vec<String>,
}

impl Victim {
    /// Starts one.
    pub(super) fn start(temporary: &Path, seed: u64) -> Result<Self, Failure> {
        let mut child = Command::new(std::env::current_exe()?)
            .args(["host", &seed.to_string()])
            .env("TMPDIR", temporary)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let (send, lines) = channel();
        let output = child.stdout.take().ok_or("its output is piped")?;
        thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                let _ = send.send(line);
            }
        });
        let input = child.stdin.take();
        Ok(Self { child, input, lines, said: Vec::new() })
    }

    pub(super) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Its warden's process id, once it has said it.
    pub(super) fn warden(&mut self) -> Result<u32, Failure> {
        let line = self.until(WARDEN)?;
        Ok(line.strip_prefix(WARDEN).unwrap_or_default().parse()?)
    }

    /// Waits until all kinds of its sandboxes are alive.
    pub(super) fn be_busy(&mut self) -> Result<(), Failure> {
        self.until(BUSY).map(|_| ())
    }

    /// Waits for a line that begins so.
    fn until(&mut self, words: &str) -> Result<String, Failure> {
        let until = Instant::now() + PATIENCE;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            let line = self.lines.recv_timeout(left);
            let line = line.map_err(|_| format!("it does not say `{words}`: {:?}", self.said))?;
            self.said.push(line.clone());
            if line.starts_with(words) {
                return Ok(line);
            }
        }
    }

    /// Kills it; when this returns, it is gone.
    pub(super) fn kill(&mut self) -> Result<(), Failure> {
        self.child.kill()?;
        self.child.wait()?;
        self.hear();
        Ok(())
    }

    /// Has it end by itself.
    pub(super) fn finish(&mut self) -> Result<(), Failure> {
        self.input = None;
        let ended = soon(PATIENCE, || !matches!(self.child.try_wait(), Ok(None)));
        if ended.is_none() {
            self.kill()?;
            return Err(format!("it did not end: {:?}", self.said).into());
        }
        let status = self.child.wait()?;
        self.hear();
        match status.success() && self.said.iter().any(|line| line == DONE) {
            true => Ok(()),
            false => Err(format!("it ended with {status}: {:?}", self.said).into()),
        }
    }

    /// Whether both of its wardens had settled in.
    pub(super) fn has_settled(&self) -> bool {
        self.said.iter().any(|line| line == BUSY)
    }

    /// How many of its runs were lost with their warden.
    pub(super) fn lost(&self) -> u64 {
        let lost = self.said.iter().find_map(|line| line.strip_prefix(LOST)?.parse().ok());
        lost.unwrap_or(0)
    }

    /// Hears all it said; it has ended, so there is an end.
    fn hear(&mut self) {
        self.said.extend(self.lines.iter());
    }
}

impl Drop for Victim {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Sends a signal to a process beneath this one.
pub(super) fn signal(id: u32, signal: Signal) -> Result<(), Failure> {
    let id = i32::try_from(id).ok().and_then(Pid::from_raw).ok_or("no process id")?;
    Ok(kill_process(id, signal)?)
}
