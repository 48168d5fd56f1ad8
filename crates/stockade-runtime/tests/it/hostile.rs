//! Images and configurations that mean harm to the host.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use serde_json::json;

use crate::container::Container;
use crate::runtime::{
    TempDir, binary, cannot_run, cannot_run_as_root, finish, is_not_ours, is_stockade,
};

/// A directory of the host's with a file in it, which must stay as it is.
struct Sentinel(TempDir);

impl Sentinel {
    fn new() -> Self {
        let dir = TempDir::new();
        fs::write(dir.path().join("secret"), "secret\n").expect("a file");
        Self(dir)
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    #[track_caller]
    fn assert_untouched(&self, after: &str) {
        let entries = fs::read_dir(self.path()).expect("it is there");
        let names: Vec<_> = entries.map(|entry| entry.expect("an entry").file_name()).collect();
        assert_eq!(names, ["secret"], "{after}");
        let secret = fs::read_to_string(self.path().join("secret")).expect("it is there");
        assert_eq!(secret, "secret\n", "{after}");
    }
}

/// Puts a link in the place of something in the root.
fn link(container: &Container, place: &str, target: &Path) {
    let place = container.bundle.root(place);
    let _ = fs::remove_dir_all(&place);
    let _ = fs::remove_file(&place);
    symlink(target, place).expect("a link");
}

/// CVE-2021-30465, CVE-2019-19921 and their like: places of the image where something is mounted are
/// links to the host.
#[test]
fn links_in_the_image_lead_nowhere_outside_it() {
    if cannot_run() {
        return;
    }
    // Others follow the first, to make what belongs into /dev.
    let first = usize::from(!is_stockade());
    for place in &["dev", "proc", "sys", "tmp", "etc", "root"][first..] {
        let sentinel = Sentinel::new();
        let mut container = Container::script("touch /root/new /tmp/new /etc/new /dev/new");
        fs::create_dir(container.file("source")).expect("a directory");
        for target in ["/root/in", "/tmp/deep/in", "/etc"] {
            let source = container.file("source");
            let mount = json!({"destination": target, "source": source, "options": ["bind"]});
            container.bundle.set("/mounts/-", mount);
        }
        let scratch = json!({"destination": "/tmp/scratch", "type": "tmpfs", "source": "tmpfs"});
        container.bundle.set("/mounts/-", scratch);
        link(&container, place, sentinel.path());
        // Refused or not, nothing is written or mounted there.
        if container.create().code == 0 {
            container.on(&["start"]);
            container.wait();
        }
        container.on(&["delete", "--force"]).ok();
        sentinel.assert_untouched(place);
        assert_eq!(crate::runtime::mounts_below(sentinel.path()), Vec::<std::path::PathBuf>::new());
        container.assert_gone();
    }
}

/// As above, with links that climb: `..` ends at the container's root.
#[test]
fn links_that_climb_end_at_the_root() {
    if cannot_run() {
        return;
    }
    let sentinel = Sentinel::new();
    let mut container = Container::script("true");
    let up = "../".repeat(12);
    let target = format!("{up}{}", sentinel.path().display());
    link(&container, "data", Path::new(&target));
    let scratch = json!({"destination": "/data/scratch", "type": "tmpfs", "source": "tmpfs"});
    container.bundle.set("/mounts/-", scratch);
    if container.create().code == 0 {
        container.on(&["start"]);
        container.wait();
    }
    container.on(&["delete", "--force"]).ok();
    sentinel.assert_untouched("a link that climbs");
}

/// CVE-2019-16884, CVE-2025-31133: what is masked is not what the image has put there, and what is put
/// there is not masked elsewhere.
#[test]
fn masks_are_put_on_the_kernels_files_and_not_on_what_links_to_them() {
    if cannot_run() {
        return;
    }
    let sentinel = Sentinel::new();
    let mut container =
        Container::script("cat /proc/kcore | wc -c; read name < /proc/1/comm; echo $name");
    link(&container, "etc/secret", &sentinel.path().join("secret"));
    link(&container, "dev/null", &sentinel.path().join("secret"));
    container.bundle.set("/linux/maskedPaths/-", json!("/etc/secret"));
    let made = container.create().code == 0;
    if made {
        container.on(&["start"]).ok();
        container.wait();
        assert_eq!(container.stdout(), "0\nsh\n");
    }
    container.on(&["delete", "--force"]).ok();
    sentinel.assert_untouched("masks");
}

/// CVE-2019-5736: the program of a container is the runtime itself, opened for writing.
#[test]
fn the_runtime_is_not_written_over_from_inside() {
    if cannot_run() {
        return;
    }
    let before = fs::read(binary()).expect("it is there");
    let mut container = Container::script("true");
    let entry = container.bundle.root("entry");
    fs::write(&entry, "#!/proc/self/exe\n").expect("a file");
    fs::set_permissions(&entry, fs::Permissions::from_mode(0o755)).expect("its mode");
    container.bundle.set("/process/args", json!(["/entry"]));
    if container.create().code == 0 {
        container.on(&["start"]);
        container.wait();
    }
    assert!(fs::read(binary()).expect("it is there") == before);
    container.on(&["delete", "--force"]).ok();

    // The same by exec, while a process inside tries to open what enters.
    let script = "while :; do for exe in /proc/[0-9]*/exe; do (: >> $exe) 2>/dev/null; done; done";
    let mut container = Container::script(script);
    container.started();
    for _ in 0..20 {
        let mut command = container.runtime();
        command.args(["exec", &container.id, "true"]).env_clear();
        finish(&mut command).ok();
    }
    assert!(fs::read(binary()).expect("it is there") == before);
}

/// CVE-2024-21626: a descriptor of the host's that is still open is the working directory.
#[test]
fn no_working_directory_leads_through_a_descriptor_of_the_runtimes() {
    if cannot_run() || is_not_ours() {
        return;
    }
    for number in 3..32 {
        let mut container = Container::script("cat ../../../../../../../../etc/hostname; ls -a");
        let cwd = format!("/proc/self/fd/{number}");
        container.bundle.set("/process/cwd", json!(cwd));
        assert_ne!(container.create().code, 0, "{cwd}");
        container.assert_gone();
    }
    let mut container = Container::script("sleep 1000");
    container.started();
    for number in 3..32 {
        let mut command = container.runtime();
        let cwd = format!("/proc/self/fd/{number}");
        command.args(["exec", "--cwd", &cwd, &container.id, "true"]);
        assert_ne!(container.run_with_files(&mut command).code, 0, "{cwd}");
    }
}

/// The same in the way of the links: the descriptor is reached by a link of the image's.
#[test]
fn no_program_has_a_descriptor_that_it_was_not_given() {
    if cannot_run() || is_not_ours() {
        return;
    }
    let sentinel = Sentinel::new();
    let secret = sentinel.path().join("secret");
    let leaky = |container: &Container, words: &[&str]| {
        let mut command = std::process::Command::new("sh");
        let script = "exec 7<\"$1\"; exec 9<\"$2\"; shift 2; exec \"$@\"";
        command.args(["-c", script, "sh"]).arg(&secret).arg(sentinel.path());
        command.arg(binary()).arg("--root").arg(container.state_root());
        command.args(words).current_dir(container.bundle.path());
        container.run_with_files(&mut command)
    };
    let container = Container::new(&["ls", "/proc/self/fd"]);
    container.bundle.write();
    let outcome = leaky(&container, &["run", &container.id]).ok();
    // The last is the directory that `ls` reads.
    assert_eq!(outcome.text(), "0\n1\n2\n3");
    let container = Container::sleeping();
    let outcome = leaky(&container, &["exec", &container.id, "ls", "/proc/self/fd"]).ok();
    assert_eq!(outcome.text(), "0\n1\n2\n3");
    assert_eq!(fs::read_dir(container.proc("fd")).expect("descriptors").count(), 3);
}

/// CVE-2016-9962: who is inside may not look into what enters.
#[test]
fn a_process_inside_cannot_trace_what_exec_brings() {
    if cannot_run() || is_not_ours() {
        return;
    }
    let script = "while :; do for pid in /proc/[0-9]*; do ls -l $pid/fd $pid/cwd 2>/dev/null; \
        done | grep -v -E '/proc|pipe|/dev|^total|/std(out|err)$' | grep -E '/home|/root|/usr|state'; done";
    let mut container = Container::script(script);
    container.started();
    for _ in 0..20 {
        let mut command = container.runtime();
        command.args(["exec", &container.id, "true"]);
        finish(&mut command).ok();
    }
    assert!(!container.stdout().contains("stockade"), "{}", container.stdout());
}

/// A fork bomb is ended by force, whatever it does meanwhile.
#[test]
fn a_fork_bomb_is_deleted_by_force() {
    if cannot_run_as_root() {
        return;
    }
    for namespace in [true, false] {
        let script = "bomb() { bomb & bomb & wait; }; while :; do (bomb) 2>/dev/null; done";
        let mut container =
            Container::script(script).set("/linux/resources/pids", json!({"limit": 100}));
        if !namespace {
            container.bundle.without_namespace("pid");
        }
        container.started();
        std::thread::sleep(std::time::Duration::from_millis(100));
        crate::container::until("force deletes it", || {
            container.on(&["delete", "--force"]).code == 0
        });
        container.wait();
        container.assert_gone();
    }
}

/// A kernel's file that the container shares with the host cannot be written.
#[test]
fn settings_of_the_host_are_read_only() {
    if cannot_run() {
        return;
    }
    let script = "for file in /proc/sys/kernel/core_pattern /proc/sysrq-trigger /sys/kernel/uevent_helper \
        /sys/kernel/mm/ksm/run; do test -e $file && (echo x > $file) 2>/dev/null && echo $file; done; true";
    let before = fs::read("/proc/sys/kernel/core_pattern").expect("it is there");
    assert_eq!(Container::script(script).says(), "");
    assert_eq!(fs::read("/proc/sys/kernel/core_pattern").expect("it is there"), before);
}
