//! Run code you do not trust: one policy, one report.
pub use stockade_core::*;
#[cfg(feature = "namespace")]
pub use stockade_namespace::NamespaceSandbox;

/// A sandbox of the backend that suits `program`.
///
/// # Errors
/// `Unsupported` when no backend of this build can run it on this host.
pub fn auto(_program: &Program) -> Result<Box<dyn Sandbox>> {
    Ok(Box::new(NamespaceSandbox::new()?))
}
