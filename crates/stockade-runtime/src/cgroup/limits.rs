//! Sets what `linux.resources` asks for.

use std::cell::RefCell;
use std::io::{self, ErrorKind};

use oci_spec::runtime::LinuxResources;

use super::dir::{Dir, Version};
use crate::failure::{Failure, Outcome};

mod block;
mod cpu;
mod memory;
mod others;

pub(super) use cpu::weight as cpu_weight;
pub(super) use memory::swap_alone;

/// The open groups of one container.
#[derive(Debug)]
pub(super) struct Seats {
    pub(super) dirs: Vec<(Vec<String>, Version, Dir)>,
    /// Whether version 2 is all there is.
    pub(super) alone: bool,
    /// What files held before, in the order they were written to. `None` for groups that are new, which
    /// are removed when anything fails.
    journal: Option<RefCell<Vec<Entry>>>,
}

#[derive(Debug)]
struct Entry {
    dir: usize,
    file: String,
    before: String,
}

/// Where the limits of one controller go.
#[derive(Debug, Clone, Copy)]
pub(super) struct Seat<'a> {
    controller: &'a str,
    seats: &'a Seats,
    dir: Option<usize>,
}

/// Why a file was not written.
pub(super) struct Refusal {
    errno: Option<i32>,
    kind: ErrorKind,
    failure: Failure,
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        refusal.failure
    }
}

impl Refusal {
    pub(super) fn is(&self, errno: i32) -> bool {
        self.errno == Some(errno)
    }

    pub(super) fn is_missing(&self) -> bool {
        self.kind == ErrorKind::NotFound
    }
}

impl Seats {
    pub(super) fn new(dirs: Vec<(Vec<String>, Version, Dir)>, alone: bool) -> Self {
        Self { dirs, alone, journal: None }
    }

    /// These, with a memory for what was there before.
    pub(super) fn undoable(self) -> Self {
        Self { journal: Some(RefCell::default()), ..self }
    }

    /// Sets everything but devices.
    ///
    /// # Errors
    /// The first file that does not take its value. Groups that are not new get back what they had, as
    /// far as that can be written.
    pub(super) fn limit(&self, resources: &LinuxResources) -> Outcome<()> {
        let set = memory::set(self, resources.memory().as_ref())
            .and_then(|()| cpu::set(self, resources.cpu().as_ref()))
            .and_then(|()| block::set(self, resources.block_io().as_ref()))
            .and_then(|()| others::set(self, resources));
        if set.is_err() {
            self.undo();
        }
        set
    }

    /// The seat of a controller: its own hierarchy, or version 2 where that has it.
    pub(super) fn seat<'a>(&'a self, controller: &'a str) -> Seat<'a> {
        let named = |(names, version, _): &(Vec<String>, Version, Dir)| {
            *version == Version::V1 && names.iter().any(|name| name == controller)
        };
        let unified = |(_, version, dir): &(Vec<String>, Version, Dir)| {
            *version == Version::V2 && (self.alone || offers(dir, controller))
        };
        let dir = self.dirs.iter().position(named).or_else(|| self.dirs.iter().position(unified));
        Seat { controller, seats: self, dir }
    }

    /// Writes back what was there, the last first. What holds a line for each device cannot be
    /// written back whole and stays.
    fn undo(&self) {
        let Some(journal) = &self.journal else { return };
        for entry in journal.take().iter().rev() {
            let value = entry.before.trim_end();
            if !value.is_empty() && !value.contains('\n') {
                let _ = self.dirs[entry.dir].2.write(&entry.file, value);
            }
        }
    }
}

/// Whether a group of version 2 has a controller.
fn offers(dir: &Dir, controller: &str) -> bool {
    let text = dir.read("cgroup.controllers").unwrap_or_default();
    text.split_whitespace().any(|name| name == controller)
}

impl<'a> Seat<'a> {
    /// Whether its files are those of version 2. So they are called where there is no such seat.
    pub(super) fn is_v2(&self) -> bool {
        self.dir.map_or(self.seats.alone, |at| self.seats.dirs[at].1 == Version::V2)
    }

    /// This seat by the name of the controller that a file belongs to.
    pub(super) fn called(self, file: &'a str) -> Self {
        let controller = file.split_once('.').map_or(file, |(controller, _)| controller);
        Self { controller, ..self }
    }

    pub(super) fn dir(&self) -> Option<&'a Dir> {
        self.dir.map(|at| &self.seats.dirs[at].2)
    }

    pub(super) fn has(&self, file: &str) -> bool {
        self.dir().is_some_and(|dir| dir.has(file))
    }

    /// Writes a value.
    ///
    /// # Errors
    /// With the file, the value and what the kernel says, or that there is no such controller.
    pub(super) fn write(&self, file: &str, value: &str) -> Result<(), Refusal> {
        let Some(at) = self.dir else {
            let error = io::Error::new(ErrorKind::NotFound, "no control group has this controller");
            return Err(self.refusal(file, value, error));
        };
        let dir = &self.seats.dirs[at].2;
        let before = self.seats.journal.as_ref().map(|_| dir.read(file).unwrap_or_default());
        dir.write(file, value).map_err(|error| self.refusal(file, value, error))?;
        if let (Some(journal), Some(before)) = (&self.seats.journal, before) {
            journal.borrow_mut().push(Entry { dir: at, file: file.to_owned(), before });
        }
        Ok(())
    }

    /// A number from a file.
    pub(super) fn number(&self, file: &str) -> Option<u64> {
        self.dir()?.read(file).ok()?.trim_end().parse().ok()
    }

    fn refusal(&self, file: &str, value: &str, error: io::Error) -> Refusal {
        let (errno, kind) = (error.raw_os_error(), error.kind());
        let place = self.dir().map_or(String::new(), |dir| format!(" of {}", dir.shown.display()));
        let what = format!(
            "cannot set {} limit: writing `{}` to {file}{place}",
            self.controller,
            value.escape_debug()
        );
        let absent = self.is_v2() && self.dir().is_some_and(|dir| !offers(dir, self.controller));
        let what = if absent && self.controller != "cgroup" {
            format!("{what}: the controller `{}` is not available there", self.controller)
        } else {
            what
        };
        Refusal { errno, kind, failure: Failure::because(what, error) }
    }
}
