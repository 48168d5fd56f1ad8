//! `mounts`: what stands where over the root.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use stockade_core::{Bytes, Limit, Mount, Policy, is_kernel_place};

use super::error::BundleError;
use super::json;
use super::process::inner_path;
use super::root::Inside;
use super::table::{self, Treatment};
use super::values::{OPTIONS, PLACES};
use super::walk::Findings;

/// The smallest `tmpfs` a policy may ask for.
const MIN_TMPFS: u64 = 4096;

/// One entry of `mounts`.
struct Asked<'a> {
    /// `mounts[3]`
    path: String,
    /// Where it goes, in its normal form.
    target: String,
    kind: &'a str,
    source: Option<&'a str>,
    options: Vec<&'a str>,
}

/// Reads the mounts into the policy. The sizes of in-memory directories are added to what its limits
/// allow already, so that what has no size of its own keeps it.
pub(super) fn read(
    config: &Value,
    bundle: &Inside,
    policy: &mut Policy,
    found: &mut Findings,
) -> Result<(), BundleError> {
    let mut sizes: u64 = 0;
    for (index, entry) in json::items(json::at(config, "mounts")).iter().enumerate() {
        let path = format!("mounts[{index}]");
        let at = format!("{path}.destination");
        let Some(target) = json::text(entry, "destination") else {
            return Err(BundleError::Missing { path: at });
        };
        let asked = Asked {
            target: inner_path(&at, target)?,
            kind: json::text(entry, "type").unwrap_or_default(),
            source: json::text(entry, "source"),
            options: json::texts(json::at(entry, "options")).collect(),
            path,
        };
        let refusals = found.refused.len();
        let own = asked.own_place();
        asked.check_options(own.is_some(), found);
        if let Some(reason) = own {
            found.harmless(&asked.path, reason);
            continue;
        }
        let mount = match asked.mount(bundle, found)? {
            Some(mount) if found.refused.len() == refusals => mount,
            _ => continue,
        };
        if policy.filesystem.mounts.iter().any(|other| other.target() == mount.target()) {
            found.refuse(
                &asked.path,
                "something is mounted there already, and nothing is mounted over it",
            );
            continue;
        }
        if let Mount::Tmpfs { size: Some(Bytes(size)), .. } = mount {
            sizes = sizes.saturating_add(size);
        }
        policy.filesystem.mounts.push(mount);
    }
    if let Limit::At(Bytes(disk)) = &mut policy.limits.disk {
        *disk = disk.saturating_add(sizes);
    }
    Ok(())
}

impl Asked<'_> {
    fn has(&self, option: &str) -> bool {
        self.options.contains(&option)
    }

    fn is_bind(&self) -> bool {
        self.has("bind") || self.has("rbind")
    }

    /// Of several, the last one counts, as it does to mount(8).
    fn is_read_only(&self) -> bool {
        let last = self.options.iter().rfind(|option| ["ro", "rro", "rw", "rrw"].contains(option));
        matches!(last, Some(&("ro" | "rro")))
    }

    /// Applies what the list says of options. At a place of the sandbox's own nothing is asked of files
    /// that a program could execute.
    fn check_options(&self, own: bool, found: &mut Findings) {
        for (index, option) in self.options.iter().enumerate() {
            let path = format!("{}.options[{index}]", self.path);
            let name = option.split_once('=').map_or(*option, |(name, _)| &option[..=name.len()]);
            match table::find(OPTIONS, name) {
                // Too many, and too little in each, to be noted one by one.
                Some(row) if row.treatment == Treatment::Harmless => {}
                Some(row) if row.treatment == Treatment::NotEnforced && own => {}
                Some(row) => found.row(&path, name, row),
                None => found.refuse(
                    path,
                    format!("{}: not an option that is known here", option.escape_debug()),
                ),
            }
        }
    }

    /// Why nothing is to be mounted, if the place is the sandbox's own or is not there.
    fn own_place(&self) -> Option<&'static str> {
        let (_, kinds, row) = PLACES.iter().find(|(place, ..)| *place == self.target)?;
        let bound =
            || self.source.is_some_and(|source| Path::new(source) == Path::new(&self.target));
        let own = if self.is_bind() { bound() } else { kinds.contains(&self.kind) };
        own.then_some(row.text)
    }

    fn mount(&self, bundle: &Inside, found: &mut Findings) -> Result<Option<Mount>, BundleError> {
        let target = Path::new(&self.target);
        let taken = target == "/" || target.starts_with("/proc") || target.starts_with("/dev");
        if taken && target != "/dev/shm" {
            found.refuse(
                &self.path,
                format!("{}: these places are the sandbox's own", self.target.escape_debug()),
            );
            return Ok(None);
        }
        if self.is_bind() {
            return self.bind(bundle, found);
        }
        if self.kind != "tmpfs" {
            let reason = format!("{:?} is not mounted", self.kind);
            found.refuse(format!("{}.type", self.path), reason);
            return Ok(None);
        }
        if self.is_read_only() {
            found.refuse(&self.path, "a `tmpfs` is writable");
            return Ok(None);
        }
        Ok(Some(Mount::tmpfs(&self.target, self.size()?)))
    }

    fn bind(&self, bundle: &Inside, found: &mut Findings) -> Result<Option<Mount>, BundleError> {
        let path = format!("{}.source", self.path);
        let Some(source) = self.source else {
            return Err(BundleError::Missing { path });
        };
        let source = bundle.source(&path, source)?;
        if is_kernel_place(&source) {
            found.refuse(path, format!("{source:?} is a window into the host's kernel"));
            return Ok(None);
        }
        if !self.has("rbind") && has_mounts_beneath(&source) {
            found.refuse(
                &self.path,
                "something is mounted beneath it, which `bind` leaves out and a sandbox does not",
            );
            return Ok(None);
        }
        Ok(Some(if self.is_read_only() {
            Mount::read_only(source, &self.target)
        } else {
            Mount::read_write(source, &self.target)
        }))
    }

    fn size(&self) -> Result<Option<Bytes>, BundleError> {
        let sizes = self.options.iter().enumerate();
        let Some((index, text)) =
            sizes.filter_map(|(i, o)| Some((i, o.strip_prefix("size=")?))).next_back()
        else {
            return Ok(None);
        };
        match bytes(text).filter(|size| *size >= MIN_TMPFS) {
            Some(size) => Ok(Some(Bytes(size))),
            None => {
                let path = format!("{}.options[{index}]", self.path);
                Err(BundleError::value(path, text, "a size of at least 4096 bytes, such as 65536k"))
            }
        }
    }
}

/// A size as tmpfs(5) has it, but for shares of the machine's memory.
fn bytes(text: &str) -> Option<u64> {
    let digits = text.trim_end_matches(|last: char| last.is_ascii_alphabetic());
    let shift = match text[digits.len()..].to_ascii_lowercase().as_str() {
        "" => 0,
        "k" => 10,
        "m" => 20,
        "g" => 30,
        _ => return None,
    };
    let plain = !digits.is_empty() && digits.bytes().all(|digit| digit.is_ascii_digit());
    digits.parse::<u64>().ok().filter(|_| plain)?.checked_mul(1 << shift)
}

/// Whether something is mounted beneath a directory. Where the kernel does not say, something is.
fn has_mounts_beneath(source: &Path) -> bool {
    // What does not exist is found to be missing when the program is prepared.
    let Ok(source) = fs::canonicalize(source) else { return false };
    if !source.is_dir() {
        return false;
    }
    let Ok(mounts) = fs::read("/proc/self/mountinfo") else { return true };
    mounts.split(|&byte| byte == b'\n').any(|line| {
        line.split(|&byte| byte == b' ')
            .nth(4)
            .map(unescaped)
            .is_some_and(|mount| mount != source && mount.starts_with(&source))
    })
}

/// A path of mountinfo, in which `\040` is a blank (proc_pid_mountinfo(5)).
fn unescaped(text: &[u8]) -> PathBuf {
    use std::os::unix::ffi::OsStringExt;

    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    while let [first, tail @ ..] = rest {
        let octal = |digits: &[u8]| u8::from_str_radix(std::str::from_utf8(digits).ok()?, 8).ok();
        match (first, tail.get(..3).and_then(octal)) {
            (b'\\', Some(byte)) => {
                bytes.push(byte);
                rest = &tail[3..];
            }
            _ => {
                bytes.push(*first);
                rest = tail;
            }
        }
    }
    std::ffi::OsString::from_vec(bytes).into()
}

#[cfg(test)]
mod tests;
