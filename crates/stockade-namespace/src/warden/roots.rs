//! Which roots a warden has built, and how many plans use each.

use stockade_warden::wire::request::MAX_ROOTS;

use super::LinkError;

/// Roots that no plan uses are kept, so that the next plan with the same files is cheap; not
/// many, since each pins the host's mounts it binds.
const KEPT_UNUSED: usize = 8;

/// The roots of one warden.
#[derive(Debug, Default)]
pub(super) struct Roots {
    built: Vec<Root>,
    clock: u64,
}

#[derive(Debug)]
struct Root {
    number: usize,
    recipe: Vec<u8>,
    users: usize,
    last_used: u64,
}

impl Roots {
    /// A root of the same recipe, with one user more.
    pub(super) fn take(&mut self, recipe: &[u8]) -> Option<usize> {
        self.clock += 1;
        let root = self.built.iter_mut().find(|root| root.recipe == recipe)?;
        root.users += 1;
        root.last_used = self.clock;
        Some(root.number)
    }

    /// A free number, and the unused root that has to go for it.
    pub(super) fn reserve(&mut self) -> Result<(usize, Option<usize>), LinkError> {
        let free = (0..MAX_ROOTS).find(|n| self.built.iter().all(|root| root.number != *n));
        if let Some(number) = free {
            return Ok((number, None));
        }
        let number = self
            .forget_oldest_unused()
            .ok_or(LinkError::Exhausted { what: "roots", count: MAX_ROOTS })?;
        Ok((number, Some(number)))
    }

    /// Notes that a root was built, with one user.
    pub(super) fn keep(&mut self, number: usize, recipe: &[u8]) {
        self.clock += 1;
        let last_used = self.clock;
        self.built.push(Root { number, recipe: recipe.to_vec(), users: 1, last_used });
    }

    /// One user less; gives the roots that are to be dropped now.
    pub(super) fn release(&mut self, number: usize) -> Vec<usize> {
        if let Some(root) = self.built.iter_mut().find(|root| root.number == number) {
            root.users = root.users.saturating_sub(1);
        }
        let unused = self.built.iter().filter(|root| root.users == 0).count();
        (KEPT_UNUSED..unused).filter_map(|_| self.forget_oldest_unused()).collect()
    }

    fn forget_oldest_unused(&mut self) -> Option<usize> {
        let unused = self.built.iter().enumerate().filter(|(_, root)| root.users == 0);
        let (at, _) = unused.min_by_key(|(_, root)| root.last_used)?;
        Some(self.built.swap_remove(at).number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn built(roots: &mut Roots, recipe: &[u8]) -> usize {
        let (number, _) = roots.reserve().expect("there is room");
        roots.keep(number, recipe);
        number
    }

    #[test]
    fn the_same_recipe_is_built_once() {
        let mut roots = Roots::default();
        let number = built(&mut roots, b"a");
        assert_eq!(roots.take(b"a"), Some(number));
        assert_eq!(roots.take(b"b"), None);
    }

    #[test]
    fn unused_roots_are_kept_up_to_a_bound_and_the_oldest_goes_first() {
        let mut roots = Roots::default();
        let numbers: Vec<usize> =
            (0..=KEPT_UNUSED as u8).map(|n| built(&mut roots, &[n])).collect();
        let dropped: Vec<usize> =
            numbers.iter().flat_map(|number| roots.release(*number)).collect();
        assert_eq!(dropped, [numbers[0]]);
        assert_eq!(roots.take(&[0]), None);
        assert_eq!(roots.take(&[1]), Some(numbers[1]));
    }

    #[test]
    fn a_full_table_gives_up_an_unused_root_and_never_a_used_one() {
        let mut roots = Roots::default();
        let numbers: Vec<usize> =
            (0..MAX_ROOTS).map(|n| built(&mut roots, &n.to_le_bytes())).collect();
        assert!(matches!(roots.reserve(), Err(LinkError::Exhausted { .. })));
        assert!(roots.release(numbers[5]).is_empty());
        assert!(matches!(roots.reserve(), Ok((n, Some(m))) if n == numbers[5] && m == n));
    }
}
