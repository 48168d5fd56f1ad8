//! From a registry into the store.
//!
//! One thread for each blob under way: each reads, hashes and writes. They end with the call.

mod blob;

use std::collections::BTreeSet;
use std::io;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use stockade_core::{Error, ErrorKind, GoOn, Result};

use super::going::{TURN, stopped};
use super::load::{LARGEST_LAYER, begin, finish};
use super::workshop::Workshop;
use super::{Progress, Store};
use crate::blobs::{BlobError, Descriptor, LARGEST_DOCUMENT};
use crate::digest::{Digest, Size, Verifier};
use crate::document::Manifest;
use crate::failure::malformed;
use crate::image::Image;
use crate::layout::Search;
use crate::name::Name;
use crate::registry::{Document, PullOptions, Registry, RegistryError};

/// How many blobs are under way at once.
const AT_ONCE: usize = 4;
/// How long the first pause after a failure is, and how long one may become.
const PAUSES: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(4));

/// Why an image cannot be pulled.
#[derive(Debug, thiserror::Error)]
enum PullError {
    #[error("the registry says that {name} is {promised}, and sends {found}")]
    Promised { name: Name, promised: Digest, found: Digest },
    #[error("the layer {digest} has {size} bytes, more than the {LARGEST_LAYER} that one may have")]
    Layer { digest: Digest, size: u64 },
    #[error("a thread cannot be started")]
    Thread { source: io::Error },
}

impl From<PullError> for Error {
    fn from(error: PullError) -> Self {
        match error {
            PullError::Thread { .. } => {
                Self::new(ErrorKind::Setup, error).with_hint("is there a limit on processes?")
            }
            _ => malformed(error, "the registry lies, or somebody on the way to it; try another"),
        }
    }
}

/// Why one attempt failed.
enum Trouble {
    /// Another may do better.
    Passing(Error),
    Final(Error),
}

impl From<RegistryError> for Trouble {
    fn from(error: RegistryError) -> Self {
        if error.may_pass() { Self::Passing(error.into()) } else { Self::Final(error.into()) }
    }
}

impl From<Error> for Trouble {
    fn from(error: Error) -> Self {
        Self::Final(error)
    }
}

/// What stops all threads when one has failed.
#[derive(Default)]
struct End {
    /// The first failure; the others are its consequences.
    failure: Mutex<Option<Error>>,
    came: Condvar,
}

impl End {
    fn failure(&self) -> MutexGuard<'_, Option<Error>> {
        self.failure.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits, and says whether to go on.
    fn pause(&self, time: Duration) -> bool {
        let waited =
            self.came.wait_timeout_while(self.failure(), time, |failure| failure.is_none());
        waited.unwrap_or_else(PoisonError::into_inner).0.is_none()
    }
}

/// How many more failures are passed over.
struct Patience<'a> {
    end: &'a End,
    retries: u32,
    failed: u32,
}

impl<'a> Patience<'a> {
    fn new(end: &'a End, options: &PullOptions) -> Self {
        Self { end, retries: options.retries, failed: 0 }
    }

    /// Pauses after an attempt that failed, unless it was the last.
    fn after(&mut self, trouble: Trouble) -> Result<()> {
        match trouble {
            Trouble::Passing(_) if self.failed < self.retries => {
                let (first, longest) = PAUSES;
                let pause = first.saturating_mul(1 << self.failed.min(8)).min(longest);
                self.failed += 1;
                // Whoever ended it has said why.
                if self.end.pause(pause) { Ok(()) } else { Err(stopped()) }
            }
            Trouble::Passing(error) | Trouble::Final(error) => Err(error),
        }
    }
}

pub(super) fn pull(
    store: &Store,
    name: &Name,
    options: &PullOptions,
    observer: &mut dyn FnMut(Progress<'_>),
) -> Result<Image> {
    let registry = Registry::new(name, options)?;
    let Some(go_on) = &store.go_on else {
        let end = End::default();
        return Pull { store, registry: &registry, options, end }.image(name, observer);
    };
    // The work is done elsewhere, so that who waits here can be asked whatever that waits for.
    let stop = Arc::new(AtomicBool::new(false));
    let store = store.as_long_as({
        let stop = Arc::clone(&stop);
        Arc::new(move || !stop.load(Ordering::Relaxed))
    });
    let source = Pull { store: &store, registry: &registry, options, end: End::default() };
    thread::scope(|scope| {
        let (sender, receiver) = mpsc::channel();
        let work = || {
            let tell = sender;
            source.image(name, &mut |Progress { blob, done, size }| {
                // Who does not listen any more waits for this to end.
                let _ = tell.send((blob.to_owned(), done, size));
            })
        };
        let started = thread::Builder::new().name("pull".to_owned()).spawn_scoped(scope, work);
        let worker = started.map_err(|source| PullError::Thread { source })?;
        let wanted = watch(go_on, &receiver, observer);
        if !wanted {
            stop.store(true, Ordering::Relaxed);
            source.fail(stopped());
        }
        // Who panicked there goes on panicking here.
        let pulled = worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        // However it failed since, that is why.
        if wanted { pulled } else { pulled.map_err(|_| stopped()) }
    })
}

/// Passes on how far something is until it is over; false if the caller wants no more before that.
fn watch(
    go_on: &GoOn,
    receiver: &mpsc::Receiver<(String, u64, u64)>,
    observer: &mut dyn FnMut(Progress<'_>),
) -> bool {
    loop {
        match receiver.recv_timeout(TURN) {
            Ok((blob, done, size)) => observer(Progress { blob: &blob, done, size }),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return true,
        }
        if !go_on() {
            return false;
        }
    }
}

/// One call.
struct Pull<'a> {
    store: &'a Store,
    registry: &'a Registry<'a>,
    options: &'a PullOptions,
    end: End,
}

impl Pull<'_> {
    /// All of it.
    fn image(&self, name: &Name, observer: &mut dyn FnMut(Progress<'_>)) -> Result<Image> {
        let (top, bytes) = self.top(name)?;
        let read = |wanted: &Descriptor| {
            if wanted.digest == top.digest {
                Ok(bytes.clone())
            } else {
                self.document(wanted, true)
            }
        };
        let mut search = Search::new(name.to_string(), &read);
        let Some(descriptor) = search.beneath(top.clone(), 0)? else {
            return Err(search.in_vain());
        };
        let manifest = read(&descriptor)?;
        let parsed = Manifest::read(&descriptor, &manifest)?;
        let config = self.document(&parsed.config, false)?;
        let image = Image::read(parsed, &config)?;

        let workshop = begin(self.store)?;
        workshop.stage(&image.manifest.digest, &manifest)?;
        workshop.stage(&image.config_descriptor.digest, &config)?;
        let mut missing = Vec::new();
        let mut seen = BTreeSet::new();
        for layer in &image.layers {
            let Descriptor { digest, size, .. } = &layer.descriptor;
            if *size > LARGEST_LAYER {
                return Err(PullError::Layer { digest: digest.clone(), size: *size }.into());
            }
            if !seen.insert(digest) {
                continue;
            }
            let there = workshop.has(digest) || workshop.borrow(digest, *size);
            let done = if there { *size } else { 0 };
            observer(Progress { blob: &digest.to_string(), done, size: *size });
            if !there {
                missing.push(&layer.descriptor);
            }
        }
        self.fetch(&workshop, &missing, observer)?;
        finish(self.store, &workshop, &image, std::slice::from_ref(name))?;
        Ok(image)
    }

    /// Tries until it is done or will not be.
    fn patiently<T>(&self, attempt: impl Fn() -> Result<T, RegistryError>) -> Result<T> {
        let mut patience = Patience::new(&self.end, self.options);
        loop {
            match attempt() {
                Ok(done) => return Ok(done),
                Err(error) => patience.after(error.into())?,
            }
        }
    }

    /// What the name means: a manifest or an index.
    fn top(&self, name: &Name) -> Result<(Descriptor, Vec<u8>)> {
        let reference = name.digest().map_or_else(|| name.tag().to_owned(), Digest::to_string);
        let Document { media_type, bytes, promised } =
            self.patiently(|| self.registry.manifest(&reference))?;
        let size = bytes.len() as u64;
        let digest = match name.digest() {
            Some(digest) => {
                Verifier::new(bytes.as_slice(), digest.clone(), Size::Exactly(size)).finish()?;
                digest.clone()
            }
            None => {
                let found = Digest::of(&bytes);
                match promised.filter(|said| said.algorithm() == found.algorithm()) {
                    Some(promised) if promised != found => {
                        let name = name.clone();
                        return Err(PullError::Promised { name, promised, found }.into());
                    }
                    _ => found,
                }
            }
        };
        Ok((Descriptor { media_type, digest, size }, bytes))
    }

    /// A document that another names, from the store if it is there.
    fn document(&self, descriptor: &Descriptor, manifest: bool) -> Result<Vec<u8>> {
        let Descriptor { digest, size, .. } = descriptor;
        if *size > LARGEST_DOCUMENT {
            return Err(BlobError::TooLarge { what: digest.to_string(), size: *size }.into());
        }
        if let Ok(bytes) = self.store.blobs.document(descriptor) {
            return Ok(bytes);
        }
        let bytes = self.patiently(|| {
            if manifest {
                Ok(self.registry.manifest(&digest.to_string())?.bytes)
            } else {
                self.registry.document(digest)
            }
        })?;
        Verifier::new(bytes.as_slice(), digest.clone(), Size::Exactly(*size)).finish()?;
        Ok(bytes)
    }

    /// Fetches blobs into the workshop, some at a time.
    fn fetch(
        &self,
        workshop: &Workshop<'_>,
        missing: &[&Descriptor],
        observer: &mut dyn FnMut(Progress<'_>),
    ) -> Result<()> {
        let texts: Vec<_> = missing.iter().map(|blob| blob.digest.to_string()).collect();
        let next = AtomicUsize::new(0);
        thread::scope(|scope| {
            let (sender, receiver) = mpsc::channel();
            for _ in 0..missing.len().min(AT_ONCE) {
                let (sender, next) = (sender.clone(), &next);
                let work = move || self.work(workshop, missing, next, &sender);
                let started =
                    thread::Builder::new().name("pull".to_owned()).spawn_scoped(scope, work);
                if let Err(source) = started {
                    self.fail(PullError::Thread { source }.into());
                    break;
                }
            }
            drop(sender);
            for (at, done) in receiver {
                observer(Progress { blob: &texts[at], done, size: missing[at].size });
            }
        });
        self.end.failure().take().map_or(Ok(()), Err)
    }

    fn fail(&self, error: Error) {
        self.end.failure().get_or_insert(error);
        self.end.came.notify_all();
        self.registry.shut();
    }
}
