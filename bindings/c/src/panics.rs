//! Panics end at the border: C knows no unwinding, and a library does not print.

use std::any::Any;
use std::cell::Cell;
use std::panic::{self, AssertUnwindSafe, PanicHookInfo};
use std::sync::Once;
use std::thread;

use crate::failure::Failure;

thread_local! {
    /// Whether this thread is in a call from C, and the place of the last panic within.
    static INSIDE: Cell<bool> = const { Cell::new(false) };
    static PLACE: Cell<Option<String>> = const { Cell::new(None) };
}

/// Does `work`; a panic in it is a defect of the library, and a failure like any other.
pub(crate) fn caught<T>(work: impl FnOnce() -> Result<T, Failure>) -> Result<T, Failure> {
    static HOOK: Once = Once::new();
    HOOK.call_once(stay_silent);
    // A callback of C may call again.
    let outer = INSIDE.replace(true);
    let outcome = panic::catch_unwind(AssertUnwindSafe(work));
    INSIDE.set(outer);
    outcome.unwrap_or_else(|panic| Err(failure(&*panic)))
}

/// Keeps panics of such calls, and of this library's threads, from being printed. Where a program links
/// other Rust statically, those of that are printed as before.
fn stay_silent() {
    let usual = panic::take_hook();
    panic::set_hook(Box::new(move |panic: &PanicHookInfo<'_>| {
        let of_ours = |thread: thread::Thread| {
            thread.name().is_some_and(|name| name.starts_with("stockade-"))
        };
        if INSIDE.get() {
            PLACE.set(panic.location().map(ToString::to_string));
        } else if !of_ours(thread::current()) {
            usual(panic);
        }
    }));
}

fn failure(panic: &(dyn Any + Send)) -> Failure {
    let text = panic.downcast_ref::<&str>().copied();
    let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    let place = PLACE.take().unwrap_or_default();
    Failure::Defect(format!("{} ({place})", text.unwrap_or("a panic")))
}

#[cfg(test)]
mod tests;
