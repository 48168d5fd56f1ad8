//! From a layout to a root directory, on one filesystem, beside umoci.

use std::fs;
use std::process::Command;
use std::time::Duration;

use stockade::oci::{Source, Store};
use stockade_benches::{Failure, Race, Scratch, time, tool};

use crate::Image;
use crate::made::Made;

/// The contenders, and what each does besides writing the files.
const UMOCI: &str = "umoci unpack";
const SYNCED: &str = "umoci unpack, then the disk";
const WHOLE: &str = "stockade, load and root";
const ROOT: &str = "stockade, root of what was loaded";
const DO: [(&str, &str); 4] = [
    (
        UMOCI,
        "hashes blobs and layers, keeps owners, and hashes every file for its manifest; waits for no disk",
    ),
    (SYNCED, "the same, until the disk has it"),
    (WHOLE, "copies the blobs, hashes them and the layers, and waits until the disk has all of it"),
    (ROOT, "hashes the layers, and waits until the disk has the files"),
];

pub(crate) fn measure(scratch: &Scratch, image: &Image<'_>, rounds: usize) -> Result<(), Failure> {
    println!("\nunpack");
    tool::need_root()?;
    let umoci = tool::find("umoci")?;
    println!("{}: {}", umoci.display(), tool::version(&umoci)?);
    let made = image()?;
    let unpacked = || {
        let mut command = Command::new(&umoci);
        command.args(["unpack", "--image", &made.tagged()]);
        command.arg(scratch.file("bundle"));
        command
    };
    // With its streams, to say what does not work.
    let tried = tool::read(&mut unpacked());
    remove(scratch)?;
    tried?;
    let race = Race::new()
        .with(UMOCI, || fresh(scratch, || tool::run(&mut unpacked())))
        .with(SYNCED, || {
            fresh(scratch, || {
                tool::run(&mut unpacked())?;
                wait_for_disk(scratch)
            })
        })
        .with(WHOLE, || fresh(scratch, || root(scratch, made)))
        .with(ROOT, || {
            let loaded = Store::open(&scratch.file("store"))?;
            loaded.load(&made.source().parse::<Source>()?, &mut |_| {})?;
            fresh(scratch, || root(scratch, made))
        })
        .run(rounds);
    println!("\n{made}\n{race}");
    for (name, does) in DO {
        if let Some(times) = race.times(name) {
            let rate = made.bytes as f64 / 1e6 / times.median().as_secs_f64();
            println!("{name}: {rate:.0} MB/s; {does}");
        }
    }
    Ok(())
}

/// The root of the image, from wherever its blobs are.
fn root(scratch: &Scratch, made: &Made) -> Result<(), Failure> {
    let store = Store::open(&scratch.file("store"))?;
    let image = store.load(&made.source().parse::<Source>()?, &mut |_| {})?;
    store.root(&image)?;
    Ok(())
}

/// Times work while the disk has nothing else to write, and removes what it left.
fn fresh(
    scratch: &Scratch,
    work: impl FnOnce() -> Result<(), Failure>,
) -> Result<Duration, Failure> {
    wait_for_disk(scratch)?;
    let worked = time(work);
    remove(scratch)?;
    Ok(worked?.1)
}

fn wait_for_disk(scratch: &Scratch) -> Result<(), Failure> {
    Ok(rustix::fs::syncfs(fs::File::open(scratch.path())?)?)
}

fn remove(scratch: &Scratch) -> Result<(), Failure> {
    for name in ["bundle", "store"] {
        let path = scratch.file(name);
        if path.exists() {
            fs::remove_dir_all(path)?;
        }
    }
    Ok(())
}
