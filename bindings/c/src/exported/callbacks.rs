//! Functions of the host's, called from here.

use std::ffi::{CStr, c_char, c_void};

use stockade::wasm::{HostCall, HostError, Imports, Value as Number, ValueType};

use super::handles::Call;
use super::modules::Import;
use super::pointers::text;
use super::values::Value;
use crate::failure::Failure;

/// A function that takes what a program prints.
pub(crate) struct OutputCallback {
    function: unsafe extern "C" fn(*mut c_void, i32, *const u8, usize) -> i32,
    user_data: *mut c_void,
}

impl OutputCallback {
    /// # Safety
    /// The function can be called with this as long as the run goes on.
    pub(super) unsafe fn new(
        function: unsafe extern "C" fn(*mut c_void, i32, *const u8, usize) -> i32,
        user_data: *mut c_void,
    ) -> Self {
        Self { function, user_data }
    }

    /// Whether the run is to go on.
    pub(crate) fn call(&self, stream: i32, piece: &[u8]) -> bool {
        // SAFETY: by `new`; the bytes are there until it returns.
        unsafe { (self.function)(self.user_data, stream, piece.as_ptr(), piece.len()) == 0 }
    }
}

/// A function that hears how far a call is.
pub(crate) struct ProgressCallback {
    function: unsafe extern "C" fn(*mut c_void, *const c_char, u64, u64) -> i32,
    user_data: *mut c_void,
}

impl ProgressCallback {
    /// # Safety
    /// The function can be called with this until the call ends that it is given to.
    pub(super) unsafe fn new(
        function: unsafe extern "C" fn(*mut c_void, *const c_char, u64, u64) -> i32,
        user_data: *mut c_void,
    ) -> Self {
        Self { function, user_data }
    }

    /// Whether the call is to go on.
    pub(crate) fn call(&self, blob: &CStr, done: u64, size: u64) -> bool {
        // SAFETY: by `new`; the string is there until it returns.
        unsafe { (self.function)(self.user_data, blob.as_ptr(), done, size) == 0 }
    }
}

/// A function that modules call.
struct HostCallback {
    function:
        unsafe extern "C" fn(*mut c_void, *mut Call, *const Value, usize, *mut Value, usize) -> i32,
    user_data: *mut c_void,
}

// SAFETY: the header says that the function is called by every thread that calls an instance, and that
// what it is given has to suit that.
unsafe impl Send for HostCallback {}
// SAFETY: as above.
unsafe impl Sync for HostCallback {}

impl HostCallback {
    fn call(
        &self,
        call: &mut HostCall<'_>,
        wanted: &[ValueType],
        arguments: &[Number],
    ) -> Result<Vec<Number>, HostError> {
        let arguments: Vec<Value> = arguments.iter().map(|value| (*value).into()).collect();
        let mut results: Vec<Value> = wanted.iter().map(|kind| Value::zero(*kind)).collect();
        let mut call = Call::of(call);
        // SAFETY: by `imports`; call, arguments and results are there until it returns.
        let status = unsafe {
            let (function, data) = (self.function, self.user_data);
            let results = (results.as_mut_ptr(), results.len());
            function(data, &raw mut call, arguments.as_ptr(), arguments.len(), results.0, results.1)
        };
        if status != 0 {
            return Err(format!("it returned {status}").into());
        }
        let results = results.into_iter().map(Value::number).collect::<Result<_, _>>();
        results.map_err(|failure| failure.to_string().into())
    }
}

/// Says of which import an argument is.
fn within(place: usize, failure: Failure) -> Failure {
    match failure {
        Failure::Argument { name, wrong } => {
            Failure::Argument { name: format!("imports[{place}].{name}").into(), wrong }
        }
        other => other,
    }
}

/// The types of parameters and results, from a text such as "i32 i32 -> i64".
fn signature(text: &str) -> Result<(Vec<ValueType>, Vec<ValueType>), Failure> {
    let wrong = || {
        let wrong = format!("is \"{text}\", and has to be types such as \"i32 i64 -> f64\"");
        Failure::argument("signature", wrong)
    };
    let types = |words: &str| -> Result<Vec<ValueType>, Failure> {
        let known = [ValueType::I32, ValueType::I64, ValueType::F32, ValueType::F64];
        let of = |word| known.into_iter().find(|kind| kind.name() == word).ok_or_else(wrong);
        words.split_whitespace().map(of).collect()
    };
    let (parameters, results) = text.split_once("->").ok_or_else(wrong)?;
    Ok((types(parameters)?, types(results)?))
}

/// The host's functions, for the engine.
///
/// # Safety
/// Each function can be called with its data as long as the module or an instance of it is there.
pub(super) unsafe fn imports(functions: &[Import]) -> Result<Imports, Failure> {
    let mut imports = Imports::new();
    for (place, import) in functions.iter().enumerate() {
        let at = |failure| within(place, failure);
        let module = text(import.module, "module").map_err(at)?;
        let name = text(import.name, "name").map_err(at)?;
        let function = import.function.ok_or_else(|| at(Failure::null("function")))?;
        let (parameters, results) =
            text(import.signature, "signature").and_then(signature).map_err(at)?;
        let callback = HostCallback { function, user_data: import.user_data };
        imports = imports.with_types(module, name, &parameters, &results, {
            let results = results.clone();
            move |call, arguments| callback.call(call, &results, arguments)
        });
    }
    Ok(imports)
}
