//! Functions whose types are known when a module is there, and not before: for embedders in other
//! languages.

use std::fmt;

use stockade_core::{Error, ErrorKind, Result};
use wasmtime::{FuncType, Module, ModuleExport, Val, ValType};

use crate::library::LibraryId;

/// The type of a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ValueType {
    /// 32 bits, with or without a sign.
    I32,
    /// 64 bits, with or without a sign.
    I64,
    /// 32 bits, IEEE 754.
    F32,
    /// 64 bits, IEEE 754.
    F64,
}

/// A number of a type of WebAssembly
/// ([core specification, number types](https://webassembly.github.io/spec/core/syntax/types.html#number-types)).
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum Value {
    /// An `i32`; a number without a sign is its bits.
    I32(i32),
    /// An `i64`; a number without a sign is its bits.
    I64(i64),
    /// An `f32`.
    F32(f32),
    /// An `f64`.
    F64(f64),
}

/// A function that a module exports, by its name and types.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Signature {
    /// The name under which it is exported.
    pub name: String,
    /// What it takes.
    pub parameters: Vec<ValueType>,
    /// What it returns.
    pub results: Vec<ValueType>,
}

/// An exported function, to be called with [`Value`]s; see
/// [`Library::untyped`](crate::Library::untyped).
#[derive(Clone)]
pub struct UntypedFunction {
    pub(crate) export: ModuleExport,
    pub(crate) library: LibraryId,
    pub(crate) signature: Signature,
}

impl UntypedFunction {
    /// Its name and types.
    pub fn signature(&self) -> &Signature {
        &self.signature
    }
}

impl fmt::Debug for UntypedFunction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UntypedFunction")
            .field("signature", &self.signature)
            .finish_non_exhaustive()
    }
}

/// Values that a function does not take, or types that are no numbers.
#[derive(Debug, thiserror::Error)]
pub(crate) enum UntypedError {
    #[error("the function `{name}` takes {wanted}, and was given {given}")]
    Arguments { name: String, wanted: String, given: String },
    #[error("the function `{name}` has types that are no numbers")]
    NoNumbers { name: String },
}

impl ValueType {
    /// Its name in the text format: `i32`, `i64`, `f32` or `f64`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::I32 => "i32",
            Self::I64 => "i64",
            Self::F32 => "f32",
            Self::F64 => "f64",
        }
    }

    pub(crate) fn to_engine(self) -> ValType {
        match self {
            Self::I32 => ValType::I32,
            Self::I64 => ValType::I64,
            Self::F32 => ValType::F32,
            Self::F64 => ValType::F64,
        }
    }

    pub(crate) fn of(kind: &ValType) -> Option<Self> {
        match kind {
            ValType::I32 => Some(Self::I32),
            ValType::I64 => Some(Self::I64),
            ValType::F32 => Some(Self::F32),
            ValType::F64 => Some(Self::F64),
            _ => None,
        }
    }
}

impl fmt::Display for ValueType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl Value {
    /// Its type.
    pub const fn kind(self) -> ValueType {
        match self {
            Self::I32(_) => ValueType::I32,
            Self::I64(_) => ValueType::I64,
            Self::F32(_) => ValueType::F32,
            Self::F64(_) => ValueType::F64,
        }
    }

    pub(crate) fn of(value: &Val) -> Option<Self> {
        match value {
            Val::I32(number) => Some(Self::I32(*number)),
            Val::I64(number) => Some(Self::I64(*number)),
            Val::F32(bits) => Some(Self::F32(f32::from_bits(*bits))),
            Val::F64(bits) => Some(Self::F64(f64::from_bits(*bits))),
            _ => None,
        }
    }
}

impl From<Value> for Val {
    fn from(value: Value) -> Self {
        match value {
            Value::I32(number) => Self::I32(number),
            Value::I64(number) => Self::I64(number),
            Value::F32(number) => Self::F32(number.to_bits()),
            Value::F64(number) => Self::F64(number.to_bits()),
        }
    }
}

impl Signature {
    /// `None` if a type of the function is no number.
    pub(crate) fn of(name: &str, kind: &FuncType) -> Option<Self> {
        let parameters = kind.params().map(|kind| ValueType::of(&kind)).collect::<Option<_>>()?;
        let results = kind.results().map(|kind| ValueType::of(&kind)).collect::<Option<_>>()?;
        Some(Self { name: name.to_owned(), parameters, results })
    }

    /// Refuses other arguments than the function takes.
    pub(crate) fn check(&self, arguments: &[Value]) -> Result<()> {
        let given: Vec<ValueType> = arguments.iter().map(|value| value.kind()).collect();
        if given == self.parameters {
            return Ok(());
        }
        let (name, wanted, given) = (self.name.clone(), list(&self.parameters), list(&given));
        Err(Error::new(ErrorKind::InvalidPolicy, UntypedError::Arguments { name, wanted, given })
            .with_hint("integers without a sign are passed as the bits of those with one"))
    }
}

/// The functions of numbers that a module exports.
pub(crate) fn signatures(module: &Module) -> Vec<Signature> {
    let functions =
        module.exports().filter_map(|export| Some((export.name(), export.ty().func()?.clone())));
    functions.filter_map(|(name, kind)| Signature::of(name, &kind)).collect()
}

fn list(types: &[ValueType]) -> String {
    let names: Vec<_> = types.iter().map(|kind| kind.name()).collect();
    format!("({})", names.join(", "))
}
