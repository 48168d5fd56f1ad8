//! Other programs: where they are, and running them.

use std::env;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use crate::{Failure, Missing};

/// Where a program is that a shell or root's shell would find.
///
/// # Errors
/// [`Missing`] if it is nowhere.
pub fn find(name: &str) -> Result<PathBuf, Failure> {
    let path = env::var_os("PATH").unwrap_or_default();
    let all = env::split_paths(&path).chain(["/usr/sbin".into(), "/sbin".into()]);
    let found = all.map(|directory| directory.join(name)).find(|file| file.is_file());
    found.ok_or_else(|| Missing(format!("{name} is not installed")).into())
}

/// Where a program of this project is: what the variable says, or beside this one.
///
/// # Errors
/// [`Missing`] if it was not built.
pub fn of_ours(name: &str, variable: &str) -> Result<PathBuf, Failure> {
    let file = match env::var_os(variable) {
        Some(named) => PathBuf::from(named),
        None => env::current_exe()?.with_file_name(name),
    };
    if file.is_file() {
        return Ok(file);
    }
    let reason = format!("there is no {}: build it, or set {variable}", file.display());
    Err(Missing(reason).into())
}

/// That this is root.
///
/// # Errors
/// [`Missing`] if it is not.
pub fn need_root() -> Result<(), Failure> {
    match rustix::process::geteuid().is_root() {
        true => Ok(()),
        false => Err(Missing("it needs root".to_owned()).into()),
    }
}

/// Runs a command to its end, and gives what it printed.
///
/// # Errors
/// When it does not start or end well, in its own words.
pub fn read(command: &mut Command) -> Result<String, Failure> {
    let output = command.stdin(Stdio::null()).output();
    let output = output.map_err(|error| format!("{}: {error}", name(command)))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(format!("{}: {}: {}", name(command), output.status, said.trim()).into());
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// Runs a command to its end without any stream: nothing more than a spawn and a wait.
///
/// # Errors
/// When it does not start or end well.
pub fn run(command: &mut Command) -> Result<(), Failure> {
    let silent = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let status = silent.status().map_err(|error| format!("{}: {error}", name(command)))?;
    if status.success() { Ok(()) } else { Err(format!("{}: {status}", name(command)).into()) }
}

/// The first line that `--version` prints.
///
/// # Errors
/// As [`read`].
pub fn version(program: &std::path::Path) -> Result<String, Failure> {
    let said = read(Command::new(program).arg("--version"))?;
    Ok(said.lines().next().unwrap_or_default().to_owned())
}

fn name(command: &Command) -> String {
    command.get_program().to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_that_fails_says_why_and_a_program_that_is_nowhere_is_missing() {
        let failed = read(Command::new("sh").args(["-c", "echo no luck >&2; exit 3"]));
        let failure = failed.expect_err("it failed").to_string();
        assert!(failure.ends_with("exit status: 3: no luck"), "{failure}");
        run(Command::new("sh").args(["-c", "exit 3"])).expect_err("it failed");
        assert_eq!(read(Command::new("echo").arg("fine")).expect("it runs"), "fine");
        for missing in [find("stockade-nowhere"), of_ours("stockade-nowhere", "STOCKADE_NOWHERE")] {
            let failure = missing.expect_err("it is nowhere");
            assert!(failure.is::<Missing>(), "{failure}");
        }
    }
}
