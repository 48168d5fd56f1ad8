//! [`Session`]: a store under a policy, and one piece of guest work after the other in it.

use std::sync::Arc;
use std::time::Duration;

use stockade_core::{
    Control, Error, ErrorKind, OutputFlags, Phase, Report, Result, Timings, Usage, Verdict,
};
use wasmtime::{Engine, Store, Trap, UpdateDeadline, WasmBacktrace};

use crate::component::Misuse;
use crate::engine::STACK;
use crate::handlers::InGuest;
use crate::imports::HostFailure;
use crate::instance::Misplaced;
use crate::setting::Setting;
use crate::tether::{Stop, Tether};
use crate::wasi::Guest;

/// What functions of the host may use on top of a guest's stack, in bytes.
const OWN_STACK: usize = 256 << 10;

/// A store and what its work is measured by.
pub(crate) struct Session {
    store: Store<Guest>,
    setting: Arc<Setting>,
    tether: Arc<Tether>,
    /// From the start of a piece of work until the guest's own code ran.
    built: Duration,
    used: Used,
}

/// What one piece of work used.
#[derive(Debug, Clone, Copy, Default)]
struct Used {
    wall: Duration,
    cpu: Duration,
    fuel: Option<u64>,
}

/// A guest that failed in a way that is neither its own end, a trap nor a limit.
#[derive(Debug, thiserror::Error)]
#[error("the module cannot be run")]
struct RunError(#[source] Box<dyn std::error::Error + Send + Sync>);

/// A guest at work: its store, and the moment its own code begins.
pub(crate) struct Work<'a> {
    store: &'a mut Store<Guest>,
    built: &'a mut Duration,
    tether: &'a Tether,
}

impl Work<'_> {
    /// The store, and what is to be called once the instance is there.
    pub(crate) fn parts(&mut self) -> (&mut Store<Guest>, impl FnOnce()) {
        let Self { store, built, tether } = self;
        (store, || **built = tether.age())
    }
}

/// Runs `work` on this thread, and on a larger stack where the thread's has not enough left: a
/// guest may use up what it is allowed and must then trap, whoever calls.
pub(crate) fn with_stack<T>(work: impl FnOnce() -> T) -> T {
    stacker::maybe_grow(STACK + OWN_STACK, STACK + 2 * OWN_STACK, work)
}

impl Session {
    pub(crate) fn new(engine: &Engine, setting: Arc<Setting>, guest: Guest) -> Self {
        let tether = Arc::clone(&guest.tether);
        let mut store = Store::new(engine, guest);
        store.limiter(|guest| &mut guest.limiter);
        let clock = Arc::clone(&setting.clock);
        store.epoch_deadline_callback(move |mut context| {
            let guest = context.data_mut();
            guest.tether.look()?;
            guest.tether.throttle()?;
            guest.appointment = guest.tether.next_look().map(|at| clock.at(at));
            Ok(UpdateDeadline::Continue(1))
        });
        Self { store, setting, tether, built: Duration::ZERO, used: Used::default() }
    }

    pub(crate) fn guest(&mut self) -> &mut Guest {
        self.store.data_mut()
    }

    pub(crate) fn setting(&self) -> &Setting {
        &self.setting
    }

    pub(crate) fn tether(&self) -> &Arc<Tether> {
        &self.tether
    }

    /// Does `work` under the limits, which count from now; or gives the verdict that ended it.
    /// Whoever calls has seen to the stack (see [`with_stack`]).
    pub(crate) fn run<T>(
        &mut self,
        work: impl FnOnce(&mut Work<'_>) -> wasmtime::Result<T>,
    ) -> Result<Result<T, Verdict>> {
        self.setting.check_clock()?;
        let _in_guest = InGuest::enter();
        let fuel = self.setting.plan.policy.limits.fuel;
        self.tether.begin();
        if let Some(fuel) = fuel {
            self.store.set_fuel(fuel).map_err(internal)?;
        }
        let first = self.tether.first_look();
        self.store.data_mut().appointment = first.map(|at| self.setting.clock.at(at));
        self.store.set_epoch_deadline(1);
        self.built = Duration::ZERO;
        // What came before the guest began: an order to stop, perhaps.
        let ended = match self.tether.check_cancelled() {
            Ok(()) => work(&mut Work {
                store: &mut self.store,
                built: &mut self.built,
                tether: &self.tether,
            }),
            Err(stop) => Err(stop.into()),
        };
        let (wall, cpu) = self.tether.used();
        let left = fuel.and_then(|_| self.store.get_fuel().ok());
        self.used =
            Used { wall, cpu, fuel: fuel.zip(left).map(|(fuel, left)| fuel.saturating_sub(left)) };
        self.store.data_mut().appointment = None;
        match ended {
            Ok(value) => Ok(Ok(value)),
            Err(error) => match verdict(fuel, &error) {
                Some(verdict) => Ok(Err(self.blame_files(verdict))),
                None => Err(unexpected(error)),
            },
        }
    }

    /// The report of the last piece of work; what it printed is moved into it.
    pub(crate) fn report(&mut self, verdict: Verdict) -> Report {
        let guest = self.store.data_mut();
        let mut report = Report::new(&self.setting.plan, verdict);
        let mut usage = Usage::default();
        usage.wall_ns = nanos(self.used.wall);
        usage.cpu_user_ns = nanos(self.used.cpu);
        usage.peak_memory = guest.limiter.peak;
        usage.peak_processes = 1;
        usage.stdout_bytes = guest.stdout.seen;
        usage.stderr_bytes = guest.stderr.seen;
        usage.fuel = self.used.fuel;
        report.usage = usage;
        let mut flags = OutputFlags::default();
        flags.stdout_truncated = guest.stdout.over;
        flags.stderr_truncated = guest.stderr.over;
        report.output = flags;
        let mut timings = Timings::default();
        timings.prepare_ns = self.setting.prepared.ns;
        timings.start_ns = nanos(self.built);
        timings.phases.push(self.setting.prepared.clone());
        timings.phases.push(Phase::new("instantiate", nanos(self.built)));
        report.timings = timings;
        report.stdout = std::mem::take(&mut guest.stdout.kept);
        report.stderr = std::mem::take(&mut guest.stderr.kept);
        report
    }

    /// A guest that fails after a limit on files refused it something was ended by that limit.
    fn blame_files(&self, verdict: Verdict) -> Verdict {
        let failed = !verdict.success();
        if !failed || !matches!(verdict, Verdict::Exited { .. } | Verdict::Trapped { .. }) {
            return verdict;
        }
        let refused = self.store.data().files.refused();
        let limits = &self.setting.plan.policy.limits;
        let disk = limits.disk.get().map(|bytes| bytes.0).zip(refused.disk);
        let open = limits.open_files.get().zip(refused.open_files);
        match (disk, open) {
            (Some((limit, observed)), _) => {
                Verdict::Limit { control: Control::Disk, limit, observed }
            }
            (None, Some((limit, observed))) => {
                Verdict::Limit { control: Control::OpenFiles, limit, observed }
            }
            (None, None) => verdict,
        }
    }
}

pub(crate) fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

fn internal(error: wasmtime::Error) -> Error {
    Error::new(ErrorKind::Internal, RunError(error.into()))
}

fn unexpected(error: wasmtime::Error) -> Error {
    Error::new(ErrorKind::Setup, RunError(error.into()))
        .with_hint("more modules may be running than there is room for")
}

/// What `error` says about the guest, if it does.
fn verdict(fuel: Option<u64>, error: &wasmtime::Error) -> Option<Verdict> {
    let trapped = |trap: String| {
        let backtrace = error.downcast_ref::<WasmBacktrace>().map(ToString::to_string);
        Verdict::Trapped { trap, backtrace }
    };
    if let Some(stop) = error.downcast_ref::<Stop>() {
        return Some(match *stop {
            Stop::Exit(code) => Verdict::Exited { code },
            Stop::Limit { control, limit, observed } => Verdict::Limit { control, limit, observed },
            Stop::Cancelled => Verdict::Cancelled,
        });
    }
    if let Some(failure) = error.downcast_ref::<HostFailure>() {
        return Some(trapped(failure.to_string()));
    }
    if let Some(misplaced) = error.downcast_ref::<Misplaced>() {
        return Some(trapped(misplaced.to_string()));
    }
    if let Some(Misuse(words)) = error.downcast_ref::<Misuse>() {
        return Some(trapped(words.clone()));
    }
    match (*error.downcast_ref::<Trap>()?, fuel) {
        (Trap::OutOfFuel, Some(limit)) => {
            Some(Verdict::Limit { control: Control::Fuel, limit, observed: limit })
        }
        (trap, _) => {
            let trap = trap.to_string();
            Some(trapped(trap.strip_prefix("wasm trap: ").unwrap_or(&trap).to_owned()))
        }
    }
}
