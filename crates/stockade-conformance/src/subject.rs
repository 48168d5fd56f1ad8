//! [`Subject`]: a backend under test, and what is particular about it.

use stockade::{Ability, Control, Mount, Policy, Program, Sandbox, Verdict};
use stockade_guests::Guest;

/// A backend under test.
pub trait Subject: Sync {
    /// The backend.
    fn sandbox(&self) -> &dyn Sandbox;

    /// Makes `guest` part of what `policy` lets be seen, and gives the program that it is.
    fn program(&self, policy: &mut Policy, guest: &Guest) -> Program;

    /// A program at a path where there is none.
    fn absent(&self, path: &str) -> Program;

    /// What this backend does differently from others, on purpose.
    fn facts(&self) -> Facts;

    /// The default policy, with best effort for exactly those limits that this host only
    /// approximates.
    fn policy(&self) -> Policy {
        let support = self.sandbox().support();
        let mut policy = Policy::default();
        policy.best_effort = Control::ALL
            .into_iter()
            .filter(|control| matches!(support.ability(*control), Ability::Approximated { .. }))
            .filter(|control| policy.asks_for(*control))
            .collect();
        policy
    }
}

/// What backends do differently, on purpose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Facts {
    /// Programs are native: they have processes, threads and signals of the kernel's, so that a
    /// crash is `signaled`. Where they are not, a crash is `trapped`.
    pub native: bool,
    /// A program's status arrives as it is; else every status but 0 is 1.
    pub exit_codes: bool,
}

impl Facts {
    /// How a program ends that exits with `code`.
    pub fn exited(self, code: i32) -> Verdict {
        Verdict::Exited { code: if self.exit_codes { code } else { i32::from(code != 0) } }
    }
}

/// A backend that runs native executables.
#[derive(Debug)]
pub struct Native<S> {
    sandbox: S,
}

impl<S: Sandbox> Native<S> {
    /// Puts `sandbox` under test.
    pub fn new(sandbox: S) -> Self {
        Self { sandbox }
    }

    /// The backend, with what only it can do.
    pub fn backend(&self) -> &S {
        &self.sandbox
    }
}

impl<S: Sandbox> Subject for Native<S> {
    fn sandbox(&self) -> &dyn Sandbox {
        &self.sandbox
    }

    /// The executable comes as a file's contents, so it needs no path of the host.
    fn program(&self, policy: &mut Policy, guest: &Guest) -> Program {
        let path = format!("/guest/{}", guest.name);
        policy.filesystem.mounts.push(Mount::file(&path, guest.image));
        Program::executable(path)
    }

    fn absent(&self, path: &str) -> Program {
        Program::executable(path)
    }

    fn facts(&self) -> Facts {
        Facts { native: true, exit_codes: true }
    }
}
