//! [`Config`]: a bundle's `config.json`, read and checked before anything is made from it.

use std::collections::BTreeSet;
use std::path::Path;

use oci_spec::runtime::{Linux, LinuxNamespaceType, Process, Spec};
use serde::de::DeserializeOwned;
use stockade_oci::bundle::{self, NoteKind};

use crate::failure::{Context, Failure, Outcome};
use crate::log::Log;
use crate::state::OCI_VERSION;

/// A config that asks for nothing that is not done.
#[derive(Debug, Clone)]
pub(crate) struct Config {
    pub(crate) spec: Spec,
    /// What it was read from, for the copy that is kept: the types forget what they do not know.
    pub(crate) text: Vec<u8>,
}

/// Reads the config of a bundle.
pub(crate) fn load(dir: &Path, log: &Log) -> Outcome<Config> {
    let text =
        bundle::config_text(dir).context(|| format!("bundle {} cannot be used", dir.display()))?;
    Config::parse(text, log)
}

impl Config {
    /// Checks the names of all members against the list of what is done, and then what they say
    /// together. Members that nobody knows are in the log alone, since the specification has them passed
    /// over.
    pub(crate) fn parse(text: String, log: &Log) -> Outcome<Self> {
        check_names(&text, "config.json", log)?;
        let spec: Spec = from_json(text.as_bytes(), "config.json")?;
        check(&spec)?;
        Ok(Self { spec, text: text.into_bytes() })
    }
}

/// Reads the process of `exec`, which is held against the same list as a config's.
pub(crate) fn process(text: &str, name: &str, log: &Log) -> Outcome<Process> {
    // First, since it tells that the text is one value, which can be put into another.
    let process: Process = from_json(text.as_bytes(), name)?;
    let config = format!(r#"{{"ociVersion":"{OCI_VERSION}","process":{text}}}"#);
    check_names(&config, name, log)?;
    check_process(&process)?;
    Ok(process)
}

fn check_names(config: &str, name: &str, log: &Log) -> Outcome<()> {
    let notes = bundle::runtime::check(config).context(|| format!("{name} cannot be used"))?;
    for note in notes {
        let line = format!("{name}: `{}`: {}", note.path, note.reason);
        match note.kind {
            NoteKind::Ignored => log.warn(&line),
            _ => log.debug(|| line),
        }
    }
    Ok(())
}

/// Reads JSON into a type. An error names the place in the document, which the types alone do not.
pub(crate) fn from_json<T: DeserializeOwned>(text: &[u8], name: &str) -> Outcome<T> {
    let Ok(value) = serde_json::from_slice(text) else {
        // Keeping count of the place costs, so it is done only for what is wrong.
        let mut json = serde_json::Deserializer::from_slice(text);
        return serde_path_to_error::deserialize(&mut json).map_err(|error| {
            let place = error.path().to_string();
            Failure::because(format!("{name}: `{place}`"), error.into_inner())
        });
    };
    Ok(value)
}

/// What members say together, which their types cannot know.
fn check(spec: &Spec) -> Outcome<()> {
    let root = spec.root().as_ref().ok_or_else(|| Failure::new("config.json has no `root`"))?;
    if root.path().as_os_str().is_empty() {
        return Err(Failure::new("`root.path` must not be empty"));
    }
    let process = spec.process().as_ref();
    check_process(process.ok_or_else(|| Failure::new("config.json has no `process`"))?)?;
    let linux = spec.linux().as_ref().ok_or_else(|| Failure::new("config.json has no `linux`"))?;
    let namespaces = namespaces(linux)?;
    let needs = |kind, what: &str, reason: &str| match namespaces.contains(&name(kind)) {
        true => Ok(()),
        false => Err(Failure::new(format!("{what} without a private {reason} namespace"))),
    };
    needs(LinuxNamespaceType::Mount, "unable to mount a root filesystem", "MNT")?;
    if spec.hostname().as_ref().is_some_and(|name| !name.is_empty()) {
        needs(LinuxNamespaceType::Uts, "unable to set hostname", "UTS")?;
    }
    if spec.domainname().as_ref().is_some_and(|name| !name.is_empty()) {
        needs(LinuxNamespaceType::Uts, "unable to set domainname", "UTS")?;
    }
    let mappings = [linux.uid_mappings(), linux.gid_mappings()];
    if mappings.into_iter().flatten().any(|mappings| !mappings.is_empty()) {
        needs(LinuxNamespaceType::User, "unable to map users and groups", "USER")?;
    }
    Ok(())
}

/// What every process needs, those of `exec` too.
fn check_process(process: &Process) -> Outcome<()> {
    if process.args().as_ref().is_none_or(|args| args.first().is_none_or(String::is_empty)) {
        return Err(Failure::new("`process.args` must not be empty"));
    }
    if !process.cwd().is_absolute() {
        return Err(Failure::new("`process.cwd` must be an absolute path"));
    }
    Ok(())
}

/// The types of namespaces that are made or joined.
fn namespaces(linux: &Linux) -> Outcome<BTreeSet<&'static str>> {
    let mut seen = BTreeSet::new();
    for namespace in linux.namespaces().iter().flatten() {
        let name = name(namespace.typ());
        if !seen.insert(name) {
            return Err(Failure::new(format!("`linux.namespaces` has {name} twice")));
        }
    }
    Ok(seen)
}

/// The name of a namespace's type in a config.
pub(crate) fn name(kind: LinuxNamespaceType) -> &'static str {
    match kind {
        LinuxNamespaceType::Mount => "mount",
        LinuxNamespaceType::Cgroup => "cgroup",
        LinuxNamespaceType::Uts => "uts",
        LinuxNamespaceType::Ipc => "ipc",
        LinuxNamespaceType::User => "user",
        LinuxNamespaceType::Pid => "pid",
        LinuxNamespaceType::Network => "network",
        LinuxNamespaceType::Time => "time",
    }
}

#[cfg(test)]
mod tests;
