//! Numbers of WebAssembly.

use stockade::wasm::{Value as Number, ValueType};

use crate::failure::Failure;
use crate::words::unknown;

/// 32 bits, with or without a sign.
pub const STOCKADE_I32: i32 = 1;
/// 64 bits, with or without a sign.
pub const STOCKADE_I64: i32 = 2;
/// 32 bits, IEEE 754.
pub const STOCKADE_F32: i32 = 3;
/// 64 bits, IEEE 754.
pub const STOCKADE_F64: i32 = 4;

/// A number of one of four types. A number without a sign is passed as the bits of one with.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Value {
    /// STOCKADE_I32, STOCKADE_I64, STOCKADE_F32 or STOCKADE_F64.
    pub r#type: i32,
    /// The member of that type.
    pub of: ValueOf,
}

/// The number of a stockade_value.
#[repr(C)]
#[derive(Clone, Copy)]
pub union ValueOf {
    /// For STOCKADE_I32.
    pub i32: i32,
    /// For STOCKADE_I64.
    pub i64: i64,
    /// For STOCKADE_F32.
    pub f32: f32,
    /// For STOCKADE_F64.
    pub f64: f64,
}

impl Value {
    pub(super) fn zero(kind: ValueType) -> Self {
        let r#type = match kind {
            ValueType::I32 => STOCKADE_I32,
            ValueType::I64 => STOCKADE_I64,
            ValueType::F32 => STOCKADE_F32,
            ValueType::F64 => STOCKADE_F64,
            // None that a host function can be given.
            _ => 0,
        };
        Self { r#type, of: ValueOf { i64: 0 } }
    }
}

impl From<Number> for Value {
    fn from(value: Number) -> Self {
        let mut raw = Self::zero(value.kind());
        match value {
            Number::I32(number) => raw.of.i32 = number,
            Number::I64(number) => raw.of.i64 = number,
            Number::F32(number) => raw.of.f32 = number,
            Number::F64(number) => raw.of.f64 = number,
            _ => {}
        }
        raw
    }
}

impl Value {
    /// The number, if the type is one.
    pub(super) fn number(self) -> Result<Number, Failure> {
        // SAFETY: all bits of all four members are numbers. Of a member that is smaller than another that
        // was set, C sees the same.
        unsafe {
            Ok(match self.r#type {
                STOCKADE_I32 => Number::I32(self.of.i32),
                STOCKADE_I64 => Number::I64(self.of.i64),
                STOCKADE_F32 => Number::F32(self.of.f32),
                STOCKADE_F64 => Number::F64(self.of.f64),
                other => return Err(unknown("type", other, "STOCKADE_I32, _I64, _F32 or _F64")),
            })
        }
    }
}
