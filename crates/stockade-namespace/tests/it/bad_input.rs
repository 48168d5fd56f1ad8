//! Bad input: a typed error that names the thing, with a hint, before anything runs and with
//! nothing left behind.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::time::Duration;

use stockade_conformance::{Job, Scratch};
use stockade_core::{Base, Bytes, ErrorKind, Mount, Program};
use stockade_guests as guests;

use crate::alone::alone;
use crate::machine::{Subject, cgroups, descendants, soon, subject};

/// What is wrong, the error's kind, and what its message names.
type Case<'a> = (Job<'a>, ErrorKind, &'static str);

fn table<'a>(subject: &'a Subject, scratch: &Scratch) -> Vec<Case<'a>> {
    let script = scratch.file("script", "#!/no/such/interpreter\n");
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).expect("its owner may");
    let plain = scratch.file("plain", "no executable");
    let tree = scratch.dir("tree");
    let link = scratch.path().join("link");
    symlink(&tree, &link).expect("a link can be made");

    let job = || Job::new(subject, &guests::HELLO);
    let program = |path: &str| {
        let mut job = job().mount(Mount::read_only(scratch.path(), "/data"));
        job.program = Program::executable(path);
        job
    };
    let target = |target: &str| job().mount(Mount::tmpfs(target, None));
    let missing = scratch.path().join("missing");
    use ErrorKind::{InvalidPolicy, NotFound, PermissionDenied};
    vec![
        (program("/data/nobody"), NotFound, "/data/nobody"),
        (program("no-such-program"), NotFound, "no-such-program"),
        (program("/data/tree"), InvalidPolicy, "/data/tree"),
        (program("/data/script"), NotFound, "/no/such/interpreter"),
        (
            program(&format!("/data/{}", plain.file_name().unwrap_or_default().display())),
            PermissionDenied,
            "/data/plain",
        ),
        (program(""), InvalidPolicy, "program"),
        (job().mount(Mount::read_only(&missing, "/gone")), NotFound, "missing"),
        (job().mount(Mount::read_write("/proc/self", "/p")), InvalidPolicy, "/proc/self"),
        (target("/a/../b"), InvalidPolicy, "/a/../b"),
        (target("/a\0b"), InvalidPolicy, "target"),
        (target("relative"), InvalidPolicy, "relative"),
        (target("/proc/self"), InvalidPolicy, "/proc/self"),
        (job().policy(|p| p.filesystem.base = Base::Rootfs(link.clone())), InvalidPolicy, "link"),
        (job().policy(|p| p.filesystem.base = Base::Rootfs(missing.clone())), NotFound, "missing"),
        (job().policy(|p| p.limits.memory = Bytes(1).into()), InvalidPolicy, "limits.memory"),
        (
            job().policy(|p| p.limits.wall_time = Duration::ZERO.into()),
            InvalidPolicy,
            "limits.wall_time",
        ),
        (job().policy(|p| p.process.cwd = "/no/where".to_owned()), NotFound, "/no/where"),
        (job().args(["x".repeat(3 << 20)]), InvalidPolicy, "program.args"),
        (job().args(vec!["y".repeat(1000); 3000]), InvalidPolicy, "program.args"),
        (job().args(["a\0b"]), InvalidPolicy, "program.args"),
    ]
}

/// What there is of this process and its warden.
fn traces(warden: u32) -> (usize, usize, usize, usize, usize) {
    let count = |path: &str| fs::read_dir(path).expect("it can be read").count();
    let mounts = fs::read_to_string("/proc/self/mountinfo").expect("/proc is mounted");
    (
        descendants(warden).len(),
        cgroups(std::process::id()).len(),
        count("/proc/self/fd"),
        fs::read_dir(std::env::temp_dir()).expect("it can be read").count(),
        mounts.lines().count(),
    )
}

#[test]
fn bad_input_is_named_and_leaves_nothing_behind() {
    let Some(subject) = subject() else { return };
    alone(module_path!(), "bad_input_is_named_and_leaves_nothing_behind", || {
        let scratch = Scratch::new();
        let warden = subject.backend().warden_id().expect("there is a warden");
        let before = traces(warden);
        for (job, kind, name) in table(&subject, &scratch) {
            let error = job.try_prepare().err().unwrap_or_else(|| panic!("{name} is accepted"));
            assert_eq!(error.kind(), kind, "{error}");
            assert!(error.to_string().contains(name), "{error} does not name {name}");
            assert!(error.to_string().len() < 1000, "{error}");
            assert!(error.hint().is_some_and(|hint| !hint.is_empty()), "{error} has no hint");
        }
        assert!(soon(|| traces(warden) == before), "{:?}, before {before:?}", traces(warden));
        let census = subject.backend().census().expect("the warden answers");
        assert_eq!((census.runs, census.plans), (0, 0), "{census:?}");
        assert!(Job::new(&subject, &guests::HELLO).run().verdict.success());
    });
}
