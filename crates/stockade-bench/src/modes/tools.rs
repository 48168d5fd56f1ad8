//! Other tools that isolate a program: bubblewrap, nsjail, firejail.

use std::path::Path;
use std::process::Command;

use super::native::{program, spawn};
use super::system::{Entry, entries};
use super::{mode, words};
use crate::Mode;
use crate::options::Session;
use crate::race::Entrant;
use crate::scratch::installed;
use crate::spawn::probe;

/// One tool, and what it is asked for.
struct Tool {
    id: &'static str,
    binary: &'static str,
    args: Vec<String>,
    walls: &'static [&'static str],
}

pub(super) fn entrants(session: &Session<'_>) -> Vec<Entrant<'static>> {
    [bubblewrap(), nsjail(), firejail()].into_iter().map(|tool| entrant(session, tool)).collect()
}

fn entrant(session: &Session<'_>, tool: Tool) -> Entrant<'static> {
    let mut mode = mode(tool.id, tool.id, "container", "cold");
    mode.walls = words(tool.walls);
    let Some(binary) = installed(tool.binary) else {
        return Entrant::skipped(mode, format!("{} is not installed", tool.binary));
    };
    mode.version = version(&binary, &session.scratch.path("said"));
    let mut args = tool.args;
    args.push(program().to_owned());
    checked(session, mode, move || {
        let mut command = Command::new(&binary);
        command.args(&args);
        command
    })
}

/// A tool of the caller's.
pub(super) fn given(session: &Session<'_>, tool: &Path) -> Entrant<'static> {
    let tool = tool.to_owned();
    checked(session, mode("tool", "a tool", "container", "cold"), move || Command::new(&tool))
}

/// A tool that is run as often as wanted; one that fails says why.
pub(super) fn checked(
    session: &Session<'_>,
    mode: Mode,
    mut command: impl FnMut() -> Command + 'static,
) -> Entrant<'static> {
    match probe(&mut command(), &session.scratch.path("said")) {
        Ok(_) => Entrant::new(mode, move || spawn(&mut command())),
        Err(failure) => Entrant::broken(mode, failure),
    }
}

/// The first line that a tool says of its version, from the first number on; nsjail says nothing.
pub(super) fn version(binary: &Path, file: &Path) -> Option<String> {
    let said = probe(Command::new(binary).arg("--version"), file).ok()?;
    let line = said.lines().next()?;
    line.find(|c: char| c.is_ascii_digit()).map(|at| line[at..].trim().to_owned())
}

fn args<'a>(all: &'a str) -> impl Iterator<Item = String> + 'a {
    all.split_whitespace().map(str::to_owned)
}

fn text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

/// A root like that of the default policy, and every namespace.
fn bubblewrap() -> Tool {
    let mut all: Vec<String> = args("--unshare-all --die-with-parent --new-session").collect();
    for entry in entries() {
        all.extend(match entry {
            Entry::Dir(name) => ["--ro-bind".to_owned(), name.to_owned(), name.to_owned()],
            Entry::Link(name, target) => ["--symlink".to_owned(), text(&target), name.to_owned()],
        });
    }
    all.extend(args("--proc /proc --dev /dev --tmpfs /tmp --remount-ro / --chdir /tmp --clearenv"));
    // For root it would keep all capabilities inside, and the name of root.
    all.extend(args("--uid 65534 --gid 65534 --cap-drop ALL"));
    Tool {
        id: "bubblewrap",
        binary: "bwrap",
        args: all,
        walls: &[
            "user (the caller's id alone), mount, pid, network, IPC, UTS and cgroup namespaces",
            "a root of its own, read-only",
            "no capabilities, no_new_privs",
        ],
    }
}

fn nsjail() -> Tool {
    // By itself it gives the program the lowest priority, which would be another comparison.
    const HOW: &str = "--mode o --really_quiet --nice_level 0 --user 65534 --group 65534";
    let mut all: Vec<String> = args(HOW).collect();
    for entry in entries() {
        all.extend(match entry {
            Entry::Dir(name) => ["--bindmount_ro".to_owned(), name.to_owned()],
            Entry::Link(name, target) => {
                ["--symlink".to_owned(), format!("{}:{name}", text(&target))]
            }
        });
    }
    all.extend(args("--tmpfsmount /tmp --cwd /tmp --iface_no_lo --time_limit 30 --"));
    Tool {
        id: "nsjail",
        binary: "nsjail",
        args: all,
        walls: &[
            "user (the caller's id alone), mount, pid, network, IPC, UTS and cgroup namespaces",
            "a root of its own, read-only",
            "no capabilities, no_new_privs",
            "resource limits, a time limit",
        ],
    }
}

fn firejail() -> Tool {
    const HOW: &str = "--quiet --noprofile --net=none --read-only=/ --private --private-tmp \
        --private-dev --caps.drop=all --nonewprivs --seccomp --";
    Tool {
        id: "firejail",
        binary: "firejail",
        args: args(HOW).collect(),
        walls: &[
            "mount, pid, network, IPC and UTS namespaces; the caller's id, also if that is root",
            "the host's root, read-only, with home directories, /tmp and /dev of its own",
            "no capabilities, no_new_privs",
            "seccomp",
        ],
    }
}
