//! [`Namespaces`]: which ones a container gets of its own, and which it shares.

use std::fs::File;
use std::os::fd::AsFd;
use std::path::PathBuf;

use oci_spec::runtime::{Linux, LinuxNamespaceType};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use super::clocks::{Before, Clocks};
use crate::failure::{Context, Failure, Outcome};

/// The namespaces that `linux.namespaces` asks for. One that is not mentioned is the runtime's own.
#[derive(Debug)]
pub(crate) struct Namespaces {
    /// `CLONE_NEW*` of those to make.
    new: u64,
    /// Those to join, held open since they were looked at. User namespaces are first: the others are
    /// joined with the capabilities that they give.
    joined: Vec<Joined>,
    /// Of a new time namespace.
    clocks: Option<Clocks>,
}

#[derive(Debug)]
struct Joined {
    kind: LinuxNamespaceType,
    path: PathBuf,
    file: File,
}

impl Namespaces {
    /// Reads what is asked for and opens what is to be joined.
    ///
    /// # Errors
    /// A type that is named twice, a path that does not exist, no mount namespace of the container's own.
    pub(crate) fn of(linux: &Linux) -> Outcome<Self> {
        let mut found = Self { new: 0, joined: Vec::new(), clocks: Clocks::of(linux)? };
        let mut seen = 0;
        for namespace in linux.namespaces().iter().flatten() {
            let kind = namespace.typ();
            let flag = flag(kind);
            if seen & flag != 0 {
                return Err(Failure::new(format!("namespace `{kind}` is named twice")));
            }
            seen |= flag;
            match namespace.path() {
                Some(path) if !path.as_os_str().is_empty() => {
                    let what = || format!("namespace `{kind}` at {}", path.display());
                    let file = File::open(path).context(what)?;
                    found.joined.push(Joined { kind, path: path.clone(), file });
                }
                _ => found.new |= flag,
            }
        }
        if !found.makes(LinuxNamespaceType::Mount) {
            // Its mounts would be made among the host's.
            let text =
                "linux.namespaces has no new `mount` namespace, which a container here always has";
            return Err(Failure::new(text));
        }
        if found.clocks.is_some() && !found.makes(LinuxNamespaceType::Time) {
            let text = "linux.timeOffsets without a new `time` namespace in linux.namespaces";
            return Err(Failure::new(text));
        }
        found.joined.sort_by_key(|joined| joined.kind != LinuxNamespaceType::User);
        Ok(found)
    }

    /// Whether one of this type is made.
    pub(crate) fn makes(&self, kind: LinuxNamespaceType) -> bool {
        self.new & flag(kind) != 0
    }

    /// Whether one of this type is joined.
    pub(crate) fn joins(&self, kind: LinuxNamespaceType) -> bool {
        self.joined.iter().any(|joined| joined.kind == kind)
    }

    /// Whether the container's user namespace is not the runtime's.
    pub(crate) fn has_users(&self) -> bool {
        self.makes(LinuxNamespaceType::User) || self.joins(LinuxNamespaceType::User)
    }

    /// Whether a process in between has to join some before the container's is cloned: a namespace of
    /// process ids is joined for children only, which hooks are too; joining needs capabilities over what
    /// is joined, which a new user namespace takes away; and one that is joined has to own what is made.
    pub(crate) fn need_a_step(&self) -> bool {
        self.joins(LinuxNamespaceType::Pid) || (self.has_users() && !self.joined.is_empty())
    }

    /// The flags to clone with. A control group's namespace is not among them: its root is where a process
    /// is when it makes it, so the process makes it itself once it is there. Nor is a time namespace whose
    /// clocks have to be set before there is a process in it.
    pub(crate) fn flags(&self) -> u64 {
        let clocks = if self.clocks.is_some() { libc::CLONE_NEWTIME as u64 } else { 0 };
        self.new & !(libc::CLONE_NEWCGROUP as u64 | clocks)
    }

    /// Makes what has to be there before the container's process is. Gives where this one was.
    pub(super) fn make_ahead(&self) -> Outcome<Option<Before>> {
        let Some(clocks) = &self.clocks else { return Ok(None) };
        let before = Before::look()?;
        clocks.make()?;
        Ok(Some(before))
    }

    /// Joins what is to be joined.
    pub(crate) fn join(&self) -> Outcome<()> {
        for Joined { kind, path, file } in &self.joined {
            move_into_link_name_space(file.as_fd(), Some(link(*kind)))
                .context(|| format!("joining the {kind} namespace at {}", path.display()))?;
        }
        Ok(())
    }
}

/// The bit of clone(2) and setns(2).
pub(crate) fn flag(kind: LinuxNamespaceType) -> u64 {
    link(kind) as u32 as u64
}

fn link(kind: LinuxNamespaceType) -> LinkNameSpaceType {
    match kind {
        LinuxNamespaceType::Mount => LinkNameSpaceType::Mount,
        LinuxNamespaceType::Cgroup => LinkNameSpaceType::ControlGroup,
        LinuxNamespaceType::Uts => LinkNameSpaceType::HostNameAndNISDomainName,
        LinuxNamespaceType::Ipc => LinkNameSpaceType::InterProcessCommunication,
        LinuxNamespaceType::User => LinkNameSpaceType::User,
        LinuxNamespaceType::Pid => LinkNameSpaceType::ProcessID,
        LinuxNamespaceType::Network => LinkNameSpaceType::Network,
        LinuxNamespaceType::Time => LinkNameSpaceType::Time,
    }
}
