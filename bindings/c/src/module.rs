//! Functions of modules that C calls.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};

use serde_json::json;
use stockade::embed::Owned;
use stockade::wasm::{
    BytesFunction, Imports, Library, Outcome, Signature, UntypedFunction, Value, ValueType,
};
use stockade::{Killer, Program, wasm};

use crate::exported::handles::{Instance, Module, Policy, Report, Sandbox};
use crate::failure::Failure;
use crate::forks;
use crate::sandbox::Code;

impl Module {
    pub(crate) fn load(
        sandbox: &Sandbox,
        policy: &Policy,
        code: Code<'_>,
        imports: &Imports,
    ) -> Result<Self, Failure> {
        let backend = sandbox.modules()?;
        let program = match code {
            Code::Name(path) => Program::module_file(path),
            Code::Bytes(bytes) => Program::module(bytes),
        };
        let _no_fork = forks::none();
        let library = backend.library(&policy.asked, &program, imports)?;
        Ok(Self { library: Owned::new(library) })
    }

    /// The exported functions of numbers.
    pub(crate) fn functions_json(&self) -> Result<String, Failure> {
        let names =
            |kinds: &[ValueType]| -> Vec<_> { kinds.iter().map(|kind| kind.name()).collect() };
        let functions = self.library.get()?.functions();
        let functions = functions.iter().map(|function| {
            json!({
                "name": function.name,
                "parameters": names(&function.parameters),
                "results": names(&function.results),
            })
        });
        Ok(serde_json::Value::Array(functions.collect()).to_string())
    }

    pub(crate) fn instantiate(&self) -> Result<Instance, Failure> {
        let library = self.library.get()?;
        let instance = library.instantiate()?;
        let killer = instance.killer();
        let working = Working {
            library: library.clone(),
            instance,
            numbers: Known::default(),
            bytes: Known::default(),
            output: Vec::new(),
        };
        Ok(Instance { guest: Owned::new(Guest { killer, working: Mutex::new(working) }) })
    }
}

/// A module's memory and state.
pub(crate) struct Guest {
    killer: Arc<dyn Killer>,
    /// Held for the length of a call.
    working: Mutex<Working>,
}

struct Working {
    library: Library,
    instance: wasm::Instance,
    numbers: Known<UntypedFunction>,
    bytes: Known<BytesFunction>,
    /// What the last call from bytes to bytes gave.
    output: Vec<u8>,
}

impl Instance {
    /// An instance does one thing at a time: a host function that calls its own guest would wait for
    /// itself.
    fn work(&self) -> Result<MutexGuard<'_, Working>, Failure> {
        match self.guest.get()?.working.try_lock() {
            Ok(working) => Ok(working),
            Err(TryLockError::Poisoned(poisoned)) => Ok(PoisonError::into_inner(poisoned)),
            Err(TryLockError::WouldBlock) => Err(Failure::Order("the instance is in a call")),
        }
    }

    /// Calls a function of numbers.
    pub(crate) fn call(
        &self,
        name: &str,
        arguments: &[Value],
        result_count: usize,
    ) -> Result<Vec<Value>, Failure> {
        let mut working = self.work()?;
        let Working { library, instance, numbers, .. } = &mut *working;
        let function = numbers.get(name, |name| library.untyped(name))?;
        fits(function.signature(), arguments, result_count)?;
        returned(instance.call_untyped(function, arguments)?)
    }

    /// Calls a function from bytes to bytes; `take` gets what it gave, which stays until the next call.
    pub(crate) fn call_bytes<T>(
        &self,
        name: &str,
        input: &[u8],
        take: impl FnOnce(&[u8]) -> T,
    ) -> Result<T, Failure> {
        let mut working = self.work()?;
        let Working { library, instance, bytes, output, .. } = &mut *working;
        let function = bytes.get(name, |name| library.bytes_function(name))?;
        *output = returned(instance.call_bytes(function, input)?)?;
        Ok(take(output))
    }

    pub(crate) fn report(&self) -> Result<Report, Failure> {
        let report = self.work()?.instance.report();
        Ok(Report { account: Arc::new(report.into()) })
    }

    pub(crate) fn kill(&self) -> Result<(), Failure> {
        self.guest.get()?.killer.kill();
        Ok(())
    }
}

/// Refuses other arguments, or room for other results, than a function has.
fn fits(function: &Signature, arguments: &[Value], result_count: usize) -> Result<(), Failure> {
    let Signature { name, parameters, results, .. } = function;
    if arguments.len() != parameters.len() {
        let wrong = format!("is {}, and `{name}` takes {}", arguments.len(), parameters.len());
        return Err(Failure::argument("argument_count", wrong));
    }
    if result_count != results.len() {
        let wrong = format!("is {result_count}, and `{name}` has {}", results.len());
        return Err(Failure::argument("result_count", wrong));
    }
    let mut pairs = arguments.iter().zip(parameters).enumerate();
    match pairs.find(|(_, (given, wanted))| given.kind() != **wanted) {
        None => Ok(()),
        Some((place, (given, wanted))) => {
            let wrong = format!("is of {}, and `{name}` takes {wanted}", given.kind());
            Err(Failure::argument(format!("arguments[{place}]"), wrong))
        }
    }
}

/// Functions that were looked up.
struct Known<F> {
    places: HashMap<String, usize>,
    functions: Vec<F>,
}

impl<F> Default for Known<F> {
    fn default() -> Self {
        Self { places: HashMap::new(), functions: Vec::new() }
    }
}

impl<F> Known<F> {
    fn get(
        &mut self,
        name: &str,
        look_up: impl FnOnce(&str) -> stockade::Result<F>,
    ) -> stockade::Result<&F> {
        let place = match self.places.get(name) {
            Some(place) => *place,
            None => {
                self.functions.push(look_up(name)?);
                let place = self.functions.len() - 1;
                self.places.insert(name.to_owned(), place);
                place
            }
        };
        Ok(&self.functions[place])
    }
}

fn returned<T>(outcome: Outcome<T>) -> Result<T, Failure> {
    match outcome {
        Outcome::Returned(value) => Ok(value),
        Outcome::Ended(verdict) => Err(Failure::ended(&verdict)),
    }
}
