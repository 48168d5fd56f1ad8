//! [`DockerSandbox`]: a container that Docker makes, as a backend that attacks can be tried on.
//!
//! A policy becomes options of `docker run`, as far as Docker has them, and what `inspect` says becomes a
//! report. Nothing here is a wall: what holds is Docker's and the runtime's.

use std::ffi::OsStr;
use std::fs;
use std::io::{self, Read, Write};
use std::os::unix::fs::{PermissionsExt, chown};
use std::process::{Child, Command, Stdio as Pipe};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use stockade_core::{
    Ability, Access, Control, Error, ErrorKind, Execution, GoOn, Input, Killer, Limit, Limits,
    Mount, Plan, Policy, Prepared, Program, ProgramSource, Report, Result, Sandbox, Stdio, Support,
    Verdict,
};

use super::docker::{Docker, IMAGE};
use crate::runtime::{Outcome, number};

/// How much longer than a sandbox of Stockade's one of Docker's may take to do something.
const SLOWER: u32 = 5;

/// Containers of one runtime.
pub(crate) struct DockerSandbox<'a> {
    docker: &'a Docker,
    runtime: &'static str,
    /// Whom programs run as, if it is not root.
    user: Option<u32>,
    support: Support,
}

impl<'a> DockerSandbox<'a> {
    pub(crate) fn new(docker: &'a Docker, runtime: &'static str, user: Option<u32>) -> Self {
        let support = Support::new("docker", |_| Ability::enforced("docker run"));
        Self { docker, runtime, user, support }
    }
}

impl Sandbox for DockerSandbox<'_> {
    fn support(&self) -> &Support {
        &self.support
    }

    fn prepare(&self, policy: &Policy, program: &Program) -> Result<Box<dyn Prepared>> {
        let plan = Plan::resolve(policy, &self.support).map_err(Error::from)?;
        let id = format!("attack-{}", number());
        let mut words = ["create", "--interactive", "--runtime", self.runtime, "--name", &id]
            .map(str::to_owned)
            .to_vec();
        words.extend(self.user.map(|user| format!("--user={user}:{user}")));
        words.extend(self.options_of(policy, &id)?);
        let ProgramSource::Executable(name) = &program.source else {
            return Err(Error::new(
                ErrorKind::Unsupported,
                Plain("only native programs".to_owned()),
            ));
        };
        let text = |word: &OsStr| word.to_str().expect("attacks have such arguments").to_owned();
        words.extend(["--entrypoint".to_owned(), text(name), IMAGE.to_owned()]);
        words.extend(program.args.iter().map(|arg| text(arg)));
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        refuse(&self.docker.call(&words))?;
        let commands = Commands { docker: Arc::new(self.docker.command(&[])), id };
        Ok(Box::new(Made { plan, commands: Arc::new(commands) }))
    }
}

impl DockerSandbox<'_> {
    /// What of `docker run` says what a policy says.
    fn options_of(&self, policy: &Policy, id: &str) -> Result<Vec<String>> {
        // The root is read-only in every policy; both have a network device of their own at most.
        let mut words = vec!["--read-only".to_owned(), "--network=none".to_owned()];
        limits(&policy.limits, &mut words);
        let room = match policy.limits.disk {
            Limit::At(disk) => format!(",size={},nr_inodes={}", disk.0, (disk.0 / 4096).max(16)),
            _ => String::new(),
        };
        let mounts = &policy.filesystem.mounts;
        if !mounts.iter().any(|mount| mount.target() == "/tmp") {
            words.push(format!("--tmpfs=/tmp:mode=1777{room}"));
        }
        for mount in mounts {
            words.push(match mount {
                Mount::Tmpfs { target, .. } => format!("--tmpfs={target}:mode=1777{room}"),
                mount => {
                    self.bind(mount, id).map_err(|error| Error::new(ErrorKind::Setup, error))?
                }
            });
        }
        words.push(format!("--workdir={}", policy.process.cwd));
        words.push(format!("--hostname={}", policy.process.hostname));
        let variables = policy.process.env.iter();
        words.extend(variables.map(|(name, value)| format!("--env={name}={value}")));
        Ok(words)
    }

    fn bind(&self, mount: &Mount, id: &str) -> io::Result<String> {
        let (source, target, access) = match mount {
            Mount::Bind { source, target, access } => (source.clone(), target, *access),
            Mount::File { target, contents } => {
                let source = self.docker.ground.file(&format!("{id}-{}", target.replace('/', "-")));
                fs::write(&source, contents)?;
                fs::set_permissions(&source, fs::Permissions::from_mode(0o755))?;
                (source, target, Access::Ro)
            }
            _ => return Err(io::ErrorKind::Unsupported.into()),
        };
        if access == Access::Rw {
            // Who gives a directory to a user gives it to that user.
            chown(&source, self.user, self.user)?;
        }
        let access = if access == Access::Rw { "" } else { ",readonly" };
        Ok(format!("--mount=type=bind,source={},target={target}{access}", source.display()))
    }
}

/// What of `docker run` limits what a policy limits.
fn limits(limits: &Limits, words: &mut Vec<String>) {
    if let Limit::At(memory) = limits.memory {
        words.push(format!("--memory={}", memory.0));
        words.push(format!("--memory-swap={}", memory.0));
    }
    if let Limit::At(count) = limits.processes {
        words.push(format!("--pids-limit={count}"));
    }
    if let Some(cpus) = limits.cpus {
        words.push(format!("--cpus={cpus}"));
    }
    if let Limit::At(count) = limits.open_files {
        words.push(format!("--ulimit=nofile={count}:{count}"));
    }
    if let Limit::At(size) = limits.file_size {
        words.push(format!("--ulimit=fsize={0}:{0}", size.0));
    }
    if let Limit::At(disk) = limits.disk {
        words.push(format!("--shm-size={}", disk.0));
    }
}

/// An error of Docker's.
#[derive(Debug)]
struct Plain(String);

impl std::fmt::Display for Plain {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Plain {}

fn refuse(outcome: &Outcome) -> Result<()> {
    let why = || Plain(outcome.stderr.trim().to_owned());
    if outcome.code == 0 { Ok(()) } else { Err(Error::new(ErrorKind::Setup, why())) }
}

/// Commands on one container, from any thread.
struct Commands {
    docker: Arc<Command>,
    id: String,
}

impl Commands {
    fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(self.docker.get_program());
        command.args(self.docker.get_args()).args(words).arg(&self.id).stdin(Pipe::null());
        for (name, value) in self.docker.get_envs() {
            command.env(name, value.unwrap_or_default());
        }
        command
    }

    fn call(&self, words: &[&str]) -> Outcome {
        crate::runtime::finish(&mut self.command(words))
    }

    fn inspect(&self, format: &str) -> String {
        self.call(&["inspect", "--format", format]).text().to_owned()
    }
}

struct Made {
    plan: Plan,
    commands: Arc<Commands>,
}

impl Drop for Made {
    fn drop(&mut self) {
        self.commands.call(&["rm", "--force"]);
    }
}

impl Prepared for Made {
    fn plan(&self) -> &Plan {
        &self.plan
    }

    fn start(&self, stdio: Stdio) -> Result<Box<dyn Execution>> {
        let begun = Instant::now();
        let mut command = self.commands.command(&["start", "--attach", "--interactive"]);
        command.stdin(Pipe::piped()).stdout(Pipe::piped()).stderr(Pipe::piped());
        let failed = |error| Error::new(ErrorKind::HostLost, error);
        let mut child = command.spawn().map_err(failed)?;
        let mut stdin = child.stdin.take().expect("a pipe");
        let input = match stdio.stdin {
            Input::Bytes(bytes) => bytes,
            _ => Vec::new(),
        };
        thread::spawn(move || {
            // A program may end without reading.
            let _ = stdin.write_all(&input);
        });
        let stdout = drain(child.stdout.take().expect("a pipe"));
        let stderr = drain(child.stderr.take().expect("a pipe"));
        while self.commands.inspect("{{.State.Status}}") == "created" {
            if child.try_wait().map_err(failed)?.is_some() {
                break;
            }
        }
        let killed = Arc::new(AtomicBool::new(false));
        let commands = Arc::clone(&self.commands);
        let (plan, stdout, stderr) = (self.plan.clone(), Some(stdout), Some(stderr));
        Ok(Box::new(Running { plan, commands, child, stdout, stderr, begun, killed }))
    }
}

fn drain(mut pipe: impl Read + Send + 'static) -> JoinHandle<Vec<u8>> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        let _ = pipe.read_to_end(&mut bytes);
        bytes
    })
}

struct Running {
    plan: Plan,
    commands: Arc<Commands>,
    child: Child,
    stdout: Option<JoinHandle<Vec<u8>>>,
    stderr: Option<JoinHandle<Vec<u8>>>,
    begun: Instant,
    killed: Arc<AtomicBool>,
}

struct KillCommand {
    commands: Arc<Commands>,
    killed: Arc<AtomicBool>,
}

impl Killer for KillCommand {
    fn kill(&self) {
        self.killed.store(true, Ordering::SeqCst);
        self.commands.call(&["kill"]);
    }
}

impl Execution for Running {
    fn stdin(&mut self) -> Option<Box<dyn Write + Send>> {
        None
    }

    fn stdout(&mut self) -> Option<Box<dyn Read + Send>> {
        None
    }

    fn stderr(&mut self) -> Option<Box<dyn Read + Send>> {
        None
    }

    fn killer(&self) -> Arc<dyn Killer> {
        let (commands, killed) = (Arc::clone(&self.commands), Arc::clone(&self.killed));
        Arc::new(KillCommand { commands, killed })
    }

    fn wait(self: Box<Self>) -> Result<Report> {
        self.wait_while(Arc::new(|| true))
    }

    fn wait_while(mut self: Box<Self>, go_on: GoOn) -> Result<Report> {
        let most =
            self.plan.policy.limits.wall_time.get().map_or(Duration::MAX, |time| SLOWER * time);
        let mut late = None;
        while self.child.try_wait().map_err(|e| Error::new(ErrorKind::HostLost, e))?.is_none() {
            if late.is_none() && self.begun.elapsed() > most {
                late = Some(self.begun.elapsed());
                self.commands.call(&["kill"]);
            } else if !go_on() {
                self.killer().kill();
            }
            thread::sleep(Duration::from_millis(2));
        }
        let read = |thread: Option<JoinHandle<Vec<u8>>>| {
            thread.and_then(|thread| thread.join().ok()).unwrap_or_default()
        };
        let (stdout, stderr) = (read(self.stdout.take()), read(self.stderr.take()));
        let state =
            self.commands.inspect("{{.State.ExitCode}} {{.State.OOMKilled}} {{.State.Error}}");
        let mut words = state.splitn(3, ' ');
        let code: i32 = words.next().and_then(|code| code.parse().ok()).unwrap_or(-1);
        let starved = words.next() == Some("true");
        let error = words.next().unwrap_or_default();
        if !error.is_empty() {
            return Err(Error::new(ErrorKind::Setup, Plain(error.to_owned())));
        }
        let nanos = |time: Duration| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        let verdict = match late {
            Some(after) if code == 137 => Verdict::Limit {
                control: Control::WallTime,
                limit: nanos(most),
                observed: nanos(after),
            },
            // Nobody inside can kill the first of its processes, and Docker does not always hear that
            // the kernel did.
            _ if starved || (code == 137 && !self.killed.load(Ordering::SeqCst)) => {
                let limit = self.plan.policy.limits.memory.get().map_or(0, |bytes| bytes.0);
                Verdict::Limit { control: Control::Memory, limit, observed: limit }
            }
            _ if self.killed.load(Ordering::SeqCst) => Verdict::Cancelled,
            _ if code > 128 => {
                let number = code - 128;
                Verdict::Signaled { signal: format!("signal {number}"), number }
            }
            _ => Verdict::Exited { code },
        };
        let mut report = Report::new(&self.plan, verdict);
        (report.stdout, report.stderr) = (stdout, stderr);
        Ok(report)
    }
}
