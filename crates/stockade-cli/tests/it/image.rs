//! Images: loaded, listed, removed, and run in.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use stockade_guests::{HELLO, PRINT_ARGS, PRINT_ENV, WRITE_FILE};

use crate::command::{Outcome, TempDir, run_command, stockade};

/// A store and a layout with one image.
struct Ground {
    dir: TempDir,
}

impl Ground {
    /// An image whose entrypoint prints its arguments.
    fn new() -> Self {
        Self::with("/bin/print_args", &["of", "the image"])
    }

    fn with(entrypoint: &str, cmd: &[&str]) -> Self {
        let ground = Self { dir: TempDir::new() };
        let layout = ground.dir.path().join("layout");
        fs::create_dir_all(layout.join("blobs/sha256")).expect("a directory");
        let blob = |bytes: &[u8], kind: &str| -> Value {
            let hex: String = Sha256::digest(bytes).iter().map(|b| format!("{b:02x}")).collect();
            fs::write(layout.join("blobs/sha256").join(&hex), bytes).expect("a blob");
            let kind = format!("application/vnd.oci.image.{kind}");
            json!({"mediaType": kind, "digest": format!("sha256:{hex}"), "size": bytes.len()})
        };
        let layer = layer();
        let layer = blob(&layer, "layer.v1.tar");
        let config = json!({
            "architecture": if cfg!(target_arch = "aarch64") { "arm64" } else { "amd64" },
            "os": "linux",
            "config": {
                "Entrypoint": [entrypoint],
                "Cmd": cmd,
                "Env": ["PATH=/bin", "COLOUR=blue"],
                "WorkingDir": "/srv",
            },
            "rootfs": {"type": "layers", "diff_ids": [layer["digest"]]},
        });
        let config = blob(config.to_string().as_bytes(), "config.v1+json");
        let manifest = json!({"schemaVersion": 2, "config": config, "layers": [layer]});
        let mut manifest = blob(manifest.to_string().as_bytes(), "manifest.v1+json");
        manifest["annotations"] = json!({"org.opencontainers.image.ref.name": "example/tools:v1"});
        let index = json!({"schemaVersion": 2, "manifests": [manifest]});
        fs::write(layout.join("index.json"), index.to_string()).expect("an index");
        fs::write(layout.join("oci-layout"), r#"{"imageLayoutVersion":"1.0.0"}"#)
            .expect("a version");
        ground
    }

    fn source(&self) -> String {
        format!("oci:{}", self.dir.path().join("layout").display())
    }

    fn call(&self, words: &[&str]) -> Outcome {
        let mut command = stockade();
        command.env("STOCKADE_IMAGES", self.dir.path().join("store"));
        command.args(words).stdin(Stdio::null()).output().expect("it starts").into()
    }

    fn run(&self, words: &[&str]) -> Outcome {
        let mut command = run_command();
        command.env("STOCKADE_IMAGES", self.dir.path().join("store"));
        command.args(words).stdin(Stdio::null()).output().expect("it starts").into()
    }
}

/// A tar of some guests in /bin, and one in /srv.
fn layer() -> Vec<u8> {
    let mut tar = tar::Builder::new(Vec::new());
    let mut put = |path: &str, mode: u32, kind, bytes: &[u8]| {
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(kind);
        header.set_mode(mode);
        header.set_size(bytes.len() as u64);
        tar.append_data(&mut header, path, bytes).expect("an entry");
    };
    for name in ["bin/", "srv/"] {
        put(name, 0o755, tar::EntryType::Directory, &[]);
    }
    for guest in [HELLO, PRINT_ARGS, PRINT_ENV, WRITE_FILE] {
        put(&format!("bin/{}", guest.name), 0o755, tar::EntryType::Regular, guest.image);
    }
    put("srv/here", 0o755, tar::EntryType::Regular, PRINT_ARGS.image);
    tar.into_inner().expect("an archive")
}

#[test]
fn a_program_runs_in_the_files_of_an_image() {
    let ground = Ground::new();
    let outcome = ground.run(&["--image", &ground.source()]);
    assert_eq!((outcome.code, outcome.stdout.as_str()), (0, "of\nthe image\n"), "{outcome:?}");
    // What is given takes the command's place, not the entrypoint's.
    let outcome = ground.run(&["--image", &ground.source(), "--", "given", "here"]);
    assert_eq!((outcome.code, outcome.stdout.as_str()), (0, "given\nhere\n"), "{outcome:?}");
}

#[test]
fn an_image_is_loaded_once_and_then_known_by_its_name() {
    let ground = Ground::new();
    let loaded = ground.call(&["image", "load", &ground.source()]);
    assert_eq!(loaded.code, 0, "{loaded:?}");
    let digest = loaded.stdout.trim().to_owned();
    assert!(digest.starts_with("sha256:"), "{loaded:?}");
    fs::remove_dir_all(ground.dir.path().join("layout")).expect("it is not needed any more");

    let listed = ground.call(&["image", "list", "--json"]);
    let listed: Value = serde_json::from_str(&listed.stdout).expect("JSON");
    let name = listed[0]["name"].as_str().expect("a name").to_owned();
    assert!(name.contains("example/tools:v1"), "{listed}");
    assert_eq!(listed[0]["digest"], digest);
    assert!(ground.call(&["image", "list"]).stdout.contains(&digest));

    let outcome = ground.run(&["--image", &name, "--env", "COLOUR=red", "--", "x"]);
    assert_eq!((outcome.code, outcome.stdout.as_str()), (0, "x\n"), "{outcome:?}");

    let removed = ground.call(&["image", "rm", &name]);
    assert_eq!(removed.code, 0, "{removed:?}");
    let gone = ground.run(&["--image", &name]);
    assert_eq!(gone.code, 125, "{gone:?}");
    assert!(gone.stderr.contains("hint: "), "{gone:?}");
    let store = ground.dir.path().join("store");
    for left in ["blobs/sha256", "roots", "tmp"] {
        let count = fs::read_dir(store.join(left)).expect("a directory").count();
        assert_eq!(count, 0, "{left} of {}", store.display());
    }
}

#[test]
fn the_image_gives_environment_and_directory_and_options_count_more() {
    let ground = Ground::with("/bin/print_env", &[]);
    let source = ground.source();
    let outcome = ground.run(&["--image", &source, "--env", "MORE=1"]);
    let lines: Vec<&str> = outcome.stdout.lines().collect();
    for line in ["PATH=/bin", "COLOUR=blue", "MORE=1"] {
        assert!(lines.contains(&line), "{line}: {outcome:?}");
    }
    let outcome = ground.run(&["--image", &source, "--env", "COLOUR=red"]);
    assert!(outcome.stdout.contains("COLOUR=red\n"), "{outcome:?}");
    assert!(!outcome.stdout.contains("blue"), "{outcome:?}");

    // A name without a slash is found by the image's PATH, one that is relative in its directory.
    let ground = Ground::with("print_args", &["found"]);
    assert_eq!(ground.run(&["--image", &ground.source()]).stdout, "found\n");
    let ground = Ground::with("./here", &["found"]);
    assert_eq!(ground.run(&["--image", &ground.source()]).stdout, "found\n");
    assert_eq!(ground.run(&["--image", &ground.source(), "--cwd", "/"]).code, 125);
}

/// The root directory of the only image that was loaded.
fn only_root(ground: &Ground) -> PathBuf {
    let root = fs::read_dir(ground.dir.path().join("store/roots")).expect("roots").next();
    root.expect("one").expect("it can be read").path().join("root")
}

#[test]
#[expect(clippy::print_stdout, reason = "the test runner counts what was skipped by its line")]
fn a_program_writes_to_the_files_of_an_image_and_they_stay_as_they_are() {
    // Else the root is copied, which takes more of `disk` than is given here.
    let known = fs::read_to_string("/proc/filesystems").expect("a file of the kernel's");
    if !known.lines().any(|line| line.split_whitespace().last() == Some("overlay")) {
        println!(
            "SKIP: image::a_program_writes_to_the_files_of_an_image_and_they_stay_as_they_are: this kernel \
             has no overlay filesystem"
        );
        return;
    }
    let ground = Ground::with("/bin/write_file", &["/bin/write_file", "10"]);
    let source = ground.source();
    let image = |words: &[&str]| ground.run(&[&["--image", &source], words].concat());
    let new = ["--", "/srv/new", "10"];
    for _ in 0..2 {
        let outcome = image(&new);
        assert_eq!(
            (outcome.code, outcome.stdout.as_str()),
            (0, "wrote 10 bytes\nwrite: ok\n"),
            "{outcome:?}"
        );
    }
    let root = only_root(&ground);
    assert!(!root.join("srv/new").exists());
    let outcome = image(&["--writable", "--", "/srv/new", "10"]);
    assert_eq!(outcome.code, 0, "{outcome:?}");
    let outcome = image(&["--read-only", "--", "/srv/new", "10"]);
    assert_eq!((outcome.code, outcome.stdout.as_str()), (3, "open: EROFS\n"), "{outcome:?}");
    // It is bounded, and said to be.
    let outcome = image(&["--disk", "64KiB", "--", "/srv/new", "100000"]);
    assert_eq!(outcome.code, 124, "{outcome:?}");
    assert!(outcome.stderr.contains("disk limit 64 KiB"), "{outcome:?}");
    let rootfs = root.to_str().expect("a name");
    let words = ["--rootfs", rootfs, "--writable", "--", "/bin/write_file", "/srv/new", "10"];
    assert_eq!(ground.run(&words).code, 0);
    assert!(!root.join("srv/new").exists());
    let outcome = ground.run(&["--writable", "--", "true"]);
    assert_eq!(outcome.code, 125, "{outcome:?}");
    assert!(outcome.stderr.contains("hint: "), "{outcome:?}");
}

#[test]
fn the_files_of_a_root_are_read_only_and_the_hosts_are_not_there() {
    let ground = Ground::new();
    let source = ground.source();
    let load = ground.call(&["image", "load", &source]);
    assert_eq!(load.code, 0, "{load:?}");
    let root = only_root(&ground);
    let rootfs = root.to_str().expect("a name");
    // The same directory by hand, where another program than the entrypoint can be named.
    for (path, code) in [("/bin/new", 3), ("/srv/new", 3), ("/tmp/new", 0), ("/etc/passwd", 3)] {
        let outcome = ground.run(&["--rootfs", rootfs, "--", "/bin/write_file", path, "10"]);
        assert_eq!(outcome.code, code, "{path}: {outcome:?}");
    }
    assert!(!Path::new(rootfs).join("bin/new").exists());
}

#[test]
fn what_does_not_go_together_is_refused() {
    let ground = Ground::new();
    let source = ground.source();
    for words in [
        &["--image", source.as_str(), "--rootfs", "/"][..],
        &["--image", &source, "--base", "empty"],
        &["--image", "oci:"],
        &["--image", "Not A Name"],
    ] {
        assert_eq!(ground.run(words).code, 2, "{words:?}");
    }
    let outcome = ground.run(&["--image", &source, "--backend", "wasm"]);
    assert_eq!(outcome.code, 125, "{outcome:?}");
    let outcome = ground.run(&["--image", "docker-archive:/nowhere.tar"]);
    assert_eq!(outcome.code, 125, "{outcome:?}");
    assert!(outcome.stderr.contains("/nowhere.tar"), "{outcome:?}");
}

/// Debian's registry, on the loopback; ended with this value.
struct Registry {
    child: Child,
    address: String,
}

impl Drop for Registry {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Registry {
    fn start(directory: &Path) -> Self {
        // Somebody else may take the port in between; then it says so and ends.
        let port = TcpListener::bind("127.0.0.1:0").and_then(|it| it.local_addr()).expect("a port");
        let address = port.to_string();
        let root = directory.join("registry");
        let config = format!(
            "version: 0.1\nlog: {{level: error}}\nstorage: {{filesystem: {{rootdirectory: {}}}}}\n\
             http: {{addr: \"{address}\"}}\n",
            root.display()
        );
        let file = directory.join("registry.yml");
        fs::write(&file, config).expect("a file");
        let child = Command::new("docker-registry")
            .arg("serve")
            .arg(&file)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("it starts");
        let mut registry = Self { child, address };
        let until = Instant::now() + Duration::from_secs(60);
        while TcpStream::connect(&registry.address).is_err() {
            let ended = registry.child.try_wait().expect("it can be asked");
            if ended.is_some() || Instant::now() > until {
                let mut said = String::new();
                if let Some(stderr) = &mut registry.child.stderr {
                    let _ = stderr.read_to_string(&mut said);
                }
                panic!("the registry does not listen: {ended:?} {said}");
            }
            thread::sleep(Duration::from_millis(20));
        }
        registry
    }
}

#[test]
#[expect(clippy::print_stdout, reason = "the runner counts these lines")]
fn an_image_is_pulled_from_a_registry_and_run() {
    for tool in ["docker-registry", "skopeo"] {
        if Command::new(tool).arg("--version").output().is_err() {
            println!(
                "SKIP: image::an_image_is_pulled_from_a_registry_and_run: {tool} is not installed"
            );
            return;
        }
    }
    let ground = Ground::new();
    let registry = Registry::start(ground.dir.path());
    let there = format!("{}/team/tools:v1", registry.address);
    let from = format!("{}:example/tools:v1", ground.source());
    let to = format!("docker://{there}");
    let words = ["--insecure-policy", "copy", "--quiet", "--dest-tls-verify=false", &from, &to];
    let pushed = Command::new("skopeo").args(words).output().expect("it runs");
    assert!(pushed.status.success(), "{pushed:?}");

    // A registry is asked when somebody says so, and not before.
    let early = ground.run(&["--image", &there]);
    assert_eq!(early.code, 125, "{early:?}");
    assert!(early.stderr.contains(&format!("stockade image pull {there}")), "{early:?}");

    let pulled = ground.call(&["image", "pull", &there]);
    assert_eq!(pulled.code, 0, "{pulled:?}");
    assert!(pulled.stdout.starts_with("sha256:"), "{pulled:?}");
    assert_eq!(pulled.stderr.lines().count(), 1, "a line for the layer: {pulled:?}");
    drop(registry);
    let outcome = ground.run(&["--image", &there]);
    assert_eq!((outcome.code, outcome.stdout.as_str()), (0, "of\nthe image\n"), "{outcome:?}");
}

#[test]
fn a_registry_that_refuses_is_told_of() {
    let ground = Ground::new();
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    // It wants a password, and has no such image.
    let server = thread::spawn(move || {
        let answers = ["401 No\r\nWWW-Authenticate: Basic realm=\"x\"", "404 No"];
        answers.map(|answer| {
            let (mut stream, _) = listener.accept().expect("somebody asks");
            let lines = BufReader::new(&stream).lines().map_while(Result::ok);
            let asked: Vec<_> = lines.take_while(|line| !line.is_empty()).collect();
            let text =
                format!("HTTP/1.1 {answer}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
            stream.write_all(text.as_bytes()).expect("somebody listens");
            asked.join("\n")
        })
    });
    let name = format!("{address}/team/app");
    let mut command = stockade();
    command.env("STOCKADE_IMAGES", ground.dir.path().join("store"));
    command.args(["image", "pull", &name, "--username", "me", "--password-stdin"]);
    let command = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("it starts");
    let mut input = child.stdin.take().expect("its input");
    input.write_all(b"pass:word\n").expect("it reads");
    drop(input);
    let outcome = Outcome::from(child.wait_with_output().expect("it ends"));
    assert_eq!(outcome.code, 125, "{outcome:?}");
    assert!(outcome.stderr.contains("404") && outcome.stderr.contains("hint: "), "{outcome:?}");
    let [first, second] = server.join().expect("it served");
    assert!(first.contains("/v2/team/app/manifests/latest"), "{first}");
    assert!(second.to_lowercase().contains("authorization: basic bwu6cgfzczp3b3jk"), "{second}");

    for words in [
        &["image", "pull"][..],
        &["image", "pull", "Not A Name"],
        &["image", "pull", "alpine", "--username", "me"],
        &["image", "pull", "alpine", "--password-stdin"],
    ] {
        assert_eq!(ground.call(words).code, 2, "{words:?}");
    }
}
