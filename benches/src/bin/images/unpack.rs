//! From a layout to a root directory, beside umoci, in memory and on a disk.

use std::cell::Cell;
use std::env;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use stockade::oci::{Source, Store};
use stockade_benches::{Failure, Missing, Race, Scratch, time, tool};

use crate::Image;
use crate::made::Made;

/// The contenders, and what each does besides writing the files.
const UMOCI: &str = "umoci unpack";
const SYNCED: &str = "umoci unpack, then the disk";
const WHOLE: &str = "stockade, load and root";
const ROOT: &str = "stockade, root of what was loaded";
const DO: [(&str, &str); 4] = [
    (UMOCI, "hashes blobs, layers, and every file for its manifest; waits for no disk"),
    (SYNCED, "the same, until the disk has it"),
    (WHOLE, "copies blobs, hashes them and layers, until the disk has all of it"),
    (ROOT, "hashes layers, until the disk has it"),
];

/// A filesystem in memory.
const MEMORY: &str = "/dev/shm";

pub(crate) fn measure(image: &Image<'_>, rounds: usize) -> Result<(), Failure> {
    println!("\nunpack");
    tool::need_root()?;
    let umoci = tool::find("umoci")?;
    println!("{}: {}", umoci.display(), tool::version(&umoci)?);
    let made = image()?;
    if Path::new(MEMORY).is_dir() {
        Place::new(Path::new(MEMORY), After::Remove, &umoci, made)?.race(rounds);
    } else {
        println!("\nin memory: skipped: there is no {MEMORY}");
    }
    let disk = env::temp_dir();
    let place = Place::new(&disk, After::Keep, &umoci, made)?;
    // The warm-up, four trees a round, and blobs beside two of them.
    let rounds_in_all = (rounds + rounds.div_ceil(10)) as u64;
    place.need(rounds_in_all * (4 * made.bytes + 2 * made.compressed))?;
    place.race(rounds);
    Ok(())
}

/// What becomes of a tree that was made.
#[derive(Clone, Copy, PartialEq, Eq)]
enum After {
    Remove,
    /// Until the end: ext4 passes over every inode that was freed in the last minutes when it looks for a
    /// free one, which makes files slower by far.
    Keep,
}

/// Where images are unpacked.
struct Place<'a> {
    scratch: Scratch,
    after: After,
    umoci: &'a Path,
    made: &'a Made,
    trees: Cell<u32>,
}

impl<'a> Place<'a> {
    fn new(parent: &Path, after: After, umoci: &'a Path, made: &'a Made) -> Result<Self, Failure> {
        let scratch = Scratch::new(parent)?;
        Ok(Self { scratch, after, umoci, made, trees: Cell::new(0) })
    }

    /// That so many bytes are free, and as many again.
    fn need(&self, bytes: u64) -> Result<(), Failure> {
        let found = rustix::fs::statvfs(self.scratch.path())?;
        let free = found.f_bavail * found.f_frsize;
        if free / 2 > bytes {
            return Ok(());
        }
        let (place, mega) = (self.scratch.path().display(), 1_000_000);
        let (bytes, free) = (2 * bytes / mega, free / mega);
        Err(Missing(format!("{place} has {free} MB, and not {bytes}")).into())
    }

    fn race(&self, rounds: usize) {
        let race = Race::new()
            .with(UMOCI, || self.tree(|tree| self.unpack(tree)))
            .with(SYNCED, || {
                self.tree(|tree| {
                    self.unpack(tree)?;
                    self.wait_for_disk()
                })
            })
            .with(WHOLE, || self.tree(|tree| self.root(tree)))
            .with(ROOT, || {
                let tree = self.path();
                self.load(&tree)?;
                self.timed(&tree, |tree| self.root(tree))
            })
            .run(rounds);
        println!("\nunpacked in {}: {}\n{race}", self.scratch.path().display(), self.made);
        for (name, does) in DO {
            if let Some(times) = race.times(name) {
                let rate = self.made.bytes as f64 / 1e6 / times.median().as_secs_f64();
                println!("{name}: {rate:.0} MB/s; {does}");
            }
        }
    }

    /// A path at which nothing is.
    fn path(&self) -> PathBuf {
        self.trees.set(self.trees.get() + 1);
        self.scratch.file(&format!("tree-{}", self.trees.get()))
    }

    fn tree(&self, work: impl FnOnce(&Path) -> Result<(), Failure>) -> Result<Duration, Failure> {
        self.timed(&self.path(), work)
    }

    /// Times work while the disk has nothing else to write.
    fn timed(
        &self,
        tree: &Path,
        work: impl FnOnce(&Path) -> Result<(), Failure>,
    ) -> Result<Duration, Failure> {
        self.wait_for_disk()?;
        let worked = time(|| work(tree));
        if self.after == After::Remove && tree.exists() {
            fs::remove_dir_all(tree)?;
        }
        Ok(worked?.1)
    }

    /// With its words, if it fails.
    fn unpack(&self, tree: &Path) -> Result<(), Failure> {
        let mut command = Command::new(self.umoci);
        command.args(["unpack", "--image", &self.made.tagged()]).arg(tree);
        tool::read(&mut command).map(drop)
    }

    fn load(&self, tree: &Path) -> Result<(Store, stockade::oci::Image), Failure> {
        let store = Store::open(tree)?;
        let image = store.load(&self.made.source().parse::<Source>()?, &mut |_| {})?;
        Ok((store, image))
    }

    /// The root of the image, in a store that may have its blobs.
    fn root(&self, tree: &Path) -> Result<(), Failure> {
        let (store, image) = self.load(tree)?;
        store.root(&image)?;
        Ok(())
    }

    fn wait_for_disk(&self) -> Result<(), Failure> {
        Ok(rustix::fs::syncfs(File::open(self.scratch.path())?)?)
    }
}
