//! Work that nobody waits for: cgroups made ahead, sandboxes that wait, cgroups that are removed.

use crate::groups::Groups;
use crate::serve::State;
use crate::sys;
use crate::wire::board::Word;

/// How often such work waits once more, for a sandbox that is still being built.
const PUT_OFF: u32 = 16;
/// How long a cgroup that was busy is left alone before it is removed.
pub const BUSY_PAUSE: u64 = 2_000_000;

impl State {
    /// Puts groups where they will be removed when the warden is idle.
    pub fn bury(&mut self, mut groups: Groups) {
        if groups.id == 0 {
            return;
        }
        match self.graves.get_mut(self.buried) {
            Some(grave) => {
                *grave = groups;
                self.buried += 1;
                self.dig_at = 0;
            }
            None => {
                let _ = groups.remove();
            }
        }
    }

    /// Whether work that nobody waits for has to wait itself: a sandbox that is being built may be
    /// waiting for this very processor.
    pub fn puts_off(&mut self) -> bool {
        let run = self.runs.get(self.newest).is_some_and(|run| run.live && run.place.gate == 0);
        let board = self.board(self.newest);
        let built = board.get(Word::TimeExec) != 0 || board.failed() || board.stopped();
        self.put_off = if run && !built && self.put_off < PUT_OFF { self.put_off + 1 } else { 0 };
        self.put_off != 0
    }

    /// One piece of work that nobody waits for.
    pub fn keep_house(&mut self) {
        if self.wants_spare != 0 {
            let plan = self.wants_spare - 1;
            self.wants_spare = 0;
            self.make_spare(plan);
            return;
        }
        let now = sys::now();
        if let Some(pool) = self.lacking(now) {
            self.fill(pool, now);
            return;
        }
        let Some(last) = self.buried.checked_sub(1) else { return };
        if self.graves[last].remove().is_ok() {
            self.buried = last;
            return;
        }
        // Busy: to the other end of the row, and a pause.
        self.graves[..=last].rotate_right(1);
        self.dig_at = sys::now() + BUSY_PAUSE;
    }
}
