//! [`Program`]: what a process turns into, whichever way it came into a container.

use std::convert::Infallible;
use std::ffi::CString;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use oci_spec::runtime::Process;
use rustix::process::{DumpableBehavior, set_dumpable_behavior};

use crate::console::Console;
use crate::failure::{Context, Failure, Outcome};
use crate::filters::Filters;
use crate::identity::{self, Identity};
use crate::module::Module;
use crate::state::State;
use crate::sys;

/// A program and everything that holds it, read and checked before a process is made for it.
pub(crate) struct Program<'a> {
    pub(crate) process: &'a Process,
    pub(crate) identity: Identity,
    pub(crate) filters: Filters,
    /// Where the master of its terminal goes, if it is to have one.
    pub(crate) console: Option<OwnedFd>,
    /// The container's name, if the program gets a session keyring of its own.
    pub(crate) keyring: Option<&'a str>,
    /// How many descriptors after the first three are passed on.
    pub(crate) preserve: u32,
    /// What runs it, if it is a module.
    pub(crate) module: Option<Module>,
}

/// What is left to do for a program once its process is where it belongs.
pub(crate) struct Found {
    path: PathBuf,
    arguments: Vec<CString>,
    environment: Vec<CString>,
}

impl Program<'_> {
    /// Gives this process a terminal of the container it is in, which `show` may put elsewhere too; or
    /// leaves it the streams that it was started with.
    pub(crate) fn take_streams(
        &self,
        show: impl FnOnce(BorrowedFd<'_>) -> Outcome<()>,
    ) -> Outcome<()> {
        let Some(socket) = &self.console else { return Ok(()) };
        let console = Console::open(self.process.console_size())?;
        console.send(socket.as_fd())?;
        show(console.slave())?;
        console.into_stdio()
    }

    /// Finds the executable and all that the program gets, as the container has it.
    pub(crate) fn find(&self) -> Outcome<Found> {
        if let Some(module) = &self.module {
            let arguments = strings(&module.arguments(self.args()))?;
            let path = module.command().to_owned();
            // What the module has in its environment is in its policy.
            return Ok(Found { path, arguments, environment: Vec::new() });
        }
        let name = self.args().first().map_or("", String::as_str);
        identity::make_place(self.process.cwd())?;
        let environment = identity::environment(self.process)?;
        let path = identity::find_executable(name, &environment, self.process.cwd())?;
        let arguments = strings(self.args())?;
        Ok(Found { path, arguments, environment: strings(&environment)? })
    }

    /// Gives up everything that the program is not to have, and becomes it.
    ///
    /// A filter is installed by one who cannot gain privileges, or by one who has them: so where the
    /// program may gain some its filters come first, and have to let through what follows.
    ///
    /// `pid` is this process as the host sees it.
    pub(crate) fn become_found(
        &self,
        found: &Found,
        pid: i32,
        state: &State,
    ) -> Outcome<Infallible> {
        let path = CString::new(found.path.as_os_str().as_bytes()).context(|| "exec".into())?;
        identity::labels(self.process)?;
        if self.identity.no_new_privileges() {
            self.identity.take()?;
            self.filters.install(pid, state)?;
        } else {
            self.filters.install(pid, state)?;
            self.identity.take()?;
        }
        // Taking ids makes a process traceable where fs.suid_dumpable says so; a filter may forbid this.
        let _ = set_dumpable_behavior(DumpableBehavior::NotDumpable);
        let errno = sys::process::exec(&path, &found.arguments, &found.environment);
        Err(Failure::because(format!("exec {}", found.path.display()), errno))
    }

    /// Has every descriptor closed when the program begins that it is not given.
    pub(crate) fn close_descriptors(&self) -> Outcome<()> {
        identity::close_descriptors(self.preserve)?;
        self.module.as_ref().map_or(Ok(()), Module::pass_on)
    }

    fn args(&self) -> &[String] {
        self.process.args().as_deref().unwrap_or_default()
    }
}

fn strings(texts: &[String]) -> Outcome<Vec<CString>> {
    let string = |text: &String| {
        CString::new(text.as_str()).context(|| format!("{text:?} has a zero in it"))
    };
    texts.iter().map(string).collect()
}
