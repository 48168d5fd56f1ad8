//! A place that is spoken to by TLS: one that a registry sends on to, since one on the loopback never is.

use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};
use std::{env, fs};

use stockade_core::ErrorKind;
use stockade_oci::{Digest, Store};

use super::{Answer, Shelf, hasty, name};
use crate::made::{Scratch, skip, told};

/// Where this binary, run once more, finds a store and what to pull.
const HERE: &str = "STOCKADE_OCI_TEST_TLS";
/// Which certificates the machine trusts, to the library that reads them.
const TRUSTED: &str = "SSL_CERT_FILE";

/// Ended with this value.
struct Storage(Child);

impl Drop for Storage {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Makes a certificate that nobody has signed but itself.
fn certificate(directory: &Path) {
    let words = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout key.pem \
                 -out cert.pem -days 2 -subj /CN=localhost -addext subjectAltName=DNS:localhost \
                 -addext basicConstraints=critical,CA:FALSE";
    let words = words.split_whitespace();
    let made = Command::new("openssl").args(words).current_dir(directory).output();
    let made = made.expect("it runs");
    assert!(made.status.success(), "{made:?}");
}

/// Serves the files of a directory.
fn storage(directory: &Path) -> (Storage, u16) {
    // Somebody else may take the port in between; then it ends.
    let port =
        TcpListener::bind("127.0.0.1:0").and_then(|it| it.local_addr()).expect("a port").port();
    let child = Command::new("openssl")
        .args(["s_server", "-quiet", "-WWW", "-cert", "cert.pem", "-key", "key.pem"])
        .args(["-accept", &format!("127.0.0.1:{port}")])
        .current_dir(directory)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("it starts");
    let mut storage = Storage(child);
    let until = Instant::now() + Duration::from_secs(60);
    while TcpStream::connect(("127.0.0.1", port)).is_err() {
        let ended = storage.0.try_wait().expect("it can be asked");
        assert!(ended.is_none() && Instant::now() < until, "nobody listens: {ended:?}");
        thread::sleep(Duration::from_millis(20));
    }
    (storage, port)
}

/// Not a test, but what the one below runs.
#[test]
fn pulls_from_where_this_machine_trusts() {
    let Ok(text) = env::var(HERE) else { return };
    let (store, name) = text.split_once(' ').expect("two words");
    let store = Store::open(Path::new(store)).expect("a store");
    let mut options = hasty();
    options.stall = Duration::from_secs(30);
    match store.pull(&name.parse().expect("a name"), &options, &mut |_| {}) {
        Ok(image) => drop(store.root(&image).expect("it is whole")),
        Err(error) => panic!("{}", told(&error)),
    }
}

#[test]
fn who_is_not_trusted_is_not_asked() {
    if Command::new("openssl").arg("version").output().is_err() {
        return skip("openssl is not installed");
    }
    let scratch = Scratch::new();
    let directory = scratch.join("storage");
    fs::create_dir(&directory).expect("a directory");
    certificate(&directory);
    let (shelf, layer) = Shelf::simple(100_000);
    fs::write(directory.join("layer"), &layer).expect("a file");
    let (_storage, port) = storage(&directory);
    let digest = Digest::of(&layer).to_string();
    let server = shelf.serve_but(move |request, answer| {
        if request.path.ends_with(&digest) {
            let location = format!("https://localhost:{port}/layer");
            Answer::new(307, b"").header("Location", &location)
        } else {
            answer
        }
    });
    let again = |trusted: &Path| {
        Command::new(env::current_exe().expect("this binary"))
            .args(["--exact", "pull::tls::pulls_from_where_this_machine_trusts", "--nocapture"])
            .env(HERE, format!("{} {}", scratch.join("store").display(), name(&server)))
            .env(TRUSTED, trusted)
            .stdin(Stdio::null())
            .output()
            .expect("it runs once more")
    };
    // What this machine trusts is not this, whatever it is.
    let store = Store::open(&scratch.join("other")).expect("a store");
    let error = store.pull(&name(&server), &hasty(), &mut |_| {}).expect_err("it is not trusted");
    assert_eq!(error.kind(), ErrorKind::Io, "{}", told(&error));
    let text = told(&error);
    assert!(text.contains("ertificate") || text.contains("UnknownIssuer"), "{text}");

    let trusted = again(&directory.join("cert.pem"));
    assert!(trusted.status.success(), "{trusted:?}");
}
