//! `ps`: the processes of a container, as the host sees them.

use std::process::Command;

use crate::args::{PsArgs, Shown};
use crate::failure::{Context, Failure, Outcome};

use super::Caller;

pub(super) fn ps(caller: &Caller, args: &PsArgs) -> Outcome<()> {
    let (_, state) = caller.home.load(&args.id)?;
    let pids = state.cgroup.pids().context(|| "processes cannot be listed".into())?;
    if args.format == Shown::Json {
        return super::print_line(&pids);
    }
    let mut command = Command::new("ps");
    if args.options.is_empty() {
        command.arg("-ef");
    } else {
        command.args(&args.options);
    }
    let output = command.output().context(|| "ps cannot be run".into())?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(Failure::new(format!("ps failed: {}: {}", output.status, said.trim_end())));
    }
    super::print(filter(&String::from_utf8_lossy(&output.stdout), &pids)?.trim_end())
}

/// The heading, and the lines whose column `PID` is one of these.
fn filter(output: &str, pids: &[i32]) -> Outcome<String> {
    let mut lines = output.lines();
    let heading = lines.next().unwrap_or_default();
    let column = heading.split_whitespace().position(|title| title == "PID");
    let column = column.ok_or_else(|| Failure::new("couldn't find PID field in ps output"))?;
    let mut kept = vec![heading];
    for line in lines {
        let mut fields = line.split_whitespace().skip(column);
        if fields.next().and_then(|pid| pid.parse().ok()).is_some_and(|pid| pids.contains(&pid)) {
            kept.push(line);
        }
    }
    Ok(kept.join("\n"))
}

#[cfg(test)]
mod tests;
