//! valgrind, as it is started here.

use crate::{Outcome, command, host};
use std::ffi::OsString;
use std::fs;
use std::path::Path;
use std::process::Command;

/// A release whose valgrind (3.24) knows pidfd_open(2), and where it is.
const LATER: &str = "13";
const SOURCE: &str = "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] \
                      http://deb.debian.org/debian trixie main\n";

/// Has `prctl(PR_GET_AUXV)` refused to the program that is then executed. The kernel answers it
/// with the address of a vDSO that valgrind (3.19) has taken away, and rustix would call it; refused,
/// it reads `/proc/self/auxv`, which valgrind gives without.
const WITHOUT_AUXV: &str = r#"
import ctypes, os, platform, struct, sys
prctl = {"x86_64": 157, "aarch64": 167}[platform.machine()]
LOAD, EQUAL, RETURN = 0x20, 0x15, 0x06
rules = [(LOAD, 0, 0, 0), (EQUAL, 0, 3, prctl), (LOAD, 0, 0, 16), (EQUAL, 0, 1, 0x41555856),
         (RETURN, 0, 0, 0x00050016), (RETURN, 0, 0, 0x7FFF0000)]
rules = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *rule) for rule in rules))
program = ctypes.create_string_buffer(struct.pack("HP", len(rules) // 8, ctypes.addressof(rules)))
libc = ctypes.CDLL(None, use_errno=True)
NO_NEW_PRIVS, SECCOMP, FILTER = 38, 22, 2
if libc.prctl(NO_NEW_PRIVS, 1, 0, 0, 0) or libc.prctl(SECCOMP, FILTER, program, 0, 0):
    sys.exit("no filter: " + os.strerror(ctypes.get_errno()))
os.execv(sys.argv[1], sys.argv[1:])
"#;

/// The system's valgrind and what has to be before it, to be followed by its options; none if it is not
/// installed.
pub(crate) fn words() -> Option<Vec<OsString>> {
    let valgrind = command::find("valgrind", &[])?;
    let before = [host::PYTHON, "-I", "-c", WITHOUT_AUXV].map(OsString::from);
    Some(before.into_iter().chain([valgrind.into_os_string()]).collect())
}

/// A valgrind that knows the system calls of whoever runs a program in a sandbox: the system's, or that
/// of a later Debian, unpacked below the target directory.
///
/// # Errors
/// The reason in one line why there is none.
pub(crate) fn for_sandboxes(target: &Path) -> Outcome<Vec<OsString>> {
    let system = words().ok_or("valgrind is not installed; run: cargo xtask setup")?;
    if knows_pidfds(&system) {
        return Ok(system);
    }
    let folder = target.join("valgrind");
    let root = folder.join("root/usr");
    let mut unpacked = vec![OsString::from("env")];
    unpacked.push(format!("VALGRIND_LIB={}", root.join("libexec/valgrind").display()).into());
    unpacked.extend(system);
    unpacked.pop();
    unpacked.push(root.join("bin/valgrind.bin").into());
    if !knows_pidfds(&unpacked) {
        println!("unpacking a valgrind that knows pidfd_open(2), of Debian {LATER}, below target/");
        fetch(&folder)?;
    }
    let works = knows_pidfds(&unpacked);
    if works { Ok(unpacked) } else { Err("no valgrind here knows pidfd_open(2)".to_owned()) }
}

/// Asks by a program that makes such a call.
fn knows_pidfds(valgrind: &[OsString]) -> bool {
    let mut probe = Command::new(&valgrind[0]);
    probe.args(&valgrind[1..]).args(["--tool=none", "--quiet", host::PYTHON, "-I", "-c"]);
    command::succeeds(probe.arg("import os; os.pidfd_open(os.getpid())"))
}

/// Unpacks the package with an apt of its own, so that the system's lists and sources stay as they are;
/// needs no privilege.
fn fetch(folder: &Path) -> Outcome {
    for tool in ["apt-get", "dpkg"] {
        command::find(tool, &[]).ok_or_else(|| {
            format!("valgrind here knows no pidfd_open(2), and there is no {tool}")
        })?;
    }
    // What an interrupted run left would be half a package.
    let _ = fs::remove_dir_all(folder);
    let failure = |error| format!("{}: {error}", folder.display());
    for part in ["apt/lists/partial", "apt/archives/partial", "apt/state"] {
        fs::create_dir_all(folder.join(part)).map_err(failure)?;
    }
    let apt = folder.join("apt");
    fs::write(apt.join("sources.list"), SOURCE).map_err(failure)?;
    fs::write(apt.join("status"), "").map_err(failure)?;
    fs::write(apt.join("apt.conf"), configuration(&apt)).map_err(failure)?;
    let get = |arguments: &[&str]| {
        let mut get = Command::new("apt-get");
        get.args(["--quiet"]).args(arguments).current_dir(&apt);
        command::quietly(get.env("APT_CONFIG", apt.join("apt.conf"))).map(drop)
    };
    get(&["update"])?;
    get(&["download", "valgrind"])?;
    let entries = fs::read_dir(&apt).map_err(failure)?;
    let mut files = entries.filter_map(|entry| Some(entry.ok()?.path()));
    let package = files
        .find(|file| file.extension().is_some_and(|end| end == "deb"))
        .ok_or("apt-get left no package")?;
    let mut unpack = Command::new("dpkg");
    command::quietly(unpack.arg("-x").arg(package).arg(folder.join("root")))?;
    fs::remove_dir_all(&apt).map_err(failure)
}

/// apt.conf(5): folders of its own, and this source alone.
fn configuration(apt: &Path) -> String {
    let apt = apt.display();
    format!(
        r#"APT::Sandbox::User "root";
Acquire::Languages "none";
Acquire::Retries "2";
Debug::NoLocking "true";
Dir::Cache "{apt}";
Dir::Etc::sourcelist "{apt}/sources.list";
Dir::Etc::sourceparts "-";
Dir::State "{apt}/state";
Dir::State::lists "{apt}/lists";
Dir::State::status "{apt}/status";
"#
    )
}
