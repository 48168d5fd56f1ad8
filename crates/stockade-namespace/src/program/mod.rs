//! Programs: which file inside the sandbox a name means, and whether the kernel could run it.
//! Everything is found out before anything runs, without entering the sandbox.

mod elf;
mod error;
mod executable;
mod script;
#[cfg(test)]
mod tests;

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use stockade_core::{Error, Process, Program, ProgramSource};

use crate::rootfs::{Object, View};
use error::ProgramError;

/// Where names are looked up when the policy's environment has no `PATH`.
const DEFAULT_PATH: &str = "/usr/local/bin:/usr/bin:/bin";

/// Longest argument or `NAME=value`, NUL included: `MAX_ARG_STRLEN` (execve(2)).
const MAX_STRING: usize = 128 << 10;
/// Most bytes of arguments and environment, with their pointers. The kernel's bound is a quarter
/// of the stack limit, 2 MiB by default; the rest is left to the loader and the program's path.
const MAX_STRINGS: usize = 1536 << 10;

/// A program that was found and can be executed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Found {
    /// Absolute guest path to execute.
    pub(crate) path: PathBuf,
    /// The argument vector, the program's name as given first.
    pub(crate) argv: Vec<OsString>,
}

/// Finds a program in a file tree and checks that the kernel can run it there with its arguments,
/// the policy's environment and its working directory.
///
/// # Errors
/// `NotFound` for a program, interpreter, loader or working directory that is not in the sandbox;
/// `PermissionDenied` for a file that is not executable; `Unsupported` for a WebAssembly module;
/// `InvalidPolicy` for everything else that execve(2) would refuse.
pub(crate) fn find(view: &View, program: &Program, process: &Process) -> Result<Found, Error> {
    Ok(locate(view, program, process)?)
}

fn locate(view: &View, program: &Program, process: &Process) -> Result<Found, ProgramError> {
    let name = match &program.source {
        ProgramSource::Executable(name) => name,
        ProgramSource::Module(_) | ProgramSource::ModuleFile(_) => {
            return Err(ProgramError::Module);
        }
        _ => return Err(ProgramError::NotNative),
    };
    check_strings(name, program, process)?;
    check_work_dir(view, process)?;
    let search = Search { view, process };
    let path = search.path_of(Path::new(name))?;
    search.check(&path, 0)?;
    let argv = std::iter::once(name).chain(&program.args).cloned().collect();
    Ok(Found { path, argv })
}

fn check_strings(name: &OsStr, program: &Program, process: &Process) -> Result<(), ProgramError> {
    if name.is_empty() {
        return Err(ProgramError::Unnamed);
    }
    let args = program.args.iter().enumerate();
    let strings = std::iter::once(("program".to_owned(), name.len(), has_nul(name)))
        .chain(args.map(|(i, arg)| (format!("program.args[{i}]"), arg.len(), has_nul(arg))))
        .chain(process.env.iter().map(|(key, value)| {
            let nul = key.contains('\0') || value.contains('\0');
            (format!("process.env.{key}"), key.len() + 1 + value.len(), nul)
        }));
    let mut total = 0;
    for (key, size, nul) in strings {
        if nul {
            return Err(ProgramError::Nul { key });
        }
        if size >= MAX_STRING {
            return Err(ProgramError::TooLong { key, size, max: MAX_STRING - 1 });
        }
        total += size + 1 + size_of::<usize>();
    }
    if total > MAX_STRINGS {
        return Err(ProgramError::TooMuch { size: total, max: MAX_STRINGS });
    }
    Ok(())
}

fn has_nul(text: &OsStr) -> bool {
    text.as_bytes().contains(&0)
}

fn check_work_dir(view: &View, process: &Process) -> Result<(), ProgramError> {
    let cwd = || process.cwd.clone();
    match view.resolve(Path::new(&process.cwd)) {
        Ok(object) if object.is_dir() => Ok(()),
        Ok(Object::Missing) => Err(ProgramError::WorkDirMissing { cwd: cwd() }),
        Ok(_) => Err(ProgramError::WorkDirKind { cwd: cwd() }),
        Err(source) => Err(ProgramError::Unreadable { path: cwd().into(), source }),
    }
}

/// Names looked up as a program of this policy would.
struct Search<'a> {
    view: &'a View,
    process: &'a Process,
}

impl Search<'_> {
    /// The absolute guest path a name means: names without `/` are looked up in `PATH`, as
    /// execvp(3) does.
    fn path_of(&self, name: &Path) -> Result<PathBuf, ProgramError> {
        let cwd = Path::new(&self.process.cwd);
        if name.as_os_str().as_bytes().contains(&b'/') {
            return Ok(cwd.join(name));
        }
        let search = self.process.env.get("PATH").map_or(DEFAULT_PATH, String::as_str);
        let mut refused = None;
        for dir in search.split(':') {
            let path = cwd.join(dir).join(name);
            match self.view.resolve(&path) {
                Ok(Object::HostFile(_) | Object::Memory { .. }) => match self.runnable(&path) {
                    Ok(()) => return Ok(path),
                    Err(error) => refused = refused.or(Some(error)),
                },
                Ok(_) => {}
                Err(source) => {
                    refused = refused.or(Some(ProgramError::Unreadable { path, source }));
                }
            }
        }
        Err(refused.unwrap_or_else(|| ProgramError::NotFound {
            name: name.to_owned(),
            looked_in: Some(search.to_owned()),
            on_host: false,
        }))
    }
}
