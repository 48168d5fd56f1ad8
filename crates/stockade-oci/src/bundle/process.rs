//! `process` and `hostname`: what runs, where, and with which environment.

use std::collections::BTreeMap;

use serde_json::Value;
use stockade_core::{Limit, Limits, Policy};

use super::Options;
use super::error::BundleError;
use super::json;
use super::table::{self, Treatment};
use super::values::RLIMITS;
use super::walk::Findings;

/// The mask of a native program's new files.
const UMASK: u64 = 0o022;
/// How much rather than others a native program is killed when the machine's memory is short.
const OOM_SCORE: i64 = 500;
/// How many signals may be under way, and timers set, for a native program.
const SIGNALS: u64 = 1024;
/// The kernel's `RLIM_INFINITY`.
const INFINITY: u64 = u64::MAX;

/// Reads the process into the policy; gives its arguments, of which there is at least one.
pub(super) fn read(
    config: &Value,
    options: &Options,
    policy: &mut Policy,
    found: &mut Findings,
) -> Result<Vec<String>, BundleError> {
    let process = json::at(config, "process");
    if process.is_null() {
        return Err(BundleError::Missing { path: "process".to_owned() });
    }
    if let Some(hostname) = json::text(config, "hostname") {
        policy.process.hostname = hostname.to_owned();
    }
    policy.process.cwd = match json::text(process, "cwd") {
        Some(cwd) if cwd.starts_with('/') => inner_path("process.cwd", cwd)?,
        Some(cwd) => return Err(BundleError::value("process.cwd", cwd, "an absolute path")),
        None => return Err(BundleError::Missing { path: "process.cwd".to_owned() }),
    };
    policy.process.env = environment(process)?;
    if json::at(process, "terminal") == &Value::Bool(true) {
        if options.terminal_is_streams {
            found.harmless("process.terminal", "as the caller allows, the streams are no terminal");
        } else {
            found.refuse("process.terminal", "there is no terminal; see `terminal_is_streams`");
        }
    }
    rlimits(process, &mut policy.limits, found)?;
    let args = arguments(process, &options.args)?;
    settings(process, args.first().is_some_and(|name| is_module(name)), found);
    Ok(args)
}

/// Its own arguments, unless others were given.
fn arguments(process: &Value, given: &[String]) -> Result<Vec<String>, BundleError> {
    let own = || json::texts(json::at(process, "args")).map(str::to_owned).collect();
    let args: Vec<String> = if given.is_empty() { own() } else { given.to_vec() };
    match args.first() {
        None => return Err(BundleError::Missing { path: "process.args".to_owned() }),
        Some(name) if name.is_empty() => {
            return Err(BundleError::value("process.args[0]", name, "a program"));
        }
        Some(_) => {}
    }
    match args.iter().position(|arg| arg.contains('\0')) {
        Some(index) => {
            let path = format!("process.args[{index}]");
            Err(BundleError::value(path, &args[index], "a text without NUL"))
        }
        None => Ok(args),
    }
}

fn environment(process: &Value) -> Result<BTreeMap<String, String>, BundleError> {
    let mut env = BTreeMap::new();
    for (index, entry) in json::texts(json::at(process, "env")).enumerate() {
        // The name alone: values are secrets often enough.
        let name = entry.split('=').next().unwrap_or_default();
        let wrong = |expected| BundleError::value(format!("process.env[{index}]"), name, expected);
        let Some((name, value)) = entry.split_once('=').filter(|(name, _)| !name.is_empty()) else {
            return Err(wrong("`NAME=value`"));
        };
        if entry.contains('\0') {
            return Err(wrong("a text without NUL"));
        }
        if env.insert(name.to_owned(), value.to_owned()).is_some() {
            return Err(wrong("a name that no other entry has"));
        }
    }
    Ok(env)
}

/// Whether a program of this name is a WebAssembly module.
pub(super) fn is_module(name: &str) -> bool {
    name.ends_with(".wasm")
}

/// What depends on numbers and names that the sandbox has of its own.
fn settings(process: &Value, module: bool, found: &mut Findings) {
    match json::at(process, "user.umask").as_u64() {
        Some(_) if module => {
            found.refuse("process.user.umask", "a module's files have the host process's mask");
        }
        Some(umask) if umask & !UMASK & 0o777 != 0 => {
            let reason = format!("new files of a program have the mask 022, and not {umask:03o}");
            found.refuse("process.user.umask", reason);
        }
        Some(umask) if umask & 0o777 != UMASK => {
            found.harmless("process.user.umask", "the mask is 022, which takes away more");
        }
        _ => {}
    }
    match json::at(process, "oomScoreAdj").as_i64() {
        Some(OOM_SCORE) | None => {}
        Some(score) if score > OOM_SCORE => {
            found.refuse("process.oomScoreAdj", "the score is 500, and not higher");
        }
        Some(_) => {
            found.harmless("process.oomScoreAdj", "the score is 500, which spares others more")
        }
    }
    match json::text(process, "apparmorProfile") {
        None | Some("unconfined") => {}
        Some(name) => found.refuse(
            "process.apparmorProfile",
            format!("{}: no profile is loaded", name.escape_debug()),
        ),
    }
}

fn rlimits(process: &Value, limits: &mut Limits, found: &mut Findings) -> Result<(), BundleError> {
    let mut seen = Vec::new();
    for (index, entry) in json::items(json::at(process, "rlimits")).iter().enumerate() {
        let path = format!("process.rlimits[{index}]");
        let missing = |member| BundleError::Missing { path: format!("{path}.{member}") };
        let kind = json::text(entry, "type").ok_or_else(|| missing("type"))?;
        let soft = json::at(entry, "soft").as_u64().ok_or_else(|| missing("soft"))?;
        let hard = json::at(entry, "hard").as_u64().ok_or_else(|| missing("hard"))?;
        let Some(row) = table::find(RLIMITS, kind) else {
            return Err(BundleError::value(
                format!("{path}.type"),
                kind,
                "the name of a resource limit",
            ));
        };
        if soft > hard {
            let path = format!("{path}.soft");
            return Err(BundleError::value(path, &soft.to_string(), "at most the hard limit"));
        }
        if seen.contains(&kind) {
            return Err(BundleError::value(
                format!("{path}.type"),
                kind,
                "a type that no other entry has",
            ));
        }
        seen.push(kind);
        if row.treatment == Treatment::Honoured && soft != hard {
            found.harmless(
                path.as_str(),
                "the soft limit holds, and cannot be raised to the hard one",
            );
        }
        let whole = if soft == INFINITY { Limit::Unlimited } else { Limit::At(soft) };
        match kind {
            "RLIMIT_NOFILE" => limits.open_files = whole,
            "RLIMIT_FSIZE" => limits.file_size = map(whole, stockade_core::Bytes),
            "RLIMIT_CPU" => limits.cpu_time = map(whole, std::time::Duration::from_secs),
            "RLIMIT_NPROC" => limits.processes = whole,
            "RLIMIT_SIGPENDING" if soft < SIGNALS => {
                found.refuse(path, format!("{kind}: {}", row.text));
            }
            "RLIMIT_SIGPENDING" => found.harmless(path, format!("{kind}: always 1024")),
            _ if row.treatment == Treatment::Depends && soft != INFINITY => {
                found.refuse(path, format!("{kind}: not set"));
            }
            _ if row.treatment == Treatment::Depends => {
                found.harmless(path, format!("{kind}: unlimited, as without it"));
            }
            _ => found.row(&path, kind, row),
        }
    }
    Ok(())
}

fn map<T: Copy, U>(limit: Limit<T>, change: impl FnOnce(T) -> U) -> Limit<U> {
    limit.get().map_or(Limit::Unlimited, |value| Limit::At(change(value)))
}

/// A path inside the sandbox in its normal form: absolute, without empty parts, `.` or a `/` at its
/// end. One that is relative begins at `/`.
pub(super) fn inner_path(path: &str, text: &str) -> Result<String, BundleError> {
    if text.contains('\0') {
        return Err(BundleError::value(path, text, "a path without NUL"));
    }
    let mut normal = String::new();
    for part in text.split('/').filter(|part| !part.is_empty() && *part != ".") {
        if part == ".." {
            return Err(BundleError::value(path, text, "a path without `..`"));
        }
        normal.push('/');
        normal.push_str(part);
    }
    Ok(if normal.is_empty() { "/".to_owned() } else { normal })
}
