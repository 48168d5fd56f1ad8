//! A virtual machine: QEMU with a kernel, and a disk in memory that holds the program.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use super::tools::version;
use super::{mode, words};
use crate::measure::measure_child;
use crate::options::Session;
use crate::race::Entrant;
use crate::scratch::installed;
use crate::spawn::Owned;
use crate::{Mode, Stopped, WORK, archive};

const EMULATOR: &str = "qemu-system-x86_64";
/// What names a kernel, for those who run it often.
const VARIABLE: &str = "STOCKADE_BENCH_VM_KERNEL";

/// No device but the console.
const HARDWARE: &str = "-nodefaults -no-user-config -no-reboot -display none -smp 1 -m 256 \
    -serial stdio";
const KERNEL_LINE: &str = "console=ttyS0 quiet reboot=t panic=-1 tsc=reliable";

/// What the first process prints when the program ended with status 0.
const ENDED_WELL: &str = "the program ended well";

/// Whether the processor runs the machine, or software that acts as one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Accelerator {
    Kvm,
    Software,
}

impl Accelerator {
    /// How long a machine may take.
    fn patience(self) -> Duration {
        Duration::from_secs(if self == Self::Kvm { 5 } else { 60 })
    }
}

/// A machine that can be started.
#[derive(Debug, Clone)]
struct Machine {
    qemu: PathBuf,
    kernel: PathBuf,
    initramfs: PathBuf,
    console: PathBuf,
    model: &'static str,
    accelerator: Accelerator,
}

pub(super) fn entrant(session: &Session<'_>) -> Result<Entrant<'static>, Stopped> {
    let mut mode = mode("vm", "QEMU", "vm", "cold");
    mode.walls = words(&["a kernel of its own", "emulated devices: a console and no other"]);
    if std::env::consts::ARCH != "x86_64" {
        return Ok(Entrant::skipped(mode, "only tried on x86-64"));
    }
    let Some(qemu) = installed(EMULATOR) else {
        return Ok(Entrant::skipped(mode, format!("{EMULATOR} is not installed")));
    };
    mode.version = version(&qemu, &session.scratch.path("said"));
    let kernel = match kernel(session.options.vm_kernel.as_deref()) {
        Ok(kernel) => kernel,
        Err(reason) => return Ok(Entrant::skipped(mode, reason)),
    };
    let initramfs = session.scratch.file("initramfs", &archive::initramfs(WORK));
    let initramfs = match initramfs {
        Ok(initramfs) => initramfs,
        Err(error) => return Ok(Entrant::broken(mode, error.to_string())),
    };
    let console = session.scratch.path("console");
    let machine = |model, accelerator| Machine {
        qemu: qemu.clone(),
        kernel: kernel.clone(),
        initramfs: initramfs.clone(),
        console: console.clone(),
        model,
        accelerator,
    };
    let mut kinds = Vec::new();
    let kvm = OpenOptions::new().read(true).write(true).open("/dev/kvm");
    if kvm.is_ok() {
        kinds.extend([("microvm", Accelerator::Kvm), ("pc", Accelerator::Kvm)]);
    }
    if !session.options.quick {
        // Its clock cannot be set without hardware in the other model.
        kinds.push(("pc", Accelerator::Software));
    }
    let mut failures = Vec::new();
    for (model, accelerator) in kinds {
        session.progress.at("virtual machine", 0, 1)?;
        let machine = machine(model, accelerator);
        match machine.run() {
            Ok(_) => return Ok(running(mode, machine)),
            Err(failure) => failures.push(format!("{model}, {accelerator:?}: {failure}")),
        }
    }
    let without = match session.options.quick {
        true => "; emulation in software takes seconds for each start and is left out to be quick",
        false => "",
    };
    let kvm = kvm.map_or_else(|error| format!("/dev/kvm: {error}"), |_| failures.join("; "));
    let reason = if failures.is_empty() { kvm } else { failures.join("; ") };
    Ok(Entrant::skipped(mode, format!("{reason}{without}")))
}

fn running(mode: Mode, machine: Machine) -> Entrant<'static> {
    let Machine { model, accelerator, .. } = machine;
    let by = match accelerator {
        Accelerator::Kvm => "KVM",
        Accelerator::Software => "software emulation, NOT hardware",
    };
    let kernel = machine.kernel.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let note = format!("a static program; {kernel} from the first instruction to the end of QEMU");
    let mut mode = Mode { name: format!("QEMU {model}, {by}"), note: Some(note), ..mode };
    mode.walls.insert(0, by.to_owned());
    Entrant::new(mode, move || measure_child(|| machine.run()))
}

/// The kernel that was named, or the one this host was booted from.
fn kernel(named: Option<&Path>) -> Result<PathBuf, String> {
    let variable = || std::env::var_os(VARIABLE).filter(|name| !name.is_empty());
    if let Some(named) = named.map(Path::to_owned).or_else(|| variable().map(PathBuf::from)) {
        return match File::open(&named) {
            Ok(_) => Ok(named),
            Err(error) => Err(format!("{}: {error}", named.display())),
        };
    }
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let own = PathBuf::from(format!("/boot/vmlinuz-{}", release.trim()));
    match File::open(&own) {
        Ok(_) => Ok(own),
        Err(error) => Err(format!(
            "no kernel to boot: {}: {error}; name one by --vm-kernel or {VARIABLE}",
            own.display()
        )),
    }
}

impl Machine {
    /// Boots it, until the program has run and the machine is off.
    fn run(&self) -> Result<Duration, String> {
        let console = File::create(&self.console).map_err(|error| error.to_string())?;
        let errors = console.try_clone().map_err(|error| error.to_string())?;
        let mut command = Command::new(&self.qemu);
        command.args(HARDWARE.split_whitespace()).args(self.model_args());
        command.arg("-kernel").arg(&self.kernel).arg("-initrd").arg(&self.initramfs);
        command.args(["-append", KERNEL_LINE]);
        command.stdin(Stdio::null()).stdout(console).stderr(errors);
        // Where it leaves its memory if it crashes.
        command.current_dir(self.console.parent().unwrap_or(Path::new("/")));
        let ended = Owned::start(&mut command)?.wait(self.accelerator.patience())?;
        let said = fs::read(&self.console).unwrap_or_default();
        let said = String::from_utf8_lossy(&said);
        if ended.status.success() && said.contains(ENDED_WELL) {
            return Ok(ended.rusage.utime + ended.rusage.stime);
        }
        let line = said.lines().rfind(|line| !line.trim().is_empty()).unwrap_or("it said nothing");
        Err(format!("{}: {}", ended.status, line.trim()))
    }

    fn model_args(&self) -> [OsString; 4] {
        let (accelerator, processor) = match self.accelerator {
            Accelerator::Kvm => ("kvm", "host"),
            Accelerator::Software => ("tcg", "max"),
        };
        let model = match self.model {
            // Its console is one of the devices that it does not have unless asked.
            "microvm" => "microvm,isa-serial=on",
            other => other,
        };
        ["-machine", &format!("{model},accel={accelerator}"), "-cpu", processor].map(OsString::from)
    }
}
