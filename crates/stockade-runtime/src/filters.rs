//! [`Filters`]: which filters of system calls a program runs under.

use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;

use oci_spec::runtime::LinuxSeccomp;

use crate::failure::Outcome;
use crate::seccomp::{self, Filter};
use crate::state::{State, Status};
use crate::sys;
use crate::walls::Walls;

/// The filters of a program, compiled before its process is made. The strictest of them decides.
#[derive(Debug)]
pub(crate) struct Filters {
    /// Stockade's own, which lets another one be put above it.
    walls: Option<Filter>,
    /// The config's, and who is asked where it leaves that open.
    config: Option<(Filter, Option<UnixStream>)>,
}

impl Filters {
    /// Stockade's own filter refuses what ordinary images do, such as making a file set-user-id or asking
    /// for the addresses of an interface: so it is for those that are to have all walls.
    pub(crate) fn new(seccomp: Option<&LinuxSeccomp>, walls: Walls) -> Outcome<Self> {
        let config = |seccomp| {
            let filter = seccomp::compile(seccomp)?;
            // The agent's socket is the host's, and has to be connected to from there.
            let agent = filter.listener.as_ref().map(|listener| listener.connect()).transpose()?;
            Ok::<_, crate::failure::Failure>((filter, agent))
        };
        Ok(Self {
            walls: (walls == Walls::Full).then(seccomp::walls),
            config: seccomp.map(config).transpose()?,
        })
    }

    /// Installs them. `pid` is this process as the host sees it, for the agent.
    pub(crate) fn install(&self, pid: i32, state: &State) -> Outcome<()> {
        if let Some(filter) = &self.walls {
            sys::seccomp::install(filter)?;
        }
        let Some((filter, agent)) = &self.config else { return Ok(()) };
        let descriptor = sys::seccomp::install(filter)?;
        if let (Some(listener), Some(agent), Some(descriptor)) =
            (&filter.listener, agent, &descriptor)
        {
            let state = state.hook_json(Status::Creating, pid)?;
            listener.send(agent, descriptor.as_fd(), pid, &state)?;
        }
        Ok(())
    }
}
