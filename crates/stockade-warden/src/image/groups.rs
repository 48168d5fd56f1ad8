//! Cgroups of a run: made before it, read at its end, removed after it.

use crate::board::Board;
use crate::settle::Home;
use crate::sys::{
    self, EPOLLIN, EPOLLPRI, Errno, Fd, O_DIRECTORY, O_PATH, O_RDONLY, O_WRONLY, Result,
};
use crate::text::{self, Text};
use crate::wire::board::Word;
use crate::wire::plan::{Counter, Group, Plan, Section, Watch, Write, when};
use crate::wire::request::MAX_GROUPS;

/// One cgroup per hierarchy that a plan uses.
#[derive(Clone, Copy)]
pub struct Groups {
    /// The number in their name; 0 for none.
    pub id: u64,
    count: usize,
    parents: [Fd; MAX_GROUPS],
    /// The directories themselves; none once a run has copies of its own.
    dirs: [Fd; MAX_GROUPS],
    /// `tasks`, open for writing, of those on a version-1 hierarchy.
    joins: [Fd; MAX_GROUPS],
    /// The directory on the version-2 hierarchy, for a child to be born in.
    pub unified: Fd,
    /// What tells of a limit: what is polled, and for which events.
    watches: [(Fd, u32); MAX_WATCHES],
    /// What was read back after the limits were written: board word and value.
    read_back: [(usize, u64); MAX_READ_BACK],
}

/// Most files that tell of a limit.
const MAX_WATCHES: usize = 4;
/// Most limits that are read back.
const MAX_READ_BACK: usize = 8;

fn name(id: u64) -> Text<32> {
    Text::new().push(b"r").number(id).push(b"\0")
}

impl Groups {
    pub const NONE: Self = Self {
        id: 0,
        count: 0,
        parents: [0; MAX_GROUPS],
        dirs: [0; MAX_GROUPS],
        joins: [0; MAX_GROUPS],
        unified: 0,
        watches: [(0, 0); MAX_WATCHES],
        read_back: [(0, 0); MAX_READ_BACK],
    };

    /// Makes the groups of a plan and writes their limits.
    pub fn make(home: &Home, plan: Plan<'_>, id: u64) -> Result<Self> {
        let mut groups = Self { id, ..Self::NONE };
        match groups.fill(home, plan) {
            Ok(()) => Ok(groups),
            Err(errno) => {
                let _ = groups.remove();
                Err(errno)
            }
        }
    }

    fn fill(&mut self, home: &Home, plan: Plan<'_>) -> Result<()> {
        let name = name(self.id);
        let mut records = plan.records(Section::Groups);
        while !records.is_empty() {
            let group = Group::next(&mut records).ok_or(Errno::EPROTO)?;
            let at = self.count;
            let parent = home.groups.get(group.parent as usize).copied().unwrap_or(0);
            if at == MAX_GROUPS || parent == 0 {
                return Err(Errno::EPROTO);
            }
            sys::make_dir(parent, name.bytes(), 0o755)?;
            self.parents[at] = parent;
            self.count += 1;
            self.dirs[at] = sys::open_at(parent, name.bytes(), O_PATH | O_DIRECTORY, 0)?;
            if group.unified {
                self.unified = self.dirs[at];
            } else {
                self.joins[at] = sys::open_at(self.dirs[at], b"tasks\0", O_WRONLY, 0)?;
            }
        }
        self.write_limits(plan)?;
        let mut records = plan.records(Section::Watches);
        for at in 0..MAX_WATCHES {
            let Some(watch) = Watch::next(&mut records) else { break };
            // Without it, the limit is still looked at now and then.
            self.watches[at] = self.watch(&watch).unwrap_or((0, 0));
        }
        let mut values = [(0, 0); MAX_READ_BACK];
        let mut places = values.iter_mut();
        self.each_counter(plan, when::START, |word, value| {
            if let Some(place) = places.next() {
                *place = (word, value);
            }
        });
        self.read_back = values;
        Ok(())
    }

    /// Puts what was read back onto the board.
    pub fn show_limits(&self, board: Board) {
        for (word, value) in self.read_back.into_iter().filter(|(word, _)| *word != 0) {
            board.set_index(word, value);
        }
    }

    fn write_limits(&self, plan: Plan<'_>) -> Result<()> {
        let mut records = plan.records(Section::Writes);
        while !records.is_empty() {
            let write = Write::next(&mut records).ok_or(Errno::EPROTO)?;
            let (dir, path) = self.place(write.group, write.file);
            match sys::write_file(dir, path.bytes(), write.value) {
                Err(Errno::ENOENT) if write.optional => {}
                other => other?,
            }
        }
        Ok(())
    }

    /// Makes a file that tells of a limit ready to be polled.
    fn watch(&self, watch: &Watch<'_>) -> Result<(Fd, u32)> {
        let file = self.open(watch.group, watch.file, O_RDONLY)?;
        if !watch.eventfd {
            // A file that was never read counts as changed.
            let _ = sys::read_start(file, &mut [0; 256]);
            return Ok((file, EPOLLPRI));
        }
        let event = sys::event_fd();
        if let Ok(event) = event
            && let Ok(control) = self.open(watch.group, b"cgroup.event_control\0", O_WRONLY)
        {
            let text = Text::<48>::new().number(event as u64).push(b" ").number(file as u64);
            let _ = sys::write(control, text.bytes());
            sys::close(control);
        }
        // The kernel knows by now what the event stands for.
        sys::close(file);
        event.map(|event| (event, EPOLLIN))
    }

    /// What tells of a limit, and for which events it is polled.
    pub fn watches(&self) -> impl Iterator<Item = (Fd, u32)> {
        self.watches.into_iter().filter(|(fd, _)| *fd != 0)
    }

    /// Closes what only a run needs, once that has copies: whatever the warden has open, everything
    /// that is cloned later has to close again.
    pub fn let_go(&mut self) {
        self.dirs.iter().chain(&self.joins).filter(|fd| **fd != 0).for_each(|fd| sys::close(*fd));
        self.dirs = [0; MAX_GROUPS];
        self.joins = [0; MAX_GROUPS];
        self.unified = 0;
    }

    /// Where a file of one of the groups is: a directory, and a path from there.
    fn place(&self, index: u32, file: &[u8]) -> (Fd, Text<96>) {
        let at = |fds: &[Fd]| fds.get(index as usize).copied().filter(|fd| *fd != 0);
        match at(&self.dirs) {
            Some(dir) => (dir, Text::new().push(file)),
            None => {
                let path = Text::new().push(b"r").number(self.id).push(b"/").push(file);
                (at(&self.parents).unwrap_or(-1), path)
            }
        }
    }

    /// Moves the calling process into the version-1 groups. It has one thread, and a thread that
    /// moves itself holds up nobody and waits for nobody, as a whole process would.
    pub fn join(&self) -> Result<()> {
        self.joins.iter().filter(|fd| **fd != 0).try_for_each(|fd| sys::write(*fd, b"0").map(drop))
    }

    /// Opens a file of one of the groups.
    pub fn open(&self, index: u32, file: &[u8], flags: u32) -> Result<Fd> {
        let (dir, path) = self.place(index, file);
        sys::open_at(dir, path.bytes(), flags, 0)
    }

    /// The number behind `key` in a file of one of the groups.
    pub fn value(&self, index: u32, file: &[u8], key: &[u8]) -> Option<u64> {
        let mut buffer = [0u8; 2048];
        let (dir, path) = self.place(index, file);
        let text = sys::read_file(dir, path.bytes(), &mut buffer).ok()?;
        text::value(text, key)
    }

    /// Puts the counters that are due onto the board.
    pub fn count(&self, plan: Plan<'_>, due: u32, board: Board) {
        self.each_counter(plan, due, |word, value| board.set_index(word, value));
    }

    /// CPU time used so far, in nanoseconds; `None` where no group counts it.
    pub fn cpu_time(&self, plan: Plan<'_>) -> Option<u64> {
        let mut sum = None;
        self.each_counter(plan, when::CLOCK, |word, value| {
            if word == Word::UserNs as usize || word == Word::SystemNs as usize {
                sum = Some(sum.unwrap_or(0) + value);
            }
        });
        sum
    }

    fn each_counter(&self, plan: Plan<'_>, due: u32, mut take: impl FnMut(usize, u64)) {
        if self.id == 0 {
            return;
        }
        let mut records = plan.records(Section::Counters);
        while let Some(counter) = Counter::next(&mut records) {
            if counter.when != due {
                continue;
            }
            if let Some(value) = self.value(counter.group, counter.file, counter.key) {
                take(counter.word as usize, value.saturating_mul(u64::from(counter.scale)));
            }
        }
    }

    /// Closes the descriptors and removes the directories. A group that is still busy stays, and
    /// the call may be repeated.
    pub fn remove(&mut self) -> Result<()> {
        let name = name(self.id);
        let mut result = Ok(());
        self.watches().for_each(|(fd, _)| sys::close(fd));
        self.watches = [(0, 0); MAX_WATCHES];
        self.let_go();
        for at in 0..self.count {
            if self.parents[at] != 0 {
                match sys::remove_dir(self.parents[at], name.bytes()) {
                    Ok(()) | Err(Errno::ENOENT) => self.parents[at] = 0,
                    Err(errno) => result = Err(errno),
                }
            }
        }
        if result.is_ok() {
            *self = Self::NONE;
        }
        result
    }

    /// Descriptors that a sandbox's init still needs.
    pub fn descriptors(&self) -> impl Iterator<Item = Fd> {
        self.dirs.into_iter().filter(|fd| *fd != 0)
    }

    /// Descriptors that the workload's process needs.
    pub fn entrances(&self) -> impl Iterator<Item = Fd> {
        self.joins.into_iter().filter(|fd| *fd != 0)
    }
}
