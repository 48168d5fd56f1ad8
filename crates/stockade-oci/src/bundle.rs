//! [`Bundle`]: a directory with a `config.json` and a root, as a policy and a program.

mod error;
mod fields;
mod json;
mod linux;
mod mounts;
mod process;
mod root;
pub mod runtime;
mod table;
mod values;
mod walk;

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use rustix::fs::{Mode, OFlags};
use serde::Serialize;
use serde_json::Value;
use stockade_core::{
    Base, Error, Limits, Mount, NetworkMode, Policy, PolicyError, Program, ProgramSource, Result,
};

pub use error::{MAX_CONFIG, Refusal, RefusedFields};
pub use table::{Row, Shape, Treatment};

use error::BundleError;
use root::Inside;
use walk::Findings;

/// A bundle of the
/// [runtime specification](https://github.com/opencontainers/runtime-spec/blob/main/bundle.md), as
/// what a [`Sandbox`](stockade_core::Sandbox) runs.
///
/// Every field of its `config.json` is honoured, or accepted with a note, or refused by its name; see
/// [`Bundle::fields`].
///
/// ```no_run
/// use std::path::Path;
/// use stockade_oci::bundle::Bundle;
///
/// # fn main() -> stockade_core::Result<()> {
/// let bundle = Bundle::load(Path::new("/var/lib/bundles/job"))?;
/// for note in &bundle.notes {
///     println!("{}: {}", note.path, note.reason);
/// }
/// // sandbox.run(&bundle.policy, &bundle.program)
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Bundle {
    /// What it asks for. Limits that it does not mention are those of [`Options::limits`].
    pub policy: Policy,
    /// What it runs: a native program, or a module where the first argument ends in `.wasm`.
    pub program: Program,
    /// What was accepted and is not done as asked, or was passed over, or opens a wall.
    pub notes: Vec<Note>,
}

/// Something that a bundle asks for and that a caller may want to know of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Note {
    /// Where it stands in `config.json`, such as `process.rlimits[0]`.
    pub path: String,
    /// What it is noted for.
    pub kind: NoteKind,
    /// What is done instead, or why nothing needs to be.
    pub reason: String,
}

/// What something is noted for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum NoteKind {
    /// What Stockade does is at least as tight, or it means nothing here, or the caller allows it.
    Harmless,
    /// Less is done than asked. No wall of a sandbox rests on it.
    NotEnforced,
    /// It is done as asked, and opens a wall that policies have closed by default.
    Opened,
    /// The specification does not know it, and has runtimes pass over what it does not know.
    Ignored,
}

/// What a caller allows beyond what every bundle may ask for. Everything is closed by default.
#[derive(Debug, Clone, Default, PartialEq)]
#[non_exhaustive]
pub struct Options {
    /// The limits where a config says nothing; a config knows none on time, output and disk. By default
    /// those of [`Policy`].
    pub limits: Limits,
    /// What a program writes to a root that is to be writable is in memory, bounded by the limit on
    /// disk, and gone with the run, where the specification has it stay in `root.path`.
    pub writable_root_is_ephemeral: bool,
    /// A program that is to have a terminal has the streams it is started with instead.
    pub terminal_is_streams: bool,
    /// The program and its arguments, in the place of `process.args`; what the config says if it is empty.
    pub args: Vec<String>,
    /// A filter of system calls that a config brings is left out; what is installed is the
    /// [profile](stockade_core::SyscallProfile) of the policy, which may allow what the config's
    /// filter forbids.
    pub seccomp_is_own_profile: bool,
}

impl Bundle {
    /// Reads the bundle in a directory.
    ///
    /// # Errors
    /// * `Unsupported`, with [`RefusedFields`] as its cause, naming everything that is asked for and
    ///   not done; or for another version of the specification;
    /// * `InvalidPolicy` naming the place in `config.json` that makes no sense, or a path that leads
    ///   out of the bundle;
    /// * `NotFound`, `PermissionDenied` or `Io` for what cannot be read.
    pub fn load(dir: &Path) -> Result<Self> {
        Self::load_with(dir, &Options::default())
    }

    /// The same, with what the caller allows.
    ///
    /// # Errors
    /// As [`Bundle::load`].
    pub fn load_with(dir: &Path, options: &Options) -> Result<Self> {
        let text = config_text(dir)?;
        Self::from_config_with(&text, dir, options)
    }

    /// Reads a config as if it were the `config.json` in a directory, which holds the root.
    ///
    /// # Errors
    /// As [`Bundle::load`].
    pub fn from_config(text: &str, dir: &Path) -> Result<Self> {
        Self::from_config_with(text, dir, &Options::default())
    }

    /// The same, with what the caller allows.
    ///
    /// # Errors
    /// As [`Bundle::load`].
    pub fn from_config_with(text: &str, dir: &Path, options: &Options) -> Result<Self> {
        let config = json::read(text)?;
        let mut found = Findings::default();
        // Another version's members are of other shapes.
        if json::at(&config, "ociVersion").is_string() {
            version(&config)?;
        }
        walk::walk(&config, fields::FIELDS.iter().copied(), &mut found)?;
        version(&config)?;

        let mut policy = Policy::default();
        policy.limits = options.limits.clone();
        let args = process::read(&config, options, &mut policy, &mut found)?;
        let bundle = Inside::new(dir)?;
        mounts::read(&config, &bundle, &mut policy, &mut found)?;
        let (root, base) = root::read(&config, &bundle, options, &mut found)?;
        policy.filesystem.base = base;
        linux::read(&config, options, &mut policy, &mut found)?;
        if !found.refused.is_empty() {
            return Err(RefusedFields { fields: found.refused }.into());
        }
        let program = program(&root, &args, &mut policy)?;
        let native = matches!(program.source, ProgramSource::Executable(_));
        if matches!(policy.filesystem.base, Base::WritableRootfs(_)) && !native {
            found.harmless("root.readonly", "a module's root is read-only, with `/tmp` writable");
            policy.filesystem.base = Base::Rootfs(root);
        }
        if policy.network.mode == NetworkMode::Host {
            found.note(NoteKind::Opened, "linux.namespaces", HOST_NETWORK);
        }
        policy.validate().map_err(origin)?;
        Ok(Self { policy, program, notes: found.notes })
    }

    /// Every field of `config.json` that a version of the specification has, and what becomes of it.
    pub fn fields() -> &'static [Row] {
        fields::FIELDS
    }

    /// The same and what becomes of values that have names, as Markdown: the tables of the manual.
    pub fn fields_as_markdown() -> String {
        let places: Vec<Row> = values::PLACES.iter().map(|(.., row)| *row).collect();
        let whole = |row: &Row| row.treatment != Treatment::Part;
        let runtime: Vec<Row> = runtime::fields().filter(whole).collect();
        let chapters = [
            ("Fields", table::markdown("field", fields::FIELDS, true)),
            ("Namespaces", table::markdown("type", values::NAMESPACES, true)),
            ("Resource limits", table::markdown("type", values::RLIMITS, true)),
            ("Mounts", table::markdown("mount", &[&places, values::MOUNTS].concat(), false)),
            ("Options of mounts", table::markdown("option", values::OPTIONS, true)),
            ("Masked paths", table::markdown("path", values::MASKED, true)),
            ("Other paths", table::markdown("path", values::PATHS, false)),
            ("Fields in the container runtime", table::markdown("field", &runtime, true)),
        ];
        let chapters = chapters.map(|(title, table)| format!("## {title}\n\n{table}"));
        chapters.join("\n")
    }
}

const HOST_NETWORK: &str =
    "no network namespace is asked for, so the program has the host's network, unfiltered";

/// What the policy's own check says, with the place in the config that the value comes from.
fn origin(error: PolicyError) -> Error {
    let PolicyError::Value { key, .. } = &error else { return error.into() };
    let named = format!("`{key}`");
    let rows = fields::FIELDS.iter().chain(values::RLIMITS);
    let names: Vec<&str> =
        rows.filter(|row| row.text.starts_with(&named)).map(|row| row.name).collect();
    match names.as_slice() {
        [] => error.into(),
        names => {
            let hint = format!("correct `{}` of config.json", names.join("` or `"));
            Error::from(error).with_hint(hint)
        }
    }
}

/// The program; one whose name ends in `.wasm` is a module in the root, which has no network to reach.
fn program(root: &Path, args: &[String], policy: &mut Policy) -> Result<Program, BundleError> {
    let (name, rest) = args.split_first().map_or(("", args), |(name, rest)| (name.as_str(), rest));
    if !process::is_module(name) {
        return Ok(Program::executable(name).args(rest));
    }
    policy.network.mode = NetworkMode::None;
    let search = policy.process.env.get("PATH").map_or("", String::as_str);
    match root::module(root, name, &policy.process.cwd, search)? {
        Some(file) if is_covered(root, &file, policy) => {
            Err(BundleError::value("process.args[0]", name, "a module that no mount covers"))
        }
        Some(file) => Ok(Program::module_file(file).args(rest)),
        None => Err(BundleError::NotThere { path: "process.args[0]", target: name.into() }),
    }
}

/// Whether the program would not find a file of the root where it is.
fn is_covered(root: &Path, file: &Path, policy: &Policy) -> bool {
    let mounts = policy.filesystem.mounts.iter().map(Mount::target);
    let inner = Path::new("/").join(file.strip_prefix(root).unwrap_or(file));
    mounts.chain(["/dev", "/proc", "/tmp"]).any(|target| inner.starts_with(target))
}

fn version(config: &Value) -> Result<(), BundleError> {
    let Some(text) = json::text(config, "ociVersion") else {
        return Err(BundleError::Missing { path: "ociVersion".to_owned() });
    };
    let known = semver::Version::parse(text).is_ok_and(|version| {
        // What came before 1.0.0 had other fields.
        let first = semver::Version::new(1, 0, 0);
        version >= first && version.major == 1 && version.minor <= 2
    });
    if known {
        Ok(())
    } else {
        Err(BundleError::Version { found: text.chars().take(80).collect() })
    }
}

/// What `config.json` of a bundle holds, of which no more is read than it may have.
///
/// # Errors
/// `NotFound`, `PermissionDenied` or `Io` for what cannot be read, and `InvalidPolicy` for what is no
/// regular file, or longer than [`MAX_CONFIG`].
pub fn config_text(bundle: &Path) -> Result<String> {
    Ok(read_config(&bundle.join("config.json"))?)
}

fn read_config(path: &Path) -> Result<String, BundleError> {
    let read = |source: io::Error| BundleError::Read { path: path.to_owned(), source };
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let not_file = || BundleError::NotFile { path: path.to_owned() };
    let file = match rustix::fs::open(path, flags, Mode::empty()) {
        Ok(file) => File::from(file),
        Err(rustix::io::Errno::LOOP) => return Err(not_file()),
        Err(errno) => return Err(read(errno.into())),
    };
    if !file.metadata().map_err(read)?.is_file() {
        return Err(not_file());
    }
    let mut bytes = Vec::new();
    file.take(MAX_CONFIG as u64 + 1).read_to_end(&mut bytes).map_err(read)?;
    if bytes.len() > MAX_CONFIG {
        return Err(BundleError::TooLarge);
    }
    String::from_utf8(bytes).map_err(|_| {
        let source = io::Error::new(io::ErrorKind::InvalidData, "it is not UTF-8");
        BundleError::Read { path: path.to_owned(), source }
    })
}

#[cfg(test)]
mod tests;
