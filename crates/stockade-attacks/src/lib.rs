//! Attempts to break out of a sandbox, and how to tell that they failed.
//!
//! Every [`Attack`] is a program that tries one thing, and a check that says whether it got through.
//! The programs are part of this crate, as bytes: one static executable in `image/` for what only
//! native code can try, and a module each in `modules/`. Nothing is compiled or downloaded when they
//! run. What an attack would harm is a sentinel of its own: a file, a process or a socket that is
//! made for it and goes with it.
//!
//! [`play`] runs them against any [`Sandbox`], under a policy of the caller's.
#![forbid(unsafe_code)]

mod arena;
mod attack;
mod checks;
mod finding;
mod sentinel;

pub use arena::Walls;
pub use attack::{Attack, Kind};
pub use finding::{Finding, Outcome};

use std::time::Instant;

use arena::Arena;
use stockade_core::{Policy, Sandbox};

/// Every attack, native ones first.
pub fn all() -> impl Iterator<Item = &'static Attack> {
    checks::NATIVE.iter().chain(checks::MODULES)
}

/// The attacks that `sandbox` can be put to.
pub fn against(sandbox: &dyn Sandbox) -> impl Iterator<Item = &'static Attack> {
    let kind = match sandbox.support().backend.as_str() {
        "wasm" => Kind::Module,
        _ => Kind::Native,
    };
    all().filter(move |attack| attack.kind() == kind)
}

/// Tries one attack on `sandbox`, under `policy`.
///
/// What the policy allows stays allowed, so that an attack may not apply to it: a program that is
/// given the host's network reaches it. Its limits are taken as they are where they are lower than
/// the attack's own, so that no attack takes more than a few hundred mebibytes or a few seconds.
pub fn play(attack: &'static Attack, sandbox: &dyn Sandbox, policy: &Policy) -> Outcome {
    try_on(attack, Walls::Up { sandbox, policy })
}

/// Tries one attack where `walls` says. Without walls an attack that is worth anything gets through:
/// that is how the suite is tested itself.
#[doc(hidden)]
pub fn try_on(attack: &'static Attack, walls: Walls<'_>) -> Outcome {
    let begun = Instant::now();
    let finding = Arena::new(attack, walls).play();
    Outcome { attack, finding, elapsed: begun.elapsed() }
}
