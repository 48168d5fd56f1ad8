//! [`Ledger`]: what one run holds of files, and what it was refused.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::Refused;
use super::errno::Errno;
use super::pages::PAGE;

/// The three streams, which are open files too.
const STREAMS: u64 = 3;
/// Most open files where the policy sets no limit: each takes up to 4 KiB of the host, for its path.
const MOST_OPEN: u64 = 1 << 13;
/// The least entries of any share; otherwise there is one for each page, as native programs have.
const MIN_ENTRIES: u64 = 16;

/// How much a share of the `disk` limit grants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Grant {
    bytes: Option<u64>,
    entries: Option<u64>,
}

impl Grant {
    pub(super) fn new(bytes: Option<u64>) -> Self {
        let entries = bytes.map(|bytes| (bytes / PAGE as u64).max(MIN_ENTRIES));
        Self { bytes, entries }
    }
}

/// The accounts of one run. Names in directories are counted as well as bytes: a flood of links
/// or of empty files is a flood.
#[derive(Debug)]
pub(super) struct Ledger {
    open_files: Option<u64>,
    books: Mutex<Books>,
}

#[derive(Debug)]
struct Books {
    open: u64,
    /// Number of the last inode.
    inode: u64,
    shares: Vec<Account>,
    /// Names made in bound directories and not taken away again; part of the first share.
    made: u64,
    refused: Refused,
}

#[derive(Debug)]
struct Account {
    grant: Grant,
    bytes: u64,
    entries: u64,
}

/// An open file: gives its place back when it is closed.
#[derive(Debug)]
pub(super) struct Ticket(Arc<Ledger>);

impl Drop for Ticket {
    fn drop(&mut self) {
        self.0.books().open -= 1;
    }
}

impl Ledger {
    pub(super) fn new(open_files: Option<u64>, grants: &[Grant]) -> Self {
        let account = |&grant| Account { grant, bytes: 0, entries: 0 };
        let shares = grants.iter().map(account).collect();
        let refused = Refused::default();
        let books = Books { open: STREAMS, inode: 0, shares, made: 0, refused };
        Self { open_files, books: Mutex::new(books) }
    }

    fn books(&self) -> MutexGuard<'_, Books> {
        self.books.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A ticket without a look at the limit, for `/`.
    pub(super) fn admit(self: &Arc<Self>) -> Ticket {
        self.books().open += 1;
        Ticket(Arc::clone(self))
    }

    pub(super) fn open(self: &Arc<Self>) -> Result<Ticket, Errno> {
        let mut books = self.books();
        if books.open >= self.open_files.unwrap_or(MOST_OPEN) {
            books.refused.open_files = Some(books.open);
            return Err(Errno::TooManyFiles);
        }
        drop(books);
        Ok(self.admit())
    }

    pub(super) fn refused(&self) -> Refused {
        self.books().refused
    }

    pub(super) fn next_inode(&self) -> u64 {
        let mut books = self.books();
        books.inode += 1;
        books.inode
    }

    /// Takes so many bytes of a share, or none.
    pub(super) fn take_bytes(&self, share: usize, bytes: u64) -> Result<(), Errno> {
        let mut books = self.books();
        let account = &mut books.shares[share];
        let wanted = account.bytes.saturating_add(bytes);
        if account.grant.bytes.is_some_and(|limit| wanted > limit) {
            return Err(books.refuse_disk());
        }
        account.bytes = wanted;
        Ok(())
    }

    /// Takes up to so many bytes of a share, and at least one.
    pub(super) fn take_some(&self, share: usize, bytes: u64) -> Result<u64, Errno> {
        let mut books = self.books();
        let account = &mut books.shares[share];
        let room = account.grant.bytes.map_or(u64::MAX, |n| n.saturating_sub(account.bytes));
        if room == 0 && bytes > 0 {
            return Err(books.refuse_disk());
        }
        let taken = room.min(bytes);
        account.bytes = account.bytes.saturating_add(taken);
        Ok(taken)
    }

    pub(super) fn give_bytes(&self, share: usize, bytes: u64) {
        let account = &mut self.books().shares[share];
        account.bytes = account.bytes.saturating_sub(bytes);
    }

    pub(super) fn take_entry(&self, share: usize) -> Result<(), Errno> {
        self.books().take_entry(share)
    }

    pub(super) fn give_entry(&self, share: usize) {
        let account = &mut self.books().shares[share];
        account.entries = account.entries.saturating_sub(1);
    }

    /// Takes an entry for a name in a bound directory.
    pub(super) fn make(&self) -> Result<(), Errno> {
        let mut books = self.books();
        books.take_entry(0)?;
        books.made += 1;
        Ok(())
    }

    /// Gives one back, if the guest had taken one: what the host made was never taken.
    pub(super) fn unmake(&self) {
        let mut books = self.books();
        if books.made > 0 {
            books.made -= 1;
            books.shares[0].entries -= 1;
        }
    }
}

impl Books {
    fn take_entry(&mut self, share: usize) -> Result<(), Errno> {
        let account = &mut self.shares[share];
        if account.grant.entries.is_some_and(|limit| account.entries >= limit) {
            return Err(self.refuse_disk());
        }
        account.entries += 1;
        Ok(())
    }

    fn refuse_disk(&mut self) -> Errno {
        let used = |account: &Account| account.bytes.max(account.entries * PAGE as u64);
        self.refused.disk = Some(self.shares.iter().map(used).fold(0, u64::saturating_add));
        Errno::NoSpace
    }
}
