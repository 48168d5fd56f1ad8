//! Attempts to break out, one static program: `attacks NAME ARGUMENTS`.
//!
//! Each guest tries one thing and says how it went by its exit status and one line of output, see
//! [`kit::through`], [`kit::refused`] and [`kit::failed`]. It is run behind the walls, where it must
//! not get through, and without them, where it must.
#![no_std]
#![no_main]
#![allow(dead_code)]

#[macro_use]
mod kit;
mod guests;

/// Where it begins.
#[unsafe(no_mangle)]
extern "C" fn bare_main(stack: *const usize) -> ! {
    let args = kit::Args::of(stack);
    guests::attack(args.get(1), args)
}

#[panic_handler]
fn panic(info: &core::panic::PanicInfo<'_>) -> ! {
    kit::failed(format_args!("{}", info.message()))
}
