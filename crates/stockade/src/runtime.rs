//! Languages: run Python and JavaScript source in the WebAssembly backend.
//!
//! A [`Runtime`] is an interpreter as a WebAssembly module, built on this machine and kept in the
//! user's cache. It makes [`Program`]s out of source; the rest is as with any module. The manual
//! has the details: [`manual::runtimes`](crate::manual::runtimes).

mod build;
mod command;
mod recipe;
mod store;

use std::env;
use std::ffi::OsStr;
use std::fmt;
use std::path::{Path, PathBuf};

use stockade_core::{Error, ErrorKind, Program, Result};

use store::Store;

/// A language whose source can be run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Language {
    /// CPython 3.14 with its standard library.
    Python,
    /// QuickJS-ng: ECMAScript with modules, promises and timers.
    JavaScript,
}

impl Language {
    /// Every language.
    pub const ALL: [Self; 2] = [Self::Python, Self::JavaScript];

    /// Its name on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Python => "python",
            Self::JavaScript => "javascript",
        }
    }

    /// The language of a source file, by the end of its name: `.py`, `.js` or `.mjs`.
    ///
    /// ```
    /// use stockade::runtime::Language;
    /// assert_eq!(Language::of_source("job.py".as_ref()), Some(Language::Python));
    /// assert_eq!(Language::of_source("job.wasm".as_ref()), None);
    /// ```
    pub fn of_source(path: &Path) -> Option<Self> {
        match path.extension()?.to_str()? {
            "py" => Some(Self::Python),
            "js" | "mjs" => Some(Self::JavaScript),
            _ => None,
        }
    }

    /// The licences of what a runtime is made of.
    pub const fn licences(self) -> &'static str {
        match self {
            Self::Python => {
                "CPython: PSF-2.0; componentize-py, wasi-libc: Apache-2.0 WITH LLVM-exception"
            }
            Self::JavaScript => "QuickJS-ng: MIT; wasi-libc: Apache-2.0 WITH LLVM-exception",
        }
    }
}

impl fmt::Display for Language {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// Where a runtime to install comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Source {
    /// It is built here, from packages of PyPI with known hashes. Needs `python3` with `venv` and,
    /// for JavaScript, a `clang` that compiles for WASI. Takes up to a minute.
    Build,
    /// A module that was built elsewhere.
    File(PathBuf),
}

/// An interpreter as a WebAssembly module, ready to be given source.
///
/// ```no_run
/// use stockade::runtime::{Language, Runtime};
/// use stockade::Policy;
///
/// let program = Runtime::find(Language::Python)?.code("print(6 * 7)");
/// let report = stockade::auto(&program)?.run(&Policy::default(), &program)?;
/// assert_eq!(report.stdout, b"42\n");
/// # Ok::<(), stockade::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Runtime {
    language: Language,
    path: PathBuf,
    sha256: String,
    size: u64,
}

impl Runtime {
    /// The runtime that is installed for this user, in `$XDG_CACHE_HOME/stockade/runtimes` or
    /// `~/.cache/stockade/runtimes`. Its bytes are compared with the hash taken when it was
    /// installed.
    ///
    /// # Errors
    /// `NotFound` when it is not installed, with the command that installs it; `PermissionDenied`
    /// when others may write the file or its directory; `InvalidPolicy` when it was changed.
    pub fn find(language: Language) -> Result<Self> {
        let found = Store::open()?.find(language)?;
        found.ok_or_else(|| {
            Error::new(ErrorKind::NotFound, Missing { language })
                .with_hint(format!("stockade runtime install {language}"))
        })
    }

    /// Installs a runtime in place of the one that may be there. Nothing is printed; what external
    /// commands say is part of the error when they fail.
    ///
    /// # Errors
    /// `NotFound` when a tool or the file is missing, with what brings it; `Setup` when a step of
    /// the build fails; `InvalidPolicy` when the file is no WebAssembly; `Io`.
    pub fn install(language: Language, source: &Source) -> Result<Self> {
        let store = Store::create()?;
        let workshop = store.workshop()?;
        let module = match source {
            Source::Build => build::build(language, workshop.path())?,
            Source::File(path) => store::copy(path, &workshop.path().join("given.wasm"))?,
        };
        store.place(language, &module, recipe::notice(language))
    }

    /// Removes a runtime; answers whether there was one.
    ///
    /// # Errors
    /// `Io` when a file cannot be removed; `PermissionDenied` as with [`find`](Self::find).
    pub fn remove(language: Language) -> Result<bool> {
        Store::open()?.remove(language)
    }

    /// Which language it runs.
    pub fn language(&self) -> Language {
        self.language
    }

    /// The module.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Its size in bytes.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The SHA-256 of the module, in hexadecimal.
    pub fn sha256(&self) -> &str {
        &self.sha256
    }

    /// The interpreter itself, to which the caller adds arguments.
    pub fn program(&self) -> Program {
        Program::module_file(&self.path)
    }

    /// A program given as text.
    pub fn code(&self, code: impl AsRef<OsStr>) -> Program {
        self.program().arg("-c").arg(code)
    }

    /// A program in a file, by its path inside the sandbox.
    pub fn script(&self, path: impl AsRef<OsStr>) -> Program {
        self.program().arg(path)
    }

    /// A program that is read from standard input.
    pub fn stdin(&self) -> Program {
        self.program().arg("-")
    }
}

/// Stockade's directory in the user's cache, which may not be there yet:
/// `$XDG_CACHE_HOME/stockade`, or `~/.cache/stockade`. `None` for a user without a home
/// ([base directory specification](https://specifications.freedesktop.org/basedir-spec/latest/)).
pub fn user_cache() -> Option<PathBuf> {
    let absolute = |name| env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let cache = absolute("XDG_CACHE_HOME").or_else(|| Some(absolute("HOME")?.join(".cache")))?;
    Some(cache.join("stockade"))
}

/// A runtime is not there.
#[derive(Debug, thiserror::Error)]
#[error("the runtime for {language} is not installed")]
struct Missing {
    language: Language,
}

#[cfg(test)]
mod tests;
