//! Maps of owners for mounts that have one.

use std::fmt::Write as _;
use std::os::fd::OwnedFd;

use oci_spec::runtime::{LinuxIdMapping, Mount, Spec};

use super::proc::Proc;
use crate::failure::{Context, Failure, Outcome};
use crate::sys::mounts::Holder;

/// The maps of one mount: the ids on disk are the container's side, the ids shown the host's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Owners {
    users: Vec<LinuxIdMapping>,
    groups: Vec<LinuxIdMapping>,
}

impl Owners {
    /// The maps of a mount that asks for them, which are the container's where it has none itself.
    pub(super) fn of(mount: &Mount, spec: &Spec) -> Outcome<Self> {
        let (users, groups) = match (mount.uid_mappings(), mount.gid_mappings()) {
            (Some(users), Some(groups)) => (users.clone(), groups.clone()),
            (None, None) => {
                let linux = spec.linux().as_ref();
                let container = linux.and_then(|linux| {
                    Some((linux.uid_mappings().clone()?, linux.gid_mappings().clone()?))
                });
                container.ok_or_else(|| {
                    Failure::new("an id-mapped mount needs mappings, or a user namespace with some")
                })?
            }
            _ => return Err(Failure::new("uidMappings and gidMappings must be given together")),
        };
        if users.is_empty() || groups.is_empty() {
            return Err(Failure::new("the mappings of an id-mapped mount are empty"));
        }
        Ok(Self { users, groups })
    }

    /// A user namespace with these maps. It lives as long as the descriptor.
    pub(super) fn namespace(&self) -> Outcome<OwnedFd> {
        let holder = Holder::new().context(|| "making a user namespace".into())?;
        let pid = holder.pid();
        // `/proc` may number processes as another pid namespace does.
        let proc = Proc::own_only()?;
        proc.write(format!("{pid}/uid_map"), lines(&self.users).as_bytes())?;
        proc.write(format!("{pid}/gid_map"), lines(&self.groups).as_bytes())?;
        proc.namespace(pid, "user")
    }
}

fn lines(maps: &[LinuxIdMapping]) -> String {
    maps.iter().fold(String::new(), |mut text, map| {
        let _ = writeln!(text, "{} {} {}", map.container_id(), map.host_id(), map.size());
        text
    })
}
