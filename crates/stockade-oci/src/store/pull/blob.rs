//! One blob, by one thread.

use std::io::{self, Read};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::Sender;

use stockade_core::Result;

use super::super::going::stopped;
use super::super::part::Part;
use super::super::workshop::{PIECE, Workshop};
use super::{Patience, Pull, Trouble};
use crate::blobs::Descriptor;
use crate::digest::{Digest, Mismatch};
use crate::registry::RegistryError;

/// Bytes after which failures are forgotten.
const FORGIVEN: u64 = 1 << 20;
/// Bytes after which the caller hears of more.
const TOLD: u64 = 256 << 10;

impl Pull<'_> {
    /// What one thread does.
    pub(super) fn work(
        &self,
        workshop: &Workshop<'_>,
        missing: &[&Descriptor],
        next: &AtomicUsize,
        sender: &Sender<(usize, u64)>,
    ) {
        loop {
            let at = next.fetch_add(1, Ordering::Relaxed);
            let Some(blob) = missing.get(at) else { return };
            if self.end.failure().is_some() {
                return;
            }
            // Who does not listen any more has gone, and waits for this to end.
            let tell = |done| sender.send((at, done)).map_err(|_| stopped());
            if let Err(error) = self.blob(workshop, blob, &tell) {
                return self.fail(error);
            }
        }
    }

    fn blob(
        &self,
        workshop: &Workshop<'_>,
        blob: &Descriptor,
        tell: &dyn Fn(u64) -> Result<()>,
    ) -> Result<()> {
        let mut part = Part::open(self.store, workshop, blob)?;
        let mut patience = Patience::new(&self.end, self.options);
        let mut counted = part.have();
        loop {
            let attempt = self.attempt(&mut part, &blob.digest, tell);
            match attempt {
                Ok(()) => break,
                Err(trouble) => {
                    if part.have() >= counted.saturating_add(FORGIVEN) {
                        patience.failed = 0;
                    }
                    counted = part.have();
                    patience.after(trouble)?;
                }
            }
        }
        part.finish()?;
        tell(blob.size)
    }

    /// Fetches what is missing, and verifies the whole.
    fn attempt(
        &self,
        part: &mut Part<'_>,
        digest: &Digest,
        tell: &dyn Fn(u64) -> Result<()>,
    ) -> Result<(), Trouble> {
        if !part.is_whole() {
            self.rest(part, digest, tell)?;
        }
        match part.verify()? {
            Ok(()) => Ok(()),
            Err((mismatch, true)) => Err(Trouble::Passing(mismatch.into())),
            Err((mismatch, false)) => Err(Trouble::Final(mismatch.into())),
        }
    }

    fn rest(
        &self,
        part: &mut Part<'_>,
        digest: &Digest,
        tell: &dyn Fn(u64) -> Result<()>,
    ) -> Result<(), Trouble> {
        let answer = match self.registry.blob(digest, part.have()) {
            // The registry has not what was asked for; perhaps it has the whole.
            Err(error) if error.is_of_range() => {
                part.restart()?;
                return Err(Trouble::Passing(error.into()));
            }
            answer => answer?,
        };
        if answer.from != part.have() {
            part.restart()?;
            if answer.from > 0 {
                let error = RegistryError::Range { digest: digest.clone() };
                return Err(Trouble::Passing(error.into()));
            }
        }
        if let Some(length) = answer.length {
            refuse(part, part.have().saturating_add(length))?;
        }
        tell(part.have())?;
        let mut told = part.have();
        let mut body = answer.body;
        let mut piece = vec![0; PIECE];
        loop {
            let read = match body.read(&mut piece) {
                Ok(0) => break,
                Ok(read) => read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(self.registry.broken(error).into()),
            };
            let have = part.have().saturating_add(read as u64);
            if matches!(part.judge(have), Err(Mismatch::Long { .. })) {
                refuse(part, have)?;
            }
            part.append(&piece[..read])?;
            if have - told >= TOLD {
                told = have;
                tell(told)?;
            }
        }
        // Nobody said how much would come, so this may be a connection that broke.
        part.judge(part.have()).map_err(|short| Trouble::Passing(short.into()))
    }
}

/// Keeps nothing of a blob that is not as long as it should be.
fn refuse(part: &mut Part<'_>, found: u64) -> Result<(), Trouble> {
    match part.judge(found) {
        Ok(()) => Ok(()),
        Err(mismatch) => {
            part.restart()?;
            Err(Trouble::Final(mismatch.into()))
        }
    }
}
