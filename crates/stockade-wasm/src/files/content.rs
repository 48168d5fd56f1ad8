//! What is in files, and what is told about them.

use rustix::fs::{fsync, ftruncate};
use rustix::io::{pread, pwrite};
use stockade_core::Control;

use super::errno::{Errno, FileError, Outcome};
use super::object::Object;
use super::{Descriptor, FileType, Files, NewTime, Place, Stat};
use crate::tether::Stop;

/// The largest offset, as in `off_t`.
const MAX_OFFSET: u64 = i64::MAX as u64;

impl Files {
    pub(crate) fn read(
        &mut self,
        file: &Descriptor,
        offset: u64,
        into: &mut [u8],
    ) -> Outcome<usize> {
        if file.kind() == FileType::Directory {
            return Err(Errno::IsDirectory.into());
        }
        if !file.read {
            return Err(Errno::BadDescriptor.into());
        }
        if offset > MAX_OFFSET {
            return Err(Errno::Invalid.into());
        }
        match &file.spot.object {
            Object::Void(_) => Err(Errno::IsDirectory.into()),
            Object::Bytes(_, bytes) => {
                let start = usize::try_from(offset).unwrap_or(usize::MAX).min(bytes.len());
                let len = into.len().min(bytes.len() - start);
                into[..len].copy_from_slice(&bytes[start..start + len]);
                Ok(len)
            }
            Object::Device(_, device) => device.read(into),
            Object::Memory(inode) => Ok(inode.read(offset, into)?),
            Object::Host(host) => Ok(pread(&host.fd, into, offset)?),
        }
    }

    /// Writes and says how many bytes, and where the end of them is.
    pub(crate) fn write(
        &mut self,
        file: &Descriptor,
        place: Place,
        bytes: &[u8],
    ) -> Outcome<(usize, u64)> {
        if file.kind() == FileType::Directory || !file.write {
            return Err(Errno::BadDescriptor.into());
        }
        let offset = match place {
            Place::At(offset) => offset,
            Place::End => file.spot.object.stat(&self.layout)?.size,
        };
        let len = match &file.spot.object {
            Object::Void(_) | Object::Bytes(..) => return Err(Errno::BadDescriptor.into()),
            Object::Device(_, device) => device.write(bytes)?,
            Object::Memory(inode) => {
                let room = self.room(offset, bytes.len(), None)?;
                inode.write(offset, &bytes[..room])?
            }
            Object::Host(host) => {
                let room = self.room(offset, bytes.len(), self.layout.own_file_size)?;
                // A hole is paid for when it is made, as by `resize`: one byte in it takes a page.
                let hole = offset.saturating_sub(host.stat()?.size);
                let ledger = self.ledger();
                ledger.take_bytes(0, hole)?;
                let granted =
                    ledger.take_some(0, room as u64).inspect_err(|_| ledger.give_bytes(0, hole))?;
                let written = pwrite(&host.fd, &bytes[..granted as usize], offset);
                let done = *written.as_ref().unwrap_or(&0) as u64;
                ledger.give_bytes(0, granted - done + if done == 0 { hole } else { 0 });
                written?
            }
        };
        Ok((len, offset.saturating_add(len as u64)))
    }

    /// How much of a write the limits on the size of a file leave. One that begins at the limit
    /// ends the run, as it does for a native program.
    fn room(&self, offset: u64, len: usize, own: Option<u64>) -> Outcome<usize> {
        if offset > MAX_OFFSET {
            return Err(Errno::Invalid.into());
        }
        let mut end = MAX_OFFSET;
        if let Some(limit) = self.layout.file_size {
            if offset >= limit && len > 0 {
                return Err(beyond(limit));
            }
            end = end.min(limit);
        }
        end = end.min(own.unwrap_or(end));
        if offset >= end && len > 0 {
            return Err(Errno::FileTooLarge.into());
        }
        let left = end.saturating_sub(offset);
        Ok(usize::try_from(left).unwrap_or(usize::MAX).min(len))
    }

    pub(crate) fn resize(&mut self, file: &Descriptor, size: u64) -> Outcome<()> {
        if !file.write || !matches!(file.kind(), FileType::Regular) {
            return Err(Errno::Invalid.into());
        }
        if size > MAX_OFFSET {
            return Err(Errno::Invalid.into());
        }
        let before = file.spot.object.stat(&self.layout)?.size;
        match self.layout.file_size {
            Some(limit) if size > limit && size > before => return Err(beyond(limit)),
            _ => {}
        }
        match &file.spot.object {
            Object::Memory(inode) => Ok(inode.resize(size)?),
            Object::Host(host) => {
                if self.layout.own_file_size.is_some_and(|limit| size > limit && size > before) {
                    return Err(Errno::FileTooLarge.into());
                }
                let growth = size.saturating_sub(before);
                let ledger = self.ledger();
                ledger.take_bytes(0, growth)?;
                Ok(ftruncate(&host.fd, size).inspect_err(|_| ledger.give_bytes(0, growth))?)
            }
            _ => Err(Errno::Invalid.into()),
        }
    }

    pub(crate) fn sync(&mut self, file: &Descriptor) -> Outcome<()> {
        match &file.spot.object {
            Object::Host(host) if host.kind == FileType::Regular && (file.read || file.write) => {
                Ok(fsync(&host.fd)?)
            }
            _ => Ok(()),
        }
    }

    pub(crate) fn stat(&mut self, file: &Descriptor) -> Outcome<Stat> {
        file.spot.object.stat(&self.layout)
    }

    pub(crate) fn stat_at(&mut self, at: &Descriptor, path: &[u8], follow: bool) -> Outcome<Stat> {
        let found = self.find(at, path, follow)?;
        found.object()?.stat(&self.layout)
    }

    pub(crate) fn set_times(
        &mut self,
        file: &Descriptor,
        accessed: NewTime,
        modified: NewTime,
    ) -> Outcome<()> {
        let object = &file.spot.object;
        object.expect_writable()?;
        match object {
            Object::Memory(inode) => {
                inode.set_times(accessed, modified);
                Ok(())
            }
            Object::Host(host) => host.set_times(accessed, modified),
            _ => Err(Errno::NotPermitted.into()),
        }
    }

    pub(crate) fn set_times_at(
        &mut self,
        at: &Descriptor,
        path: &[u8],
        follow: bool,
        accessed: NewTime,
        modified: NewTime,
    ) -> Outcome<()> {
        let found = self.find(at, path, follow)?;
        let object = found.object()?;
        object.expect_writable()?;
        match (object, &found.dir.object, &found.name, &found.child) {
            (Object::Memory(inode), ..) => {
                inode.set_times(accessed, modified);
                Ok(())
            }
            (Object::Host(_), Object::Host(dir), Some(name), Some(child))
                if child.fixed.is_none() =>
            {
                dir.set_times_of(name, accessed, modified)
            }
            (Object::Host(host), ..) => host.set_times(accessed, modified),
            _ => Err(Errno::NotPermitted.into()),
        }
    }
}

fn beyond(limit: u64) -> FileError {
    FileError::Stop(Stop::Limit { control: Control::FileSize, limit, observed: limit })
}
