//! What the caller brings: sandboxes.

use std::any::Any;
use std::path::Path;

use stockade_core::{Ability, Control, Policy, Result, Sandbox};

/// Makes the sandboxes that are measured.
pub trait Makers {
    /// A native backend with these walls, and a helper of its own.
    ///
    /// # Errors
    /// When this host has none.
    fn native(&self, walls: Walls) -> Result<Box<dyn Native>>;

    /// A backend for modules, which keeps compiled code in that directory if there is one.
    ///
    /// # Errors
    /// When this host has none.
    fn modules(&self, cache: Option<&Path>) -> Result<Box<dyn Modules>>;
}

/// The backend for modules.
pub trait Modules: Sandbox {
    /// Instances of a module, as many as wanted, in each of which `count` was called once. They live
    /// until what is returned is dropped.
    ///
    /// # Errors
    /// When there is no room for so many.
    fn instances(&self, module: &[u8], count: usize) -> Result<Box<dyn Any>>;
}

/// The native backend, and what can be seen of it from outside.
pub trait Native: Sandbox {
    /// Process id of its helper, whose children are the sandboxes.
    fn helper(&self) -> Option<u32>;

    /// How many sandboxes wait for a start.
    fn waiting(&self) -> usize;
}

/// Which walls a native sandbox has. Each has those before it as well.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Walls {
    /// Namespaces, a root of its own, no capabilities, resource limits.
    Namespaces,
    /// Limits by cgroups.
    Cgroups,
    /// Landlock.
    Landlock,
    /// A filter of system calls: all there is.
    All,
}

/// The default policy, which takes what `sandbox` can only approximate or was made without.
pub(crate) fn policy(sandbox: &dyn Sandbox) -> Policy {
    let mut policy = Policy::default();
    let support = sandbox.support();
    policy.best_effort = Control::ALL
        .into_iter()
        .filter(|control| !matches!(support.ability(*control), Ability::Enforced { .. }))
        .collect();
    policy
}
