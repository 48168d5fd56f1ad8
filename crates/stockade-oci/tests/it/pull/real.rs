//! Debian's registry, which is Docker's.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use stockade_oci::Name;

use super::hasty;
use crate::made::Scratch;
use crate::tools::{busybox, has, run};

/// Ended with this value.
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
    fn start(scratch: &Scratch) -> Self {
        // Somebody else may take the port in between; then it says so and ends.
        let port = TcpListener::bind("127.0.0.1:0").and_then(|it| it.local_addr()).expect("a port");
        let address = format!("127.0.0.1:{}", port.port());
        let root = scratch.join("registry");
        let config = format!(
            "version: 0.1\nlog: {{level: error}}\nstorage: {{filesystem: {{rootdirectory: {}}}}}\n\
             http: {{addr: \"{address}\"}}\n",
            root.display()
        );
        let file = scratch.join("registry.yml");
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
        registry.wait();
        registry
    }

    fn wait(&mut self) {
        let until = Instant::now() + Duration::from_secs(60);
        while std::net::TcpStream::connect(&self.address).is_err() {
            let ended = self.child.try_wait().expect("it can be asked");
            if ended.is_some() || Instant::now() > until {
                let said = self.child.stderr.take().map(BufReader::new).into_iter();
                let said: Vec<_> =
                    said.flat_map(|said| said.lines().map_while(Result::ok)).collect();
                panic!("the registry does not listen: {ended:?} {said:?}");
            }
            thread::sleep(Duration::from_millis(20));
        }
    }
}

/// Which one this is.
fn version() -> String {
    let output = Command::new("docker-registry").arg("--version").output().expect("it runs");
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

#[test]
#[expect(clippy::print_stdout, reason = "a test names the registry that it ran with")]
fn an_image_that_skopeo_pushed_is_pulled_from_debians_registry() {
    if !has(&["docker-registry", "umoci", "skopeo"]) {
        return;
    }
    println!("with {}", version());
    let scratch = Scratch::new();
    let layout = format!("oci:{}", busybox(&scratch));
    let registry = Registry::start(&scratch);
    let there = format!("docker://{}/team/app:v1", registry.address);
    run(
        "skopeo",
        &["--insecure-policy", "copy", "--quiet", "--dest-tls-verify=false", &layout, &there],
    );
    let store = scratch.store();
    let name: Name = format!("{}/team/app:v1", registry.address).parse().expect("a name");
    let mut options = hasty();
    options.stall = Duration::from_secs(30);
    let pulled = store.pull(&name, &options, &mut |_| {}).expect("it is pulled");
    let loaded = store.load(&layout.parse().expect("a source"), &mut |_| {}).expect("it is loaded");
    assert_eq!(pulled, loaded);
    let root = store.root(&pulled).expect("it is unpacked");
    let greeting = fs::read_to_string(root.path().join("etc/greeting")).expect("the upper layer");
    assert_eq!(greeting, "hello");

    // By its digest, and from the middle of a layer on.
    let other = stockade_oci::Store::open(&scratch.join("other")).expect("a store");
    let layer = &pulled.layers[0].descriptor;
    let blob = store.path().join("blobs/sha256").join(layer.digest.hex());
    let blob = fs::read(blob).expect("a layer");
    let half = &blob[..blob.len() / 2];
    fs::write(other.path().join(super::part(&blob)), half).expect("a part");
    let pinned: Name =
        format!("{}/team/app@{}", registry.address, pulled.digest()).parse().expect("a name");
    let (mut least, digest) = (u64::MAX, layer.digest.to_string());
    let again = other.pull(&pinned, &options, &mut |progress| {
        if progress.blob == digest && progress.done > 0 {
            least = least.min(progress.done);
        }
    });
    assert_eq!(again.expect("it is pulled"), pulled);
    assert_eq!(least, half.len() as u64, "it went on from there");
    other.root(&pulled).expect("it is whole");

    let missing = format!("{}/team/app:v2", registry.address).parse().expect("a name");
    let error = store.pull(&missing, &options, &mut |_| {}).expect_err("there is none");
    assert_eq!(error.kind(), stockade_core::ErrorKind::NotFound, "{error}");
}
