//! Child processes, each shown before it runs.

use crate::{Outcome, workspace};
use std::env;
use std::ffi::OsStr;
use std::path::PathBuf;
use std::process::{Command, Stdio};

/// The cargo that started this program, run at the workspace root.
///
/// Variables that `cargo run` set for this program alone are taken away, so that the inner cargo
/// sees what the caller's shell had.
pub(crate) fn cargo(arguments: &[&str]) -> Command {
    let mut command = outside(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(arguments);
    command
}

/// A program that sees what the caller's shell had, run at the workspace root.
pub(crate) fn outside(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(program);
    for (name, _) in env::vars_os() {
        let name = name.to_string_lossy();
        if name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_") {
            command.env_remove(&*name);
        }
    }
    command.current_dir(workspace::root()).stdin(Stdio::null());
    command
}

/// The command as a person would type it.
pub(crate) fn line(command: &Command) -> String {
    let program = command.get_program();
    let program = PathBuf::from(program).file_name().map_or(program.into(), OsStr::to_os_string);
    let words = std::iter::once(program.as_os_str()).chain(command.get_args());
    words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}

/// Shows and runs a command whose output goes to the terminal.
pub(crate) fn run(command: &mut Command) -> Outcome {
    let line = line(command);
    println!("$ {line}");
    let status = command.status().map_err(|error| format!("cannot run `{line}`: {error}"))?;
    if status.success() { Ok(()) } else { Err(format!("`{line}` failed: {status}")) }
}

/// Shows and runs a command for its standard output.
pub(crate) fn read(command: &mut Command) -> Outcome<String> {
    let line = line(command);
    let output = command
        .stderr(Stdio::inherit())
        .output()
        .map_err(|error| format!("cannot run `{line}`: {error}"))?;
    if !output.status.success() {
        return Err(format!("`{line}` failed: {}", output.status));
    }
    String::from_utf8(output.stdout).map_err(|_| format!("`{line}` did not print UTF-8"))
}

/// Runs a command for its standard output, and shows nothing of it unless it fails.
pub(crate) fn quietly(command: &mut Command) -> Outcome<String> {
    let line = line(command);
    let output = command
        .stdin(Stdio::null())
        .output()
        .map_err(|error| format!("cannot run `{line}`: {error}"))?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    if output.status.success() {
        return Ok(text(&output.stdout));
    }
    let said = text(&[output.stdout, output.stderr].concat());
    Err(format!("`{line}` failed: {}\n{said}", output.status))
}

/// Whether a command runs and succeeds; nothing is shown.
pub(crate) fn succeeds(command: &mut Command) -> bool {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

/// Finds a program by name: first in the given folders, then along `PATH`.
pub(crate) fn find(name: &str, first: &[PathBuf]) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let folders = first.iter().cloned().chain(env::split_paths(&path));
    folders.map(|folder| folder.join(name)).find(|file| file.is_file())
}
