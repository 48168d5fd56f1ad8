//! A container's first process: the order of its steps.
//!
//! It is a copy of the runtime, alone in its new namespaces until [`Program::become_found`] ends in execve(2).

use std::convert::Infallible;
use std::os::fd::BorrowedFd;

use oci_spec::runtime::{LinuxNamespaceType, Spec};
use rustix::process::{DumpableBehavior, Gid, Uid, set_dumpable_behavior, setsid};
use rustix::thread::{set_thread_groups, set_thread_res_gid, set_thread_res_uid};

use crate::failure::{Context, Failure, Outcome};
use crate::gate::Gate;
use crate::hooks;
use crate::identity;
use crate::launch::channel::{Channel, Turn};
use crate::launch::namespaces::Namespaces;
use crate::program::{Found, Program};
use crate::rootfs::Rootfs;
use crate::state::{State, Status};
use crate::sys;

/// All that the process needs, made before it is cloned.
pub(crate) struct Init<'a> {
    pub(crate) spec: &'a Spec,
    pub(crate) namespaces: &'a Namespaces,
    pub(crate) rootfs: Rootfs<'a>,
    pub(crate) program: Program<'a>,
    /// For hooks; without a process id.
    pub(crate) state: State,
    pub(crate) gate: Gate,
    /// This process as the host sees it, once it is known.
    pub(crate) pid: i32,
}

impl Init<'_> {
    /// Goes on until a program is started or something fails, which whoever waits is told.
    ///
    /// `joined` is whether the namespaces to join were; `pass` moves this process into its control groups.
    pub(crate) fn run(
        mut self,
        channel: Channel,
        joined: bool,
        pass: impl FnOnce() -> Outcome<()>,
    ) -> Failure {
        let found = match self.prepare(&channel, joined, pass) {
            Ok(found) => found,
            Err(failure) => {
                channel.fail(&failure);
                return failure;
            }
        };
        drop(channel);
        let Self { spec, program, state, mut gate, pid, .. } = self;
        let mut rest = || -> Outcome<Infallible> {
            gate.wait()?;
            let hooks = spec.hooks().as_ref().and_then(|hooks| hooks.start_container().as_deref());
            hooks::run(hooks.unwrap_or_default(), &state.hook_json(Status::Created, pid)?)?;
            program.become_found(&found, pid, &state)
        };
        match rest() {
            Ok(never) => match never {},
            Err(failure) => {
                gate.fail(&failure);
                failure
            }
        }
    }

    /// Everything that is done before `start`.
    fn prepare(
        &mut self,
        channel: &Channel,
        joined: bool,
        pass: impl FnOnce() -> Outcome<()>,
    ) -> Outcome<Found> {
        self.pid = channel.process()?;
        pass()?;
        setsid().context(|| "making a session".into())?;
        if !joined {
            self.namespaces.join()?;
        }
        if self.namespaces.has_users() {
            become_root()?;
        }
        if self.namespaces.makes(LinuxNamespaceType::Cgroup) {
            sys::clone::new_cgroup_namespace().context(|| "making a cgroup namespace".into())?;
        }
        if self.namespaces.joins(LinuxNamespaceType::Pid) {
            // Whoever is there already must not look into this copy of the runtime.
            set_dumpable_behavior(DumpableBehavior::NotDumpable)
                .context(|| "being untraceable".into())?;
        }
        self.settle()?;
        let has_root = self.program.module.is_none();
        if has_root {
            self.rootfs.build()?;
        }

        channel.say(Turn::Hooks)?;
        channel.expect(Turn::Hooked)?;
        let hooks = self.spec.hooks().as_ref();
        let inside = hooks.and_then(|hooks| hooks.create_container().as_deref());
        hooks::run(inside.unwrap_or_default(), &self.state.hook_json(Status::Creating, self.pid)?)?;

        match &self.program.module {
            None => self.rootfs.enter()?,
            Some(module) => module.settle()?,
        }
        self.program.take_streams(
            |slave: BorrowedFd<'_>| {
                if has_root { self.rootfs.console(slave) } else { Ok(()) }
            },
        )?;
        let found = self.program.find()?;
        if has_root {
            self.rootfs.finish()?;
        }
        self.program.close_descriptors()?;
        identity::personality(self.spec)?;
        // Last, since few descriptors or little memory may be left then.
        self.program.identity.limits()?;
        channel.say(Turn::Ready)?;
        Ok(found)
    }

    /// What belongs to the namespaces and not to files.
    fn settle(&self) -> Outcome<()> {
        if let Some(id) = self.program.keyring {
            identity::keyring(id)?;
        }
        if self.namespaces.makes(LinuxNamespaceType::Network) {
            sys::network::loopback_up().context(|| "setting up the loopback device".into())?;
        }
        identity::names(self.spec)?;
        identity::sysctl(self.spec)
    }
}

/// Takes the ids of the user namespace's root, where it has one: what is made has to belong to somebody.
pub(crate) fn become_root() -> Outcome<()> {
    // Nobody may change groups where that is denied for the whole namespace.
    let _ = set_thread_groups(&[]);
    let ids = set_thread_res_gid(Gid::ROOT, Gid::ROOT, Gid::ROOT)
        .and_then(|()| set_thread_res_uid(Uid::ROOT, Uid::ROOT, Uid::ROOT));
    match ids {
        // A namespace need not have a root.
        Ok(()) | Err(rustix::io::Errno::INVAL) => Ok(()),
        Err(errno) => Err(errno).context(|| "becoming root of the user namespace".into()),
    }
}
