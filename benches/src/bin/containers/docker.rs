//! `docker run` with either runtime, by one daemon.

use std::env;
use std::fs::File;
use std::process::Command;
use std::time::Duration;

use stockade_benches::{Failure, Race, Scratch, time, tool};

use crate::bundle::root;
use crate::daemon::Daemon;
use crate::{OURS, RUNC, runtimes};

/// What is aimed at: not slower than runc.
const TARGET: f64 = 1.0;
/// What the image is called.
const IMAGE: &str = "stockade/benches";

pub(crate) fn measure(rounds: usize) -> Result<(), Failure> {
    println!("\ndocker");
    let [ours, _] = runtimes()?;
    let scratch = Scratch::new(&env::temp_dir())?;
    let root = root(&scratch)?;
    let archive = scratch.file("rootfs.tar");
    let mut tar = tar::Builder::new(File::create(&archive)?);
    tar.follow_symlinks(false);
    tar.append_dir_all(".", &root)?;
    tar.finish()?;
    let daemon = &Daemon::start(&scratch, &ours)?;
    let format = "{{.Server.Version}}, client {{.Client.Version}}";
    println!("docker: {}", tool::read(&mut daemon.docker(&["version", "--format", format]))?);
    tool::read(daemon.docker(&["import"]).arg(&archive).arg(IMAGE))?;
    for name in [RUNC, OURS] {
        tool::read(&mut run(daemon, name))?;
    }
    let timed = |name| -> Result<Duration, Failure> {
        let mut command = run(daemon, name);
        Ok(time(|| tool::run(&mut command))?.1)
    };
    let race = Race::new().with(RUNC, || timed(RUNC)).with(OURS, || timed(OURS)).run(rounds);
    println!("\ndocker run --rm --network none, of /bin/true\n{race}");
    println!("{}", race.verdict(OURS, RUNC, TARGET));
    Ok(())
}

fn run(daemon: &Daemon, runtime: &str) -> Command {
    daemon.docker(&["run", "--rm", "--network", "none", "--runtime", runtime, IMAGE, "/bin/true"])
}
