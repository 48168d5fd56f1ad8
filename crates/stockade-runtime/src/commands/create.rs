//! `create`, and what `run` has in common with it.

use std::fs;
use std::os::fd::OwnedFd;
use std::path::Path;

use oci_spec::runtime::Process as Config;

use super::Caller;
use crate::args::CreateArgs;
use crate::config;
use crate::console;
use crate::failure::{Context, Failure, Outcome};
use crate::home::{Entry, Lock};
use crate::launch::create::{Request, create as launch};
use crate::launch::process::Process;
use crate::sealed;
use crate::state::State;

/// Makes a container whose program waits for `start`.
pub(super) fn create(caller: &Caller, args: &CreateArgs) -> Outcome<()> {
    sealed::ensure()?;
    let terminal = |process: &Config| terminal(process, args.console_socket.as_deref());
    let made = Made::new(caller, args, terminal)?;
    // The process is the engine's to wait for.
    made.child.release();
    Ok(())
}

/// The socket for the terminal of a program that nobody here waits for.
pub(super) fn terminal(process: &Config, socket: Option<&Path>) -> Outcome<Option<OwnedFd>> {
    match (process.terminal().unwrap_or_default(), socket) {
        (true, Some(path)) => console::connect(path).map(Some),
        (true, None) => Err(Failure::new(
            "a terminal needs --console-socket where nobody waits for its program",
        )),
        (false, Some(_)) => Err(Failure::new("--console-socket is of no use without a terminal")),
        (false, None) => Ok(None),
    }
}

/// A container that was made, and is still locked.
pub(super) struct Made {
    pub(super) entry: Entry,
    pub(super) lock: Lock,
    pub(super) state: State,
    pub(super) child: Process,
}

impl Made {
    /// Reserves the id, makes the container and writes its process id where that is asked for. If it fails
    /// nothing is left.
    pub(super) fn new(
        caller: &Caller,
        args: &CreateArgs,
        terminal: impl FnOnce(&Config) -> Outcome<Option<OwnedFd>>,
    ) -> Outcome<Self> {
        let bundle = fs::canonicalize(&args.bundle)
            .context(|| format!("bundle {}", args.bundle.display()))?;
        let mut config = config::load(&bundle, &caller.log)?;
        caller.walls.raise(&mut config.spec);
        let console = config.spec.process().as_ref().map_or(Ok(None), terminal)?;
        let (entry, lock) = caller.home.reserve(&args.id)?;
        let request = Request {
            id: &args.id,
            bundle: &bundle,
            console,
            no_pivot: args.no_pivot,
            no_new_keyring: args.no_new_keyring,
            preserve: args.preserve_fds,
            systemd: caller.systemd,
            rootless: caller.rootless,
            walls: caller.walls,
        };
        let made = entry.save_config(&config.text, &lock).and_then(|()| {
            let (state, child) = launch((&entry, &lock), &config.spec, request)?;
            match args.pid_file.as_ref().map_or(Ok(()), |path| write_pid(path, child.pid)) {
                Ok(()) => Ok((state, child)),
                Err(failure) => {
                    drop(child);
                    // What went wrong is what is reported.
                    let _ = state.cgroup.remove();
                    Err(failure)
                }
            }
        });
        match made {
            Ok((state, child)) => Ok(Self { entry, lock, state, child }),
            Err(failure) => {
                let _ = entry.remove(lock);
                Err(failure)
            }
        }
    }
}

/// Writes a process id for an engine, which may look at any moment: it finds all of it or no file.
pub(super) fn write_pid(path: &Path, pid: i32) -> Outcome<()> {
    let what = || format!("writing {}", path.display());
    let mut new = path.as_os_str().to_owned();
    new.push(format!(".{}.new", std::process::id()));
    fs::write(&new, pid.to_string()).context(what)?;
    fs::rename(&new, path).context(what)
}
