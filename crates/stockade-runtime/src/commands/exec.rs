//! `exec`.

use std::fs;
use std::os::fd::AsFd;

use oci_spec::runtime::{
    Capability, LinuxCapabilities, LinuxCapabilitiesBuilder, Process, Spec, UserBuilder,
};

use super::Caller;
use super::create::{terminal, write_pid};
use crate::args::ExecArgs;
use crate::config;
use crate::console::{self, Foreground};
use crate::failure::{Context, Failure, Outcome};
use crate::filters::Filters;
use crate::home::Entry;
use crate::identity::Identity;
use crate::launch::join::{self, Target};
use crate::log::Log;
use crate::module::Module;
use crate::program::Program;
use crate::sealed;
use crate::state::{State, Status};

/// Runs a program in a container. Gives the exit status of one that was waited for.
pub(super) fn exec(caller: &Caller, args: &ExecArgs) -> Outcome<u8> {
    sealed::ensure()?;
    if !args.cgroup.is_empty() {
        return Err(Failure::new("--cgroup: a program has the control group of its container"));
    }
    let (entry, state) = caller.home.load(&args.id)?;
    let target = target(&entry, &state, args.ignore_paused)?;
    let spec = entry.config()?;
    if Module::is_in(&spec) {
        return Err(Failure::new("nothing can be executed beside a WebAssembly module"));
    }
    let process = process(args, &spec, &caller.log)?;

    let mut foreground = (!args.detach).then(Foreground::prepare).transpose()?;
    let mut near = None;
    let console = match (&args.console_socket, &foreground) {
        (None, Some(_)) if process.terminal().unwrap_or_default() => {
            let (ours, theirs) = console::pair()?;
            near = Some(ours);
            Some(theirs)
        }
        (socket, _) => terminal(&process, socket.as_deref())?,
    };
    let seccomp = spec.linux().as_ref().and_then(|linux| linux.seccomp().as_ref());
    let identity = Identity::new(&process, state.walls)?;
    let program = Program {
        process: &process,
        filters: Filters::new(seccomp, state.walls)?,
        identity,
        console,
        keyring: Some(&state.id),
        preserve: args.preserve_fds,
        module: None,
    };
    let child = join::exec(&target, &state, &program)?;
    drop(program);
    if let Some(path) = &args.pid_file {
        write_pid(path, child.pid)?;
    }
    let Some(mut foreground) = foreground.take() else {
        child.release();
        return Ok(0);
    };
    if let Some(socket) = near {
        foreground.attach(console::receive(socket.as_fd())?)?;
    }
    let status = child.pidfd().map_or(Ok(0), |process| foreground.wait(process))?;
    child.release();
    Ok(u8::try_from(status).unwrap_or(u8::MAX))
}

/// The container's first process, if something can be executed beside it.
fn target(entry: &Entry, state: &State, ignore_paused: bool) -> Outcome<Target> {
    let refused = match state.status(entry) {
        Status::Stopped => Some("cannot exec in a stopped container"),
        Status::Creating => Some("cannot exec in a container that is creating"),
        Status::Paused if !ignore_paused => {
            Some("cannot exec in a paused container (use --ignore-paused to override)")
        }
        _ => None,
    };
    if let Some(text) = refused {
        return Err(Failure::new(text));
    }
    let stopped = || Failure::new("cannot exec in a stopped container");
    let init = state.init.as_ref().ok_or_else(stopped)?;
    Target::of(init.pid, init.open()?.ok_or_else(stopped)?)
}

/// What to run: all of it from a file, or the container's own process with what the command line changes.
fn process(args: &ExecArgs, spec: &Spec, log: &Log) -> Outcome<Process> {
    if let Some(path) = &args.process {
        let name = format!("process {}", path.display());
        let text = fs::read_to_string(path).context(|| name.clone())?;
        return config::process(&text, &name, log);
    }
    if args.command.is_empty() {
        return Err(Failure::new("exec needs a command, or --process"));
    }
    let mut process =
        spec.process().clone().ok_or_else(|| Failure::new("config.json has no `process`"))?;
    process.set_args(Some(args.command.clone()));
    process.set_terminal(Some(args.tty));
    if let Some(cwd) = &args.cwd {
        process.set_cwd(cwd.clone());
    }
    let mut env = process.env().clone().unwrap_or_default();
    env.extend(args.env.iter().cloned());
    process.set_env(Some(env));
    if args.user.is_some() || !args.additional_gids.is_empty() {
        let mut user = UserBuilder::default().additional_gids(args.additional_gids.clone());
        if let Some(text) = &args.user {
            let (uid, gid) = ids(text)?;
            user = user.uid(uid).gid(gid.unwrap_or_else(|| process.user().gid()));
        } else {
            user = user.uid(process.user().uid()).gid(process.user().gid());
        }
        process.set_user(user.build().context(|| "user".into())?);
    }
    if !args.cap.is_empty() {
        process.set_capabilities(Some(with(process.capabilities().as_ref(), &args.cap)?));
    }
    if args.no_new_privs {
        process.set_no_new_privileges(Some(true));
    }
    if let Some(label) = &args.process_label {
        process.set_selinux_label(Some(label.clone()));
    }
    if let Some(profile) = &args.apparmor {
        process.set_apparmor_profile(Some(profile.clone()));
    }
    Ok(process)
}

/// `UID[:GID]`. The names of users belong to the container's files, which nobody here reads.
fn ids(text: &str) -> Outcome<(u32, Option<u32>)> {
    let number = |text: &str| {
        let plain = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        // The last one stands for no user in system calls.
        plain.then(|| text.parse().ok()).flatten().filter(|&id: &u32| id != u32::MAX)
    };
    let bad = || Failure::new(format!("user `{text}`: not UID or UID:GID"));
    match text.split_once(':') {
        None => Ok((number(text).ok_or_else(bad)?, None)),
        Some((uid, gid)) => Ok((number(uid).ok_or_else(bad)?, Some(number(gid).ok_or_else(bad)?))),
    }
}

/// The capabilities of a container and some more, in every set but the ambient one.
fn with(own: Option<&LinuxCapabilities>, more: &[String]) -> Outcome<LinuxCapabilities> {
    let mut named = Vec::new();
    for name in more {
        let short = name.to_ascii_uppercase();
        let short = short.strip_prefix("CAP_").unwrap_or(&short).to_owned();
        let known: Capability =
            short.parse().map_err(|_| Failure::new(format!("unknown capability `{name}`")))?;
        named.push(known);
    }
    let own = own.cloned().unwrap_or_default();
    let all = |set: &Option<oci_spec::runtime::Capabilities>| {
        let mut set = set.clone().unwrap_or_default();
        set.extend(named.iter().copied());
        set
    };
    LinuxCapabilitiesBuilder::default()
        .bounding(all(own.bounding()))
        .effective(all(own.effective()))
        .permitted(all(own.permitted()))
        .inheritable(own.inheritable().clone().unwrap_or_default())
        .ambient(own.ambient().clone().unwrap_or_default())
        .build()
        .context(|| "capabilities".into())
}
