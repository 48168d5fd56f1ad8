//! `cargo xtask setup`: what the other commands need from the machine.

use crate::{Outcome, command, host, vm};
use std::env;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};

/// One thing the machine must offer.
struct Need {
    what: &'static str,
    /// The Debian packages that bring it.
    packages: &'static [&'static str],
    found: fn() -> bool,
}

const NEEDS: [Need; 7] = [
    Need {
        what: "a C compiler `cc` that links static programs",
        packages: &["gcc", "libc6-dev"],
        found: links_static,
    },
    Need {
        what: "a clang that compiles C for WebAssembly (wasm32-wasi), or `WASI_CC`",
        packages: &["clang-22", "lld-22", "libclang-rt-22-dev-wasm32", "wasi-libc"],
        found: compiles_modules,
    },
    Need {
        what: "/usr/bin/python3, 3.9 or later, with venv",
        packages: &["python3", "python3-venv"],
        found: has_python,
    },
    Need { what: "bubblewrap's `bwrap`", packages: &["bubblewrap"], found: has_bubblewrap },
    Need { what: "cpio", packages: &["cpio"], found: has_cpio },
    Need { what: "strace", packages: &["strace"], found: || has("strace") },
    Need { what: host::STRESS, packages: &["stress-ng"], found: host::has_stress },
];

/// What `cargo xtask vm-test` needs besides.
const MACHINE: [Need; 3] = [
    Need {
        what: "qemu-system-x86_64",
        packages: &["qemu-system-x86"],
        found: || command::find(vm::EMULATOR, &[]).is_some(),
    },
    Need { what: "a static busybox", packages: &["busybox-static"], found: has_busybox },
    Need { what: "mkfs.ext4", packages: &["e2fsprogs"], found: || vm::mkfs().is_some() },
];

/// What `cargo xtask compat-test` runs besides, where it is a matter of a few megabytes.
const PROGRAMS: [Need; 5] = [
    Need { what: "gcc", packages: &["gcc", "libc6-dev"], found: || has("gcc") },
    Need { what: "g++", packages: &["g++"], found: || has("g++") },
    Need { what: "git", packages: &["git"], found: || has("git") },
    Need { what: "sqlite3", packages: &["sqlite3"], found: || has("sqlite3") },
    Need { what: "pip for /usr/bin/python3", packages: &["python3-pip"], found: has_pip },
];

/// What `cargo xtask instructions` counts with.
const COUNTING: [Need; 1] =
    [Need { what: "valgrind", packages: &["valgrind"], found: || has("valgrind") }];

/// What the C library is installed, compiled and tested with.
const C: [Need; 6] = [
    Need { what: "gcc", packages: &["gcc", "libc6-dev"], found: || has("gcc") },
    Need { what: "g++", packages: &["g++"], found: || has("g++") },
    Need { what: "make", packages: &["make"], found: || has("make") },
    Need { what: "pkg-config", packages: &["pkg-config"], found: || has("pkg-config") },
    Need { what: "valgrind", packages: &["valgrind"], found: || has("valgrind") },
    Need { what: "luajit", packages: &["luajit"], found: || has("luajit") },
];

/// What images are made with that the tests of images read, and where they are pulled from.
const IMAGES: [Need; 4] = [
    Need { what: "umoci", packages: &["umoci"], found: || has("umoci") },
    Need { what: "skopeo", packages: &["skopeo"], found: || has("skopeo") },
    Need { what: "a static busybox", packages: &["busybox-static"], found: has_busybox },
    Need {
        what: "docker-registry",
        packages: &["docker-registry"],
        found: || has("docker-registry"),
    },
];

/// The engines that the container runtime is tried with, and what a bundle and a pod are made of.
const ENGINES: [Need; 7] = [
    Need { what: "containerd and ctr", packages: &["containerd"], found: || has("ctr") },
    Need { what: "dockerd and docker", packages: &["docker.io"], found: has_docker },
    Need { what: "podman and conmon", packages: &["podman", "conmon"], found: || has("podman") },
    Need { what: "podman's catatonit", packages: &["catatonit"], found: has_catatonit },
    Need { what: "runc", packages: &["runc"], found: || has("runc") || sbin("runc") },
    Need { what: "script", packages: &["bsdutils"], found: || has("script") },
    Need { what: "a static busybox", packages: &["busybox-static"], found: has_busybox },
];

/// Checks the engines that the container runtime is tried with; installs what is missing where it may.
/// What is missing all the same is skipped later. Nothing that is installed is started.
pub(crate) fn for_engines() {
    if let Err(reason) = provide(&ENGINES) {
        println!("setup: {reason}");
    }
}

/// Checks what makes images for tests; installs what is missing where it may. What is missing all the same
/// is skipped later.
pub(crate) fn for_images() {
    if let Err(reason) = provide(&IMAGES) {
        println!("setup: {reason}");
    }
}

/// Checks what the tests of the C library use; installs what is missing where it may. What is missing
/// all the same is skipped later.
pub(crate) fn for_c() {
    if let Err(reason) = provide(&C) {
        println!("setup: {reason}");
    }
}

/// Checks what counts instructions; installs it where it may. Without it nothing is counted.
pub(crate) fn for_counting() {
    if let Err(reason) = provide(&COUNTING) {
        println!("setup: {reason}");
    }
}

/// Checks what ordinary programs there are; installs what is missing where it may. What is missing
/// all the same is skipped later.
pub(crate) fn for_compat() {
    if let Err(reason) = provide(&PROGRAMS) {
        println!("setup: {reason}");
    }
}

/// Checks what the virtual machine needs; installs what is missing where it may.
pub(crate) fn for_machine() -> Outcome {
    provide(&MACHINE)
}

/// Checks what all commands need; installs what is missing where it may.
pub(crate) fn run() -> Outcome {
    provide(&NEEDS)?;
    println!(
        "setup: cargo, cc -static, clang for WASI, python3, bubblewrap, cpio, strace and stress-ng found"
    );
    Ok(())
}

fn provide(needs: &[Need]) -> Outcome {
    let mut missing: Vec<&Need> = needs.iter().filter(|need| !(need.found)()).collect();
    if !missing.is_empty() {
        let packages: Vec<&str> =
            missing.iter().flat_map(|need| need.packages.iter().copied()).collect();
        for need in &missing {
            println!("setup: missing: {}", need.what);
        }
        install(&packages)?;
        missing.retain(|need| !(need.found)());
    }
    if let Some(need) = missing.first() {
        return Err(format!("still missing after the installation: {}", need.what));
    }
    Ok(())
}

fn install(packages: &[&str]) -> Outcome {
    let list = packages.join(" ");
    let advice = format!("apt-get install --yes --no-install-recommends {list}");
    if command::find("apt-get", &[]).is_none() {
        return Err(format!(
            "install what is missing with the package manager of this system; on Debian or \
             Ubuntu:\n  sudo {advice}"
        ));
    }
    if !host::is_root() {
        return Err(format!("packages are missing; run:\n  sudo {advice}"));
    }
    println!("setup: installing with apt-get: {list}");
    let apt = |arguments: &[&str]| {
        let mut apt = Command::new("apt-get");
        apt.args(arguments).env("DEBIAN_FRONTEND", "noninteractive").stdin(Stdio::null());
        command::run(&mut apt)
    };
    // One source of several may fail without harm; a package that is then missing is the answer.
    let _ = apt(&["update", "--quiet"]);
    let _still = Still::new();
    // Another command of these may be installing, in the same minute.
    let mut arguments = vec!["-o", "DPkg::Lock::Timeout=600", "install"];
    arguments.extend(["--quiet", "--yes", "--no-install-recommends"]);
    arguments.extend_from_slice(packages);
    apt(&arguments)
}

/// Where Debian's packages ask whether they may start a service.
const POLICY: &str = "/usr/sbin/policy-rc.d";

/// While this lives, no package that is installed starts a service.
struct Still {
    made: bool,
}

impl Still {
    fn new() -> Self {
        // One that is there says what is wanted here.
        let made = !Path::new(POLICY).exists()
            && fs::write(POLICY, "#!/bin/sh\nexit 101\n").is_ok()
            && fs::set_permissions(POLICY, Permissions::from_mode(0o755)).is_ok();
        Self { made }
    }
}

impl Drop for Still {
    fn drop(&mut self) {
        if self.made {
            // It only keeps services from starting; there is nobody to tell.
            let _ = fs::remove_file(POLICY);
        }
    }
}

/// Whether `cc` turns a C program into a static executable.
fn links_static() -> bool {
    compiles(&["cc", "-static"])
}

/// Whether a clang makes modules, under either name of its target, or another compiler is named:
/// as the build of the guests looks for one.
fn compiles_modules() -> bool {
    let targets: [&[&str]; 2] =
        [&["--target=wasm32-wasip1"], &["--target=wasm32-wasi", "-Wno-deprecated"]];
    let clang = |name| targets.iter().any(|target| compiles(&[&[name], *target].concat()));
    env::var("WASI_CC").is_ok_and(|command| !command.trim().is_empty())
        || ["clang-22", "clang"].into_iter().any(clang)
}

/// Whether these words, a compiler with its arguments, make a program of a C file.
fn compiles(words: &[&str]) -> bool {
    let folder = env::temp_dir().join(format!("stockade-setup-{}", std::process::id()));
    if fs::create_dir(&folder).is_err() {
        return false;
    }
    let source = folder.join("main.c");
    let works =
        fs::write(&source, "#include <stdio.h>\nint main(void) { return puts(\"\") < 0; }\n")
            .is_ok()
            && words.split_first().is_some_and(|(compiler, arguments)| {
                let output = folder.join("main");
                let mut command = Command::new(compiler);
                command::succeeds(command.args(arguments).arg("-o").args([&output, &source]))
            });
    // The verdict stands even when the folder cannot be removed.
    let _ = fs::remove_dir_all(&folder);
    works
}

fn has_cpio() -> bool {
    has("cpio")
}

fn has_bubblewrap() -> bool {
    has("bwrap")
}

fn has(program: &str) -> bool {
    command::find(program, &[]).is_some()
}

/// Whether a program is where an ordinary user's path does not lead.
fn sbin(program: &str) -> bool {
    Path::new("/usr/sbin").join(program).is_file()
}

fn has_docker() -> bool {
    has("docker") && (has("dockerd") || sbin("dockerd"))
}

fn has_catatonit() -> bool {
    Path::new("/usr/libexec/podman/catatonit").is_file()
}

fn has_pip() -> bool {
    command::succeeds(Command::new(host::PYTHON).args(["-m", "pip", "--version"]))
}

fn has_python() -> bool {
    let probe = "import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 9))";
    command::succeeds(Command::new(host::PYTHON).args(["-c", probe]))
}

/// Whether there is a busybox that needs no library.
fn has_busybox() -> bool {
    let linked = |file| command::succeeds(Command::new("ldd").arg(file));
    command::find("busybox", &[]).is_some_and(|file| !linked(file))
}
