//! [`Table`]: a guest's descriptors, by number.

use super::Errno;
use crate::files::{Descriptor, Files};

/// Where the directory `/` is in the beginning; wasi-libc looks for it there.
const ROOT: usize = 3;

/// An open file or directory.
#[derive(Debug)]
pub(super) struct Open {
    pub(super) descriptor: Descriptor,
    /// Where it is read and written next.
    pub(super) position: u64,
    /// `fdflags`, of which only `append` has an effect.
    pub(super) flags: u16,
    /// The guest was given it.
    pub(super) given: bool,
}

#[derive(Debug)]
pub(super) enum Slot {
    /// Standard input, output or error, wherever the guest has put it.
    Stream(u8),
    /// `/`, which costs nothing until it is used.
    Root,
    Open(Open),
}

#[derive(Debug)]
pub(crate) struct Table {
    slots: Vec<Option<Slot>>,
    /// No lower number is free.
    free: usize,
}

impl Default for Table {
    fn default() -> Self {
        let stream = |stream| Some(Slot::Stream(stream));
        Self { slots: vec![stream(0), stream(1), stream(2), Some(Slot::Root)], free: ROOT + 1 }
    }
}

impl Table {
    /// What has this number.
    pub(super) fn get(&self, fd: u32) -> Result<&Slot, Errno> {
        self.slots.get(fd as usize).and_then(Option::as_ref).ok_or(Errno::BADF)
    }

    /// Opens `/`, if that was not done yet.
    fn wake(&mut self, files: &mut Files) {
        if let Some(Some(slot @ Slot::Root)) = self.slots.get_mut(ROOT) {
            let descriptor = files.root();
            *slot = Slot::Open(Open { descriptor, position: 0, flags: 0, given: true });
        }
    }

    /// The file or directory of this number; a stream is told `otherwise`.
    pub(super) fn open(
        &mut self,
        files: &mut Files,
        fd: u32,
        otherwise: Errno,
    ) -> Result<&mut Open, Errno> {
        self.wake(files);
        match self.slots.get_mut(fd as usize) {
            Some(Some(Slot::Open(open))) => Ok(open),
            Some(Some(Slot::Stream(_))) => Err(otherwise),
            _ => Err(Errno::BADF),
        }
    }

    /// What paths are seen from.
    pub(super) fn directory(&mut self, files: &mut Files, fd: u32) -> Result<&Descriptor, Errno> {
        self.open(files, fd, Errno::NOTDIR).map(|open| &open.descriptor)
    }

    /// Two of them.
    pub(super) fn directories(
        &mut self,
        files: &mut Files,
        fds: [u32; 2],
    ) -> Result<[&Descriptor; 2], Errno> {
        self.wake(files);
        let one = |fd| match self.get(fd)? {
            Slot::Open(open) => Ok(&open.descriptor),
            _ => Err(Errno::NOTDIR),
        };
        Ok([one(fds[0])?, one(fds[1])?])
    }

    /// Gives it the lowest free number.
    pub(super) fn insert(&mut self, open: Open) -> u32 {
        let slot = Some(Slot::Open(open));
        let above = self.slots.iter().skip(self.free);
        let number = self.free + above.take_while(|slot| slot.is_some()).count();
        match self.slots.get_mut(number) {
            Some(place) => *place = slot,
            None => self.slots.push(slot),
        }
        self.free = number + 1;
        // There are fewer than the limits on open files allow.
        number as u32
    }

    pub(super) fn close(&mut self, fd: u32) -> Result<(), Errno> {
        self.get(fd)?;
        self.slots[fd as usize] = None;
        self.free = self.free.min(fd as usize);
        Ok(())
    }

    /// Moves `from` over `to`; both must be open.
    pub(super) fn renumber(&mut self, files: &mut Files, from: u32, to: u32) -> Result<(), Errno> {
        self.wake(files);
        self.get(from)?;
        self.get(to)?;
        if from != to {
            self.slots[to as usize] = self.slots[from as usize].take();
            self.free = self.free.min(from as usize);
        }
        Ok(())
    }
}
