//! [`Shelf`]: prepared programs, kept for the next job that needs the same.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use stockade_core::{Policy, Prepared, Program, Result, Sandbox};

use super::Work;

/// Most prepared programs that are kept; the one that was not used for longest goes.
const KEPT: usize = 16;

/// Prepared programs of a batch, the last used at the end.
#[derive(Default)]
pub(super) struct Shelf {
    slots: Mutex<VecDeque<Arc<Slot>>>,
}

/// A program under a policy, and what was made of it once it is prepared.
struct Slot {
    sandbox: Arc<dyn Sandbox>,
    policy: Arc<Policy>,
    program: Program,
    prepared: Mutex<Option<Arc<dyn Prepared>>>,
}

impl Shelf {
    /// What is to be started for `work`. Jobs that need the same wait for the first of them to have
    /// prepared it; a failure is nobody's but the one's that met it.
    pub(super) fn prepare(&self, work: Work) -> Result<Arc<dyn Prepared>> {
        let (sandbox, policy, program) = match work {
            Work::Prepared(prepared) => return Ok(prepared),
            Work::Program { sandbox, policy, program } => (sandbox, policy, program),
        };
        let slot = self.slot(sandbox, policy, program);
        let mut prepared = slot.prepared.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(prepared) = &*prepared {
            return Ok(Arc::clone(prepared));
        }
        let made: Arc<dyn Prepared> = slot.sandbox.prepare(&slot.policy, &slot.program)?.into();
        *prepared = Some(Arc::clone(&made));
        Ok(made)
    }

    pub(super) fn clear(&self) {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    fn slot(&self, sandbox: Arc<dyn Sandbox>, policy: Arc<Policy>, program: Program) -> Arc<Slot> {
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        let same = |slot: &Arc<Slot>| {
            Arc::ptr_eq(&slot.sandbox, &sandbox)
                && slot.program == program
                && (Arc::ptr_eq(&slot.policy, &policy) || slot.policy == policy)
        };
        let found = slots.iter().position(same).and_then(|place| slots.remove(place));
        let slot = found.unwrap_or_else(|| {
            Arc::new(Slot { sandbox, policy, program, prepared: Mutex::default() })
        });
        slots.push_back(Arc::clone(&slot));
        let old = (slots.len() > KEPT).then(|| slots.pop_front());
        // What goes may have sandboxes waiting, which takes a moment to end.
        drop(slots);
        drop(old);
        slot
    }
}
