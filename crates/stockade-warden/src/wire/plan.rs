//! Plans: everything about a run that can be known before it starts.
//!
//! A plan is a header of numbers, a table of sections, and the sections. Sections are lists of
//! records, read one after the other.

use super::reader::Reader;

/// Numbers in the header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(usize)]
pub enum Number {
    /// [`super::request::VERSION`].
    Version = 0,
    /// Number of the root.
    Root,
    /// A [`Net`].
    Net,
    /// Wall time limit in nanoseconds; zero for none.
    WallNs,
    /// CPU time limit in nanoseconds; zero for none.
    CpuNs,
    /// CPU rate in thousandths of a core, to pace the checks; zero for none.
    MilliCpus,
    /// Memory limit in bytes that the warden samples for; zero where a cgroup does it.
    SampleMemory,
    /// Task limit that the warden samples for; zero where a cgroup does it.
    SampleTasks,
    /// Bytes for all writable in-memory filesystems that have no size of their own.
    ScratchBytes,
    /// Inodes for the same.
    ScratchInodes,
    /// User and group id of the workload inside.
    WorkId,
    /// Open file limit, to compare with what is sampled; zero for none.
    OpenFiles,
    /// Landlock: handled filesystem rights; zero for no Landlock.
    LandlockFs,
    /// Landlock: handled network rights.
    LandlockNet,
    /// Landlock: scopes.
    LandlockScopes,
}

/// How many numbers there are.
pub const NUMBERS: usize = 16;

/// Sections, by their place in the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(usize)]
pub enum Section {
    /// One string: the program, an absolute path inside.
    Program = 0,
    /// Strings: the argument vector, the program's name first.
    Arguments,
    /// Strings: the environment.
    Environment,
    /// One string: the working directory.
    WorkDir,
    /// One string, without the NUL counted in: the host name.
    Hostname,
    /// Instructions of the seccomp filter, 8 bytes each.
    Filter,
    /// [`Rule`]s of Landlock.
    Rules,
    /// [`Tmpfs`] records.
    Tmpfs,
    /// [`Bind`] records.
    Binds,
    /// Strings: paths to hide.
    Masks,
    /// [`Rlimit`]s.
    Rlimits,
    /// [`Group`] records: one cgroup in each hierarchy used.
    Groups,
    /// [`Write`]s: what is written into the groups' files.
    Writes,
    /// [`Counter`]s: what is read from the groups' files.
    Counters,
    /// [`Watch`]es: which files tell that a limit was hit.
    Watches,
    /// What a [`Writable`] root is made of; empty for one that can only be read.
    Writable,
}

/// How many sections there are.
pub const SECTIONS: usize = 16;

/// Bytes of header and table.
pub const HEADER: usize = NUMBERS * 8 + SECTIONS * 16;

/// Which network a run gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u64)]
pub enum Net {
    /// An empty network namespace from the pool.
    None = 0,
    /// A new network namespace with loopback up.
    Loopback,
    /// The warden's own, which is the host's.
    Host,
}

/// A plan as it lies in memory.
#[derive(Clone, Copy)]
pub struct Plan<'a> {
    bytes: &'a [u8],
}

impl<'a> Plan<'a> {
    /// Checks header and table; `None` for anything out of bounds or of another version.
    pub fn new(bytes: &'a [u8]) -> Option<Self> {
        let plan = Self { bytes };
        if bytes.len() < HEADER || plan.number(Number::Version) != super::request::VERSION {
            return None;
        }
        for index in 0..SECTIONS {
            plan.span(index)?;
        }
        Some(plan)
    }

    fn word(&self, offset: usize) -> Option<u64> {
        let bytes: [u8; 8] = self.bytes.get(offset..offset + 8)?.try_into().ok()?;
        Some(u64::from_le_bytes(bytes))
    }

    /// A number of the header.
    pub fn number(&self, number: Number) -> u64 {
        self.word(number as usize * 8).unwrap_or(0)
    }

    fn span(&self, index: usize) -> Option<&'a [u8]> {
        let at = NUMBERS * 8 + index * 16;
        let start = usize::try_from(self.word(at)?).ok()?;
        let len = usize::try_from(self.word(at + 8)?).ok()?;
        self.bytes.get(start..start.checked_add(len)?)
    }

    /// The bytes of a section.
    pub fn section(&self, section: Section) -> &'a [u8] {
        self.span(section as usize).unwrap_or(&[])
    }

    /// A section's records.
    pub fn records(&self, section: Section) -> Reader<'a> {
        Reader::new(self.section(section))
    }

    /// What makes the root writable, if it is to be.
    pub fn writable(&self) -> Option<Writable<'a>> {
        let mut records = self.records(Section::Writable);
        Some(Writable { uid: records.u32()?, gid: records.u32()?, mounts: records })
    }

    /// The only string of a section.
    pub fn string(&self, section: Section) -> Option<&'a [u8]> {
        self.records(section).c_str()
    }
}

/// A root that the program may change: what it writes goes to a layer in memory, over the root's
/// directory of the host, and is gone with the run.
#[derive(Clone, Copy)]
pub struct Writable<'a> {
    /// Owner of the directory on disk, whose files become the workload's.
    pub uid: u32,
    /// Its group on disk.
    pub gid: u32,
    /// Strings: where the root has mounts that are to be over the layer too.
    pub mounts: Reader<'a>,
}

/// A Landlock rule: what may be done beneath a path.
#[derive(Clone, Copy, Debug)]
pub struct Rule<'a> {
    /// Path inside.
    pub path: &'a [u8],
    /// Allowed rights.
    pub rights: u64,
}

impl<'a> Rule<'a> {
    /// Reads the next record.
    pub fn next(reader: &mut Reader<'a>) -> Option<Self> {
        Some(Self { path: reader.c_str()?, rights: reader.u64()? })
    }
}

/// A writable in-memory directory, new in every run.
#[derive(Clone, Copy, Debug)]
pub struct Tmpfs<'a> {
    /// Path inside.
    pub path: &'a [u8],
    /// Its own capacity in bytes, or zero to share the scratch space.
    pub bytes: u64,
    /// Its own inodes.
    pub inodes: u64,
    /// Whether it lies in another of its kind, where its mount point is to be made.
    pub late: bool,
}

impl<'a> Tmpfs<'a> {
    /// Reads the next record.
    pub fn next(reader: &mut Reader<'a>) -> Option<Self> {
        Some(Self {
            path: reader.c_str()?,
            bytes: reader.u64()?,
            inodes: reader.u64()?,
            late: reader.u32()? != 0,
        })
    }
}

/// Most writable in-memory filesystems of a plan that have a size of their own, and the one that
/// the others share.
pub const MAX_DISKS: usize = 32;

/// Most binds of a plan.
pub const MAX_BINDS: usize = 32;

/// A bind of the root that is finished in each run: its owner's files become the workload's, and
/// it is put where it belongs if that is in a directory which is new in every run.
#[derive(Clone, Copy, Debug)]
pub struct Bind<'a> {
    /// Path inside at which the root holds it.
    pub from: &'a [u8],
    /// Path inside at which the program finds it; the same, if the root could hold it there.
    pub path: &'a [u8],
    /// Owner on disk.
    pub uid: u32,
    /// Group on disk.
    pub gid: u32,
    /// Whether the workload writes there: then a filesystem that cannot map ids is an error.
    pub write: bool,
}

impl<'a> Bind<'a> {
    /// Reads the next record.
    pub fn next(reader: &mut Reader<'a>) -> Option<Self> {
        Some(Self {
            from: reader.c_str()?,
            path: reader.c_str()?,
            uid: reader.u32()?,
            gid: reader.u32()?,
            write: reader.u32()? != 0,
        })
    }
}

/// A resource limit, soft and hard alike.
#[derive(Clone, Copy, Debug)]
pub struct Rlimit {
    /// Its number on this architecture.
    pub resource: u32,
    /// Board word that takes the value read back, or [`NO_WORD`].
    pub word: u32,
    /// The limit.
    pub value: u64,
}

impl Rlimit {
    /// Reads the next record.
    pub fn next(reader: &mut Reader<'_>) -> Option<Self> {
        Some(Self { resource: reader.u32()?, word: reader.u32()?, value: reader.u64()? })
    }
}

/// "No board word".
pub const NO_WORD: u32 = u32::MAX;

/// A cgroup that is made for each run.
#[derive(Clone, Copy, Debug)]
pub struct Group {
    /// Which of the directories handed over with `Hello` it is made in.
    pub parent: u32,
    /// Whether it is on a version-2 hierarchy.
    pub unified: bool,
}

impl Group {
    /// Reads the next record.
    pub fn next(reader: &mut Reader<'_>) -> Option<Self> {
        Some(Self { parent: reader.u32()?, unified: reader.u32()? != 0 })
    }
}

/// A value written into a file of a group before anything runs in it.
#[derive(Clone, Copy, Debug)]
pub struct Write<'a> {
    /// Index of the group in its section.
    pub group: u32,
    /// Whether a file that does not exist is passed over.
    pub optional: bool,
    /// File name, ending with NUL.
    pub file: &'a [u8],
    /// What is written.
    pub value: &'a [u8],
}

impl<'a> Write<'a> {
    /// Reads the next record.
    pub fn next(reader: &mut Reader<'a>) -> Option<Self> {
        Some(Self {
            group: reader.u32()?,
            optional: reader.u32()? != 0,
            file: reader.c_str()?,
            value: reader.bytes()?,
        })
    }
}

/// A number read from a file of a group onto the board.
#[derive(Clone, Copy, Debug)]
pub struct Counter<'a> {
    /// Index of the group in its section.
    pub group: u32,
    /// One of [`when`].
    pub when: u32,
    /// Board word that takes it.
    pub word: u32,
    /// Factor that makes it the board's unit.
    pub scale: u32,
    /// File name, ending with NUL.
    pub file: &'a [u8],
    /// The key whose value it is, or empty when the file holds one number.
    pub key: &'a [u8],
}

/// When a counter is read.
pub mod when {
    /// After the limits were written: read back.
    pub const START: u32 = 0;
    /// When nothing is alive any more.
    pub const END: u32 = 1;
    /// Whenever the CPU clock is checked; only [`super::super::board::Word::UserNs`] and
    /// [`super::super::board::Word::SystemNs`], which together are the CPU time.
    pub const CLOCK: u32 = 2;
}

impl<'a> Counter<'a> {
    /// Reads the next record.
    pub fn next(reader: &mut Reader<'a>) -> Option<Self> {
        Some(Self {
            group: reader.u32()?,
            when: reader.u32()?,
            word: reader.u32()?,
            scale: reader.u32()?,
            file: reader.c_str()?,
            key: reader.bytes()?,
        })
    }
}

/// A file that changes when a limit is hit.
#[derive(Clone, Copy, Debug)]
pub struct Watch<'a> {
    /// Index of the group in its section.
    pub group: u32,
    /// A [`super::board::Stop`]: how the run ends.
    pub stop: u32,
    /// Whether the kernel tells by an event descriptor (version-1 memory) rather than by making
    /// the file pollable.
    pub eventfd: bool,
    /// The limit, which is also what was observed when it was hit.
    pub limit: u64,
    /// File name, ending with NUL.
    pub file: &'a [u8],
    /// The key whose value must have risen above zero.
    pub key: &'a [u8],
}

impl<'a> Watch<'a> {
    /// Reads the next record.
    pub fn next(reader: &mut Reader<'a>) -> Option<Self> {
        Some(Self {
            group: reader.u32()?,
            stop: reader.u32()?,
            eventfd: reader.u32()? != 0,
            limit: reader.u64()?,
            file: reader.c_str()?,
            key: reader.bytes()?,
        })
    }
}
