//! Policies: the one a command line asks for, `stockade policy check` and `policy show`.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Component, Path, PathBuf};

use stockade::{
    Access, Base, Error, ErrorKind, MAX_POLICY_TEXT, Mount, Policy, PolicyError, PolicyFormat,
    Result,
};

use crate::args::{BindArg, FileArgs, LimitArgs, PolicyArgs};
use crate::exit::{self, Exit};

/// The policy that options ask for: the file's, or the default, with what they change.
pub(crate) fn of(args: &PolicyArgs) -> Result<Policy> {
    with(args, |_| {})
}

/// The same, with what `image` puts into it before the options do.
pub(crate) fn with(args: &PolicyArgs, image: impl FnOnce(&mut Policy)) -> Result<Policy> {
    let mut policy = match &args.file {
        Some(file) => read(file)?,
        None => Policy::default(),
    };
    image(&mut policy);
    policy.best_effort.extend(&args.best_effort);
    set_limits(&mut policy, &args.limits);
    set_files(&mut policy, &args.files)?;
    let process = &args.process;
    for variable in &process.env {
        policy.process.env.insert(variable.name.clone(), variable.value.clone());
    }
    replace(&mut policy.process.cwd, process.cwd.clone());
    replace(&mut policy.network.mode, process.network);
    replace(&mut policy.syscalls.profile, process.syscalls);
    policy.validate()?;
    Ok(policy)
}

fn replace<T>(value: &mut T, given: Option<T>) {
    if let Some(given) = given {
        *value = given;
    }
}

fn set_limits(policy: &mut Policy, given: &LimitArgs) {
    let limits = &mut policy.limits;
    replace(&mut limits.memory, given.memory);
    replace(&mut limits.cpu_time, given.cpu_time);
    replace(&mut limits.wall_time, given.wall_time);
    replace(&mut limits.processes, given.processes);
    replace(&mut limits.open_files, given.open_files);
    replace(&mut limits.file_size, given.file_size);
    replace(&mut limits.disk, given.disk);
    replace(&mut limits.output, given.output);
    limits.cpus = given.cpus.or(limits.cpus);
    limits.fuel = given.fuel.or(limits.fuel);
}

fn set_files(policy: &mut Policy, given: &FileArgs) -> Result<()> {
    let files = &mut policy.filesystem;
    replace(&mut files.base, given.base.clone());
    replace(&mut files.base, given.rootfs.clone().map(Base::Rootfs));
    let root = files.base.rootfs().map(Path::to_owned);
    match root {
        Some(root) if given.writable => files.base = Base::WritableRootfs(root),
        Some(root) if given.read_only => files.base = Base::Rootfs(root),
        None if given.writable => return Err(NoRoot.into()),
        _ => {}
    }
    let mut mounts = Vec::new();
    for (binds, access) in [(&given.ro, Access::Ro), (&given.rw, Access::Rw)] {
        for BindArg { source, target } in binds {
            let target = match target {
                Some(target) => target.clone(),
                None => same_place(source)?,
            };
            mounts.push(match access {
                Access::Ro => Mount::read_only(source, target),
                Access::Rw => Mount::read_write(source, target),
            });
        }
    }
    mounts.extend(given.tmpfs.iter().map(|tmpfs| Mount::tmpfs(&tmpfs.target, tmpfs.size)));
    // The order of different options is not known: a directory comes before what is in it.
    mounts.sort_by(|one, other| Path::new(one.target()).cmp(Path::new(other.target())));
    files.mounts.retain(|mount| mounts.iter().all(|given| given.target() != mount.target()));
    files.mounts.extend(mounts);
    Ok(())
}

/// Nothing stands at `/` that could be written to.
#[derive(Debug, thiserror::Error)]
#[error("`--writable` needs a root that is a directory")]
struct NoRoot;

impl From<NoRoot> for Error {
    fn from(error: NoRoot) -> Self {
        Self::new(ErrorKind::InvalidPolicy, error)
            .with_hint("name one with `--rootfs` or `--image`, or give a `--tmpfs` to write to")
    }
}

/// The path inside that a host path has if no other is given: its absolute form, by name alone.
fn same_place(source: &Path) -> Result<String> {
    let absolute =
        std::path::absolute(source).map_err(|error| file_error(source, FileProblem::Io(error)))?;
    let mut target = PathBuf::new();
    for component in absolute.components() {
        match component {
            Component::ParentDir => {
                target.pop();
            }
            other => target.push(other),
        }
    }
    target.into_os_string().into_string().map_err(|name| {
        PolicyError::value("--ro or --rw", name.to_string_lossy(), "SRC:DST with a DST in UTF-8")
            .into()
    })
}

/// `stockade policy check FILE`
pub(crate) fn check(file: &Path) -> Result<Exit, Exit> {
    let policy = read(file).map_err(|error| {
        exit::failed(&error);
        Exit::BAD_POLICY
    })?;
    let line = format!("{}: ok, policy hash {}", file.display(), policy.hash());
    writeln!(io::stdout(), "{line}").map_err(exit::output)?;
    Ok(Exit::SUCCESS)
}

/// `stockade policy show [FILE]`
pub(crate) fn show(file: Option<&Path>, json: bool) -> Result<Exit, Exit> {
    let text = render(file, json).map_err(|error| exit::failed(&error))?;
    io::stdout().write_all(text.as_bytes()).map_err(exit::output)?;
    Ok(Exit::SUCCESS)
}

fn render(file: Option<&Path>, json: bool) -> Result<String> {
    let policy = file.map_or_else(|| Ok(Policy::default()), read)?;
    if json {
        let text = serde_json::to_string_pretty(&policy)
            .map_err(|error| Error::new(ErrorKind::Internal, error))?;
        return Ok(text + "\n");
    }
    // TOML has no null: what is not bounded can only be said in a comment.
    let optional = [("cpus", policy.limits.cpus.is_none()), ("fuel", policy.limits.fuel.is_none())];
    let absent = optional.into_iter().filter(|(_, absent)| *absent);
    let comments: String =
        absent.map(|(key, _)| format!("# limits.{key}: not bounded\n")).collect();
    Ok(comments + &policy.to_toml()?)
}

/// What is wrong with a policy file.
#[derive(Debug, thiserror::Error)]
#[error("cannot use the policy {}", path.display())]
struct FileError {
    path: PathBuf,
    source: FileProblem,
}

#[derive(Debug, thiserror::Error)]
enum FileProblem {
    #[error(transparent)]
    Io(io::Error),
    #[error("it is a directory")]
    Directory,
    #[error("it is not a regular file")]
    NotAFile,
    #[error("it is larger than {MAX_POLICY_TEXT} bytes")]
    TooLarge,
    #[error("it is not UTF-8 text")]
    NotText,
    #[error(transparent)]
    Policy(PolicyError),
}

/// Reads and checks a policy file. Never waits, as a FIFO would make it, and never reads more
/// than a policy can be long.
pub(crate) fn read(path: &Path) -> Result<Policy> {
    load(path).map_err(|problem| file_error(path, problem))
}

fn load(path: &Path) -> Result<Policy, FileProblem> {
    let metadata = path.metadata().map_err(FileProblem::Io)?;
    if metadata.is_dir() {
        return Err(FileProblem::Directory);
    }
    if !metadata.is_file() {
        return Err(FileProblem::NotAFile);
    }
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(FileProblem::Io)?;
    file.take(MAX_POLICY_TEXT as u64 + 1).read_to_end(&mut bytes).map_err(FileProblem::Io)?;
    if bytes.len() > MAX_POLICY_TEXT {
        return Err(FileProblem::TooLarge);
    }
    let text = String::from_utf8(bytes).map_err(|_| FileProblem::NotText)?;
    let json = path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("json"));
    let format = if json { PolicyFormat::Json } else { PolicyFormat::Toml };
    Policy::from_text(&text, format).map_err(FileProblem::Policy)
}

fn file_error(path: &Path, problem: FileProblem) -> Error {
    let kind = match &problem {
        FileProblem::Io(error) if error.kind() == io::ErrorKind::NotFound => ErrorKind::NotFound,
        FileProblem::Io(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            ErrorKind::PermissionDenied
        }
        FileProblem::Io(_) => ErrorKind::Io,
        _ => ErrorKind::InvalidPolicy,
    };
    let hint = match &problem {
        FileProblem::Policy(error) => error.hint(),
        FileProblem::Directory | FileProblem::NotAFile => {
            Some("name a regular file that holds the policy".to_owned())
        }
        FileProblem::TooLarge => {
            Some("give large files to the sandbox as binds, not as contents".to_owned())
        }
        FileProblem::Io(_) | FileProblem::NotText => None,
    };
    let error = Error::new(kind, FileError { path: path.to_owned(), source: problem });
    match hint {
        Some(hint) => error.with_hint(hint),
        None => error,
    }
}

#[cfg(test)]
mod tests;
