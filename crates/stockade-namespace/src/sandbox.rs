//! [`NamespaceSandbox`]: the backend.

use std::sync::Arc;
use std::time::Instant;

use stockade_core::{Execution, Policy, Prepared, Program, Result, Sandbox, Stdio, Support};

use crate::host::{Host, link_error};
use crate::left_out::LeftOut;
use crate::prepare::Blueprint;
use crate::prepared::{NamespacePrepared, start_once};
use crate::warden::Census;
use crate::wardens::Wardens;

/// Runs native programs behind Linux namespaces.
///
/// Cheap to share: make one per process and use it from every thread; a clone is the same sandbox. It
/// keeps one helper
/// process, the warden (a second one once a policy asks for the host's network), which ends when
/// the sandbox and everything prepared from it is dropped, or when the host process ends, however
/// it ends.
///
/// Works as root and as an ordinary user. As root, every run gets user ids of its own and never
/// the host's root.
///
/// ```no_run
/// use stockade_core::{Policy, Program, Sandbox};
/// use stockade_namespace::NamespaceSandbox;
///
/// let sandbox = NamespaceSandbox::new()?;
/// let report = sandbox.run(&Policy::default(), &Program::executable("true"))?;
/// assert!(report.verdict.success());
/// # Ok::<(), stockade_core::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct NamespaceSandbox {
    wardens: Arc<Wardens>,
    support: Support,
}

impl NamespaceSandbox {
    /// Finds out what the host offers and launches the warden.
    ///
    /// Under cgroup v2 a process that has no group to give limits in, but a systemd of its user's (of
    /// the system, for root), gets a warden in a scope of that, launched by `/usr/bin/systemd-run`.
    /// The calling process is not moved. If there is no answer within ten seconds, limits are
    /// approximated, as they are without a service manager, and [`Support`] says why.
    ///
    /// # Errors
    /// `Unsupported` when this process may not make namespaces here (the hint says what refuses
    /// them), `Setup` when the warden cannot be launched.
    pub fn new() -> Result<Self> {
        Self::on(Host::look())
    }

    /// As [`NamespaceSandbox::new`], without some of the walls, which [`Support`] and every receipt
    /// then say: to measure what each costs, and for nothing else.
    #[doc(hidden)]
    pub fn leaving_out(walls: LeftOut) -> Result<Self> {
        Self::on(Host::look_past(walls))
    }

    pub(crate) fn on(host: Host) -> Result<Self> {
        let wardens = Wardens::new(host)?;
        let support = wardens.host.support(wardens.landlock_abi, wardens.no_proc);
        Ok(Self { wardens: Arc::new(wardens), support })
    }

    /// Has plans and reports say why this backend was chosen.
    #[must_use]
    pub fn chosen_because(mut self, reason: &str) -> Self {
        self.support.backend_reason = Some(reason.to_owned());
        self
    }

    fn draw(&self, policy: &Policy, program: &Program) -> Result<Blueprint> {
        let wardens = &self.wardens;
        Blueprint::draw(&wardens.host, &self.support, wardens.landlock_abi, policy, program)
    }

    #[cfg(test)]
    pub(crate) fn wardens(&self) -> &Arc<Wardens> {
        &self.wardens
    }

    /// Counts what the warden has alive. For diagnosis: after the last run has ended, `runs` falls
    /// to zero as soon as the kernel has taken the last namespaces down.
    ///
    /// # Errors
    /// `HostLost` when the warden is gone.
    pub fn census(&self) -> Result<Census> {
        self.wardens.link(false)?.census().map_err(link_error)
    }

    /// Process id of the warden.
    ///
    /// # Errors
    /// `Setup` when a warden has to be launched and cannot be.
    pub fn warden_id(&self) -> Result<u32> {
        Ok(self.wardens.link(false)?.pid)
    }
}

impl Sandbox for NamespaceSandbox {
    fn support(&self) -> &Support {
        &self.support
    }

    fn prepare(&self, policy: &Policy, program: &Program) -> Result<Box<dyn Prepared>> {
        let begun = Instant::now();
        let blueprint = self.draw(policy, program)?;
        Ok(Box::new(NamespacePrepared::new(Arc::clone(&self.wardens), blueprint, begun)?))
    }

    fn start(
        &self,
        policy: &Policy,
        program: &Program,
        stdio: Stdio,
    ) -> Result<Box<dyn Execution>> {
        let begun = Instant::now();
        start_once(&self.wardens, self.draw(policy, program)?, stdio, begun)
    }
}
