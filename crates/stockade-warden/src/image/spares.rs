//! Cgroups made ahead: the next run with the same limits need not wait for the kernel to make its
//! own. Each serves one run; one that has held processes is never used again.

use crate::groups::Groups;
use crate::wire::plan::{Plan, Section};

/// Most sets kept.
const KEPT: usize = 8;
/// Longest recipe that is kept.
const RECIPE: usize = 1536;

/// A set of groups and the recipe it was made from.
struct Spare {
    groups: Groups,
    len: usize,
    recipe: [u8; RECIPE],
}

/// All sets that wait for a run.
pub struct Spares {
    all: [Spare; KEPT],
    /// The place that is taken next when all are full.
    oldest: usize,
}

impl Spare {
    fn suits(&self, plan: Plan<'_>) -> bool {
        let stored = self.recipe.get(..self.len).unwrap_or(&[]);
        self.groups.id != 0 && stored.iter().eq(recipe(plan).into_iter().flatten())
    }
}

/// What groups are made from; two plans with the same recipe can use the same groups.
fn recipe(plan: Plan<'_>) -> [&[u8]; 3] {
    [Section::Groups, Section::Writes, Section::Watches].map(|section| plan.section(section))
}

impl Spares {
    /// Whether a run of `plan` would find groups.
    pub fn has(&self, plan: Plan<'_>) -> bool {
        self.all.iter().any(|spare| spare.suits(plan))
    }

    /// Groups for a run of `plan`.
    pub fn take(&mut self, plan: Plan<'_>) -> Option<Groups> {
        let spare = self.all.iter_mut().find(|spare| spare.suits(plan))?;
        Some(core::mem::replace(&mut spare.groups, Groups::NONE))
    }

    /// Keeps groups that were made for `plan`; gives back what has to go for them.
    pub fn keep(&mut self, plan: Plan<'_>, groups: Groups) -> Groups {
        let len = recipe(plan).into_iter().map(<[u8]>::len).sum();
        let place = self.all.iter().position(|spare| spare.groups.id == 0).unwrap_or_else(|| {
            self.oldest = (self.oldest + 1) % KEPT;
            self.oldest
        });
        let Some(spare) = self.all.get_mut(place).filter(|_| len <= RECIPE) else { return groups };
        for (place, byte) in spare.recipe.iter_mut().zip(recipe(plan).into_iter().flatten()) {
            *place = *byte;
        }
        spare.len = len;
        core::mem::replace(&mut spare.groups, groups)
    }

    /// All that are kept.
    pub fn all(&mut self) -> impl Iterator<Item = &mut Groups> {
        self.all.iter_mut().map(|spare| &mut spare.groups).filter(|groups| groups.id != 0)
    }
}
