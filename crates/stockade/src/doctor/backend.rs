//! [`BackendFindings`]: what one backend can do here.

use serde::Serialize;
use stockade_core::{Ability, Control, EnforcementStatus, Error, Policy, Report, Sandbox, Support};
use stockade_namespace::NamespaceSandbox;
use stockade_wasm::WasmSandbox;

use super::trial::{Probe, Trial, chain};

/// What one backend can do here.
#[derive(Debug, Default, Serialize)]
#[non_exhaustive]
pub struct BackendFindings {
    /// `namespace` or `wasm`.
    pub backend: String,
    /// Whether it can be made and runs a program.
    pub available: bool,
    /// Why it is not available.
    pub error: Option<String>,
    /// What would make it available.
    pub hint: Option<String>,
    /// Whether it meets the default policy here.
    pub default_policy: bool,
    /// Controls of the default policy that it does not meet.
    pub unmet: Vec<Control>,
    /// What was done to find out, in order.
    pub tried: Vec<Trial>,
    /// One for each control, in the order of the documentation.
    pub controls: Vec<ControlFindings>,
}

/// How well one control can be enforced here.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct ControlFindings {
    /// Which one.
    pub control: Control,
    /// `enforced`, `approximated` or `unavailable`.
    pub status: &'static str,
    /// What enforces it.
    pub mechanism: Option<String>,
    /// Why it is not enforced, or not fully.
    pub reason: Option<String>,
    /// What would change that.
    pub fix: Option<String>,
}

/// Native programs behind namespaces.
pub(super) fn namespace() -> BackendFindings {
    let sandbox = NamespaceSandbox::new();
    let helper = match &sandbox {
        Ok(sandbox) => Trial {
            what: "namespaces",
            ok: true,
            found: match sandbox.warden_id() {
                Ok(pid) => format!("helper process {pid} has namespaces of its own"),
                Err(error) => chain(&error),
            },
        },
        Err(error) => Trial { what: "namespaces", ok: false, found: chain(error) },
    };
    let support = match &sandbox {
        Ok(sandbox) => sandbox.support().clone(),
        Err(_) => NamespaceSandbox::outlook(),
    };
    let mut tried = vec![helper, cgroups(&support)];
    match sandbox {
        Ok(sandbox) => {
            let native = Probe::native();
            let mut found = examine(&sandbox, &native, &mut tried);
            let files = found.controls.iter().find(|found| found.control == Control::Filesystem);
            let stands = found.available && files.is_some_and(|files| files.mechanism.is_some());
            found.tried.insert(2, landlock(&support, stands));
            found
        }
        Err(error) => BackendFindings::missing(&support, &error, tried),
    }
}

/// Modules in WebAssembly.
pub(super) fn wasm() -> BackendFindings {
    match WasmSandbox::new() {
        Ok(sandbox) => {
            let found = "memory for code and instances reserved".to_owned();
            let mut tried = vec![Trial { what: "engine", ok: true, found }];
            examine(&sandbox, &Probe::module(), &mut tried)
        }
        Err(error) => {
            let support = Support::new("wasm", |_| Ability::unavailable("no engine", None));
            let tried = vec![Trial { what: "engine", ok: false, found: chain(&error) }];
            BackendFindings::missing(&support, &error, tried)
        }
    }
}

/// How mechanisms end that are in a scope, which is where all of them then are.
const SCOPE: &str = " in a scope of the service manager";

/// What making groups, writing limits and reading them back came to.
fn cgroups(support: &Support) -> Trial {
    let mut files = Vec::new();
    let mut lacking = Vec::new();
    for control in [Control::Memory, Control::CpuTime, Control::Processes, Control::Cpus] {
        match support.ability(control) {
            Ability::Enforced { mechanism } => files.push(mechanism),
            _ => lacking.push(control.name()),
        }
    }
    let ok = lacking.is_empty();
    // Said once.
    let bare: Vec<_> = files.iter().filter_map(|file| file.strip_suffix(SCOPE)).collect();
    let place = if bare.is_empty() { "" } else { SCOPE };
    let names = if bare.is_empty() { files.join(", ") } else { bare.join(", ") };
    let found = match (files.is_empty(), ok) {
        (_, true) => format!("made a group{place}, wrote and read back: {names}"),
        (true, _) => "none can be had".to_owned(),
        (false, _) => format!("had {names}{place}; none for {}", lacking.join(", ")),
    };
    Trial { what: "cgroups", ok, found }
}

/// Whether a program restricted itself by Landlock. If it was to and did not, the receipt says that
/// `filesystem` is not enforced, and nothing `stands`.
fn landlock(support: &Support, stands: bool) -> Trial {
    let mechanism = match support.ability(Control::Filesystem) {
        Ability::Enforced { mechanism } | Ability::Approximated { mechanism, .. } => mechanism,
        _ => String::new(),
    };
    let abi = mechanism.split("; ").find(|part| part.starts_with("Landlock ABI"));
    let (ok, found) = match (abi, stands) {
        (Some(abi), true) => (true, format!("{abi}; the program restricted itself")),
        (Some(abi), false) => (false, format!("{abi}, but no program restricted itself")),
        (None, _) => (false, "not to be had; the mounts are the only wall".to_owned()),
    };
    Trial { what: "Landlock", ok, found }
}

fn examine(sandbox: &dyn Sandbox, probe: &Probe, tried: &mut Vec<Trial>) -> BackendFindings {
    let support = sandbox.support();
    let by_default = probe.by_default(sandbox);
    let everything = probe.with_everything(sandbox);
    let first = probe.trial("default policy", &by_default);
    let met = first.ok;
    tried.push(first);
    tried.push(probe.trial("every control", &everything));
    let tried = std::mem::take(tried);
    let available = tried.last().is_some_and(|trial| trial.ok);
    let report = match everything {
        Ok(report) => report,
        Err(error) => return BackendFindings::missing(support, &error, tried),
    };
    let unmet = unmet(&by_default, met && available);
    BackendFindings {
        backend: support.backend.clone(),
        available,
        error: tried.last().filter(|trial| !trial.ok).map(|trial| trial.found.clone()),
        hint: None,
        default_policy: available && unmet.is_empty(),
        unmet,
        tried,
        controls: Control::ALL
            .map(|control| ControlFindings::of(support, control).corrected(&report))
            .into(),
    }
}

/// The controls that the default policy asks for and that are missing.
fn unmet(by_default: &Result<Report, Error>, ran: bool) -> Vec<Control> {
    match by_default {
        Ok(report) if ran => {
            let weak =
                report.enforcement.iter().filter(|e| e.status != EnforcementStatus::Enforced);
            weak.map(|entry| entry.control).collect()
        }
        Err(error) if !error.unmet().is_empty() => {
            error.unmet().iter().map(|unmet| unmet.control).collect()
        }
        _ => asked_by_default(),
    }
}

fn asked_by_default() -> Vec<Control> {
    let policy = Policy::default();
    Control::ALL.into_iter().filter(|control| policy.asks_for(*control)).collect()
}

impl BackendFindings {
    /// A backend that runs nothing here. What is known of its controls is kept for their fixes.
    pub(super) fn missing(support: &Support, error: &Error, tried: Vec<Trial>) -> Self {
        let missing = |control| {
            let found = ControlFindings::of(support, control);
            let reason = found.reason.unwrap_or_else(|| "the backend is not available".to_owned());
            let (status, mechanism, fix) = ("unavailable", None, found.fix);
            ControlFindings { control, status, mechanism, reason: Some(reason), fix }
        };
        Self {
            backend: support.backend.clone(),
            available: false,
            error: Some(chain(error)),
            hint: error.hint().and_then(elsewhere),
            default_policy: false,
            unmet: asked_by_default(),
            tried,
            controls: Control::ALL.map(missing).into(),
        }
    }
}

/// A hint without its part that sends the reader here.
fn elsewhere(hint: &str) -> Option<String> {
    let parts: Vec<_> =
        hint.split("; ").filter(|part| !part.contains("`stockade doctor`")).collect();
    (!parts.is_empty()).then(|| parts.join("; "))
}

impl ControlFindings {
    /// What a backend says of a control.
    pub fn of(support: &Support, control: Control) -> Self {
        let (status, mechanism, reason, fix) = match support.ability(control) {
            Ability::Enforced { mechanism } => ("enforced", Some(mechanism), None, None),
            Ability::Approximated { mechanism, reason, fix } => {
                ("approximated", Some(mechanism), Some(reason), fix)
            }
            Ability::Unavailable { reason, fix } => ("unavailable", None, Some(reason), fix),
            other => ("unavailable", None, Some(format!("{other:?}")), None),
        };
        Self { control, status, mechanism, reason, fix }
    }

    /// What the receipt of a run says counts more than what was expected.
    fn corrected(self, report: &Report) -> Self {
        let entry = report.enforcement.iter().find(|entry| entry.control == self.control);
        match entry {
            Some(entry) if entry.status == EnforcementStatus::NotEnforced => {
                let reason = entry.reason.clone().or(self.reason);
                Self { status: "unavailable", mechanism: None, reason, ..self }
            }
            _ => self,
        }
    }
}
