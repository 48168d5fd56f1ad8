//! Roots: mount namespaces that hold the part of a sandbox's file tree which all its runs share.
//!
//! A root is built once, by a process of its own, as a mount namespace whose `/` is the new tree
//! and from which the host's tree is gone. A run starts in a copy of it.

use crate::settle::Home;
use crate::sys::{
    self, AT_FDCWD, Cloned, Errno, Fd, NODEV, NOEXEC, NOSUID, O_CREAT, O_EXCL, O_NOFOLLOW, O_PATH,
    O_RDONLY, O_WRONLY, RDONLY, RESOLVE_IN_ROOT, RESOLVE_NO_MAGICLINKS, RESOLVE_NO_SYMLINKS,
    Region, Result,
};
use crate::text::Text;
use crate::wire::reader::Reader;
use crate::wire::root::{self, Record, Source, bind};

/// Why a root could not be built: the record's number and the errno.
pub struct Failure {
    pub item: u32,
    pub errno: Errno,
}

impl From<Errno> for Failure {
    fn from(errno: Errno) -> Self {
        Self { item: u32::MAX, errno }
    }
}

/// A root that is being built, by a process of its own: a filesystem of the host may keep it
/// waiting, and nothing else must wait with it.
pub struct Building {
    /// The builder; 0 for none.
    pid: i32,
    /// Where its answer arrives.
    pub answer: Fd,
    recipe: Region,
    /// The root's number.
    pub index: usize,
    /// When it is given up.
    pub until: u64,
}

impl Building {
    /// Whether there is one.
    pub const fn is_on(&self) -> bool {
        self.pid != 0
    }

    /// Starts to build a root from a sealed recipe. The warden must be in its home mount namespace.
    pub fn begin(&mut self, recipe: Fd, index: usize, no_proc: bool) -> Result<()> {
        let size = sys::stat_fd(recipe)?.size as usize;
        if size == 0 || !sys::is_sealed(recipe) {
            return Err(Errno::EPROTO);
        }
        let region = Region::of_file(recipe, size)?;
        let started = spawn(region.bytes(), no_proc);
        let (pid, answer) = match started {
            Ok(started) => started,
            Err(errno) => {
                let mut region = region;
                region.release();
                return Err(errno);
            }
        };
        *self = Self { pid, answer, recipe: region, index, until: sys::now() + PATIENCE };
        Ok(())
    }

    /// The mount namespace that was built; called when the answer can be read.
    pub fn finish(&mut self, home: &Home) -> core::result::Result<Fd, Failure> {
        let result = collect(home, self.answer, self.pid);
        sys::close(self.answer);
        let _ = sys::reap(self.pid, true);
        self.forget();
        result
    }

    /// Gives up a builder that does not answer. It is not waited for: it may be past killing.
    pub fn abandon(&mut self) {
        sys::kill(self.pid);
        sys::close(self.answer);
        self.forget();
    }

    fn forget(&mut self) {
        self.recipe.release();
        self.pid = 0;
    }
}

/// How long a root may take to build.
const PATIENCE: u64 = 20_000_000_000;

/// Clones the builder; gives its pid and where it answers.
fn spawn(recipe: &[u8], no_proc: bool) -> Result<(i32, Fd)> {
    let [ours, theirs] = sys::socket_pair()?;
    // The pid namespace is for the placeholder of /proc, and dies with the builder.
    let cloned = sys::clone(sys::CLONE_NEWNS | sys::CLONE_NEWPID, false, None);
    if let Ok(Cloned::Child) = cloned {
        sys::close(ours);
        let mut builder = Builder { root: 0, item: 0, no_proc };
        let errno = builder.run(recipe).err().map_or(0, |errno| errno.0 as u32);
        sys::set_dumpable(true);
        let answer = [errno.to_le_bytes(), builder.item.to_le_bytes()];
        let _ = sys::write_all(theirs, answer.as_flattened());
        let _ = sys::read(theirs, &mut [0]);
        sys::exit(0);
    }
    sys::close(theirs);
    match cloned {
        Ok(Cloned::Parent { pid, .. }) => Ok((pid, ours)),
        Ok(Cloned::Child) => Err(Errno::EINVAL),
        Err(errno) => {
            sys::close(ours);
            Err(errno)
        }
    }
}

fn collect(home: &Home, answer: Fd, pid: i32) -> core::result::Result<Fd, Failure> {
    let mut bytes = [0u8; 8];
    if sys::read(answer, &mut bytes)? != bytes.len() {
        // The builder died in the middle of a record.
        return Err(Errno::EPROTO.into());
    }
    let [a, b, c, d, e, f, g, h] = bytes;
    match u32::from_le_bytes([a, b, c, d]) {
        0 => {
            let path = Text::<64>::new().number(pid as u64).push(b"/ns/mnt\0");
            Ok(sys::open_at(home.proc, path.bytes(), O_RDONLY, 0)?)
        }
        errno => {
            Err(Failure { item: u32::from_le_bytes([e, f, g, h]), errno: Errno(errno as i32) })
        }
    }
}

struct Builder {
    /// The new root, attached on top of the old one.
    root: Fd,
    item: u32,
    no_proc: bool,
}

impl Builder {
    fn run(&mut self, recipe: &[u8]) -> Result<()> {
        sys::make_private()?;
        let mut records = Reader::new(recipe);
        while !records.is_empty() {
            let record = root::next(&mut records).ok_or(Errno::EPROTO)?;
            self.execute(record)?;
            self.item += 1;
        }
        sys::enter_dir_fd(self.root)?;
        sys::pivot_here()
    }

    fn execute(&mut self, record: Record<'_>) -> Result<()> {
        match record {
            Record::Memory => self.start(tmpfs(b"0755\0")?),
            Record::Tree(source) => {
                let tree = clone_source(source)?;
                sys::set_attributes(tree, RDONLY | NOSUID | NODEV)?;
                self.start(tree)
            }
            Record::Dir { path, mode } => {
                self.leaf(path, |dir, leaf| match sys::make_dir(dir, leaf, mode) {
                    Err(Errno::EEXIST) => Ok(()),
                    other => other,
                })
            }
            Record::Link { path, to } => self.leaf(path, |dir, leaf| sys::link_to(to, dir, leaf)),
            Record::File { path, mode, contents } => self.leaf(path, |dir, leaf| {
                let flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW;
                let file = sys::open_at(dir, leaf, flags, mode)?;
                let result = sys::write_all(file, contents);
                sys::close(file);
                result
            }),
            Record::Tmpfs { path } => self.mount(tmpfs(b"0755\0")?, path),
            Record::Bind { path, source, flags } => {
                let tree = clone_source(source)?;
                let mut attributes = NOSUID;
                if flags & bind::WRITE == 0 {
                    attributes |= RDONLY;
                }
                attributes |= if flags & bind::DEVICE == 0 { NODEV } else { NOEXEC };
                sys::set_attributes(tree, attributes)?;
                self.mount(tree, path)
            }
            Record::Inside { path, from } => {
                let from = self.resolve(from)?;
                let tree = sys::clone_tree(from, b"\0")?;
                sys::close(from);
                sys::set_attributes(tree, RDONLY | NOSUID | NODEV)?;
                self.mount(tree, path)
            }
            Record::Proc { path } => self.mount(proc(self.no_proc)?, path),
            Record::Seal { path } => {
                let place = self.resolve(path)?;
                let result = sys::seal_mount(place);
                sys::close(place);
                result
            }
        }
    }

    /// Attaches the new root on top of the old one, which host paths still lead through.
    fn start(&mut self, mount: Fd) -> Result<()> {
        if self.root != 0 {
            return Err(Errno::EPROTO);
        }
        sys::attach_at(mount, b"/\0")?;
        self.root = mount;
        Ok(())
    }

    /// What is at `path` inside the new root. No link is followed: host and warden must mean the
    /// same place.
    fn resolve(&self, path: &[u8]) -> Result<Fd> {
        let resolve = RESOLVE_IN_ROOT | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;
        sys::open_how(self.root, path, O_PATH, resolve)
    }

    fn mount(&self, mount: Fd, path: &[u8]) -> Result<()> {
        let target = self.resolve(path)?;
        let result = sys::attach(mount, target);
        sys::close(target);
        sys::close(mount);
        result
    }

    /// Resolves the directory of `path` and gives it and the last part to `make`.
    fn leaf(&self, path: &[u8], make: impl FnOnce(Fd, &[u8]) -> Result<()>) -> Result<()> {
        let slash = path.iter().rposition(|byte| *byte == b'/').ok_or(Errno::EPROTO)?;
        let (parent, leaf) = path.split_at_checked(slash + 1).ok_or(Errno::EPROTO)?;
        let mut text = Text::<4200>::new();
        text = text.push(parent).push(b"\0");
        let dir = self.resolve(text.bytes())?;
        let result = make(dir, leaf);
        sys::close(dir);
        result
    }
}

fn tmpfs(mode: &[u8]) -> Result<Fd> {
    // No bound: what goes in is the recipe, and then it is sealed.
    sys::new_filesystem(b"tmpfs\0", &[(b"mode\0", mode)], NOSUID | NODEV)
}

/// What holds the place of `/proc` until a run has its own.
fn proc(refused: bool) -> Result<Fd> {
    let attributes = RDONLY | NOSUID | NODEV | NOEXEC;
    if !refused {
        return sys::new_filesystem(b"proc\0", &[], attributes);
    }
    // Whatever a root has there is not to be taken for the kernel's.
    let options: [(&[u8], &[u8]); 2] = [(b"mode\0", b"0555\0"), (b"nr_inodes\0", b"1\0")];
    sys::new_filesystem(b"tmpfs\0", &options, attributes)
}

/// A detached copy of the mount tree at `source`, if it still is what it was.
fn clone_source(source: Source<'_>) -> Result<Fd> {
    let resolve = RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;
    let object = sys::open_how(AT_FDCWD, source.path, O_PATH, resolve)?;
    let result = sys::stat_fd(object).and_then(|stat| {
        let known = source.device != 0 || source.inode != 0;
        if known && (stat.device != source.device || stat.inode != source.inode) {
            return Err(Errno::ESTALE);
        }
        sys::clone_tree(object, b"\0")
    });
    sys::close(object);
    result
}
