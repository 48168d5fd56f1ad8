//! Processes of other tools: started, waited for within a time, and ended by id.

use std::fs::File;
use std::io;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, pidfd_open};

/// How long a tool may take for one run, unless it is a machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// Runs a command to its end, and wants it to end well.
pub(crate) fn run(command: &mut Command, patience: Duration) -> Result<(), String> {
    let mut child = Owned(command.spawn().map_err(|error| error.to_string())?);
    ended_well(child.wait(patience)?)
}

/// The same without any stream.
pub(crate) fn run_silently(command: &mut Command, patience: Duration) -> Result<(), String> {
    run(command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()), patience)
}

/// Runs a command once, and if it fails says in its own words why. What it prints goes to `file`.
pub(crate) fn probe(command: &mut Command, file: &Path) -> Result<String, String> {
    let output = || -> io::Result<(File, File)> {
        let output = File::create(file)?;
        Ok((output.try_clone()?, output))
    };
    let (stdout, stderr) = output().map_err(|error| error.to_string())?;
    let outcome = run(command.stdin(Stdio::null()).stdout(stdout).stderr(stderr), PATIENCE);
    let said = std::fs::read(file).unwrap_or_default();
    let said = String::from_utf8_lossy(&said).trim().to_owned();
    outcome.map(|()| said.clone()).map_err(|failure| match said.lines().last() {
        Some(line) => format!("{failure}: {}", line.trim()),
        None => failure,
    })
}

fn ended_well(status: ExitStatus) -> Result<(), String> {
    if status.success() { Ok(()) } else { Err(status.to_string()) }
}

/// A child that is killed and reaped when dropped.
#[derive(Debug)]
pub(crate) struct Owned(pub(crate) Child);

impl Owned {
    /// Waits for its end.
    pub(crate) fn wait(&mut self, patience: Duration) -> Result<ExitStatus, String> {
        let pidfd = pidfd_open(Pid::from_child(&self.0), PidfdFlags::empty());
        let pidfd = pidfd.map_err(|errno| errno.to_string())?;
        let timeout = Timespec {
            tv_sec: patience.as_secs().try_into().unwrap_or(i64::MAX),
            tv_nsec: patience.subsec_nanos().into(),
        };
        match poll(&mut [PollFd::new(&pidfd, PollFlags::IN)], Some(&timeout)) {
            Ok(0) => Err(format!("it did not end within {patience:?}")),
            Ok(_) => self.0.wait().map_err(|error| error.to_string()),
            Err(errno) => Err(errno.to_string()),
        }
    }
}

impl Drop for Owned {
    fn drop(&mut self) {
        if let Ok(None) = self.0.try_wait() {
            let _: io::Result<()> = self.0.kill();
            let _: io::Result<ExitStatus> = self.0.wait();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_that_takes_too_long_is_ended() {
        let mut sleep = Command::new("sleep");
        let failure = run_silently(sleep.arg("60"), Duration::from_millis(50));
        assert!(failure.is_err_and(|failure| failure.contains("did not end")));
    }

    #[test]
    fn a_command_that_fails_says_why() {
        let file = std::env::temp_dir().join(format!("stockade-bench-said-{}", std::process::id()));
        let mut sh = Command::new("sh");
        let failure = probe(sh.args(["-c", "echo first; echo no luck >&2; exit 3"]), &file);
        std::fs::remove_file(&file).expect("it was written");
        assert_eq!(failure, Err("exit status: 3: no luck".to_owned()));
    }
}
