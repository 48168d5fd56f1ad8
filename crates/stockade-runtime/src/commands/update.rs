//! `update`: other limits for a container that is there.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use oci_spec::runtime::LinuxResources;
use serde_json::{Map, Value, json};

use crate::args::UpdateArgs;
use crate::config;
use crate::failure::{Context, Failure, Outcome};
use crate::state::Status;

use super::Caller;

/// More than any document of limits has.
const MAX: u64 = 1 << 20;

pub(super) fn update(caller: &Caller, args: &UpdateArgs) -> Outcome<()> {
    let change = change(args)?;
    let (entry, state, lock) = caller.home.load_locked(&args.id)?;
    if state.status(&entry) == Status::Stopped {
        return Err(Failure::new("container not running"));
    }
    // What is not known to the types is kept too.
    let mut config: Value = config::from_json(&entry.config_text()?, "config.json")?;
    let before = config["linux"]["resources"].clone();
    let wanted = Value::Object(with_halves(change.clone(), &before));
    let resources: LinuxResources = config::from_json(wanted.to_string().as_bytes(), "resources")?;
    state.cgroup.update(&resources).context(|| "limits cannot be changed".into())?;
    merge(&mut config["linux"]["resources"], Value::Object(change));
    entry.save_config(config.to_string().as_bytes(), &lock)
}

/// What is asked for, in the form of `linux.resources`. What asks for nothing is left out: engines send
/// it for what they do not change.
fn change(args: &UpdateArgs) -> Outcome<Map<String, Value>> {
    if args.l3_cache_schema.is_some() || args.mem_bw_schema.is_some() {
        return Err(Failure::new("Intel RDT is not supported: no class of service is set"));
    }
    let mut value = match &args.resources {
        Some(file) => {
            let text = read(file)?;
            let value: Value = config::from_json(&text, "resources")?;
            // Read into the types at once, so that what is wrong is named before anything is locked.
            let _: LinuxResources = config::from_json(&text, "resources")?;
            value
        }
        None => flags(args)?,
    };
    prune(&mut value);
    match value {
        Value::Object(change) => Ok(change),
        Value::Null => Ok(Map::new()),
        _ => Err(Failure::new("resources: expected an object")),
    }
}

fn read(file: &Path) -> Outcome<Vec<u8>> {
    let what = || format!("resources cannot be read from {}", file.display());
    let mut text = Vec::new();
    if file == "-" {
        io::stdin().lock().take(MAX).read_to_end(&mut text).context(what)?;
    } else {
        File::open(file).context(what)?.take(MAX).read_to_end(&mut text).context(what)?;
    }
    Ok(text)
}

fn flags(args: &UpdateArgs) -> Outcome<Value> {
    let sized = |flag: &str, text: &Option<String>| -> Outcome<Option<i64>> {
        let Some(text) = text else { return Ok(None) };
        let bad = || Failure::new(format!("invalid value for --{flag}: {text:?}"));
        size(text).map(Some).ok_or_else(bad)
    };
    Ok(json!({
        "blockIO": { "weight": args.blkio_weight },
        "cpu": {
            "period": args.cpu_period,
            "quota": args.cpu_quota,
            "burst": args.cpu_burst,
            "shares": args.cpu_share,
            "realtimePeriod": args.cpu_rt_period,
            "realtimeRuntime": args.cpu_rt_runtime,
            "idle": args.cpu_idle,
            "cpus": args.cpuset_cpus,
            "mems": args.cpuset_mems,
        },
        "memory": {
            "limit": sized("memory", &args.memory)?,
            "reservation": sized("memory-reservation", &args.memory_reservation)?,
            "swap": sized("memory-swap", &args.memory_swap)?,
        },
        "pids": { "limit": args.pids_limit },
    }))
}

/// Bytes: a number, and perhaps one of `b`, `k`, `m`, `g` and `t`, which are powers of 1024, and a `b`
/// or `ib` behind it.
fn size(text: &str) -> Option<i64> {
    let lower = text.to_ascii_lowercase();
    let digits = lower.trim_end_matches(|letter: char| letter.is_ascii_alphabetic());
    let power = match &lower[digits.len()..] {
        "" | "b" => 0,
        "k" | "kb" | "kib" => 1,
        "m" | "mb" | "mib" => 2,
        "g" | "gb" | "gib" => 3,
        "t" | "tb" | "tib" => 4,
        _ => return None,
    };
    let number: i64 = digits.parse().ok()?;
    // Only -1 means something below zero.
    (number >= -1).then_some(())?;
    if number == -1 { Some(-1) } else { number.checked_mul(1024_i64.pow(power)) }
}

/// Takes out `null` and objects with nothing in them.
fn prune(value: &mut Value) {
    if let Value::Object(members) = value {
        members.values_mut().for_each(prune);
        members.retain(|_, value| match value {
            Value::Null => false,
            Value::Object(members) => !members.is_empty(),
            _ => true,
        });
    }
}

/// A quota means something in a period alone, so either comes with the other that holds already.
fn with_halves(mut change: Map<String, Value>, before: &Value) -> Map<String, Value> {
    let Some(Value::Object(cpu)) = change.get_mut("cpu") else { return change };
    for (half, other) in [("quota", "period"), ("realtimeRuntime", "realtimePeriod")] {
        for (given, missing) in [(half, other), (other, half)] {
            let held = &before["cpu"][missing];
            if cpu.contains_key(given) && !cpu.contains_key(missing) && !held.is_null() {
                cpu.insert(missing.to_owned(), held.clone());
            }
        }
    }
    change
}

/// Puts one document over another, member by member.
fn merge(under: &mut Value, over: Value) {
    match (under, over) {
        (Value::Object(under), Value::Object(over)) => {
            for (name, value) in over {
                merge(under.entry(name).or_insert(Value::Null), value);
            }
        }
        (under, over) => *under = over,
    }
}

#[cfg(test)]
mod tests;
