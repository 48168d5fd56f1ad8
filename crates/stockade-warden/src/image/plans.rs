//! Plans the host has sent: mapped, checked, and kept until the host drops them.

use crate::serve::{State, answer};
use crate::sys::{self, Errno, Fd, Region, Result};
use crate::wire::plan::{Number, Plan, Section};

/// A plan in the warden's memory.
pub struct PlanEntry {
    bytes: Region,
    /// The argument vector and, behind its null, the environment.
    pointers: Region,
    environment: usize,
    /// Runs that use it.
    pub runs: u32,
    /// The host has dropped it; it goes when its last run ends.
    pub dropped: bool,
    pub known: bool,
}

/// Where a plan is in memory.
#[derive(Clone, Copy)]
pub struct Memory([Region; 2]);

impl Memory {
    /// Whether what is cloned from here on has the plan. Only what needs it does: a clone takes longer
    /// with every mapping.
    pub fn inherit(self, inherited: bool) -> Result<()> {
        self.0.iter().try_for_each(|region| region.inherit(inherited))
    }
}

impl PlanEntry {
    /// Maps and checks a plan. The file must be sealed, so that it can neither change nor shrink.
    pub fn load(&mut self, file: Fd) -> Result<()> {
        let size = sys::stat_fd(file)?.size as usize;
        if size == 0 || !sys::is_sealed(file) {
            return Err(Errno::EPROTO);
        }
        self.bytes = Region::of_file(file, size)?;
        let result = self.index();
        if result.is_err() {
            self.unload();
        }
        result
    }

    fn index(&mut self) -> Result<()> {
        let plan = Plan::new(self.bytes.bytes()).ok_or(Errno::EPROTO)?;
        let mut count = 0;
        for section in [Section::Arguments, Section::Environment] {
            let mut records = plan.records(section);
            while !records.is_empty() {
                records.c_str().ok_or(Errno::EPROTO)?;
                count += 1;
            }
            count += 1;
        }
        self.pointers = Region::of_pointers(count)?;
        let mut at = 0;
        for section in [Section::Arguments, Section::Environment] {
            if section == Section::Environment {
                self.environment = at;
            }
            let mut records = plan.records(section);
            while let Some(string) = records.c_str() {
                self.pointers.set_pointer(at, string);
                at += 1;
            }
            at += 1;
        }
        self.memory().inherit(false)?;
        self.known = true;
        Ok(())
    }

    /// Where it is.
    pub fn memory(&self) -> Memory {
        Memory([self.bytes, self.pointers])
    }

    /// The plan. Only an entry that was loaded has one.
    pub fn plan(&self) -> Option<Plan<'static>> {
        self.known.then(|| Plan::new(self.bytes.bytes())).flatten()
    }

    pub fn root(&self) -> usize {
        self.plan().map_or(usize::MAX, |plan| plan.number(Number::Root) as usize)
    }

    /// Addresses of the argument vector and the environment.
    pub fn vectors(&self) -> (usize, usize) {
        (self.pointers.pointer_at(0), self.pointers.pointer_at(self.environment))
    }

    /// Lets go of the memory.
    pub fn unload(&mut self) {
        self.bytes.release();
        self.pointers.release();
        self.known = false;
        self.dropped = false;
        self.runs = 0;
    }
}

impl State {
    /// The number is chosen here, since only here it is known when the last run of a dropped plan
    /// is gone.
    pub fn make_plan(&mut self, fds: &[Fd]) {
        match self.load_plan(fds) {
            Ok(index) => {
                self.wants_spare = index + 1;
                answer(Ok((index as u64, 0)));
            }
            Err(errno) => answer(Err((0, 0, errno))),
        }
    }

    pub fn load_plan(&mut self, fds: &[Fd]) -> Result<usize> {
        let file = fds.first().ok_or(Errno::EPROTO)?;
        let mut free = self.plans.iter_mut().enumerate().filter(|(_, entry)| !entry.known);
        let (index, entry) = free.next().ok_or(Errno::EAGAIN)?;
        entry.load(*file).map(|()| index)
    }

    /// Starts a run of a plan that goes with it.
    pub fn start_once(&mut self, fds: &[Fd]) {
        let Some((file, fds)) = fds.split_first() else { return };
        let plan = self.load_plan(&[*file]);
        sys::close(*file);
        self.start(plan, fds);
        if let Ok(index) = plan {
            self.drop_plan(index);
        }
    }

    pub fn drop_plan(&mut self, index: usize) {
        let Some(entry) = self.plans.get_mut(index).filter(|entry| entry.known) else { return };
        entry.dropped = true;
        if entry.runs == 0 {
            entry.unload();
        }
        self.drop_pool(index);
    }
}
