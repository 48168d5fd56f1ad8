//! The namespace backend against a real kernel: the behaviours every backend shares, and the walls
//! that only this one has.

mod accuracy;
mod alone;
mod bad_input;
mod broken_steps;
mod budget;
mod bursts;
mod elsewhere;
mod fallback;
mod host_process;
mod identity;
mod kernel;
mod left_out;
mod limits;
mod machine;
mod noexec;
mod planted;
mod processes;
mod room;
mod sockets;
mod streams;
mod stress;
mod syscalls;
mod tenants;
mod view;
mod warden_loss;
mod warden_stop;
mod warm;
mod writable;

mod conformance {
    stockade_conformance::conformance!(crate::machine::subject());
}

/// The same where each program's sandbox was built before the run was asked for.
mod conformance_warm {
    stockade_conformance::conformance!(crate::machine::warmed());
}
