//! A script's first line, read as the kernel does (execve(2), "Interpreter scripts").

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

/// How much of a script the kernel reads.
pub(super) const HEAD: usize = 256;

/// What a script's first line asks for.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Shebang {
    /// The interpreter's path.
    pub(super) interpreter: PathBuf,
    /// The rest of the line, which becomes one argument.
    pub(super) argument: Option<OsString>,
}

/// Reads the first line of a file that begins with `head`; `None` if it names no interpreter, or
/// one whose name does not fit in what the kernel reads.
pub(super) fn shebang(head: &[u8]) -> Option<Shebang> {
    let head = &head[..head.len().min(HEAD)];
    let line = head.strip_prefix(b"#!")?;
    let (line, whole) = match line.iter().position(|&byte| byte == b'\n') {
        Some(end) => (&line[..end], true),
        None => (line, head.len() < HEAD),
    };
    let line = trim(line);
    let end = line.iter().position(|byte| b" \t\0".contains(byte));
    if line.is_empty() || end == Some(0) || (end.is_none() && !whole) {
        return None;
    }
    let (name, rest) = line.split_at(end.unwrap_or(line.len()));
    let rest = trim(rest.split(|&byte| byte == 0).next().unwrap_or_default());
    let argument = (!rest.is_empty()).then(|| OsString::from_vec(rest.to_vec()));
    Some(Shebang { interpreter: OsString::from_vec(name.to_vec()).into(), argument })
}

impl Shebang {
    /// The program that env(1) would look up, when the interpreter is env and its argument is
    /// simple enough to tell.
    pub(super) fn by_env(&self) -> Option<&Path> {
        if self.interpreter.file_name() != Some(OsStr::new("env")) {
            return None;
        }
        let argument = self.argument.as_ref()?.as_bytes();
        let name = match argument.strip_prefix(b"-S") {
            Some(words) => {
                trim(words).split(|byte| b" \t".contains(byte)).next().unwrap_or_default()
            }
            None => argument,
        };
        let plain = !name.is_empty()
            && !name.starts_with(b"-")
            && !name.iter().any(|byte| b"=\"'\\$".contains(byte));
        plain.then(|| Path::new(OsStr::from_bytes(name)))
    }
}

fn trim(mut line: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] | [rest @ .., b' ' | b'\t'] = line {
        line = rest;
    }
    line
}
