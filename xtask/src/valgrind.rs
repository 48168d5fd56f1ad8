//! valgrind, as it is started here.

use crate::{command, host};
use std::ffi::OsString;

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

/// valgrind and what has to be before it, to be followed by its options; none if it is not installed.
pub(crate) fn words() -> Option<Vec<OsString>> {
    let valgrind = command::find("valgrind", &[])?;
    let before = [host::PYTHON, "-I", "-c", WITHOUT_AUXV].map(OsString::from);
    Some(before.into_iter().chain([valgrind.into_os_string()]).collect())
}
