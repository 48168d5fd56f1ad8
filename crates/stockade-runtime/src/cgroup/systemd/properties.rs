//! [`Property`]: what a unit of systemd is told.

use oci_spec::runtime::{LinuxCpu, LinuxMemory, LinuxPids, LinuxResources};
use serde::{Deserialize, Serialize};

use crate::cgroup::dir::Version;
use crate::cgroup::{devices, limits};
use crate::failure::{Failure, Outcome};

/// A name, a signature of D-Bus, and the words of a value as busctl(1) takes them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::cgroup) struct Property {
    name: String,
    signature: String,
    words: Vec<String>,
}

/// What annotations start with that ask for a property.
const ANNOTATION: &str = "org.systemd.property.";

impl Property {
    pub(super) fn new(name: &str, signature: &str, words: &[&str]) -> Self {
        let words = words.iter().map(|&word| word.to_owned()).collect();
        Self { name: name.to_owned(), signature: signature.to_owned(), words }
    }

    /// Reads an annotation `org.systemd.property.NAME`, whose value is a simple one in GVariant's text
    /// form. `None` for another annotation.
    ///
    /// # Errors
    /// If name or value cannot be read.
    pub(super) fn annotated(key: &str, value: &str) -> Outcome<Option<Self>> {
        let Some(name) = key.strip_prefix(ANNOTATION) else { return Ok(None) };
        let wrong = || Failure::new(format!("annotation {key}={value}: no property of a unit"));
        if name.len() < 3 || !name.bytes().all(|letter| letter.is_ascii_alphabetic()) {
            return Err(wrong());
        }
        let quoted = |quote: char| value.strip_prefix(quote)?.strip_suffix(quote);
        let (kind, digits) = value.split_once(' ').unwrap_or(("int32", value));
        let signature = match kind {
            _ if matches!(value, "true" | "false") => {
                return Ok(Some(Self::new(name, "b", &[value])));
            }
            _ if value.starts_with(['\'', '"']) => {
                let text = quoted('\'').or_else(|| quoted('"')).ok_or_else(wrong)?;
                if text.contains(['\\', '\'', '"', '\0']) {
                    return Err(wrong());
                }
                return Ok(Some(Self::new(name, "s", &[text])));
            }
            "int32" => "i",
            "int64" => "x",
            "uint32" => "u",
            "uint64" => "t",
            _ => return Err(wrong()),
        };
        let number: i128 = digits.trim().parse().map_err(|_| wrong())?;
        // The bus has times in microseconds.
        if let Some(time) = name.strip_suffix("Sec").filter(|_| !name.ends_with("USec")) {
            let microseconds = number.checked_mul(1_000_000).filter(|n| *n >= 0);
            let microseconds = microseconds.ok_or_else(wrong)?.to_string();
            return Ok(Some(Self::new(&format!("{time}USec"), "t", &[&microseconds])));
        }
        Ok(Some(Self::new(name, signature, &[&number.to_string()])))
    }

    /// Their number and the words of each, as an argument of type `a(sv)`.
    pub(super) fn listed(properties: &[Self]) -> Vec<String> {
        let mut words = vec![properties.len().to_string()];
        for property in properties {
            words.extend([property.name.clone(), property.signature.clone()]);
            words.extend(property.words.iter().cloned());
        }
        words
    }

    fn number(name: &str, value: i64) -> Self {
        // What is below zero means no limit, which is the greatest number there.
        let value = u64::try_from(value).unwrap_or(u64::MAX);
        Self::new(name, "t", &[&value.to_string()])
    }
}

/// What a manager is told of limits. It writes its own at will, so that it must know those that it
/// has a name for; all are written to the groups besides.
pub(super) fn of(resources: &LinuxResources, version: Version) -> Outcome<Vec<Property>> {
    let mut properties = Vec::new();
    let v2 = version == Version::V2;
    if let Some(memory) = resources.memory() {
        of_memory(memory, v2, &mut properties)?;
    }
    if let Some(cpu) = resources.cpu() {
        of_cpu(cpu, v2, &mut properties)?;
    }
    if let Some(limit) = resources.pids().as_ref().map(LinuxPids::limit).filter(|&n| n != 0) {
        properties.push(Property::number("TasksMax", limit));
    }
    let weight = resources.block_io().as_ref().and_then(|block| block.weight());
    if let Some(weight) = weight.filter(|&weight| weight != 0 && !v2) {
        properties.push(Property::number("BlockIOWeight", weight.into()));
    }
    Ok(properties)
}

/// Which devices a unit may use, as far as the manager has words for it: it knows no denials.
pub(super) fn of_devices(resources: &LinuxResources) -> Outcome<Vec<Property>> {
    let rules = devices::rules(resources.devices().as_ref())?;
    let allowed = devices::List::new(&rules)?.units();
    let Some(allowed) = allowed else { return Ok(Vec::new()) };
    let mut words = vec![allowed.len().to_string()];
    words.extend(allowed.into_iter().flat_map(|(device, access)| [device, access]));
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    Ok(vec![
        Property::new("DevicePolicy", "s", &["strict"]),
        Property::new("DeviceAllow", "a(ss)", &words),
    ])
}

fn of_memory(memory: &LinuxMemory, v2: bool, to: &mut Vec<Property>) -> Outcome<()> {
    let amount = |amount: Option<i64>| amount.unwrap_or(0);
    let limit = amount(memory.limit());
    if limit != 0 {
        to.push(Property::number(if v2 { "MemoryMax" } else { "MemoryLimit" }, limit));
    }
    if !v2 {
        return Ok(());
    }
    if let Some(low) = memory.reservation().filter(|&low| low != 0) {
        to.push(Property::number("MemoryLow", low));
    }
    let total = amount(memory.swap());
    let swap = limits::swap_alone(total, limit)?;
    if swap != 0 || total > 0 {
        to.push(Property::number("MemorySwapMax", swap));
    }
    Ok(())
}

fn of_cpu(cpu: &LinuxCpu, v2: bool, to: &mut Vec<Property>) -> Outcome<()> {
    match cpu.shares().filter(|&shares| shares != 0) {
        Some(shares) if v2 && cpu.idle() != Some(1) => {
            let weight = limits::cpu_weight(shares);
            to.push(Property::new("CPUWeight", "t", &[&weight.to_string()]));
        }
        Some(shares) if !v2 => {
            to.push(Property::new("CPUShares", "t", &[&shares.to_string()]));
        }
        _ => {}
    }
    let period = cpu.period().filter(|&period| period != 0);
    if let Some(period) = period {
        to.push(Property::new("CPUQuotaPeriodUSec", "t", &[&period.to_string()]));
    }
    let quota = cpu.quota().filter(|&quota| quota != 0);
    if quota.is_some() || period.is_some() {
        let rate = quota.and_then(|quota| per_second(quota, period.unwrap_or(100_000)));
        to.push(Property::new("CPUQuotaPerSecUSec", "t", &[&rate.unwrap_or(u64::MAX).to_string()]));
    }
    for (name, list) in [("AllowedCPUs", cpu.cpus()), ("AllowedMemoryNodes", cpu.mems())] {
        if let Some(list) = list.as_deref().filter(|list| !list.is_empty()) {
            let bits = bits(list).ok_or_else(|| {
                Failure::new(format!("`{list}` is no list of processors or nodes"))
            })?;
            let mut words = vec![bits.len().to_string()];
            words.extend(bits.iter().map(u8::to_string));
            let words: Vec<&str> = words.iter().map(String::as_str).collect();
            to.push(Property::new(name, "ay", &words));
        }
    }
    Ok(())
}

/// Microseconds of a processor in a second. The manager knows whole percents: it is the next above.
/// `None` for no limit.
fn per_second(quota: i64, period: u64) -> Option<u64> {
    let exact = u128::from(u64::try_from(quota).ok()?) * 1_000_000 / u128::from(period);
    u64::try_from(exact.div_ceil(10_000) * 10_000).ok()
}

/// A list like `0-2,5` as bits, the lowest first. `None` if it cannot be read.
pub(super) fn bits(list: &str) -> Option<Vec<u8>> {
    let mut bits = Vec::new();
    for part in list.split(',').map(str::trim).filter(|part| !part.is_empty()) {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last): (u16, u16) = (first.parse().ok()?, last.parse().ok()?);
        for bit in first..=last {
            let at = usize::from(bit / 8);
            bits.resize(bits.len().max(at + 1), 0);
            bits[at] |= 1 << (bit % 8);
        }
    }
    (!bits.is_empty()).then_some(bits)
}
