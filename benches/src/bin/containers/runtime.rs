//! The runtimes themselves, as an engine calls them: on the same bundle, with their state in memory.

use std::cell::Cell;
use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use rustix::process::{Pid, WaitOptions, set_child_subreaper, waitpid};
use stockade_benches::{Failure, Race, Scratch, time, tool};

use crate::bundle::{bundle, root};
use crate::{OURS, RUNC, runtimes};

/// What is aimed at: of runc's p50.
const TARGET: f64 = 0.25;
/// A filesystem in memory.
const MEMORY: &str = "/dev/shm";

pub(crate) fn measure(rounds: usize) -> Result<(), Failure> {
    println!("\nruntime");
    let [ours, runc] = runtimes()?;
    let scratch = Scratch::new(&env::temp_dir())?;
    let root = root(&scratch)?;
    let short = &bundle(&scratch, "short", &ours, &root, &["/bin/true"])?;
    let long = bundle(&scratch, "long", &ours, &root, &["/bin/sleep", "1000000"])?;
    let memory = Path::new(MEMORY);
    let state = Scratch::new(if memory.is_dir() { memory } else { scratch.path() })?;
    println!("state in {}, bundles in {}", state.path().display(), scratch.path().display());
    // What a container leaves comes to this process, as it does to an engine's shim.
    set_child_subreaper(Some(rustix::process::getpid()))?;
    let both = (Runtime::new("runc", runc, &state)?, Runtime::new("ours", ours, &state)?);
    let (runc, ours) = (&both.0, &both.1);
    for runtime in [runc, ours] {
        // With its streams, to say what does not work.
        tool::read(runtime.command(&["run", "--bundle"]).arg(short).arg(runtime.fresh()))?;
    }
    show("run", || runc.run(short), || ours.run(short), rounds);
    show("create, start, delete", || runc.live(short), || ours.live(short), rounds);
    let (one, other) = (runc.start(&long)?, ours.start(&long)?);
    show("exec", || runc.exec(&one), || ours.exec(&other), rounds);
    drop(both);
    Ok(set_child_subreaper(None)?)
}

fn show(
    what: &str,
    runc: impl FnMut() -> Result<Duration, Failure>,
    ours: impl FnMut() -> Result<Duration, Failure>,
    rounds: usize,
) {
    let race = Race::new().with(RUNC, runc).with(OURS, ours).run(rounds);
    println!("\n{what} of /bin/true\n{race}\n{}", race.verdict(OURS, RUNC, TARGET));
}

/// A runtime with a state of its own, whose containers go with this value.
struct Runtime {
    name: &'static str,
    program: PathBuf,
    state: PathBuf,
    made: Cell<u32>,
}

impl Runtime {
    fn new(name: &'static str, program: PathBuf, state: &Scratch) -> Result<Self, Failure> {
        Ok(Self { name, program, state: state.directory(name)?, made: Cell::new(0) })
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command.arg("--root").arg(&self.state).args(words);
        command
    }

    /// A name that no container has.
    fn fresh(&self) -> String {
        self.made.set(self.made.get() + 1);
        format!("stockade-benches-{}-{}-{}", std::process::id(), self.name, self.made.get())
    }

    fn run(&self, bundle: &Path) -> Result<Duration, Failure> {
        let id = self.fresh();
        let mut command = self.command(&["run", "--bundle"]);
        command.arg(bundle).arg(id);
        Ok(time(|| tool::run(&mut command))?.1)
    }

    /// The whole life of a container, in three commands.
    fn live(&self, bundle: &Path) -> Result<Duration, Failure> {
        let life = || {
            let id = self.start(bundle)?;
            waitpid(Some(self.pid()?), WaitOptions::empty())?;
            tool::run(&mut self.command(&["delete", &id]))
        };
        Ok(time(life)?.1)
    }

    /// Creates a container and starts it.
    fn start(&self, bundle: &Path) -> Result<String, Failure> {
        let id = self.fresh();
        let mut create = self.command(&["create", "--bundle"]);
        create.arg(bundle).arg("--pid-file").arg(self.pid_file()).arg(&id);
        tool::run(&mut create)?;
        tool::run(&mut self.command(&["start", &id]))?;
        Ok(id)
    }

    fn exec(&self, id: &str) -> Result<Duration, Failure> {
        let mut command = self.command(&["exec", id, "/bin/true"]);
        Ok(time(|| tool::run(&mut command))?.1)
    }

    fn pid_file(&self) -> PathBuf {
        self.state.with_extension("pid")
    }

    /// The first process of the container that was created last.
    fn pid(&self) -> Result<Pid, Failure> {
        let text = fs::read_to_string(self.pid_file())?;
        Pid::from_raw(text.trim().parse()?).ok_or_else(|| "no process id".into())
    }
}

impl Drop for Runtime {
    fn drop(&mut self) {
        for entry in fs::read_dir(&self.state).into_iter().flatten().flatten() {
            let Ok(id) = entry.file_name().into_string() else { continue };
            // Whoever looks at the processes would see it left.
            let _: Result<(), Failure> = tool::run(&mut self.command(&["delete", "--force", &id]));
        }
        // Nothing else of this process's is running.
        while let Ok(Some(_)) = waitpid(None, WaitOptions::NOHANG) {}
    }
}
