//! From a config to a process that waits for `start`.

use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use oci_spec::runtime::{Linux, LinuxNamespaceType, Spec};

use super::channel::{Channel, Turn};
use super::maps;
use super::namespaces::Namespaces;
use super::process::Process;
use crate::cgroup::Cgroup;
use crate::cgroup::enter::Doors;
use crate::failure::{Failure, Outcome};
use crate::filters::Filters;
use crate::gate::Gate;
use crate::home::{Entry, Lock};
use crate::hooks;
use crate::identity::{self, Identity};
use crate::init::Init;
use crate::module::Module;
use crate::program::Program;
use crate::rootfs::{self, Rootfs, Situation};
use crate::state::{self, Phase, State, Status};
use crate::walls::Walls;

/// What an engine says besides the config.
#[derive(Debug)]
pub(crate) struct Request<'a> {
    pub(crate) id: &'a str,
    /// Absolute.
    pub(crate) bundle: &'a Path,
    /// Where the master of the terminal goes, if there is to be one.
    pub(crate) console: Option<OwnedFd>,
    pub(crate) no_pivot: bool,
    pub(crate) no_new_keyring: bool,
    pub(crate) preserve: u32,
    pub(crate) systemd: bool,
    pub(crate) rootless: bool,
    pub(crate) walls: Walls,
}

/// Makes a container, whose process waits for `start` when this returns. What was made is undone if it
/// fails: the process and the control group here, the directory by whoever reserved it.
pub(crate) fn create<'a>(
    (entry, lock): (&Entry, &Lock),
    spec: &'a Spec,
    mut request: Request<'a>,
) -> Outcome<(State, Process)> {
    let missing = |field: &str| Failure::new(format!("config.json has no `{field}`"));
    let linux = spec.linux().as_ref().ok_or_else(|| missing("linux"))?;
    let process = spec.process().as_ref().ok_or_else(|| missing("process"))?;
    let namespaces = Namespaces::of(linux)?;
    identity::check_sysctl(spec)?;
    let program = program(spec, process, linux, &mut request)?;

    let mut cgroup = Cgroup::plan(spec, request.id, request.systemd, request.rootless)?;
    let mut state = state(spec, &request, cgroup.clone())?;
    entry.save(&state, lock)?;
    let gate = Gate::make(entry.dir())?;
    cgroup.create(linux.resources().as_ref())?;
    let group = Undo(Some(cgroup.clone()));
    // From here on there are groups that may be cleared of whatever is in them.
    state.cgroup = cgroup.clone();
    entry.save(&state, lock)?;

    let cgroup_mounts = cgroup.mounts();
    let situation = situation(spec, &namespaces, &request, &cgroup_mounts)?;
    let init = Init {
        spec,
        namespaces: &namespaces,
        rootfs: Rootfs::new(spec, request.bundle, situation)?,
        program,
        state: state.clone(),
        gate,
        pid: 0,
    };
    let doors = cgroup.doors()?;
    let (child, ours) = clone(init, &namespaces, doors.as_ref())?;
    if namespaces.makes(LinuxNamespaceType::User) {
        maps::write(child.pid, linux)?;
    }
    if doors.is_none() {
        cgroup.enter(child.pid)?;
        state.cgroup = cgroup.clone();
    }
    ours.name(child.pid)?;
    // While it is at work. If this process is killed before, that one ends at its next turn.
    state.init = Some(state::Init::of(child.pid)?);
    entry.save(&state, lock)?;

    ours.expect(Turn::Hooks)?;
    run_hooks(spec, &state)?;
    ours.say(Turn::Hooked)?;
    ours.expect(Turn::Ready)?;
    state.phase = Phase::Created;
    entry.save(&state, lock)?;
    group.keep();
    Ok((state, child))
}

/// What the container's files depend on.
fn situation<'a>(
    spec: &Spec,
    namespaces: &Namespaces,
    request: &Request<'_>,
    cgroup_mounts: &'a [(String, PathBuf)],
) -> Outcome<Situation<'a>> {
    let cgroup = LinuxNamespaceType::Cgroup;
    let users = namespaces.has_users();
    Ok(Situation {
        user_namespace: users,
        cgroup_namespace: namespaces.makes(cgroup) || namespaces.joins(cgroup),
        cgroup_mounts,
        no_pivot: request.no_pivot,
        sources: if users { rootfs::sources(spec, request.bundle)? } else { Vec::new() },
    })
}

/// What the config has run, with everything that holds it.
fn program<'a>(
    spec: &Spec,
    process: &'a oci_spec::runtime::Process,
    linux: &Linux,
    request: &mut Request<'a>,
) -> Outcome<Program<'a>> {
    let module =
        Module::is_in(spec).then(|| Module::open(spec, process, request.bundle)).transpose()?;
    // The command that runs a module needs no rights.
    let walls = if module.is_some() { Walls::Full } else { request.walls };
    Ok(Program {
        process,
        identity: Identity::new(process, walls)?,
        filters: Filters::new(linux.seccomp().as_ref(), walls)?,
        console: request.console.take(),
        keyring: (!request.no_new_keyring).then_some(request.id),
        preserve: request.preserve,
        module,
    })
}

/// Clones the container's process, which waits for a word; gives this side of the channel too.
fn clone(
    init: Init<'_>,
    namespaces: &Namespaces,
    doors: Option<&Doors>,
) -> Outcome<(Process, Channel)> {
    let (ours, theirs) = Channel::pair()?;
    let pass = |born| doors.map_or(Ok(()), |doors| doors.pass(born));
    if namespaces.need_a_step() {
        // The process in between needs no clocks of its own afterwards.
        let join = || namespaces.join().and_then(|()| namespaces.make_ahead().map(drop));
        let rest = |channel| init.run(channel, true, || pass(false));
        return Process::clone_in_two_steps(namespaces.flags(), ours, theirs, join, rest);
    }
    let birthplace = doors.and_then(Doors::birthplace);
    let rest = || init.run(theirs, false, || pass(birthplace.is_some()));
    let before = namespaces.make_ahead()?;
    let cloned = Process::clone_directly(namespaces.flags(), birthplace, ours, rest)?;
    before.map_or(Ok(()), |before| before.restore())?;
    Ok(cloned)
}

/// Runs the hooks that are the runtime's, once the container's namespaces and mounts are there.
fn run_hooks(spec: &Spec, state: &State) -> Outcome<()> {
    let document = state.oci_json(Status::Creating)?;
    let hooks = spec.hooks().as_ref();
    // The first of these is what the others replace, and engines still use it.
    let prestart = hooks.and_then(|hooks| hooks.prestart().as_deref());
    let create_runtime = hooks.and_then(|hooks| hooks.create_runtime().as_deref());
    for list in [prestart, create_runtime].into_iter().flatten() {
        hooks::run(list, &document)?;
    }
    Ok(())
}

fn state(spec: &Spec, request: &Request<'_>, cgroup: Cgroup) -> Outcome<State> {
    let root = spec.root().as_ref().map_or(Path::new("rootfs"), |root| root.path());
    Ok(State {
        oci_version: spec.version().clone(),
        id: request.id.to_owned(),
        bundle: request.bundle.to_owned(),
        rootfs: request.bundle.join(root),
        annotations: state::sorted(spec.annotations().as_ref()),
        created: humantime::format_rfc3339_nanos(SystemTime::now()).to_string(),
        owner: rustix::process::geteuid().as_raw(),
        rootless: request.rootless,
        walls: request.walls,
        phase: Phase::Creating,
        init: None,
        cgroup,
    })
}

/// Removes a control group unless all went well.
struct Undo(Option<Cgroup>);

impl Undo {
    fn keep(mut self) {
        self.0 = None;
    }
}

impl Drop for Undo {
    fn drop(&mut self) {
        if let Some(group) = &self.0 {
            // What made this necessary is what is reported.
            let _ = group.remove();
        }
    }
}
