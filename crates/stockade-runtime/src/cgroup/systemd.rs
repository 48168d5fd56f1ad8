//! [`Scope`]: a container's group as a unit of systemd, for `--systemd-cgroup`.
//!
//! The manager is spoken to by `busctl`, which comes with systemd. Four calls in a container's life do
//! not pay for a D-Bus library in a program that engines run as root: what there is brings an
//! asynchronous runtime or C, and this path has no other use for either. A process for each call is
//! slow; those who count milliseconds use cgroupfs.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use oci_spec::runtime::{LinuxResources, Spec};
use serde::{Deserialize, Serialize};

use super::dir::Version;
use super::place;
use crate::failure::{Context, Failure, Outcome};

mod properties;

pub(super) use properties::Property;

/// How long the manager may take to move a process into a new scope.
const PATIENCE: Duration = Duration::from_secs(30);

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Scope {
    /// Its name, with `.scope`.
    pub(super) unit: String,
    slice: String,
    /// Whether it is of the user's own manager.
    user: bool,
    /// What annotations ask for.
    properties: Vec<Property>,
    /// What is called; another one in tests.
    busctl: String,
}

impl Scope {
    /// Reads `slice:prefix:name` and the annotations.
    ///
    /// # Errors
    /// What is wrong with them.
    pub(super) fn new(spec: &Spec, id: &str, user: bool) -> Outcome<Self> {
        let path = spec.linux().as_ref().and_then(|linux| linux.cgroups_path().as_deref());
        let path = path.map_or("", |path| path.to_str().unwrap_or("\0"));
        let (slice, prefix, name) = match path.split(':').collect::<Vec<_>>()[..] {
            [""] => ("", "stockade", id),
            [slice, prefix, name] => (slice, prefix, name),
            _ => {
                return Err(Failure::new(format!(
                    "expected cgroupsPath to be of format \"slice:prefix:name\" for systemd cgroups, \
                     got \"{}\" instead",
                    path.escape_debug()
                )));
            }
        };
        let default = if user { "user.slice" } else { "system.slice" };
        let slice = if slice.is_empty() { default } else { slice };
        expand(slice)?;
        let dash = if prefix.is_empty() { "" } else { "-" };
        let unit = format!("{prefix}{dash}{name}.scope");
        let fine = |letter: char| letter.is_ascii_alphanumeric() || ":-_.\\@".contains(letter);
        if name.is_empty() || unit.len() > 255 || !unit.chars().all(fine) {
            let what = format!("`{}` is no name of a unit", unit.escape_debug());
            return Err(Failure::new(what));
        }
        let none = std::collections::HashMap::new();
        let annotations: BTreeMap<_, _> =
            spec.annotations().as_ref().unwrap_or(&none).iter().collect();
        let properties = annotations
            .into_iter()
            .filter_map(|(key, value)| Property::annotated(key, value).transpose())
            .collect::<Outcome<_>>()?;
        Ok(Self { unit, slice: slice.to_owned(), user, properties, busctl: "busctl".to_owned() })
    }

    /// The unit's group below a mount point.
    ///
    /// # Errors
    /// If the user's manager does not say where it is, or no manager runs.
    pub(super) fn path(&self) -> Outcome<String> {
        let slice = expand(&self.slice)?;
        if !self.user {
            if !Path::new("/run/systemd/system").is_dir() {
                return Err(Failure::new(
                    "systemd not running on this host, cannot use systemd cgroups manager",
                ));
            }
            return place::clean(&format!("{slice}/{}", self.unit));
        }
        // As in `s "/user.slice/user-1000.slice/user@1000.service"`.
        let output = self.call("get-property", &["ControlGroup"])?;
        let home = output.trim().trim_start_matches("s ").trim_matches('"');
        place::clean(&format!("{home}/{slice}/{}", self.unit))
    }

    /// Starts the unit with a process in it, and waits until that is there. Limits that the manager
    /// knows are said to it, since it would set others else.
    pub(super) fn start(
        &self,
        pid: i32,
        path: &str,
        resources: &LinuxResources,
        version: Version,
    ) -> Outcome<()> {
        let properties = self.properties(pid, resources, version)?;
        let mut arguments =
            vec!["ssa(sv)a(sa(sv))".to_owned(), self.unit.clone(), "replace".to_owned()];
        arguments.extend(Property::listed(&properties));
        arguments.push("0".to_owned());
        let start = || self.method("StartTransientUnit", &arguments);
        // A failed unit of that name may be left of a container before.
        start().or_else(|failure| {
            if !failure.to_string().contains("already") {
                return Err(failure);
            }
            let _ = self.method("ResetFailedUnit", &["s".to_owned(), self.unit.clone()]);
            start()
        })?;
        self.arrived(pid, path)
    }

    fn properties(
        &self,
        pid: i32,
        resources: &LinuxResources,
        version: Version,
    ) -> Outcome<Vec<Property>> {
        let yes = |name: &str| Property::new(name, "b", &["true"]);
        let blocks = if version == Version::V2 { "IOAccounting" } else { "BlockIOAccounting" };
        let mut properties = vec![
            Property::new("Description", "s", &[&format!("container {}", self.unit)]),
            Property::new("Slice", "s", &[&self.slice]),
            Property::new("PIDs", "au", &["1", &pid.to_string()]),
            yes("Delegate"),
            yes("MemoryAccounting"),
            yes("CPUAccounting"),
            yes(blocks),
            yes("TasksAccounting"),
            Property::new("DefaultDependencies", "b", &["false"]),
        ];
        properties.extend(self.properties.iter().cloned());
        properties.extend(properties::of(resources, version)?);
        // On version 1 the manager would open all devices when it reads its files again.
        if version == Version::V1 {
            properties.extend(properties::of_devices(resources)?);
        }
        Ok(properties)
    }

    /// Waits until a process is in the unit's group.
    fn arrived(&self, pid: i32, path: &str) -> Outcome<()> {
        let file = format!("/proc/{pid}/cgroup");
        let deadline = Instant::now() + PATIENCE;
        loop {
            let text = std::fs::read_to_string(&file).context(|| format!("reading {file}"))?;
            let there = |line: &str| {
                let unified = line.strip_prefix("0::/");
                let named = || line.split_once("name=systemd:/").map(|(_, group)| group);
                unified.or_else(named) == Some(path)
            };
            if text.lines().any(there) {
                return Ok(());
            }
            if Instant::now() >= deadline {
                let what = format!("timeout waiting for systemd to create {}", self.unit);
                return Err(Failure::new(what));
            }
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    /// Tells the manager of new limits.
    pub(super) fn update(&self, resources: &LinuxResources, version: Version) -> Outcome<()> {
        let properties = properties::of(resources, version)?;
        if properties.is_empty() {
            return Ok(());
        }
        let mut arguments = vec!["sba(sv)".to_owned(), self.unit.clone(), "true".to_owned()];
        arguments.extend(Property::listed(&properties));
        self.method("SetUnitProperties", &arguments)
    }

    /// Has the manager move a process into the unit.
    pub(super) fn attach(&self, pid: i32) -> Outcome<()> {
        let pid = pid.to_string();
        let arguments = ["ssau", &self.unit, "", "1", &pid].map(str::to_owned);
        self.method("AttachProcessesToUnit", &arguments)
    }

    /// Stops the unit. One that is gone is fine.
    pub(super) fn stop(&self) -> Outcome<()> {
        let gone = |failure: Failure| {
            if failure.to_string().contains("not loaded") { Ok(()) } else { Err(failure) }
        };
        let arguments = ["ss", &self.unit, "replace"].map(str::to_owned);
        let stopped = self.method("StopUnit", &arguments).or_else(gone);
        // One that has failed stays until it is told so. There is none as a rule.
        let _ = self.method("ResetFailedUnit", &["s".to_owned(), self.unit.clone()]);
        stopped
    }

    fn method(&self, name: &str, arguments: &[String]) -> Outcome<()> {
        let arguments: Vec<&str> =
            std::iter::once(name).chain(arguments.iter().map(String::as_str)).collect();
        self.call("call", &arguments).map(drop)
    }

    fn call(&self, verb: &str, arguments: &[&str]) -> Outcome<String> {
        let what = || format!("{} of unit {} by {}", arguments[0], self.unit, self.busctl);
        let mut command = Command::new(&self.busctl);
        // Nothing after it is an option, as a number below zero would be.
        command.args([if self.user { "--user" } else { "--system" }, "--"]);
        command.args([
            verb,
            "org.freedesktop.systemd1",
            "/org/freedesktop/systemd1",
            "org.freedesktop.systemd1.Manager",
        ]);
        command.args(arguments);
        let output = command.stdin(Stdio::null()).output().context(what)?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
            return Err(Failure::because(what(), said));
        }
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }
}

/// The group of a slice: `a-b.slice` is in `a.slice`.
///
/// # Errors
/// If it is no name of a slice.
pub(super) fn expand(slice: &str) -> Outcome<String> {
    let wrong = || Failure::new(format!("invalid slice name: {}", slice.escape_debug()));
    let name = slice.strip_suffix(".slice").ok_or_else(wrong)?;
    if name == "-" {
        return Ok(String::new());
    }
    let fine = |letter: char| letter.is_ascii_alphanumeric() || ":_.\\@".contains(letter);
    let mut groups = Vec::new();
    let mut prefix = String::new();
    for part in name.split('-') {
        if part.is_empty() || !part.chars().all(fine) {
            return Err(wrong());
        }
        groups.push(format!("{prefix}{part}.slice"));
        prefix = format!("{prefix}{part}-");
    }
    Ok(groups.join("/"))
}

#[cfg(test)]
mod tests;
