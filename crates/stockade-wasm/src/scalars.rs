//! [`Scalars`]: numbers as parameters and results of functions between host and guest.

use wasmtime::{Val, ValType};

mod sealed {
    /// What converts to and from the engine's values; nobody else can add to it.
    pub trait Sealed: Sized + wasmtime::WasmParams + wasmtime::WasmResults {
        fn types() -> Vec<wasmtime::ValType>;
        /// `None` if these are not values of those types.
        fn from_values(values: &[wasmtime::Val]) -> Option<Self>;
        fn into_values(self, values: &mut [wasmtime::Val]);
    }

    /// One number.
    pub trait One: Sized {
        const TYPE: wasmtime::ValType;
        fn from_value(value: &wasmtime::Val) -> Option<Self>;
        fn into_value(self) -> wasmtime::Val;
    }
}

use sealed::One;
pub(crate) use sealed::Sealed;

/// Parameters or results of a function: `()`, one number, or a tuple of up to eight of `i32`,
/// `u32`, `i64`, `u64`, `f32` and `f64`.
///
/// WebAssembly's integers have no sign: `u32` is the same type as `i32` there, and `u64` as `i64`
/// ([core specification, number types](https://webassembly.github.io/spec/core/syntax/types.html#number-types)).
pub trait Scalars: Sealed {}

impl<T: Sealed> Scalars for T {}

macro_rules! numbers {
    ($($number:ty, $kind:ident, $value:ident => $from:expr, $into:expr;)*) => {$(
        impl One for $number {
            const TYPE: ValType = ValType::$kind;

            fn from_value(value: &Val) -> Option<Self> {
                value.$value().map($from)
            }

            fn into_value(self) -> Val {
                Val::from($into(self))
            }
        }

        impl Sealed for $number {
            fn types() -> Vec<ValType> {
                vec![<Self as One>::TYPE]
            }

            fn from_values(values: &[Val]) -> Option<Self> {
                One::from_value(values.first()?)
            }

            fn into_values(self, values: &mut [Val]) {
                values[0] = self.into_value();
            }
        }
    )*};
}

numbers! {
    i32, I32, i32 => |bits| bits, |number| number;
    u32, I32, i32 => i32::cast_unsigned, u32::cast_signed;
    i64, I64, i64 => |bits| bits, |number| number;
    u64, I64, i64 => i64::cast_unsigned, u64::cast_signed;
    f32, F32, f32 => |number| number, |number| number;
    f64, F64, f64 => |number| number, |number| number;
}

macro_rules! tuples {
    ($($($name:ident)*;)*) => {$(
        impl<$($name: One + wasmtime::WasmTy),*> Sealed for ($($name,)*) {
            fn types() -> Vec<ValType> {
                vec![$(<$name as One>::TYPE),*]
            }

            #[allow(unused_mut, unused_variables, reason = "the empty tuple has nothing to do")]
            fn from_values(values: &[Val]) -> Option<Self> {
                let mut values = values.iter();
                Some(($(<$name as One>::from_value(values.next()?)?,)*))
            }

            #[allow(
                non_snake_case,
                unused_mut,
                unused_variables,
                reason = "a tuple's fields are named as its types; the empty one has none"
            )]
            fn into_values(self, values: &mut [Val]) {
                let ($($name,)*) = self;
                let mut values = values.iter_mut();
                $(if let Some(value) = values.next() {
                    *value = $name.into_value();
                })*
            }
        }
    )*};
}

tuples! {
    ;
    A;
    A B;
    A B C;
    A B C D;
    A B C D E;
    A B C D E F;
    A B C D E F G;
    A B C D E F G H;
}
