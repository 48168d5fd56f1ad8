//! Running a guest to its end, and the report of it.

use std::sync::Arc;
use std::time::Instant;

use stockade_core::{
    Control, Error, ErrorKind, OutputFlags, Phase, Report, Result, Timings, Usage, Verdict,
};
use wasmtime::{Store, Trap, UpdateDeadline, WasmBacktrace};

use crate::clock::Appointment;
use crate::engine::STACK;
use crate::prepared::Shared;
use crate::tether::Stop;
use crate::wasi::Guest;

/// What functions of the host may use on top of a guest's stack, in bytes.
const OWN_STACK: usize = 256 << 10;

/// A run that was asked for.
pub(crate) struct Job {
    pub(crate) shared: Arc<Shared>,
    pub(crate) guest: Guest,
}

/// A guest that failed in a way that is neither its own end, a trap nor a limit.
#[derive(Debug, thiserror::Error)]
#[error("the module cannot be run")]
struct RunError(#[source] Box<dyn std::error::Error + Send + Sync>);

impl Job {
    /// Runs the guest on this thread, and on a larger stack where the thread's has not enough left:
    /// a guest may use up what it is allowed and must then trap, whoever calls.
    pub(crate) fn run(self) -> Result<Report> {
        stacker::maybe_grow(STACK + OWN_STACK, STACK + 2 * OWN_STACK, || self.run_here())
    }

    fn run_here(self) -> Result<Report> {
        let Self { shared, guest } = self;
        let tether = Arc::clone(&guest.tether);
        let fuel = shared.plan.policy.limits.fuel;
        let begun = Instant::now();
        tether.begin();
        let mut store = Store::new(shared.command.instance.module().engine(), guest);
        store.limiter(|guest| &mut guest.limiter);
        if let Some(fuel) = fuel {
            store.set_fuel(fuel).map_err(internal)?;
        }
        store.data_mut().appointment = tether.first_look().map(|at| shared.clock.at(at));
        store.set_epoch_deadline(1);
        let clock = Arc::clone(&shared);
        store.epoch_deadline_callback(move |mut context| {
            let tether = &context.data().tether;
            tether.check()?;
            context.data_mut().appointment = next(&clock, tether);
            Ok(UpdateDeadline::Continue(1))
        });
        // What came before the guest began: an order to stop, perhaps.
        let ended = tether.check_cancelled().map_err(wasmtime::Error::from).and_then(|()| {
            let instance = shared.command.instance.instantiate(&mut store)?;
            let start = instance.get_module_export(&mut store, &shared.command.start);
            let start = start.and_then(wasmtime::Extern::into_func).ok_or(Trap::BadSignature)?;
            let start = start.typed::<(), ()>(&store)?;
            let built = begun.elapsed();
            start.call(&mut store, ()).map(|()| built)
        });
        let (wall, cpu) = tether.used();
        let left = fuel.and_then(|_| store.get_fuel().ok());
        let built = ended.as_ref().copied().unwrap_or_default();
        let verdict = verdict(&shared, ended.map(drop))?;
        let mut guest = store.into_data();

        let mut report = Report::new(&shared.plan, verdict);
        let mut usage = Usage::default();
        usage.wall_ns = nanos(wall);
        usage.cpu_user_ns = nanos(cpu);
        usage.peak_memory = guest.limiter.peak;
        usage.peak_processes = 1;
        usage.stdout_bytes = guest.stdout.seen;
        usage.stderr_bytes = guest.stderr.seen;
        usage.fuel = fuel.zip(left).map(|(fuel, left)| fuel.saturating_sub(left));
        report.usage = usage;
        let mut flags = OutputFlags::default();
        flags.stdout_truncated = guest.stdout.over;
        flags.stderr_truncated = guest.stderr.over;
        report.output = flags;
        let mut timings = Timings::default();
        timings.prepare_ns = nanos(shared.prepare);
        timings.start_ns = nanos(built);
        timings.phases.push(Phase::new("instantiate", nanos(built)));
        report.timings = timings;
        report.stdout = std::mem::take(&mut guest.stdout.kept);
        report.stderr = std::mem::take(&mut guest.stderr.kept);
        Ok(report)
    }
}

/// Tells whoever holds a live end that the run is over, however it ended.
impl Drop for Guest {
    fn drop(&mut self) {
        for pipe in [self.stdout.live(), self.stderr.live()].into_iter().flatten() {
            pipe.end_writing();
        }
        if let crate::streams::Source::Live(pipe) = &self.stdin {
            pipe.end_reading();
        }
        self.tether.end();
    }
}

fn next(shared: &Shared, tether: &crate::tether::Tether) -> Option<Appointment> {
    tether.next_look().map(|at| shared.clock.at(at))
}

fn nanos(duration: std::time::Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

fn internal(error: wasmtime::Error) -> Error {
    Error::new(ErrorKind::Internal, RunError(error.into()))
}

fn verdict(shared: &Shared, ended: wasmtime::Result<()>) -> Result<Verdict> {
    let error = match ended {
        Ok(()) => return Ok(Verdict::Exited { code: 0 }),
        Err(error) => error,
    };
    match error.downcast_ref::<Stop>() {
        Some(Stop::Exit(code)) => return Ok(Verdict::Exited { code: *code }),
        Some(Stop::Limit { control, limit, observed }) => {
            let (control, limit, observed) = (*control, *limit, *observed);
            return Ok(Verdict::Limit { control, limit, observed });
        }
        Some(Stop::Cancelled) => return Ok(Verdict::Cancelled),
        None => {}
    }
    let trap = error.downcast_ref::<Trap>().copied();
    match (trap, shared.plan.policy.limits.fuel) {
        (Some(Trap::OutOfFuel), Some(limit)) => {
            Ok(Verdict::Limit { control: Control::Fuel, limit, observed: limit })
        }
        (Some(trap), _) => {
            let backtrace = error.downcast_ref::<WasmBacktrace>().map(|trace| trace.to_string());
            let trap = trap.to_string();
            let trap = trap.strip_prefix("wasm trap: ").unwrap_or(&trap).to_owned();
            Ok(Verdict::Trapped { trap, backtrace })
        }
        (None, _) => Err(Error::new(ErrorKind::Setup, RunError(error.into()))
            .with_hint("more modules may be running than there is room for")),
    }
}
