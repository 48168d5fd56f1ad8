//! What belongs to the container's namespaces: their names, and the kernel's settings that are theirs.

use std::path::Path;

use oci_spec::runtime::{LinuxNamespaceType, Spec};
use rustix::io::Errno;
use rustix::{fs, system};

use super::Procfs;
use crate::failure::{Context as _, Failure, Outcome};

/// Sets host name and domain name.
pub(crate) fn names(spec: &Spec) -> Outcome<()> {
    let said = |name: &Option<String>| name.clone().filter(|name| !name.is_empty());
    let host = said(spec.hostname());
    let domain = said(spec.domainname());
    if (host.is_some() || domain.is_some()) && !has(spec, LinuxNamespaceType::Uts) {
        return Err(Failure::new("unable to set hostname without a private UTS namespace"));
    }
    if let Some(name) = host {
        system::sethostname(name.as_bytes()).context(|| format!("sethostname {name}"))?;
    }
    if let Some(name) = domain {
        system::setdomainname(name.as_bytes()).context(|| format!("setdomainname {name}"))?;
    }
    Ok(())
}

/// Whether the container has a namespace of its own, made for it or joined.
fn has(spec: &Spec, namespace: LinuxNamespaceType) -> bool {
    place_of(spec, namespace).is_some()
}

/// The path of the namespace, if there is one, if there is a path.
fn place_of(spec: &Spec, namespace: LinuxNamespaceType) -> Option<Option<&Path>> {
    let namespaces = spec.linux().as_ref()?.namespaces().as_ref()?;
    let found = namespaces.iter().find(|found| found.typ() == namespace)?;
    Some(found.path().as_deref().filter(|path| !path.as_os_str().is_empty()))
}

/// Checks `linux.sysctl` while this process is still in the host's namespaces: a namespace that is
/// joined by its path may be the host's.
pub(crate) fn check_sysctl(spec: &Spec) -> Outcome<()> {
    let all = settings(spec)?;
    let joined = place_of(spec, LinuxNamespaceType::Network).flatten();
    if let (Some(path), true) = (joined, all.iter().any(|setting| setting.is_under("net"))) {
        let ours = fs::stat("/proc/self/ns/net").context(|| "/proc/self/ns/net".into())?;
        let theirs = fs::stat(path).context(|| path.display().to_string())?;
        if (ours.st_dev, ours.st_ino) == (theirs.st_dev, theirs.st_ino) {
            return Err(Failure::new(
                "sysctl \"net.*\" is not allowed in the host network namespace",
            ));
        }
    }
    Ok(())
}

/// Sets `linux.sysctl`, once this process is in the container's namespaces.
pub(crate) fn sysctl(spec: &Spec) -> Outcome<()> {
    let all = settings(spec)?;
    if all.is_empty() {
        return Ok(());
    }
    let procfs = Procfs::open()?;
    for setting in &all {
        let path = format!("sys/{}", setting.parts.join("/"));
        procfs.write(&path, setting.value.as_bytes()).map_err(|error| match error {
            Errno::NOENT => {
                Failure::because(format!("sysctl {:?} is not on this kernel", setting.name), error)
            }
            error => {
                let (name, value) = (setting.name, setting.value);
                Failure::because(format!("error setting sysctl {name:?} to {value:?}"), error)
            }
        })?;
    }
    Ok(())
}

/// One of the kernel's settings.
struct Setting<'a> {
    name: &'a str,
    parts: Vec<String>,
    value: &'a str,
}

impl Setting<'_> {
    fn is_under(&self, first: &str) -> bool {
        self.parts.first().is_some_and(|part| part == first)
    }
}

/// All of them, each known to be of a namespace that the container has.
fn settings(spec: &Spec) -> Outcome<Vec<Setting<'_>>> {
    let said = spec.linux().as_ref().and_then(|linux| linux.sysctl().as_ref());
    let mut settings = Vec::new();
    for (name, value) in said.into_iter().flatten() {
        let setting = Setting { name, parts: parts(name)?, value };
        allow(spec, &setting)?;
        settings.push(setting);
    }
    Ok(settings)
}

/// A name's parts. What stands first between them, dot or slash, is what separates all; the other may
/// then be in a part, as in `net/ipv4/conf/eth0.5/forwarding`, or `net.ipv4.conf.eth0/5.forwarding`,
/// where it stands for a dot.
fn parts(name: &str) -> Outcome<Vec<String>> {
    let wrong = || Err(Failure::new(format!("sysctl {name:?} is no name of a setting")));
    let Some(separator) = name.chars().find(|&one| one == '.' || one == '/') else {
        return wrong();
    };
    let parts: Vec<_> = name.split(separator).map(|part| part.replace('/', ".")).collect();
    let is_part = |part: &String| !matches!(part.as_str(), "" | "." | "..") && !part.contains('\0');
    if parts.iter().all(is_part) { Ok(parts) } else { wrong() }
}

/// Refuses what is the whole host's.
fn allow(spec: &Spec, setting: &Setting<'_>) -> Outcome<()> {
    const IPC: [&str; 8] =
        ["msgmax", "msgmnb", "msgmni", "sem", "shmall", "shmmax", "shmmni", "shm_rmid_forced"];
    let name = setting.name;
    let parts: Vec<_> = setting.parts.iter().map(String::as_str).collect();
    let needs = match parts.as_slice() {
        ["kernel", one] if IPC.contains(one) => LinuxNamespaceType::Ipc,
        ["fs", "mqueue", _, ..] => LinuxNamespaceType::Ipc,
        ["net", _, ..] => LinuxNamespaceType::Network,
        ["kernel", "domainname"] => LinuxNamespaceType::Uts,
        ["kernel", "hostname"] => {
            return Err(Failure::new(format!(
                "sysctl {name:?} is not allowed as it conflicts with the OCI \"hostname\" field"
            )));
        }
        _ => {
            let what = format!("sysctl {name:?} is not in a separate kernel namespace");
            return Err(Failure::new(what));
        }
    };
    if has(spec, needs) {
        return Ok(());
    }
    let whose =
        if needs == LinuxNamespaceType::Network { "network".into() } else { needs.to_string() };
    Err(Failure::new(format!("sysctl {name:?} is not allowed in the host {whose} namespace")))
}

#[cfg(test)]
mod tests {
    use super::parts;

    #[test]
    fn names_are_taken_in_both_forms() {
        for (name, expected) in [
            ("net.ipv4.ip_forward", Some(vec!["net", "ipv4", "ip_forward"])),
            ("net/ipv4/ip_forward", Some(vec!["net", "ipv4", "ip_forward"])),
            ("net/ipv4/conf/eth0.5/mtu", Some(vec!["net", "ipv4", "conf", "eth0.5", "mtu"])),
            ("net.ipv4.conf.eth0/5.mtu", Some(vec!["net", "ipv4", "conf", "eth0.5", "mtu"])),
            ("net.//.x", None),
            ("kernel", None),
            ("", None),
            ("net..ip_forward", None),
            ("net/../../kernel/core_pattern", None),
            ("net.ipv4/../../kernel/core_pattern", None),
            ("/proc/sys/net", None),
            ("net.ipv4.", None),
            ("net.a\0b", None),
        ] {
            let expected = expected.map(|parts| parts.into_iter().map(str::to_owned).collect());
            assert_eq!(parts(name).ok(), expected, "{name:?}");
        }
    }
}
