use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use stockade_core::{Base, Error, ErrorKind, Mount, Process, Program};

use super::elf::{self, Elf};
use super::script::{Shebang, shebang};
use super::{Found, find};
use crate::rootfs::tests::{TempDir, layout};

fn find_in(
    base: Base,
    mounts: Vec<Mount>,
    program: &Program,
    process: &Process,
) -> Result<Found, Error> {
    let layout = layout(base, mounts).expect("a layout");
    find(&layout.view, program, process)
}

fn in_tree(tree: &TempDir, name: &str) -> Result<Found, Error> {
    find_in(tree.base(), Vec::new(), &Program::executable(name), &Process::default())
}

fn refused(found: Result<Found, Error>, kind: ErrorKind, named: &[&str]) -> Error {
    let error = found.expect_err("a refusal");
    assert_eq!(error.kind(), kind, "{error}");
    for name in named {
        assert!(error.to_string().contains(name), "{error} does not name {name}");
    }
    assert!(error.hint().is_some(), "{error} has no hint");
    error
}

/// The smallest ELF file of this machine, with a loader if one is given.
fn elf(loader: Option<&str>) -> Vec<u8> {
    let mut file = vec![0; 64 + 56];
    file[..6].copy_from_slice(b"\x7fELF\x02\x01");
    let machine: u16 = if cfg!(target_arch = "aarch64") { 183 } else { 62 };
    file[16..18].copy_from_slice(&3_u16.to_le_bytes());
    file[18..20].copy_from_slice(&machine.to_le_bytes());
    file[32..40].copy_from_slice(&64_u64.to_le_bytes());
    file[54..56].copy_from_slice(&56_u16.to_le_bytes());
    file[56..58].copy_from_slice(&1_u16.to_le_bytes());
    if let Some(loader) = loader {
        file[64..68].copy_from_slice(&3_u32.to_le_bytes());
        file[72..80].copy_from_slice(&120_u64.to_le_bytes());
        file[96..104].copy_from_slice(&(loader.len() as u64 + 1).to_le_bytes());
        file.extend(loader.as_bytes());
        file.push(0);
    }
    file
}

#[test]
fn names_are_looked_up_in_the_policys_path() {
    let found = find_in(
        Base::System,
        Vec::new(),
        &Program::executable("sh").args(["-c", "exit 7"]),
        &Process::default(),
    )
    .expect("a shell");
    assert_eq!(found.path, Path::new("/usr/bin/sh"));
    assert_eq!(found.argv, ["sh", "-c", "exit 7"]);
    let mut process = Process::default();
    process.env.remove("PATH");
    find_in(Base::System, Vec::new(), &Program::executable("sh"), &process).expect("a shell");
    process.env.insert("PATH".into(), "/nowhere:/tmp".into());
    let found = find_in(Base::System, Vec::new(), &Program::executable("sh"), &process);
    refused(found, ErrorKind::NotFound, &["\"sh\"", "PATH=/nowhere:/tmp"]);
}

#[test]
fn a_lookup_passes_over_directories_and_files_that_are_not_executable() {
    let tree = TempDir::tree();
    tree.dir("a/tool");
    tree.file("b/tool", "data", 0o644);
    tree.file("c/tool", elf(None), 0o755);
    let mut process = Process::default();
    let program = Program::executable("tool");
    process.env.insert("PATH".into(), "/a:/b:/c".into());
    let found = find_in(tree.base(), Vec::new(), &program, &process).expect("the third");
    assert_eq!(found.path, Path::new("/c/tool"));
    process.env.insert("PATH".into(), "/a:/b".into());
    let found = find_in(tree.base(), Vec::new(), &program, &process);
    refused(found, ErrorKind::PermissionDenied, &["/b/tool"]);
    process.env.insert("PATH".into(), String::new());
    process.cwd = "/c".into();
    let found = find_in(tree.base(), Vec::new(), &program, &process).expect("in the cwd");
    assert_eq!(found.path, Path::new("/c/tool"));
}

#[test]
fn relative_paths_start_at_the_working_directory() {
    let tree = TempDir::tree();
    tree.file("app/bin/tool", elf(None), 0o755);
    let mut process = Process::default();
    process.cwd = "/app".into();
    let found = find_in(tree.base(), Vec::new(), &Program::executable("./bin/tool"), &process);
    assert_eq!(found.expect("a program").path, Path::new("/app/bin/tool"));
    for (cwd, kind) in [("/gone", ErrorKind::NotFound), ("/app/bin/tool", ErrorKind::InvalidPolicy)]
    {
        process.cwd = cwd.into();
        let found =
            find_in(tree.base(), Vec::new(), &Program::executable("/app/bin/tool"), &process);
        refused(found, kind, &["process.cwd", cwd]);
    }
}

#[test]
fn what_is_no_program_is_named() {
    let tree = TempDir::tree();
    tree.file("data", "plain text", 0o755);
    tree.file("empty", "", 0o755);
    tree.file("plain", elf(None), 0o644);
    tree.file("module", b"\0asm\x01\0\0\0", 0o755);
    tree.link("loop", "loop");
    tree.link("host", "/usr/bin/env");
    refused(in_tree(&tree, ""), ErrorKind::InvalidPolicy, &["empty"]);
    refused(in_tree(&tree, "/gone"), ErrorKind::NotFound, &["/gone"]);
    refused(in_tree(&tree, "/etc"), ErrorKind::InvalidPolicy, &["/etc", "directory"]);
    refused(in_tree(&tree, "/dev/null"), ErrorKind::InvalidPolicy, &["/dev/null"]);
    refused(in_tree(&tree, "/plain"), ErrorKind::PermissionDenied, &["/plain"]);
    refused(in_tree(&tree, "/data"), ErrorKind::InvalidPolicy, &["/data", "script"]);
    refused(in_tree(&tree, "/empty"), ErrorKind::InvalidPolicy, &["/empty"]);
    refused(in_tree(&tree, "/module"), ErrorKind::Unsupported, &["WebAssembly"]);
    refused(in_tree(&tree, "/loop"), ErrorKind::InvalidPolicy, &["/loop"]);
    refused(in_tree(&tree, "/host"), ErrorKind::NotFound, &["/host"]);
    refused(in_tree(&tree, "/proc/self/exe"), ErrorKind::NotFound, &["/proc/self/exe"]);
    refused(in_tree(&tree, "/plain/"), ErrorKind::NotFound, &["/plain/"]);
    let host = tree.path("data").display().to_string();
    let error = refused(in_tree(&tree, &host), ErrorKind::NotFound, &[&host]);
    assert!(error.hint().is_some_and(|hint| hint.contains("--ro")));
}

#[test]
fn a_module_is_referred_to_the_backend_that_runs_it() {
    for program in [Program::module_file("/job.wasm"), Program::module(*b"\0asm\x01\0\0\0")] {
        let found = find_in(Base::System, Vec::new(), &program, &Process::default());
        let error = refused(found, ErrorKind::Unsupported, &["WebAssembly module"]);
        assert!(error.hint().is_some_and(|hint| hint.contains("run it with the wasm backend")));
    }
}

#[test]
fn scripts_need_their_interpreters() {
    let tree = TempDir::tree();
    tree.file("bin/true", elf(None), 0o755);
    tree.file("usr/bin/env", elf(None), 0o755);
    tree.file("good", "#! /bin/true -x\nbody", 0o755);
    tree.file("nested", "#!/good\n", 0o755);
    tree.file("by_env", "#!/usr/bin/env true\n", 0o755);
    tree.file("no_interpreter", "#!/usr/bin/pythonX\n", 0o755);
    tree.file("crlf", "#!/bin/true\r\nbody", 0o755);
    tree.file("no_env_program", "#!/usr/bin/env -S rubyX -w\n", 0o755);
    tree.file("self", "#!/self\n", 0o755);
    tree.file("exe", "#!/proc/self/exe\n", 0o755);
    tree.file("blank", "#!\n", 0o755);
    tree.file("dir", "#!/etc\n", 0o755);
    for name in ["/good", "/nested", "/by_env"] {
        assert_eq!(in_tree(&tree, name).expect("a program").path, Path::new(name));
    }
    for (script, interpreter) in [
        ("/no_interpreter", "/usr/bin/pythonX"),
        ("/no_env_program", "rubyX"),
        ("/exe", "/proc/self/exe"),
    ] {
        refused(in_tree(&tree, script), ErrorKind::NotFound, &[script, interpreter]);
    }
    let error = refused(in_tree(&tree, "/crlf"), ErrorKind::NotFound, &["/crlf"]);
    assert!(error.hint().is_some_and(|hint| hint.contains("Windows")));
    refused(in_tree(&tree, "/self"), ErrorKind::InvalidPolicy, &["/self"]);
    refused(in_tree(&tree, "/blank"), ErrorKind::InvalidPolicy, &["/blank"]);
    refused(in_tree(&tree, "/dir"), ErrorKind::InvalidPolicy, &["/dir"]);
}

#[test]
fn files_in_memory_can_be_programs() {
    let mounts =
        vec![Mount::file("/job.sh", "#!/bin/sh\necho hello\n"), Mount::file("/job.txt", "hello\n")];
    let find = |name| {
        find_in(Base::System, mounts.clone(), &Program::executable(name), &Process::default())
    };
    find("/job.sh").expect("a script");
    refused(find("/job.txt"), ErrorKind::InvalidPolicy, &["/job.txt"]);
    refused(find("/etc/passwd"), ErrorKind::PermissionDenied, &["/etc/passwd"]);
}

#[test]
fn dynamic_programs_need_their_loader() {
    let tree = TempDir::tree();
    tree.file("dynamic", elf(Some("/lib64/ld.so")), 0o755);
    refused(in_tree(&tree, "/dynamic"), ErrorKind::NotFound, &["/dynamic", "/lib64/ld.so"]);
    tree.file("lib64/ld.so", elf(None), 0o755);
    in_tree(&tree, "/dynamic").expect("a program");
    let mut foreign = elf(None);
    foreign[18..20].copy_from_slice(&8_u16.to_le_bytes());
    tree.file("foreign", &foreign, 0o755);
    refused(in_tree(&tree, "/foreign"), ErrorKind::InvalidPolicy, &["/foreign", "MIPS"]);
    let mut small = elf(None);
    (small[4], small[18]) = (1, 3);
    tree.file("small", &small, 0o755);
    refused(in_tree(&tree, "/small"), ErrorKind::InvalidPolicy, &["x86 (32-bit)"]);
}

#[test]
fn no_damage_to_an_elf_file_confuses_the_reader() {
    let whole = elf(Some("/lib64/ld.so"));
    let examine = |file: &[u8]| {
        elf::examine(|offset, len| {
            let start = usize::try_from(offset).unwrap_or(usize::MAX).min(file.len());
            Ok::<_, ()>(file[start..start.saturating_add(len).min(file.len())].to_vec())
        })
    };
    assert_eq!(examine(&whole), Ok(Elf::Native { loader: Some("/lib64/ld.so".into()) }));
    for len in 0..whole.len() {
        assert_eq!(examine(&whole[..len]), Ok(Elf::Broken), "cut at {len}");
    }
    for at in 0..whole.len() {
        for value in [0, 1, 0x7f, 0xff] {
            let mut damaged = whole.clone();
            damaged[at] = value;
            assert!(examine(&damaged).is_ok());
        }
    }
}

#[test]
fn first_lines_are_read_as_the_kernel_reads_them() {
    let line = |interpreter: &str, argument: Option<&str>| {
        Some(Shebang { interpreter: interpreter.into(), argument: argument.map(Into::into) })
    };
    assert_eq!(shebang(b"#!/bin/sh\nx"), line("/bin/sh", None));
    assert_eq!(shebang(b"#!/bin/sh"), line("/bin/sh", None));
    assert_eq!(shebang(b"#! \t/bin/sh  -e  -u \nx"), line("/bin/sh", Some("-e  -u")));
    assert_eq!(shebang(b"#!/bin/sh\0junk\n"), line("/bin/sh", None));
    for none in ["", "#", "#!", "#!\n/bin/sh", "#!   \n", " #!/bin/sh\n"] {
        assert_eq!(shebang(none.as_bytes()), None, "{none:?}");
    }
    let long = format!("#!/{}\n", "x".repeat(300));
    assert_eq!(shebang(long.as_bytes()), None);
    let by_env = |text: &str| {
        shebang(text.as_bytes()).and_then(|line| line.by_env().map(|name| name.to_owned()))
    };
    assert_eq!(by_env("#!/usr/bin/env python3\n"), Some("python3".into()));
    assert_eq!(by_env("#!/usr/bin/env -S node --x\n"), Some("node".into()));
    for unclear in ["#!/usr/bin/env -i sh\n", "#!/usr/bin/env A=b\n", "#!/bin/sh env\n"] {
        assert_eq!(by_env(unclear), None, "{unclear:?}");
    }
}

#[test]
fn arguments_the_kernel_would_refuse_are_refused_first() {
    let find =
        |program: &Program, process: &Process| find_in(Base::System, Vec::new(), program, process);
    let sh = || Program::executable("sh");
    let process = Process::default();
    refused(
        find(&sh().arg("a\0b"), &process),
        ErrorKind::InvalidPolicy,
        &["program.args[0]", "NUL"],
    );
    let named = Program::executable("s\0h");
    refused(find(&named, &process), ErrorKind::InvalidPolicy, &["`program`", "NUL"]);
    let huge = sh().arg("x").arg("x".repeat(3 << 20));
    refused(find(&huge, &process), ErrorKind::InvalidPolicy, &["program.args[1]", "3145728"]);
    let many = sh().args(vec!["x".repeat(1 << 10); 3 << 10]);
    refused(find(&many, &process), ErrorKind::InvalidPolicy, &["program.args", "1572864"]);
    let mut process = Process::default();
    process.env.insert("BIG".into(), "x".repeat(128 << 10));
    refused(find(&sh(), &process), ErrorKind::InvalidPolicy, &["process.env.BIG"]);
    let bytes = OsStr::from_bytes(b"\xff\xfe");
    find(&sh().arg(bytes), &Process::default()).expect("any bytes but NUL");
}

#[test]
fn nothing_of_the_host_is_changed_by_looking() {
    let tree = TempDir::tree();
    tree.file("tool", elf(None), 0o755);
    let before = fs::read_dir(tree.path("")).expect("readable").count();
    in_tree(&tree, "/tool").expect("a program");
    assert_eq!(fs::read_dir(tree.path("")).expect("readable").count(), before);
}
