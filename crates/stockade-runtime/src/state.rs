//! [`State`]: what is kept of a container, and [`Status`]: how it is at this moment.

mod init;

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::cgroup::Cgroup;
use crate::failure::{Context, Outcome};
use crate::home::Entry;
use crate::walls::Walls;

pub(crate) use init::Init;

/// The version of the specification that `state` speaks where a config names none.
pub(crate) const OCI_VERSION: &str = "1.2.0";

/// What `state.json` holds. What commands need of the config is in the copy beside it:
/// [`Entry::config`].
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct State {
    /// Of the config.
    pub(crate) oci_version: String,
    pub(crate) id: String,
    /// Absolute.
    pub(crate) bundle: PathBuf,
    /// Absolute.
    pub(crate) rootfs: PathBuf,
    #[serde(default)]
    pub(crate) annotations: BTreeMap<String, String>,
    /// When it was made, as RFC 3339 has it.
    pub(crate) created: String,
    /// The user who made it.
    pub(crate) owner: u32,
    /// Whether it was made without the rights of root.
    pub(crate) rootless: bool,
    pub(crate) walls: Walls,
    /// How far it has come.
    pub(crate) phase: Phase,
    /// Its first process, as soon as there is one.
    pub(crate) init: Option<Init>,
    pub(crate) cgroup: Cgroup,
}

/// How far the making of a container has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Phase {
    /// `create` is at work, or was killed.
    Creating,
    /// `create` has done all that it does.
    Created,
}

/// How a container is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Status {
    Creating,
    Created,
    Running,
    Paused,
    Stopped,
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Creating => "creating",
            Self::Created => "created",
            Self::Running => "running",
            Self::Paused => "paused",
            Self::Stopped => "stopped",
        })
    }
}

/// What `state` and `list` print, in the order of runc's.
#[derive(Debug, Serialize)]
pub(crate) struct Shown<'a> {
    #[serde(rename = "ociVersion")]
    oci_version: &'a str,
    id: &'a str,
    pub(crate) pid: i32,
    pub(crate) status: String,
    pub(crate) bundle: &'a str,
    rootfs: &'a str,
    pub(crate) created: &'a str,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    annotations: &'a BTreeMap<String, String>,
    pub(crate) owner: String,
}

/// What a hook gets on its standard input.
#[derive(Serialize)]
struct ForHooks<'a> {
    #[serde(rename = "ociVersion")]
    oci_version: &'a str,
    id: &'a str,
    status: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pid: Option<i32>,
    bundle: &'a str,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    annotations: &'a BTreeMap<String, String>,
}

impl State {
    /// How the container is now.
    pub(crate) fn status(&self, entry: &Entry) -> Status {
        if !self.init.as_ref().is_some_and(Init::is_alive) {
            return Status::Stopped;
        }
        if self.phase == Phase::Creating {
            return Status::Creating;
        }
        if self.cgroup.is_frozen() {
            return Status::Paused;
        }
        if entry.waits_for_start() { Status::Created } else { Status::Running }
    }

    /// The state as hooks get it; the caller says at which point of its life the container is.
    pub(crate) fn oci_json(&self, status: Status) -> Outcome<String> {
        self.json(status, self.pid(status))
    }

    /// The same from a process of the container, which only knows its id from the runtime.
    pub(crate) fn hook_json(&self, status: Status, pid: i32) -> Outcome<String> {
        self.json(status, Some(pid))
    }

    fn json(&self, status: Status, pid: Option<i32>) -> Outcome<String> {
        let shown = ForHooks {
            oci_version: &self.oci_version,
            id: &self.id,
            status: status.to_string(),
            pid,
            bundle: text(&self.bundle)?,
            annotations: &self.annotations,
        };
        serde_json::to_string(&shown).context(|| "the state cannot be written".into())
    }

    /// The state as it is printed. The owner's name is left to the caller.
    pub(crate) fn shown(&self, status: Status) -> Outcome<Shown<'_>> {
        Ok(Shown {
            oci_version: &self.oci_version,
            id: &self.id,
            pid: self.pid(status).unwrap_or(0),
            status: status.to_string(),
            bundle: text(&self.bundle)?,
            rootfs: text(&self.rootfs)?,
            created: &self.created,
            annotations: &self.annotations,
            owner: String::new(),
        })
    }

    fn pid(&self, status: Status) -> Option<i32> {
        let init = self.init.as_ref().filter(|_| status != Status::Stopped)?;
        Some(init.pid)
    }
}

/// Annotations in a steady order.
pub(crate) fn sorted(annotations: Option<&HashMap<String, String>>) -> BTreeMap<String, String> {
    annotations.into_iter().flatten().map(|(name, value)| (name.clone(), value.clone())).collect()
}

fn text(path: &std::path::Path) -> Outcome<&str> {
    let not_text = || crate::failure::Failure::new(format!("{} is not UTF-8", path.display()));
    path.to_str().ok_or_else(not_text)
}

#[cfg(test)]
mod tests;
