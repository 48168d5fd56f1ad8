//! [`Instance`]: a module's memory and state, and calls into it.

use std::fmt;
use std::sync::Arc;

use stockade_core::{Control, Error, ErrorKind, GoOn, Killer, Report, Result, Verdict};
use wasmtime::{Extern, InstancePre, Memory, ModuleExport, Store, Trap, TypedFunc, Val};

use crate::library::{BytesFunction, Function, LibraryId};
use crate::scalars::Scalars;
use crate::session::{Session, with_stack};
use crate::setting::Setting;
use crate::tether::Stop;
use crate::untyped::{UntypedFunction, Value};
use crate::wasi::Guest;

/// A module's memory and state, which last from call to call.
///
/// A call that is stopped or traps ends the instance: what it left in memory is not to be relied
/// on. Every later call then has the same outcome, and nothing runs.
pub struct Instance {
    library: LibraryId,
    session: Session,
    instance: Option<wasmtime::Instance>,
    /// How it ended.
    ended: Option<Verdict>,
}

impl fmt::Debug for Instance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Instance").field("ended", &self.ended).finish_non_exhaustive()
    }
}

/// What became of a call.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub enum Outcome<R> {
    /// The function returned.
    Returned(R),
    /// The function was stopped, trapped or exited, and with it the instance.
    Ended(Verdict),
}

impl<R> Outcome<R> {
    /// What the function returned, if it did.
    pub fn returned(self) -> Option<R> {
        match self {
            Self::Returned(result) => Some(result),
            Self::Ended(_) => None,
        }
    }

    /// How the instance ended, if it did.
    pub fn verdict(&self) -> Option<&Verdict> {
        match self {
            Self::Returned(_) => None,
            Self::Ended(verdict) => Some(verdict),
        }
    }
}

/// A module that does not keep to the bytes convention.
#[derive(Debug, thiserror::Error)]
#[error("{what} outside its memory: {len} bytes at {at}")]
pub(crate) struct Misplaced {
    what: &'static str,
    at: u32,
    len: u64,
}

/// A function that was looked up in another library.
#[derive(Debug, thiserror::Error)]
#[error("the function belongs to another module")]
struct Foreign;

impl Instance {
    pub(crate) fn new(
        library: LibraryId,
        linked: &InstancePre<Guest>,
        initialize: Option<&ModuleExport>,
        setting: Arc<Setting>,
        guest: Guest,
    ) -> Result<Self> {
        let mut session = Session::new(linked.module().engine(), setting, guest);
        let ended = with_stack(|| {
            session.run(|work| {
                let (store, built) = work.parts();
                let instance = linked.instantiate(&mut *store)?;
                built();
                if let Some(initialize) = initialize {
                    typed::<(), ()>(store, &instance, initialize)?.call(store, ())?;
                }
                Ok(instance)
            })
        })?;
        Ok(match ended {
            Ok(instance) => Self { library, session, instance: Some(instance), ended: None },
            Err(verdict) => Self { library, session, instance: None, ended: Some(verdict) },
        })
    }

    /// Calls a function, on this thread and under the policy's limits.
    ///
    /// # Errors
    /// `InvalidPolicy` for a function of another module, `HostLost` in a forked child.
    pub fn call<P: Scalars, R: Scalars>(
        &mut self,
        function: &Function<P, R>,
        parameters: P,
    ) -> Result<Outcome<R>> {
        self.owns(function.library)?;
        self.work(|store, instance| {
            typed(store, instance, &function.export)?.call(store, parameters)
        })
    }

    /// Calls a function with values of its types, on this thread and under the policy's limits.
    ///
    /// # Errors
    /// `InvalidPolicy` for values of other types or a function of another module, `HostLost` in a
    /// forked child.
    pub fn call_untyped(
        &mut self,
        function: &UntypedFunction,
        arguments: &[Value],
    ) -> Result<Outcome<Vec<Value>>> {
        self.owns(function.library)?;
        function.signature.check(arguments)?;
        let arguments: Vec<Val> = arguments.iter().map(|value| Val::from(*value)).collect();
        let mut results = vec![Val::I32(0); function.signature.results.len()];
        self.work(|store, instance| {
            let called = instance.get_module_export(&mut *store, &function.export);
            let called = called.and_then(Extern::into_func).ok_or(Trap::BadSignature)?;
            called.call(store, &arguments, &mut results)?;
            let values = results.iter().map(Value::of).collect::<Option<_>>();
            Ok(values.ok_or(Trap::BadSignature)?)
        })
    }

    /// Gives `input` to a function of bytes and returns what it gives back, which may be as long
    /// as the policy's `output` limit.
    ///
    /// # Errors
    /// `InvalidPolicy` for a function of another module, `HostLost` in a forked child.
    pub fn call_bytes(
        &mut self,
        function: &BytesFunction,
        input: &[u8],
    ) -> Result<Outcome<Vec<u8>>> {
        self.owns(function.library)?;
        let limit = self
            .session
            .setting()
            .plan
            .policy
            .limits
            .output
            .get()
            .map_or(u64::MAX, |bytes| bytes.0);
        self.work(|store, instance| {
            let memory = memory(store, instance, &function.memory)?;
            let len = u32::try_from(input.len()).map_err(|_| Trap::MemoryOutOfBounds)?;
            let at: u32 = typed(store, instance, &function.alloc)?.call(&mut *store, len)?;
            let what = "the module allocated its input";
            let out = Misplaced { what, at, len: len.into() };
            memory.write(&mut *store, at as usize, input).map_err(|_| out)?;
            let place: u64 =
                typed(store, instance, &function.call)?.call(&mut *store, (at, len))?;
            let (at, len) = ((place >> 32) as u32, place as u32);
            if u64::from(len) > limit {
                let (control, observed) = (Control::Output, len.into());
                return Err(Stop::Limit { control, limit, observed }.into());
            }
            let out = Misplaced { what: "the module placed its result", at, len: len.into() };
            let range = at as usize..at as usize + len as usize;
            let output = memory.data(&*store).get(range).ok_or(out)?.to_vec();
            if let Some(free) = &function.free {
                typed::<(u32, u32), ()>(store, instance, free)?.call(&mut *store, (at, len))?;
            }
            Ok(output)
        })
    }

    /// What the last call used and printed, and how its limits were enforced. What was printed is
    /// moved into the report.
    pub fn report(&mut self) -> Report {
        let verdict = self.ended.clone().unwrap_or(Verdict::Exited { code: 0 });
        self.session.report(verdict)
    }

    /// A handle that ends the instance from any thread, whatever it is doing; its outcome is then
    /// `cancelled`.
    pub fn killer(&self) -> Arc<dyn Killer> {
        Arc::clone(self.session.tether()) as Arc<dyn Killer>
    }

    /// Has every call ask, at least ten times a second and on the thread that makes it, whether it is
    /// to go on; if not, the instance's outcome is `cancelled`. The first that is given is asked.
    pub fn ask(&self, go_on: GoOn) {
        self.session.tether().ask(go_on);
    }

    /// Refuses a function that was looked up in another library.
    fn owns(&self, library: LibraryId) -> Result<()> {
        if library == self.library {
            return Ok(());
        }
        Err(Error::new(ErrorKind::InvalidPolicy, Foreign)
            .with_hint("ask this instance's own library for it"))
    }

    fn work<T>(
        &mut self,
        work: impl FnOnce(&mut Store<Guest>, &wasmtime::Instance) -> wasmtime::Result<T>,
    ) -> Result<Outcome<T>> {
        let (None, Some(instance)) = (&self.ended, self.instance) else {
            return Ok(Outcome::Ended(self.ended.clone().unwrap_or(Verdict::Cancelled)));
        };
        let guest = self.session.guest();
        guest.stdout.begin();
        guest.stderr.begin();
        let ended = with_stack(|| {
            self.session.run(|call| {
                let (store, built) = call.parts();
                built();
                work(store, &instance)
            })
        })?;
        Ok(match ended {
            Ok(result) => Outcome::Returned(result),
            Err(verdict) => {
                self.ended = Some(verdict.clone());
                Outcome::Ended(verdict)
            }
        })
    }
}

fn typed<P: wasmtime::WasmParams, R: wasmtime::WasmResults>(
    store: &mut Store<Guest>,
    instance: &wasmtime::Instance,
    export: &ModuleExport,
) -> wasmtime::Result<TypedFunc<P, R>> {
    let function = instance.get_module_export(&mut *store, export).and_then(Extern::into_func);
    function.ok_or(Trap::BadSignature)?.typed(&*store)
}

fn memory(
    store: &mut Store<Guest>,
    instance: &wasmtime::Instance,
    export: &ModuleExport,
) -> wasmtime::Result<Memory> {
    let memory = instance.get_module_export(&mut *store, export).and_then(Extern::into_memory);
    Ok(memory.ok_or(Trap::BadSignature)?)
}
