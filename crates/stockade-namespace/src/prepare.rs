//! Preparing: a policy and a program become the bytes the warden works from.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::sync::Arc;

use stockade_core::{
    Control, Enforcement, EnforcementStatus, Error, NetworkMode, Plan, Policy, Program, Support,
    SyscallProfile,
};
use stockade_seccomp::{Profile, Sockets};
use stockade_warden::wire::plan::{Net, Number, Section};
use stockade_warden::{PlanWriter, Writer};

use crate::host::Host;
use crate::rootfs::Layout;
use crate::{landlock, limits, program};

/// User and group id of the workload inside.
const WORK_ID: u64 = 1000;

/// Everything about a run that does not depend on the warden it will run in.
#[derive(Debug)]
pub(crate) struct Blueprint {
    pub(crate) plan: Plan,
    /// The recipe of its root.
    pub(crate) recipe: Vec<u8>,
    /// The plan's bytes, but for the root's number.
    wire: Vec<u8>,
}

impl Blueprint {
    /// Computes it; nothing is started.
    pub(crate) fn draw(
        host: &Host,
        support: &Support,
        landlock_abi: u64,
        policy: &Policy,
        program: &Program,
    ) -> Result<Self, Error> {
        policy.validate()?;
        let mut plan = Plan::resolve(policy, support)?;
        let mut entries = Arc::make_mut(&mut plan.enforcement).iter_mut();
        let filtered = |entry: &&mut Enforcement| {
            entry.control == Control::Syscalls && entry.status != EnforcementStatus::NotEnforced
        };
        if let Some(entry) = entries.find(filtered) {
            entry.mechanism = Some(stockade_seccomp::describe(profile(policy)).to_owned());
        }
        let network = policy.network.mode;
        let layout =
            Layout::new(&policy.filesystem, &policy.limits, network, &policy.process.hostname)?;
        let found = program::find(&layout.view, program, &policy.process)?;

        let mut writer = PlanWriter::new();
        let net = match network {
            NetworkMode::Loopback => Net::Loopback,
            NetworkMode::Host => Net::Host,
            _ => Net::None,
        };
        writer
            .number(Number::Net, net as u64)
            .number(Number::WorkId, WORK_ID)
            .number(Number::ScratchBytes, layout.scratch_bytes)
            .number(Number::ScratchInodes, layout.scratch_inodes)
            .section(Section::Program, strings([found.path.as_os_str()]))
            .section(Section::Arguments, strings(&found.argv))
            .section(Section::Environment, environment(policy))
            .section(Section::WorkDir, strings([&policy.process.cwd]))
            .section(Section::Hostname, policy.process.hostname.clone().into_bytes())
            .section(Section::Masks, strings(&layout.masks))
            .section(Section::Tmpfs, tmpfs(&layout))
            .section(Section::Binds, binds(&layout))
            .section(Section::Writable, writable(&layout))
            .section(Section::Filter, filter(&plan, host.cgroups.memory.is_ok()));
        landlock::write(&mut writer, landlock_abi, &layout, network);
        limits::write(&mut writer, &plan, &host.cgroups, host.single_id());
        Ok(Self { plan, recipe: layout.encode_root(), wire: writer.finish() })
    }

    /// The plan's bytes for a warden in which the root has this number.
    pub(crate) fn wire(&self, root: usize) -> Vec<u8> {
        let mut bytes = self.wire.clone();
        let at = Number::Root as usize * 8;
        bytes[at..at + 8].copy_from_slice(&(root as u64).to_le_bytes());
        bytes
    }

    /// Whether the run shares the host's network.
    pub(crate) fn host_network(&self) -> bool {
        self.plan.policy.network.mode == NetworkMode::Host
    }
}

fn strings<S: AsRef<OsStr>>(all: impl IntoIterator<Item = S>) -> Vec<u8> {
    let mut writer = Writer::new();
    for string in all {
        writer.c_str(string.as_ref().as_bytes());
    }
    writer.finish()
}

fn environment(policy: &Policy) -> Vec<u8> {
    strings(policy.process.env.iter().map(|(key, value)| format!("{key}={value}")))
}

fn tmpfs(layout: &Layout) -> Vec<u8> {
    let mut writer = Writer::new();
    for tmpfs in &layout.tmpfs {
        writer.c_str(tmpfs.path.as_bytes()).u64(tmpfs.bytes).u64(tmpfs.inodes);
        writer.u32(tmpfs.late.into());
    }
    writer.finish()
}

fn binds(layout: &Layout) -> Vec<u8> {
    let mut writer = Writer::new();
    for bind in &layout.binds {
        let write = layout.writable.contains(&bind.path);
        writer
            .c_str(bind.from.as_bytes())
            .c_str(bind.path.as_bytes())
            .u32(bind.uid)
            .u32(bind.gid)
            .u32(write.into());
    }
    writer.finish()
}

fn writable(layout: &Layout) -> Vec<u8> {
    let mut writer = Writer::new();
    if let Some(root) = &layout.writable_root {
        writer.u32(root.uid).u32(root.gid);
        for mount in &root.mounts {
            writer.c_str(mount.as_bytes());
        }
    }
    writer.finish()
}

fn profile(policy: &Policy) -> Profile {
    match policy.syscalls.profile {
        SyscallProfile::Strict => Profile::Strict,
        _ => Profile::Default,
    }
}

/// The filter; nothing where the plan does without.
fn filter(plan: &Plan, memory_is_counted: bool) -> Vec<u8> {
    let filter = which_filter(plan);
    filter.map_or_else(Vec::new, |(profile, sockets)| {
        stockade_seccomp::bytes(profile, sockets, memory_is_counted).to_vec()
    })
}

/// What decides about the filter of a plan that has one.
pub(crate) fn which_filter(plan: &Plan) -> Option<(Profile, Sockets)> {
    let policy = &plan.policy;
    let sockets = match policy.network.mode {
        NetworkMode::Loopback | NetworkMode::Host => Sockets::Inet,
        _ => Sockets::UnixOnly,
    };
    plan.enforces(Control::Syscalls).then(|| (profile(policy), sockets))
}
