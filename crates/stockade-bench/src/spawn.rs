//! Processes of other tools: started, waited for within a time, and ended by id.

use std::fs::File;
use std::io;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use wait4::{ResUse, Wait4};

/// How long a tool may take for one run, unless it is a machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// Runs a command to its end, and wants it to end well. Gives its CPU time, and that of its children
/// for which it waited.
pub(crate) fn run(command: &mut Command, patience: Duration) -> Result<Duration, String> {
    let child = Owned::start(command)?;
    used(child.wait(patience)?)
}

/// The same, for as long as it takes, and without any stream: nothing more than a spawn and a wait.
pub(crate) fn run_plainly(command: &mut Command) -> Result<Duration, String> {
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let ended = command.spawn().and_then(Wait4::wait4);
    used(ended.map_err(|error| error.to_string())?)
}

/// The same without any stream.
pub(crate) fn run_silently(command: &mut Command, patience: Duration) -> Result<Duration, String> {
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
    // Advice may follow what went wrong.
    let error = said.lines().find(|line| line.starts_with("Error"));
    outcome.map(|_| said.clone()).map_err(|failure| match error.or(said.lines().last()) {
        Some(line) => format!("{failure}: {}", line.trim()),
        None => failure,
    })
}

fn used(ended: ResUse) -> Result<Duration, String> {
    match ended.status.success() {
        true => Ok(ended.rusage.utime + ended.rusage.stime),
        false => Err(ended.status.to_string()),
    }
}

/// A child that is killed and reaped when dropped.
#[derive(Debug)]
pub(crate) struct Owned(Option<Child>);

impl Owned {
    pub(crate) fn start(command: &mut Command) -> Result<Self, String> {
        command.spawn().map(|child| Self(Some(child))).map_err(|error| error.to_string())
    }

    /// Waits for its end, and kills it if that does not come.
    pub(crate) fn wait(mut self, patience: Duration) -> Result<ResUse, String> {
        let pidfd = pidfd_open(self.pid().ok_or("it has ended")?, PidfdFlags::empty());
        let pidfd = pidfd.map_err(|errno| errno.to_string())?;
        let timeout = Timespec {
            tv_sec: patience.as_secs().try_into().unwrap_or(i64::MAX),
            tv_nsec: patience.subsec_nanos().into(),
        };
        match poll(&mut [PollFd::new(&pidfd, PollFlags::IN)], Some(&timeout)) {
            Ok(0) => Err(format!("it did not end within {patience:?}")),
            Ok(_) => {
                let child = self.0.take().ok_or("it has ended")?;
                child.wait4().map_err(|error| error.to_string())
            }
            Err(errno) => Err(errno.to_string()),
        }
    }

    /// Its process id.
    pub(crate) fn pid(&self) -> Option<Pid> {
        self.0.as_ref().map(Pid::from_child)
    }
}

impl Drop for Owned {
    fn drop(&mut self) {
        if let Some(mut child) = self.0.take() {
            let _: io::Result<()> = child.kill();
            let _: io::Result<ExitStatus> = child.wait();
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
    fn the_cpu_time_of_a_command_is_counted_with_that_of_its_children() {
        let burn = "(i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done); true";
        let used = run_plainly(Command::new("sh").args(["-c", burn])).expect("there is a shell");
        assert!(used > Duration::from_millis(1), "{used:?}");
    }

    #[test]
    fn a_command_that_fails_says_why() {
        let file = std::env::temp_dir().join(format!("stockade-bench-said-{}", std::process::id()));
        for said in ["echo first; echo no luck >&2", "echo Error: no luck; echo see the manual"] {
            let mut sh = Command::new("sh");
            let failure = probe(sh.args(["-c", &format!("{said}; exit 3")]), &file);
            let failure = failure.expect_err("it failed").replace("Error: ", "");
            assert_eq!(failure, "exit status: 3: no luck");
        }
        std::fs::remove_file(&file).expect("it was written");
    }
}
