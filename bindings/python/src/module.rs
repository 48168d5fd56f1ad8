//! [`Library`] and [`Instance`]: functions of modules, and functions of Python that modules call.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, TryLockError};
use std::thread::{self, ThreadId};

use pyo3::exceptions::{PyOverflowError, PyRuntimeError, PyTypeError};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyFloat, PyInt, PyTuple};
use stockade::wasm::{
    BytesFunction, HostError, Imports, Outcome, Signature, UntypedFunction, Value, ValueType,
};
use stockade::{Killer, wasm};

use crate::errors::{defect, raised};
use crate::gate;
use crate::memory::Memory;
use crate::owned::Owned;
use crate::report::Report;
use crate::signals;

/// A function of Python's that a module may import: its module, its name, the callable, and whether
/// that takes the guest's memory first.
pub(crate) type HostFunction = (String, String, Py<PyAny>, bool);

/// The embedder's functions, for the engine.
pub(crate) fn imports(functions: Vec<HostFunction>) -> Imports {
    functions.into_iter().fold(Imports::new(), |imports, (module, name, function, memory)| {
        let function = Arc::new(function);
        imports.untyped(&module, &name, move |call, results, values| {
            let called = gate::attach(|py| {
                let arguments = values.iter().map(|value| to_python(py, *value));
                let arguments: Vec<_> = arguments.collect::<PyResult<_>>()?;
                let answer = match memory {
                    true => Memory::lend(py, call, |memory| {
                        let all = std::iter::once(memory.into_any()).chain(arguments);
                        function.bind(py).call1(PyTuple::new(py, all.collect::<Vec<_>>())?)
                    })?,
                    false => function.bind(py).call1(PyTuple::new(py, arguments)?)?,
                };
                from_answer(&answer, results)
            });
            match called {
                Some(Ok(values)) => Ok(values),
                // The caller of the module gets the exception itself.
                Some(Err(error)) => Err(signals::carry(error)),
                None => Err(HostError::from("the interpreter is shutting down")),
            }
        })
    })
}

fn to_python<'py>(py: Python<'py>, value: Value) -> PyResult<Bound<'py, PyAny>> {
    Ok(match value {
        Value::I32(number) => PyInt::new(py, number).into_any(),
        Value::I64(number) => PyInt::new(py, number).into_any(),
        Value::F32(number) => PyFloat::new(py, number.into()).into_any(),
        Value::F64(number) => PyFloat::new(py, number).into_any(),
        _ => return Err(defect("an unknown type of number")),
    })
}

/// A number of the type that is wanted. An integer may be written with its sign or without.
fn from_python(value: &Bound<'_, PyAny>, kind: ValueType) -> PyResult<Value> {
    let wrong = || {
        let found = value.get_type().name().map_or_else(|_| String::new(), |name| name.to_string());
        PyTypeError::new_err(format!("{kind} is wanted, and {found} was given"))
    };
    let too_large = || PyOverflowError::new_err(format!("{value} does not fit into {kind}"));
    let told = |error: PyErr| match error {
        error if error.is_instance_of::<PyOverflowError>(value.py()) => too_large(),
        error if error.is_instance_of::<PyTypeError>(value.py()) => wrong(),
        // Of an object's own `__index__` or `__float__`.
        error => error,
    };
    // Anything with `__index__`; the wider types of pyo3 take `int` alone.
    let integer = || match value.extract::<i64>() {
        Err(error) if error.is_instance_of::<PyOverflowError>(value.py()) => {
            value.extract::<u64>().map(i128::from).map_err(told)
        }
        number => number.map(i128::from).map_err(told),
    };
    match kind {
        ValueType::I32 => {
            let number = integer()?;
            let signed = i32::try_from(number);
            let bits = signed.or_else(|_| u32::try_from(number).map(u32::cast_signed));
            bits.map(Value::I32).map_err(|_| too_large())
        }
        ValueType::I64 => {
            let number = integer()?;
            let signed = i64::try_from(number);
            let bits = signed.or_else(|_| u64::try_from(number).map(u64::cast_signed));
            bits.map(Value::I64).map_err(|_| too_large())
        }
        ValueType::F32 => Ok(Value::F32(value.extract::<f32>().map_err(told)?)),
        ValueType::F64 => Ok(Value::F64(value.extract::<f64>().map_err(told)?)),
        _ => Err(defect("an unknown type of number")),
    }
}

/// What a Python function returned, as the results that the module imports it with.
fn from_answer(answer: &Bound<'_, PyAny>, kinds: &[ValueType]) -> PyResult<Vec<Value>> {
    match kinds {
        [] if answer.is_none() => Ok(Vec::new()),
        [kind] => Ok(vec![from_python(answer, *kind)?]),
        kinds => {
            let answers = match answer.cast::<PyTuple>() {
                Ok(answers) if answers.len() == kinds.len() => answers,
                _ => {
                    let count = kinds.len();
                    let text = format!("a host function must return {count} results");
                    return Err(PyTypeError::new_err(text));
                }
            };
            answers.iter().zip(kinds).map(|(answer, kind)| from_python(&answer, *kind)).collect()
        }
    }
}

/// An exported function: its name, the types of its parameters, those of its results.
type Exported = (String, Vec<&'static str>, Vec<&'static str>);

/// A module whose functions are called.
#[pyclass(frozen, module = "stockade._native")]
pub(crate) struct Library {
    inner: Owned<wasm::Library>,
}

impl Library {
    pub(crate) fn new(library: wasm::Library) -> Self {
        Self { inner: Owned::new(library) }
    }
}

#[pymethods]
impl Library {
    /// The exported functions of numbers: name, types of parameters, types of results.
    fn functions(&self) -> PyResult<Vec<Exported>> {
        let names = |kinds: &[ValueType]| kinds.iter().map(|kind| kind.name()).collect();
        let functions = self.inner.get()?.functions().into_iter();
        Ok(functions
            .map(|Signature { name, parameters, results, .. }| {
                (name, names(&parameters), names(&results))
            })
            .collect())
    }

    fn instantiate(&self, py: Python<'_>) -> PyResult<Instance> {
        let library = self.inner.get()?;
        let instance = gate::detach(py, || library.instantiate());
        signals::check()?;
        let instance = instance.map_err(raised)?;
        instance.ask(signals::go_on());
        let killer = instance.killer();
        Ok(Instance {
            inner: Owned::new(Shared {
                library: library.clone(),
                instance: Mutex::new(instance),
                caller: Mutex::new(None),
                known: Mutex::default(),
                killer,
            }),
        })
    }
}

/// A module's memory and state.
#[pyclass(frozen, module = "stockade._native")]
pub(crate) struct Instance {
    inner: Owned<Shared>,
}

struct Shared {
    library: wasm::Library,
    instance: Mutex<wasm::Instance>,
    /// Who is in a call now: a host function that calls its own guest would wait for itself.
    caller: Mutex<Option<ThreadId>>,
    known: Mutex<HashMap<String, Known>>,
    killer: Arc<dyn Killer>,
}

/// Functions that were looked up.
#[derive(Clone, Default)]
struct Known {
    numbers: Option<UntypedFunction>,
    bytes: Option<BytesFunction>,
}

impl Shared {
    /// Works with the instance; another thread waits until it is free.
    fn work<T: Send>(
        &self,
        py: Python<'_>,
        work: impl FnOnce(&mut wasm::Instance) -> T + Send,
    ) -> PyResult<T> {
        let this = thread::current().id();
        let caller = || self.caller.lock().unwrap_or_else(PoisonError::into_inner);
        if *caller() == Some(this) {
            let text = "a function that an instance calls cannot call the instance";
            return Err(PyRuntimeError::new_err(text));
        }
        let worked = gate::detach(py, || {
            let mut instance = match self.instance.try_lock() {
                Ok(instance) => instance,
                Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
                Err(TryLockError::WouldBlock) => {
                    self.instance.lock().unwrap_or_else(PoisonError::into_inner)
                }
            };
            *caller() = Some(this);
            let worked = work(&mut instance);
            *caller() = None;
            worked
        });
        signals::check()?;
        Ok(worked)
    }

    fn known(&self, name: &str) -> Known {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(name).cloned().unwrap_or_default()
    }

    fn learn(&self, name: &str, known: Known) {
        let mut all = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        all.insert(name.to_owned(), known);
    }

    fn numbers(&self, name: &str) -> PyResult<UntypedFunction> {
        let mut known = self.known(name);
        if let Some(function) = known.numbers {
            return Ok(function);
        }
        let function = self.library.untyped(name).map_err(raised)?;
        known.numbers = Some(function.clone());
        self.learn(name, known);
        Ok(function)
    }

    fn bytes(&self, name: &str) -> PyResult<BytesFunction> {
        let mut known = self.known(name);
        if let Some(function) = known.bytes {
            return Ok(function);
        }
        let function = self.library.bytes_function(name).map_err(raised)?;
        known.bytes = Some(function.clone());
        self.learn(name, known);
        Ok(function)
    }
}

#[pymethods]
impl Instance {
    /// Calls a function of numbers; `(True, result)`, or `(False, None)` if the instance has ended.
    fn call<'py>(
        &self,
        py: Python<'py>,
        name: &str,
        arguments: Vec<Bound<'py, PyAny>>,
    ) -> PyResult<(bool, Bound<'py, PyAny>)> {
        let shared = self.inner.get()?;
        let function = shared.numbers(name)?;
        let wanted = &function.signature().parameters;
        if wanted.len() != arguments.len() {
            let (wanted, given) = (wanted.len(), arguments.len());
            let text = format!("`{name}` takes {wanted} arguments, and {given} were given");
            return Err(PyTypeError::new_err(text));
        }
        let values = arguments.iter().zip(wanted).map(|(value, kind)| from_python(value, *kind));
        let values: Vec<Value> = values.collect::<PyResult<_>>()?;
        let outcome = shared.work(py, |instance| instance.call_untyped(&function, &values))?;
        match outcome.map_err(raised)? {
            Outcome::Returned(results) => {
                let results = results.into_iter().map(|value| to_python(py, value));
                let mut results: Vec<_> = results.collect::<PyResult<_>>()?;
                Ok((
                    true,
                    match results.len() {
                        0 => py.None().into_bound(py),
                        1 => results.remove(0),
                        _ => PyTuple::new(py, results)?.into_any(),
                    },
                ))
            }
            Outcome::Ended(_) => Ok((false, py.None().into_bound(py))),
        }
    }

    /// Calls a function from bytes to bytes; `None` if the instance has ended.
    fn call_bytes<'py>(
        &self,
        py: Python<'py>,
        name: &str,
        input: Cow<'_, [u8]>,
    ) -> PyResult<Option<Bound<'py, PyBytes>>> {
        let shared = self.inner.get()?;
        let function = shared.bytes(name)?;
        let outcome = shared.work(py, |instance| instance.call_bytes(&function, &input))?;
        let output = outcome.map_err(raised)?.returned();
        Ok(output.map(|output| PyBytes::new(py, &output)))
    }

    /// What the last call used and printed; what it printed is moved into the report.
    fn report(&self, py: Python<'_>) -> PyResult<Report> {
        let report = self.inner.get()?.work(py, wasm::Instance::report)?;
        Ok(Report::from(report))
    }

    fn kill(&self, py: Python<'_>) -> PyResult<()> {
        let killer = Arc::clone(&self.inner.get()?.killer);
        gate::detach(py, || killer.kill());
        Ok(())
    }
}
