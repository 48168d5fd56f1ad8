//! `linux`: namespaces, resources, hidden paths and the system call filter.

use serde_json::Value;
use stockade_core::{Access, Base, Bytes, Cpus, Limit, Mount, NetworkMode, Policy};

use super::error::BundleError;
use super::process::inner_path;
use super::table;
use super::values::{MASKED, NAMESPACES};
use super::walk::Findings;
use super::{NoteKind, Options, json};

/// What the kernel takes where a period is missing, in microseconds.
const PERIOD: u64 = 100_000;
/// The share of CPU time of everyone.
const SHARES: u64 = 1024;
/// The minor numbers of the devices that every sandbox has; the major number is 1 (mem(4), random(4)).
const DEVICES: [i64; 5] = [3, 5, 7, 8, 9];
/// Actions of a filter that need a process of the host's to decide.
const ASKING: [&str; 2] = ["SCMP_ACT_NOTIFY", "SCMP_ACT_TRACE"];

/// Reads what is of Linux into the policy, in which the mounts are already.
pub(super) fn read(
    config: &Value,
    options: &Options,
    policy: &mut Policy,
    found: &mut Findings,
) -> Result<(), BundleError> {
    let linux = json::at(config, "linux");
    policy.network.mode = namespaces(linux, found)?;
    memory(json::at(linux, "resources.memory"), policy, found)?;
    cpu(json::at(linux, "resources.cpu"), policy, found)?;
    if let Some(limit) = json::at(linux, "resources.pids.limit").as_i64() {
        let limit = u64::try_from(limit).map_or(Limit::Unlimited, Limit::At);
        // RLIMIT_NPROC was there before.
        let both = [limit.get(), policy.limits.processes.get()];
        let asked = json::items(json::at(config, "process.rlimits"));
        let twice = asked.iter().any(|entry| json::text(entry, "type") == Some("RLIMIT_NPROC"));
        policy.limits.processes = match both.into_iter().flatten().min() {
            Some(least) if twice => Limit::At(least),
            _ => limit,
        };
    }
    devices(linux, found);
    propagation(linux, found)?;
    masked(linux, policy, found)?;
    read_only(linux, policy, found)?;
    seccomp(json::at(linux, "seccomp"), options, found)
}

/// The network that is asked for: a new namespace, or the one of the host.
fn namespaces(linux: &Value, found: &mut Findings) -> Result<NetworkMode, BundleError> {
    let mut seen = Vec::new();
    for (index, entry) in json::items(json::at(linux, "namespaces")).iter().enumerate() {
        let path = format!("linux.namespaces[{index}]");
        let Some(kind) = json::text(entry, "type") else {
            return Err(BundleError::Missing { path: format!("{path}.type") });
        };
        let Some(row) = table::find(NAMESPACES, kind) else {
            return Err(BundleError::value(
                format!("{path}.type"),
                kind,
                "the name of a namespace",
            ));
        };
        if seen.contains(&kind) {
            return Err(BundleError::value(
                format!("{path}.type"),
                kind,
                "a type that no other entry has",
            ));
        }
        seen.push(kind);
        found.row(&path, kind, row);
    }
    Ok(if seen.contains(&"network") { NetworkMode::Loopback } else { NetworkMode::Host })
}

fn memory(memory: &Value, policy: &mut Policy, found: &mut Findings) -> Result<(), BundleError> {
    let path = "linux.resources.memory";
    let limit = json::at(memory, "limit").as_i64();
    match limit {
        Some(-1) => policy.limits.memory = Limit::Unlimited,
        Some(0) | None => {}
        Some(bytes) => match u64::try_from(bytes) {
            Ok(bytes) => policy.limits.memory = Limit::At(Bytes(bytes)),
            Err(_) => {
                let path = format!("{path}.limit");
                return Err(BundleError::value(
                    path,
                    &bytes.to_string(),
                    "a number of bytes, or -1",
                ));
            }
        },
    }
    let (swap, limit) = (json::at(memory, "swap").as_i64(), limit.unwrap_or(0));
    match swap {
        None | Some(0) => {}
        Some(swap) if swap == -1 || (limit > 0 && swap >= limit) => {
            found.harmless(format!("{path}.swap"), "a program never swaps");
        }
        Some(_) => found.refuse(format!("{path}.swap"), "there is no `limit` that is not greater"),
    }
    Ok(())
}

fn cpu(cpu: &Value, policy: &mut Policy, found: &mut Findings) -> Result<(), BundleError> {
    let path = "linux.resources.cpu";
    let period = match json::at(cpu, "period").as_u64() {
        Some(0) | None => PERIOD,
        Some(period) => period,
    };
    if let Some(quota @ 1..) = json::at(cpu, "quota").as_i64() {
        // Rounded down, so that no more is given than asked for.
        let milli = u128::from(quota.unsigned_abs()) * 1000 / u128::from(period);
        let Ok(milli) = u32::try_from(milli) else {
            let path = format!("{path}.quota");
            return Err(BundleError::value(path, &quota.to_string(), "at most 4096 periods"));
        };
        policy.limits.cpus = Some(Cpus::from_milli(milli));
    }
    match json::at(cpu, "shares").as_u64() {
        None | Some(0 | SHARES) => {}
        Some(shares) if shares > SHARES => {
            found.harmless(
                format!("{path}.shares"),
                "the share is 1024, as everyone's, and no more",
            );
        }
        Some(_) => {
            found.refuse(format!("{path}.shares"), "the share is 1024, as everyone's, and no less")
        }
    }
    Ok(())
}

fn devices(linux: &Value, found: &mut Findings) {
    for (index, rule) in json::items(json::at(linux, "resources.devices")).iter().enumerate() {
        let path = format!("linux.resources.devices[{index}]");
        let (major, minor) = (json::at(rule, "major").as_i64(), json::at(rule, "minor").as_i64());
        let special = major.is_some() || minor.is_some();
        let own = json::text(rule, "type") != Some("b")
            && major.is_none_or(|major| major == 1)
            && minor.is_none_or(|minor| DEVICES.contains(&minor));
        if json::at(rule, "allow") == &Value::Bool(true) {
            found.harmless(path, "a program has five devices of memory and chance, and no other");
        } else if special && own {
            found.refuse(path, "a program has this device");
        }
    }
}

fn propagation(linux: &Value, found: &mut Findings) -> Result<(), BundleError> {
    let path = "linux.rootfsPropagation";
    match json::text(linux, "rootfsPropagation") {
        None => {}
        Some("private" | "rprivate" | "slave" | "rslave" | "unbindable" | "runbindable") => {
            found.harmless(
                path,
                "no mount can be made inside, and none of the host's arrives later",
            );
        }
        Some("shared" | "rshared") => found.refuse(path, "shared: mounts are not shared"),
        Some(other) => {
            let expected = "`private`, `slave`, `unbindable` or `shared`";
            return Err(BundleError::value(path, other, expected));
        }
    }
    Ok(())
}

fn masked(linux: &Value, policy: &Policy, found: &mut Findings) -> Result<(), BundleError> {
    let mounts = &policy.filesystem.mounts;
    let is_mounted = |inner: &str| mounts.iter().any(|mount| is_near(inner, mount.target()));
    for (index, text) in json::texts(json::at(linux, "maskedPaths")).enumerate() {
        let path = format!("linux.maskedPaths[{index}]");
        let inner = inner_path(&path, text)?;
        match table::find(MASKED, &inner) {
            Some(row) => found.row(&path, &inner, row),
            None if is_beneath(&inner, "/sys") && !is_mounted(&inner) => {
                found.harmless(path, format!("{}: not there", inner.escape_debug()));
            }
            None => found.refuse(path, format!("{}: not covered", inner.escape_debug())),
        }
    }
    Ok(())
}

fn read_only(linux: &Value, policy: &Policy, found: &mut Findings) -> Result<(), BundleError> {
    let mounts = policy.filesystem.mounts.iter();
    let mut writable = vec!["/tmp", "/dev/shm"];
    writable.extend(mounts.filter(|mount| is_writable(mount)).map(Mount::target));
    let fixed = policy.filesystem.mounts.iter().filter(|mount| !is_writable(mount));
    let mut own = vec!["/proc", "/dev", "/sys"];
    own.extend(fixed.map(Mount::target));
    let is_of_root = |inner: &str| !own.iter().any(|place| is_beneath(inner, place));
    let root_is_writable = matches!(policy.filesystem.base, Base::WritableRootfs(_));
    for (index, text) in json::texts(json::at(linux, "readonlyPaths")).enumerate() {
        let path = format!("linux.readonlyPaths[{index}]");
        let inner = inner_path(&path, text)?;
        if writable.iter().any(|place| is_near(&inner, place)) {
            found.refuse(path, format!("{}: a mount is writable there", inner.escape_debug()));
        } else if root_is_writable && is_of_root(&inner) {
            found.refuse(path, format!("{}: the root is writable there", inner.escape_debug()));
        }
    }
    Ok(())
}

fn is_writable(mount: &Mount) -> bool {
    matches!(mount, Mount::Tmpfs { .. } | Mount::Bind { access: Access::Rw, .. })
}

/// Whether one is the other, or beneath it.
fn is_near(path: &str, place: &str) -> bool {
    is_beneath(path, place) || is_beneath(place, path)
}

fn is_beneath(path: &str, place: &str) -> bool {
    std::path::Path::new(path).starts_with(place)
}

fn seccomp(seccomp: &Value, options: &Options, found: &mut Findings) -> Result<(), BundleError> {
    if seccomp.is_null() {
        return Ok(());
    }
    let path = "linux.seccomp";
    let Some(default) = json::text(seccomp, "defaultAction") else {
        return Err(BundleError::Missing { path: format!("{path}.defaultAction") });
    };
    let rules = json::items(json::at(seccomp, "syscalls")).iter().enumerate();
    let actions = rules.filter_map(|(index, rule)| {
        Some((format!("{path}.syscalls[{index}].action"), json::text(rule, "action")?))
    });
    for (path, action) in std::iter::once((format!("{path}.defaultAction"), default)).chain(actions)
    {
        if ASKING.contains(&action) {
            found.refuse(path, format!("{action}: nobody is asked about a system call"));
        }
    }
    if options.seccomp_is_own_profile {
        let reason = "as the caller allows, it is not installed, and Stockade's own profile is";
        found.note(NoteKind::NotEnforced, path, reason);
    } else {
        found.refuse(
            path,
            "Stockade's own profile is installed instead; see `seccomp_is_own_profile`",
        );
    }
    Ok(())
}
