//! Memory of the warden: mappings that live as long as it does.

use core::sync::atomic::AtomicU64;

use super::{Fd, Result, call, nr};

const PROT_READ: usize = 1;
const PROT_WRITE: usize = 2;
const MAP_SHARED: usize = 1;
const MAP_PRIVATE: usize = 2;
const MAP_ANONYMOUS: usize = 0x20;
const MAP_NORESERVE: usize = 0x4000;
const MADV_DONTFORK: usize = 10;
const MADV_DOFORK: usize = 11;

fn map(len: usize, prot: usize, flags: usize, fd: Fd) -> Result<*mut u8> {
    // SAFETY: asks for a new mapping at an address of the kernel's choice.
    unsafe { call(nr::MMAP, [0, len, prot, flags, fd as usize, 0]) }.map(|at| at as *mut u8)
}

/// Whether what is cloned from here on has a copy of a mapping.
fn inherit(at: usize, len: usize, inherited: bool) -> Result<()> {
    let advice = if inherited { MADV_DOFORK } else { MADV_DONTFORK };
    // SAFETY: what a mapping of this process holds stays as it is.
    unsafe { call(nr::MADVISE, [at, len, advice, 0, 0, 0]) }.map(drop)
}

/// Types for which a region of zero bytes is a valid value.
///
/// # Safety
/// The implementer promises exactly that.
pub unsafe trait Zeroed {}

/// A value made of zero bytes, in memory of its own, for the life of the process. What is cloned has
/// no such memory: nothing is copied, and whoever reaches for it dies.
pub fn zeroed<T: Zeroed>() -> Result<&'static mut T> {
    let flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
    let at = map(size_of::<T>(), PROT_READ | PROT_WRITE, flags, -1)?;
    inherit(at as usize, size_of::<T>(), false)?;
    // SAFETY: fresh zero pages, page aligned, never unmapped, handed out once; T: Zeroed.
    Ok(unsafe { &mut *at.cast::<T>() })
}

/// Words shared with every process cloned from here on.
pub fn shared_words(count: usize) -> Result<&'static [AtomicU64]> {
    let at = map(count * 8, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1)?;
    // SAFETY: fresh zero pages, never unmapped; zero is a valid AtomicU64.
    Ok(unsafe { core::slice::from_raw_parts(at.cast::<AtomicU64>(), count) })
}

/// A region that can be given back.
#[derive(Clone, Copy)]
pub struct Region {
    at: usize,
    len: usize,
}

impl Region {
    pub const NONE: Self = Self { at: 0, len: 0 };

    /// Maps a sealed memfd for reading.
    pub fn of_file(fd: Fd, len: usize) -> Result<Self> {
        let at = map(len, PROT_READ, MAP_PRIVATE, fd)?;
        Ok(Self { at: at as usize, len })
    }

    /// Room for `count` pointers, all null.
    pub fn of_pointers(count: usize) -> Result<Self> {
        let len = (count * 8).max(8);
        let at = map(len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1)?;
        Ok(Self { at: at as usize, len })
    }

    /// Whether what is cloned from here on has a copy of it. Copies are not free.
    pub fn inherit(&self, inherited: bool) -> Result<()> {
        inherit(self.at, self.len, inherited)
    }

    /// The region's bytes. The caller lets go of them before [`Region::release`].
    pub fn bytes(&self) -> &'static [u8] {
        if self.at == 0 {
            return &[];
        }
        // SAFETY: the mapping is `len` bytes long and readable; the file behind it is sealed
        // against writing and shrinking (checked when it arrives), so it cannot change or fault.
        unsafe { core::slice::from_raw_parts(self.at as *const u8, self.len) }
    }

    /// Stores the address of a NUL-terminated string at `index` of a pointer region.
    pub fn set_pointer(&mut self, index: usize, string: &'static [u8]) {
        if index < self.len / 8 {
            // SAFETY: within the region, which of_pointers made writable; nobody else holds it.
            unsafe { (self.at as *mut usize).add(index).write(string.as_ptr() as usize) }
        }
    }

    /// The address of pointer `index`: what `execve` takes.
    pub const fn pointer_at(&self, index: usize) -> usize {
        self.at + index * 8
    }

    /// Unmaps it.
    pub fn release(&mut self) {
        if self.at != 0 {
            // SAFETY: a mapping of this process that no slice refers to any more.
            let _ = unsafe { call(nr::MUNMAP, [self.at, self.len, 0, 0, 0, 0]) };
            *self = Self::NONE;
        }
    }
}

/// The region that begins at a word which [`shared_words`] gave.
pub fn words_from(first: Option<&'static AtomicU64>, count: usize) -> &'static [AtomicU64] {
    match first {
        // SAFETY: `first` is only ever the first word of a region of `count` words that is never
        // unmapped; the only caller passes the count it asked for.
        Some(first) => unsafe { core::slice::from_raw_parts(first, count) },
        None => &[],
    }
}

// SAFETY: every field is a number, a boolean, an array of such, or an optional reference, for
// which zero bytes are a valid value (`None` for the reference).
unsafe impl Zeroed for crate::serve::State {}
