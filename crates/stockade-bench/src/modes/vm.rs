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
/// Its timer is not tried out, which would take a while.
const KERNEL_LINE: &str = "console=ttyS0 quiet reboot=t panic=-1 tsc=reliable no_timer_check";

/// A machine with nothing but a console and what KVM gives; see QEMU's manual, `microvm`.
const LEAN: &str = "microvm,isa-serial=on,x-option-roms=off,pit=off,pic=off,rtc=off";
/// With the usual timers, for kernels that need them.
const SMALL: &str = "microvm,isa-serial=on";
/// An ordinary computer.
const USUAL: &str = "pc";

/// What the first process prints when the program ended with status 0.
const ENDED_WELL: &str = "the program ended well";

/// Whether the processor runs the machine, or software that acts as one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Accelerator {
    Kvm,
    Software,
}

impl Accelerator {
    fn name(self) -> &'static str {
        match self {
            Self::Kvm => "KVM",
            Self::Software => "software emulation, NOT hardware",
        }
    }

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
        // Whether it works is known when a machine has run to its end.
        kinds.extend([LEAN, SMALL, USUAL].map(|model| (model, Accelerator::Kvm)));
    }
    if !session.options.quick {
        kinds.extend([SMALL, USUAL].map(|model| (model, Accelerator::Software)));
    }
    let mut failures = Vec::new();
    for (model, accelerator) in kinds {
        session.progress.at("virtual machine", 0, 1)?;
        let machine = machine(model, accelerator);
        match machine.run() {
            Ok(_) => return Ok(running(mode, machine, &failures)),
            Err(failure) => {
                let failure = format!("{}, {}: {failure}", name(model), accelerator.name());
                // Two models may share a name, and what they lack.
                if !failures.contains(&failure) {
                    failures.push(failure);
                }
            }
        }
    }
    failures.extend(kvm.err().map(|error| format!("/dev/kvm: {error}")));
    let failures = failures.join("; ");
    if !session.options.quick {
        return Ok(Entrant::broken(mode, failures));
    }
    let why = "emulation in software takes seconds for each start and is left out to be quick";
    Ok(Entrant::skipped(mode, format!("{failures}; {why}")))
}

/// What is before the options of a model.
fn name(model: &str) -> &str {
    model.split(',').next().unwrap_or(model)
}

fn running(mode: Mode, machine: Machine, failures: &[String]) -> Entrant<'static> {
    let Machine { model, accelerator, .. } = machine;
    let by = accelerator.name();
    let kernel = machine.kernel.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let mut note = format!(
        "a static program; {kernel}, from the start of QEMU to its end, and it told of success"
    );
    if !failures.is_empty() {
        note.push_str(&format!("; before that was tried: {}", failures.join("; ")));
    }
    let mut mode = Mode { name: format!("QEMU {}, {by}", name(model)), note: Some(note), ..mode };
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
        command.arg("-append").arg(self.kernel_line());
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

    /// In software the small model has no clock by which a kernel could tell how fast the processor's
    /// own runs, which is this machine's.
    fn kernel_line(&self) -> String {
        let info = || fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let khz = (self.accelerator == Accelerator::Software).then(|| khz(&info())).flatten();
        let known = khz.map(|khz| format!(" tsc_early_khz={khz}"));
        format!("{KERNEL_LINE}{}", known.unwrap_or_default())
    }

    fn model_args(&self) -> [OsString; 4] {
        let (accelerator, processor) = match self.accelerator {
            Accelerator::Kvm => ("kvm", "host"),
            Accelerator::Software => ("tcg", "max"),
        };
        let machine = format!("{},accel={accelerator}", self.model);
        ["-machine", &machine, "-cpu", processor].map(OsString::from)
    }
}

/// The speed of the first processor, in thousands of cycles a second, by the text of `/proc/cpuinfo`.
fn khz(info: &str) -> Option<u64> {
    let line = info.lines().find_map(|line| line.strip_prefix("cpu MHz"))?;
    let mhz: f64 = line.trim_start_matches([' ', '\t', ':']).trim().parse().ok()?;
    Some((mhz * 1000.0) as u64)
}

#[cfg(test)]
mod tests {
    use super::khz;

    #[test]
    fn the_speed_of_a_processor_is_read_from_its_description() {
        assert_eq!(khz("processor\t: 0\ncpu MHz\t\t: 2445.428\n"), Some(2_445_428));
        assert_eq!(khz("processor\t: 0\n"), None);
    }
}
