//! Scripts and the names of languages, as PROGRAM of a run.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use stockade::runtime::{Language, Runtime};
use stockade::{Error, ErrorKind, Mount, Result};

use crate::backend::Choice;

/// Largest script that is given to the sandbox as a file in memory.
const LARGEST: u64 = 16 << 20;
const EXECUTABLE: u32 = 0o111;

/// A script that cannot be given to the sandbox.
#[derive(Debug, thiserror::Error)]
#[error("cannot use the script {}", path.display())]
struct ScriptError {
    path: PathBuf,
    source: io::Error,
}

/// The language whose interpreter PROGRAM names.
pub(crate) fn interpreter(name: &OsStr) -> Option<Language> {
    match name.to_str()? {
        "python" | "python3" => Some(Language::Python),
        "javascript" | "js" => Some(Language::JavaScript),
        _ => None,
    }
}

/// The language in which PROGRAM is written.
pub(crate) fn language(name: &OsStr) -> Option<Language> {
    Language::of_source(Path::new(name))
}

/// The same, if PROGRAM is a regular file of the host that the host would not execute.
pub(crate) fn meant(name: &OsStr) -> Option<Language> {
    let language = language(name)?;
    let metadata = fs::metadata(name).ok()?;
    let inert = metadata.is_file() && metadata.permissions().mode() & EXECUTABLE == 0;
    inert.then_some(language)
}

/// The runtime of a language.
pub(crate) fn runtime(language: Language) -> Result<Runtime> {
    Runtime::find(language)
}

/// A script of the host, which the sandbox sees as a file of the same name in `/`.
pub(crate) fn choice(language: Language, path: &Path) -> Result<Choice> {
    let contents = read(path).map_err(|source| {
        let kind = match source.kind() {
            io::ErrorKind::NotFound => ErrorKind::NotFound,
            io::ErrorKind::PermissionDenied => ErrorKind::PermissionDenied,
            _ => ErrorKind::Io,
        };
        Error::new(kind, ScriptError { path: path.to_owned(), source }).with_hint(
            "the path is the host's; for one inside the sandbox, run `--backend wasm python FILE`",
        )
    })?;
    // A name that is no text would be no key of a policy.
    let name = path.file_name().and_then(OsStr::to_str).unwrap_or("script");
    let target = format!("/{name}");
    let program = runtime(language)?.script(&target);
    Ok(Choice::script(program, Mount::file(target, contents)))
}

fn read(path: &Path) -> io::Result<Vec<u8>> {
    // Opening a FIFO would wait for its writer.
    let metadata = fs::metadata(path)?;
    if !metadata.is_file() || metadata.len() > LARGEST {
        let problem = format!("it is no regular file of at most {LARGEST} bytes");
        return Err(io::Error::new(io::ErrorKind::InvalidInput, problem));
    }
    let mut contents = Vec::new();
    File::open(path)?.take(LARGEST).read_to_end(&mut contents)?;
    Ok(contents)
}
