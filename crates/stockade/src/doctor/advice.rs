//! [`Advice`]: what to do, each thing once, what helps most first.

use serde::Serialize;
use stockade_core::{Control, Policy};

use super::backend::BackendFindings;

/// One thing to do.
#[derive(Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Advice {
    /// What to do. Commands stand in backticks.
    pub fix: String,
    /// What becomes better by it.
    pub helps: Vec<Helped>,
}

/// What becomes better by it.
#[derive(Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Helped {
    /// The backend.
    pub backend: String,
    /// Null for the backend as a whole.
    pub control: Option<Control>,
}

impl Advice {
    /// A backend counts more than any control, and a control that the default policy asks for more
    /// than one that it does not.
    fn effect(&self) -> usize {
        let policy = Policy::default();
        let worth = |helped: &Helped| match helped.control {
            None => 1000,
            Some(control) if policy.asks_for(control) => 10,
            Some(_) => 1,
        };
        self.helps.iter().map(worth).sum()
    }
}

pub(super) fn advice(backends: &[BackendFindings]) -> Vec<Advice> {
    let mut all: Vec<Advice> = Vec::new();
    let mut add = |fix: &str, helped: Helped| match all.iter_mut().find(|known| known.fix == fix) {
        Some(known) => known.helps.push(helped),
        None => all.push(Advice { fix: fix.to_owned(), helps: vec![helped] }),
    };
    for found in backends {
        let helped = |control| Helped { backend: found.backend.clone(), control };
        if let Some(hint) = &found.hint {
            add(hint, helped(None));
        }
        for control in &found.controls {
            if let Some(fix) = &control.fix {
                add(fix, helped(Some(control.control)));
            }
            let lacks_landlock = found.backend == "namespace"
                && control.control == Control::Filesystem
                && control.mechanism.as_deref().is_some_and(|text| !text.contains("Landlock ABI"));
            if lacks_landlock {
                add(LANDLOCK, helped(Some(control.control)));
            }
        }
    }
    all.sort_by_key(|advice| std::cmp::Reverse(advice.effect()));
    all.extend(acceptance(backends));
    all
}

const LANDLOCK: &str = "for a second wall around files, boot the kernel with landlock at the head \
    of its lsm= parameter, before what `cat /sys/kernel/security/lsm` shows; it must be 5.13 or \
    later and built with CONFIG_SECURITY_LANDLOCK=y";

/// Accepting what is only approximated is the last resort.
fn acceptance(backends: &[BackendFindings]) -> Option<Advice> {
    let found = backends.iter().find(|found| found.available && !found.unmet.is_empty())?;
    let names: Vec<_> = found.unmet.iter().map(|control| control.name()).collect();
    let names = names.join(",");
    let helped =
        |control: &Control| Helped { backend: found.backend.clone(), control: Some(*control) };
    Some(Advice {
        fix: format!(
            "do without and accept less, which every report will then say: `stockade run --best-effort {names} PROGRAM`"
        ),
        helps: found.unmet.iter().map(helped).collect(),
    })
}
