//! The ids of a user namespace.

use std::fs;
use std::io;
use std::process::{Command, Stdio};

use oci_spec::runtime::{Linux, LinuxIdMapping};

use crate::failure::{Context, Failure, Outcome};

/// Writes the maps of the user namespace that process `pid` was cloned into.
///
/// Who may not write several ranges asks newuidmap(1) and newgidmap(1), which know what /etc/subuid and
/// /etc/subgid grant.
pub(crate) fn write(pid: i32, linux: &Linux) -> Outcome<()> {
    let uids = lines("linux.uidMappings", linux.uid_mappings())?;
    let gids = lines("linux.gidMappings", linux.gid_mappings())?;
    set(pid, "uid_map", &uids, "newuidmap")?;
    if !rustix::process::geteuid().is_root() {
        // One who has no right over groups may only map them once nobody there can drop one.
        let denied = fs::write(format!("/proc/{pid}/setgroups"), "deny");
        if set(pid, "gid_map", &gids, "newgidmap").is_ok() {
            return Ok(());
        }
        denied.context(|| "denying setgroups(2)".into())?;
    }
    set(pid, "gid_map", &gids, "newgidmap")
}

fn lines(field: &str, mappings: &Option<Vec<LinuxIdMapping>>) -> Outcome<Vec<[u32; 3]>> {
    let list = mappings.as_deref().unwrap_or_default();
    if list.is_empty() {
        return Err(Failure::new(format!("a new user namespace needs {field}")));
    }
    let line =
        |mapping: &LinuxIdMapping| [mapping.container_id(), mapping.host_id(), mapping.size()];
    Ok(list.iter().map(line).collect())
}

/// All of a map in one write(2), as the kernel wants it; see user_namespaces(7).
fn set(pid: i32, map: &str, lines: &[[u32; 3]], helper: &str) -> Outcome<()> {
    let text: String = lines
        .iter()
        .map(|[inside, outside, size]| format!("{inside} {outside} {size}\n"))
        .collect();
    let path = format!("/proc/{pid}/{map}");
    match fs::write(&path, text) {
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            by_helper(pid, lines, helper).context(|| format!("writing {path}: {error}"))
        }
        written => written.context(|| format!("writing {path}")),
    }
}

fn by_helper(pid: i32, lines: &[[u32; 3]], helper: &str) -> Outcome<()> {
    let numbers = lines.iter().flatten().map(u32::to_string);
    let output = Command::new(helper)
        .arg(pid.to_string())
        .args(numbers)
        .stdin(Stdio::null())
        .output()
        .context(|| format!("running {helper}"))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(Failure::new(format!("{helper} failed: {}", said.trim())))
}
