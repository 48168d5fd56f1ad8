//! The traits every backend implements. All are object-safe.

use std::io::{Read, Write};
use std::sync::Arc;

use crate::{Plan, Policy, Program, Report, Result, Stdio, Support};

/// A backend, ready to be used many times and from many threads.
pub trait Sandbox: Send + Sync {
    /// What this backend can enforce on this host.
    fn support(&self) -> &Support;

    /// Binds a policy to a program and computes everything that can be computed before a run.
    /// Nothing has started when this returns.
    ///
    /// # Errors
    /// `InvalidPolicy`, `NotFound` or `PermissionDenied` for bad input, `Unsupported` for a
    /// control that cannot be met, `Setup` or `HostLost` when the host fails.
    fn prepare(&self, policy: &Policy, program: &Program) -> Result<Box<dyn Prepared>>;

    /// Starts one run of a program that is started once. A backend may do less for it than to
    /// prepare it and start that.
    ///
    /// # Errors
    /// As [`Sandbox::prepare`] and [`Prepared::start`].
    fn start(
        &self,
        policy: &Policy,
        program: &Program,
        stdio: Stdio,
    ) -> Result<Box<dyn Execution>> {
        self.prepare(policy, program)?.start(stdio)
    }

    /// Starts one run with captured output and no input, and waits.
    ///
    /// # Errors
    /// As [`Sandbox::start`] and [`Execution::wait`].
    fn run(&self, policy: &Policy, program: &Program) -> Result<Report> {
        self.start(policy, program, Stdio::captured())?.wait()
    }
}

/// Most sandboxes of one program that can wait: see [`Prepared::warm`].
pub const MAX_WARM: usize = 128;

/// A plan bound to a program. Start it as often as you like, from any thread.
pub trait Prepared: Send + Sync {
    /// How every control will be enforced.
    fn plan(&self) -> &Plan;

    /// Keeps `count` sandboxes of this program built and waiting, so that a start only has to let one
    /// go. Returns at once: they are built when there is nothing else to do, and a start that finds
    /// none is as slow as without. 0 ends it, as dropping the last start and this program does.
    ///
    /// A sandbox that waits has every wall up, serves one run, and is replaced after a minute. It
    /// takes memory and a process or two, so none waits while the machine is short of memory. Where
    /// a start takes microseconds anyway, for WebAssembly, this does nothing.
    ///
    /// # Errors
    /// `InvalidPolicy` for more than [`MAX_WARM`], `HostLost` or `Setup` when the host fails.
    fn warm(&self, count: usize) -> Result<()> {
        let _ = count;
        Ok(())
    }

    /// Starts one run.
    ///
    /// # Errors
    /// `HostLost` when the backend's helper died, `Io` when streams cannot be made. A failure
    /// inside the sandbox while it is built comes from [`Execution::wait`].
    fn start(&self, stdio: Stdio) -> Result<Box<dyn Execution>>;
}

/// One run. Dropping it kills the whole process tree and waits until nothing of it is alive.
pub trait Execution: Send {
    /// The writing end of the program's standard input, once, if it was
    /// [`Input::Streamed`](crate::Input::Streamed). Drop it to give the program end of file.
    fn stdin(&mut self) -> Option<Box<dyn Write + Send>>;

    /// The program's standard output, once, if it was
    /// [`Output::Streamed`](crate::Output::Streamed).
    fn stdout(&mut self) -> Option<Box<dyn Read + Send>>;

    /// The program's standard error, once, if it was
    /// [`Output::Streamed`](crate::Output::Streamed).
    fn stderr(&mut self) -> Option<Box<dyn Read + Send>>;

    /// A handle that stops the run, usable from any thread and after the run has ended.
    fn killer(&self) -> Arc<dyn Killer>;

    /// Moves bytes between the caller and the program until the run is over, and reports. When
    /// it returns, no process of the run is alive.
    ///
    /// # Errors
    /// `NotFound`, `PermissionDenied` or `Setup` when the sandbox could not be built, `HostLost`
    /// when the backend's helper died, `Io` when the given input cannot be read.
    fn wait(self: Box<Self>) -> Result<Report>;

    /// Waits as [`wait`](Self::wait) does, and asks `go_on` at least ten times a second whether the
    /// run is to go on; if not, it is stopped, and its verdict is `cancelled`. For hosts that have to
    /// look at their signals meanwhile, as those of an interpreted language.
    ///
    /// `go_on` is asked on the thread that waits, with no lock held. It may block, and then so does
    /// the moving of bytes; limits hold all the same.
    ///
    /// # Errors
    /// As [`wait`](Self::wait).
    fn wait_while(self: Box<Self>, go_on: GoOn) -> Result<Report>;
}

/// Answers whether a run that is waited for is to go on: see [`Execution::wait_while`].
pub type GoOn = Arc<dyn Fn() -> bool + Send + Sync>;

/// Stops a run from any thread. The report then says `cancelled`.
pub trait Killer: Send + Sync {
    /// Stops the run: every process of it is killed. Does nothing once the run has ended.
    fn kill(&self);
}
