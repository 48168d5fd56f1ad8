//! Starts of an image that was unpacked before, beside starts of a directory with the same files.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::Duration;

use stockade::oci::{Name, Source, Store};
use stockade::{Ability, Base, Control, NamespaceSandbox, Policy, Program, Sandbox};
use stockade_benches::{Failure, Race, Scratch, time, tool};

use crate::Image;

/// What is aimed at: of the directory's p50.
const TARGET: f64 = 1.2;
/// What a helper process does after a run is over by then, and not beside the next one.
const REST: Duration = Duration::from_millis(5);

const PLAIN: &str = "a plain directory";
const IMAGE: &str = "the image";

/// Whether a program may write to its root.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Root {
    ReadOnly,
    Writable,
}

pub(crate) fn measure(scratch: &Scratch, image: &Image<'_>, rounds: usize) -> Result<(), Failure> {
    println!("\nstart");
    let made = image()?;
    let bench = &Bench::new(scratch, &made.source())?;
    for root in [Root::ReadOnly, Root::Writable] {
        let how = if root == Root::ReadOnly { "read-only" } else { "to be written to" };
        bench.plain(root)?;
        show(&format!("by the library, {how}"), || bench.plain(root), || bench.image(root), rounds);
    }
    // Whoever has no command has had what needs none.
    let stockade = &tool::of_ours("stockade", "STOCKADE_BIN")?;
    println!("\n{}: {}", stockade.display(), tool::version(stockade)?);
    for root in [Root::ReadOnly, Root::Writable] {
        let how = if root == Root::ReadOnly { "read-only" } else { "to be written to" };
        let (plain, image) =
            (bench.plain_command(stockade, root), bench.image_command(stockade, root));
        let (mut plain, mut image) = (plain, image);
        tool::read(&mut plain)?;
        tool::read(&mut image)?;
        let what = format!("by `stockade run`, {how}");
        show(
            &what,
            || rested(|| tool::run(&mut plain)),
            || rested(|| tool::run(&mut image)),
            rounds,
        );
    }
    Ok(())
}

fn show(
    what: &str,
    plain: impl FnMut() -> Result<Duration, Failure>,
    image: impl FnMut() -> Result<Duration, Failure>,
    rounds: usize,
) {
    let race = Race::new().with(PLAIN, plain).with(IMAGE, image).run(rounds);
    println!("\nstart of /bin/true {what}\n{race}\n{}", race.verdict(IMAGE, PLAIN, TARGET));
}

fn rested(work: impl FnOnce() -> Result<(), Failure>) -> Result<Duration, Failure> {
    thread::sleep(REST);
    Ok(time(work)?.1)
}

struct Bench {
    sandbox: NamespaceSandbox,
    policy: Policy,
    store: PathBuf,
    name: Name,
    /// A copy of the image's files.
    plain: PathBuf,
}

impl Bench {
    fn new(scratch: &Scratch, source: &str) -> Result<Self, Failure> {
        let sandbox = NamespaceSandbox::new()?;
        let mut policy = Policy::default();
        let support = sandbox.support();
        let approximated =
            |control: &Control| matches!(support.ability(*control), Ability::Approximated { .. });
        policy.best_effort = Control::ALL.into_iter().filter(approximated).collect();
        let (path, name) = (scratch.file("kept"), "localhost/benches:kept".parse::<Name>()?);
        let store = Store::open(&path)?;
        let image = store.load_as(&source.parse::<Source>()?, &name, &mut |_| {})?;
        let plain = scratch.file("plain");
        let root = store.root(&image)?;
        tool::read(Command::new("cp").arg("-a").arg(root.path()).arg(&plain))?;
        Ok(Self { sandbox, policy, store: path, name, plain })
    }

    fn plain(&self, root: Root) -> Result<Duration, Failure> {
        rested(|| {
            let mut policy = self.policy.clone();
            policy.filesystem.base = base(&self.plain, root);
            self.run(&policy, &Program::executable("/bin/true"))
        })
    }

    /// All that a user does who has only the name.
    fn image(&self, root: Root) -> Result<Duration, Failure> {
        rested(|| {
            let store = Store::open(&self.store)?;
            let image = store.find(&self.name)?;
            let files = store.root(&image)?;
            let mut policy = self.policy.clone();
            files.apply_to(&mut policy);
            policy.filesystem.base = base(files.path(), root);
            self.run(&policy, &files.program(&[])?)
        })
    }

    fn run(&self, policy: &Policy, program: &Program) -> Result<(), Failure> {
        let report = self.sandbox.run(policy, program)?;
        if report.verdict.success() { Ok(()) } else { Err(format!("{:?}", report.verdict).into()) }
    }

    fn plain_command(&self, stockade: &Path, root: Root) -> Command {
        let mut command = self.command(stockade);
        command.arg("--rootfs").arg(&self.plain);
        command.args((root == Root::Writable).then_some("--writable")).args(["--", "/bin/true"]);
        command
    }

    fn image_command(&self, stockade: &Path, root: Root) -> Command {
        let mut command = self.command(stockade);
        command.arg("--image").arg(self.name.to_string());
        command.args((root == Root::ReadOnly).then_some("--read-only"));
        command
    }

    fn command(&self, stockade: &Path) -> Command {
        let mut command = Command::new(stockade);
        command.arg("run").env("STOCKADE_IMAGES", &self.store);
        for control in &self.policy.best_effort {
            command.arg("--best-effort").arg(control.to_string());
        }
        command
    }
}

fn base(path: &Path, root: Root) -> Base {
    match root {
        Root::ReadOnly => Base::Rootfs(path.to_owned()),
        Root::Writable => Base::WritableRootfs(path.to_owned()),
    }
}
