//! Handles.
//!
//! What a program holds of this library. Each is made by one function, freed by one, and opaque.

use std::ffi::CString;
use std::ptr::NonNull;
use std::sync::Arc;

use stockade::embed::Owned;
use stockade::oci;
use stockade::wasm::{HostCall, Library};

use crate::execution::Run;
use crate::failure::Told;
use crate::module::Guest;
use crate::report::Account;
use crate::sandbox::Backends;

/// Why a call did not do what it was asked. It is never needed: the status says what sort of failure it was.
pub struct Error {
    pub(crate) told: Told,
}

/// What is asked: limits, files, network, process, system calls. Data, always valid, without ties to
/// anything.
#[derive(Clone, Default)]
pub struct Policy {
    pub(crate) asked: stockade::Policy,
}

/// A backend, to be used many times and by many threads.
pub struct Sandbox {
    pub(crate) backends: Owned<Backends>,
}

/// A policy bound to a program, to be started many times and by many threads.
pub struct Prepared {
    pub(crate) inner: Owned<Arc<dyn stockade::Prepared>>,
    /// Whose files the program has as its own, if they are an image's.
    pub(crate) root: Option<Arc<oci::Root>>,
}

/// One run of a program.
pub struct Execution {
    pub(crate) run: Owned<Run>,
    pub(crate) _root: Option<Arc<oci::Root>>,
}

/// What became of a run: why it ended, what it used and printed, and what enforced each limit. Data.
pub struct Report {
    pub(crate) account: Arc<Account>,
}

/// Where images are kept.
pub struct Store {
    pub(crate) inner: oci::Store,
    pub(crate) path: CString,
}

/// What an image says of itself. Data.
pub struct Image {
    pub(crate) inner: oci::Image,
}

/// An image whose files are there to be run.
pub struct Root {
    pub(crate) inner: Arc<oci::Root>,
    pub(crate) path: CString,
}

/// A WebAssembly module whose functions are called.
pub struct Module {
    pub(crate) library: Owned<Library>,
}

/// A memory and state of a module, for one call at a time.
pub struct Instance {
    pub(crate) guest: Owned<Guest>,
}

/// A module's call of a function of the host's, while that function runs.
pub struct Call {
    pub(super) call: NonNull<HostCall<'static>>,
}
