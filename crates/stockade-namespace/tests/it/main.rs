//! The namespace backend against a real kernel: the behaviours every backend shares, and the walls
//! that only this one has.

mod alone;
mod bad_input;
mod broken_steps;
mod bursts;
mod host_process;
mod identity;
mod kernel;
mod machine;
mod processes;
mod sockets;
mod streams;
mod view;
mod warden_loss;

mod conformance {
    stockade_conformance::conformance!(crate::machine::subject());
}
