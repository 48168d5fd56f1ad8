//! [`Arena`]: where an attack is tried, behind the walls or without them.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Command, ExitStatus, Stdio as Stdin};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};
use stockade_core::{
    Access, Bytes, Control, ControlKind, EnforcementStatus, Error, ErrorKind, Input, Limit, Limits,
    Mount, Policy, Program, Result, Sandbox, Stdio, Verdict,
};

use crate::attack::{Attack, Code, Kind};
use crate::finding::Finding;
use crate::sentinel::{Folder, unstaged};

/// The native program with all its guests.
const IMAGE: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/attacks"));

/// Where it is in the sandbox.
const INSIDE: &str = "/attacks";

/// No attack holds more than four times this, or lives longer than this.
pub(crate) const MEMORY: u64 = 32 << 20;
const CPU_TIME: Duration = Duration::from_secs(2);
const WALL_TIME: Duration = Duration::from_secs(4);
pub(crate) const PROCESSES: u64 = 64;
pub(crate) const DISK: u64 = 8 << 20;
pub(crate) const OUTPUT: u64 = 1 << 20;

/// What stands around an attack.
#[doc(hidden)]
#[derive(Clone, Copy)]
pub enum Walls<'a> {
    /// A sandbox, under a policy.
    Up {
        /// The backend.
        sandbox: &'a dyn Sandbox,
        /// What it is asked to enforce.
        policy: &'a Policy,
    },
    /// None. A native attack is a process of this host, and a module runs in this sandbox, under a
    /// policy that allows what it tries.
    Down {
        /// The backend for modules.
        sandbox: &'a dyn Sandbox,
    },
}

/// Where one attack is tried.
pub(crate) struct Arena<'a> {
    attack: &'static Attack,
    walls: Walls<'a>,
}

/// How a run ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) verdict: Verdict,
    /// What it printed.
    pub(crate) stdout: Vec<u8>,
    /// How long it lived.
    pub(crate) elapsed: Duration,
    /// Why the wall is not all that was asked for, as the receipt has it.
    pub(crate) weakness: Option<String>,
}

impl Ended {
    /// The first line of what it printed.
    pub(crate) fn line(&self) -> String {
        let text = String::from_utf8_lossy(&self.stdout);
        text.lines().next().unwrap_or("it said nothing").to_owned()
    }
}

impl<'a> Arena<'a> {
    pub(crate) fn new(attack: &'static Attack, walls: Walls<'a>) -> Self {
        Self { attack, walls }
    }

    /// Tries the attack.
    pub(crate) fn play(&self) -> Finding {
        let check = self.attack.check();
        if let Walls::Up { policy, .. } = self.walls {
            // An attack on fuel or on the share of the processors brings its own limit: few
            // policies have one.
            let brings = matches!(check.wall, Control::Fuel | Control::Cpus);
            let bounds = check.wall.kind() == ControlKind::Limit && !brings;
            let unbounded = bounds && !policy.asks_for(check.wall);
            let unbounded = unbounded.then_some("the policy sets no such limit");
            if let Some(reason) = unbounded.or_else(|| (check.exempt)(policy)) {
                return Finding::NotApplicable(reason.to_owned());
            }
        }
        (check.play)(self).unwrap_or_else(|error| {
            Finding::NotApplicable(format!("it could not be staged: {}", chain(&error)))
        })
    }

    /// Whether the attack is tried behind walls.
    pub(crate) fn is_walled(&self) -> bool {
        matches!(self.walls, Walls::Up { .. })
    }

    /// What the sandbox is asked to enforce.
    pub(crate) fn policy(&self) -> Policy {
        match self.walls {
            Walls::Up { policy, .. } => bounded(policy),
            Walls::Down { .. } => bounded(&Policy::default()),
        }
    }

    /// A run of the attack, to be given arguments.
    pub(crate) fn bout(&self) -> Bout<'a> {
        Bout {
            attack: self.attack,
            module: None,
            program: None,
            prepared: None,
            walls: self.walls,
            policy: self.policy(),
            args: Vec::new(),
            input: Input::Empty,
        }
    }
}

/// The policy, with lower limits where they are above those of the attacks. What is unlimited stays
/// so: a limit that was not asked for may be one that this host cannot enforce.
fn bounded(policy: &Policy) -> Policy {
    fn cap<T: Copy + PartialOrd>(limit: &mut Limit<T>, cap: T) {
        if let Limit::At(value) = limit
            && *value > cap
        {
            *value = cap;
        }
    }
    let mut policy = policy.clone();
    let limits = &mut policy.limits;
    cap(&mut limits.memory, Bytes(MEMORY));
    cap(&mut limits.cpu_time, CPU_TIME);
    cap(&mut limits.wall_time, WALL_TIME);
    cap(&mut limits.processes, PROCESSES);
    cap(&mut limits.disk, Bytes(DISK));
    cap(&mut limits.output, Bytes(OUTPUT));
    // A share of the disk may be more than all of it is now; no attack is on one.
    for mount in &mut policy.filesystem.mounts {
        if let Mount::Tmpfs { size, .. } = mount {
            *size = None;
        }
    }
    policy
}

/// One run of an attack.
pub(crate) struct Bout<'a> {
    attack: &'static Attack,
    /// What it runs in the place of the attack's own module.
    module: Option<Vec<u8>>,
    /// What it runs in the place of the native program.
    program: Option<OsString>,
    /// What happens between preparing and starting.
    prepared: Option<&'a (dyn Fn() -> Result<()> + Sync)>,
    walls: Walls<'a>,
    policy: Policy,
    args: Vec<OsString>,
    input: Input,
}

impl<'a> Bout<'a> {
    /// Adds an argument.
    pub(crate) fn arg(mut self, arg: impl AsRef<OsStr>) -> Self {
        self.args.push(arg.as_ref().to_owned());
        self
    }

    /// Adds an argument if it is to be tried without its wall: a module with it does the same in a
    /// way that is allowed.
    pub(crate) fn opened_by_arg(self, arg: &str) -> Self {
        match self.walls {
            Walls::Down { .. } => self.arg(arg),
            Walls::Up { .. } => self,
        }
    }

    /// Runs this module, which the attack has made.
    pub(crate) fn module(mut self, module: Vec<u8>) -> Self {
        self.module = Some(module);
        self
    }

    /// Makes the last argument the path of what is run.
    pub(crate) fn starting_there(mut self) -> Self {
        self.program = self.args.pop();
        self
    }

    /// Has something done when the sandbox is prepared and not yet started.
    pub(crate) fn prepared(mut self, then: &'a (dyn Fn() -> Result<()> + Sync)) -> Self {
        self.prepared = Some(then);
        self
    }

    /// Gives it something to read.
    pub(crate) fn input(mut self, input: impl Into<Input>) -> Self {
        self.input = input.into();
        self
    }

    /// Changes what is asked of the sandbox, in ways that the attack does not attack.
    pub(crate) fn policy(mut self, change: impl FnOnce(&mut Policy)) -> Self {
        change(&mut self.policy);
        self
    }

    /// Weakens the policy where the attack attacks, if it is to be tried without its wall.
    pub(crate) fn opened_by(mut self, change: impl FnOnce(&mut Policy)) -> Self {
        if let Walls::Down { .. } = self.walls {
            change(&mut self.policy);
        }
        self
    }

    /// Binds a folder of the host to `target`, and adds the path by which the attack sees it as an
    /// argument, followed by `rest`.
    pub(crate) fn bind(
        mut self,
        folder: &Folder,
        target: &str,
        access: Access,
        rest: &str,
    ) -> Self {
        let mount = match access {
            Access::Ro => Mount::read_only(folder.path(), target),
            _ => Mount::read_write(folder.path(), target),
        };
        self.policy.filesystem.mounts.push(mount);
        let plain = matches!((self.walls, self.attack.code()), (Walls::Down { .. }, Code::Native));
        let mut seen = if plain { folder.path().as_os_str().to_owned() } else { target.into() };
        seen.push(rest);
        self.arg(seen)
    }

    /// The limits that hold for it.
    pub(crate) fn limits(&self) -> &Limits {
        &self.policy.limits
    }

    /// Runs it to its end.
    pub(crate) fn run(self) -> Result<Ended> {
        self.run_with(|| {})
    }

    /// Runs it to its end, unless the sandbox refuses to; then that says why.
    pub(crate) fn run_unless_refused(self) -> Result<Result<Ended, String>> {
        match self.run() {
            Err(error)
                if matches!(error.kind(), ErrorKind::InvalidPolicy | ErrorKind::Unsupported) =>
            {
                Ok(Err(chain(&error)))
            }
            ended => ended.map(Ok),
        }
    }

    /// Runs it to its end; `meanwhile` is called once it has started.
    pub(crate) fn run_with(self, meanwhile: impl FnOnce()) -> Result<Ended> {
        let (sandbox, program) = match (self.walls, self.attack.code()) {
            (Walls::Down { .. }, Code::Native) => return self.plain(meanwhile),
            (Walls::Up { sandbox, .. } | Walls::Down { sandbox }, Code::Module(module)) => {
                let made = self.module.as_deref().unwrap_or(module);
                (sandbox, Program::module(made).args(&self.args))
            }
            (Walls::Up { sandbox, .. }, Code::Native) => {
                let program = self.program.as_deref().unwrap_or(INSIDE.as_ref());
                (sandbox, Program::executable(program).arg(self.attack.name).args(&self.args))
            }
        };
        let mut policy = self.policy.clone();
        if self.attack.kind() == Kind::Native {
            policy.filesystem.mounts.push(Mount::file(INSIDE, IMAGE));
        }
        let stdio = Stdio::captured().stdin(self.input);
        let begun = Instant::now();
        let prepared = sandbox.prepare(&policy, &program)?;
        self.prepared.map_or(Ok(()), |then| then())?;
        let execution = prepared.start(stdio)?;
        meanwhile();
        let report = execution.wait()?;
        let wall = self.attack.check().wall;
        let entry = report.enforcement.iter().find(|entry| entry.control == wall);
        let weak = entry.filter(|entry| entry.status != EnforcementStatus::Enforced);
        Ok(Ended {
            verdict: report.verdict,
            stdout: report.stdout,
            elapsed: begun.elapsed(),
            weakness: weak.map(|entry| {
                let reason = entry.reason.as_deref().unwrap_or("for no stated reason");
                format!("{} is {} here: {reason}", entry.control, entry.status)
            }),
        })
    }

    /// Runs it as a process of this host, which is killed when it has had twice the time that a
    /// limit would give it.
    fn plain(&self, meanwhile: impl FnOnce()) -> Result<Ended> {
        let folder = Folder::new()?;
        let image = folder.file("attacks", IMAGE)?;
        fs::set_permissions(&image, Permissions::from_mode(0o755)).map_err(unstaged)?;
        let printed = folder.path().join("printed");
        let output = File::create(&printed).map_err(unstaged)?;
        let begun = Instant::now();
        self.prepared.map_or(Ok(()), |then| then())?;
        let mut command = Command::new(self.program.as_deref().unwrap_or(image.as_os_str()));
        command.arg(self.attack.name).args(&self.args).current_dir(folder.path());
        command.stdin(Stdin::null()).stdout(output).stderr(Stdin::null()).process_group(0);
        let mut child = command.spawn().map_err(unstaged)?;
        meanwhile();
        let patience = 2 * self.limits().wall_time.get().unwrap_or(WALL_TIME);
        let verdict = loop {
            match child.try_wait().map_err(unstaged)? {
                Some(status) => break verdict(status),
                None if begun.elapsed() > patience => {
                    // All that it started goes with it, unless it has left the group.
                    let group = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
                    let _ = group.map(|group| kill_process_group(group, Signal::KILL));
                    let _ = child.wait();
                    break Verdict::Cancelled;
                }
                None => std::thread::sleep(Duration::from_millis(1)),
            }
        };
        let stdout = fs::read(&printed).map_err(unstaged)?;
        Ok(Ended { verdict, stdout, elapsed: begun.elapsed(), weakness: None })
    }
}

fn verdict(status: ExitStatus) -> Verdict {
    match (status.code(), status.signal()) {
        (Some(code), _) => Verdict::Exited { code },
        (None, number) => {
            let number = number.unwrap_or(0);
            Verdict::Signaled { signal: format!("signal {number}"), number }
        }
    }
}

/// An error with all that led to it.
pub(crate) fn chain(error: &Error) -> String {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}
