//! Registries: ordinary ones, and such as lie, stall and break off.

mod access;
mod disk;
mod hostile;
mod ordinary;
mod real;
mod resume;
mod server;
mod tls;

use std::collections::BTreeMap;
use std::fs;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use stockade_core::{Error, ErrorKind};
use stockade_oci::{Digest, Image, Name, PullOptions, Store};

use crate::made::{CONFIG, INDEX, LAYER, MANIFEST, config, descriptor, tar, told};

use server::{Answer, Request, Server};

/// What a registry has, by the ends of addresses: `manifests/v1`, `blobs/sha256:…`.
#[derive(Debug, Clone, Default)]
struct Shelf(BTreeMap<String, (String, Vec<u8>)>);

impl Shelf {
    fn put(&mut self, at: String, media_type: &str, bytes: &[u8]) {
        self.0.insert(at, (media_type.to_owned(), bytes.to_owned()));
    }

    fn blob(&mut self, media_type: &str, bytes: &[u8]) -> Value {
        let descriptor = descriptor(media_type, bytes);
        self.put(format!("blobs/{}", Digest::of(bytes)), "application/octet-stream", bytes);
        descriptor
    }

    /// A manifest or an index, by its digest.
    fn document(&mut self, media_type: &str, document: &Value) -> Value {
        let bytes = document.to_string().into_bytes();
        self.put(format!("manifests/{}", Digest::of(&bytes)), media_type, &bytes);
        descriptor(media_type, &bytes)
    }

    fn tag(&mut self, tag: &str, descriptor: &Value) {
        let digest = descriptor["digest"].as_str().expect("a digest");
        let document = self.0[&format!("manifests/{digest}")].clone();
        self.0.insert(format!("manifests/{tag}"), document);
    }

    /// An image with these layers.
    fn image(&mut self, layers: &[&[u8]]) -> Value {
        let config = self.blob(CONFIG, config(layers).to_string().as_bytes());
        let layers: Vec<_> = layers.iter().map(|layer| self.blob(LAYER, layer)).collect();
        let manifest = json!({
            "schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": layers,
        });
        self.document(MANIFEST, &manifest)
    }

    fn index(&mut self, manifests: &[Value]) -> Value {
        let index = json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": manifests});
        self.document(INDEX, &index)
    }

    /// One image with one layer of some size, as `v1`, and that layer.
    fn simple(size: usize) -> (Self, Vec<u8>) {
        let mut shelf = Self::default();
        let layer = tar(&[("data", &noise(size))]);
        let image = shelf.image(&[&layer]);
        shelf.tag("v1", &image);
        (shelf, layer)
    }

    /// What an honest registry that knows ranges answers.
    fn answer(&self, request: &Request) -> Answer {
        let at = request.path.strip_prefix("/v2/team/app/").unwrap_or_default();
        let Some((media_type, bytes)) = self.0.get(at) else {
            let reason = r#"{"errors":[{"code":"MANIFEST_UNKNOWN","message":"no such thing"}]}"#;
            return Answer::new(404, reason.as_bytes()).header("Content-Type", "application/json");
        };
        let answer = match request.range() {
            Some(from) if from < bytes.len() => {
                let range = format!("bytes {from}-{}/{}", bytes.len() - 1, bytes.len());
                Answer::new(206, &bytes[from..]).header("Content-Range", &range)
            }
            Some(_) => Answer::new(416, b""),
            None => Answer::new(200, bytes),
        };
        answer.header("Content-Type", media_type)
    }

    /// A registry that is honest.
    fn serve(self) -> Server {
        Server::start(move |request| self.answer(request))
    }

    /// A registry that answers otherwise where this is so.
    fn serve_but(
        self,
        otherwise: impl Fn(&Request, Answer) -> Answer + Send + Sync + 'static,
    ) -> Server {
        let shelf = Arc::new(self);
        Server::start(move |request| otherwise(request, shelf.answer(request)))
    }
}

/// Bytes that no two halves of are alike.
fn noise(size: usize) -> Vec<u8> {
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[3]
    };
    std::iter::repeat_with(next).take(size).collect()
}

/// Options for those who do not want to wait.
fn hasty() -> PullOptions {
    let mut options = PullOptions::default();
    options.stall = Duration::from_millis(500);
    options.retries = 0;
    options
}

fn name(server: &Server) -> Name {
    format!("{}/team/app:v1", server.address).parse().expect("a name")
}

fn pull(store: &Store, server: &Server, options: &PullOptions) -> Result<Image, Error> {
    store.pull(&name(server), options, &mut |_| {})
}

/// Pulling fails like this, at a registry that is asked once.
#[track_caller]
fn fails(store: &Store, server: &Server, kind: ErrorKind, says: &[&str]) {
    let error = pull(store, server, &hasty()).expect_err("it is refused");
    let text = told(&error);
    assert_eq!(error.kind(), kind, "{text}");
    for says in says {
        assert!(text.contains(says), "{text:?} does not say {says:?}");
    }
    assert!(error.hint().is_some_and(|hint| !hint.is_empty()), "{text} has no hint");
    assert_eq!(store.list().expect("the store is whole"), []);
}

/// What is left in the store.
#[track_caller]
fn left(store: &Store) -> Vec<String> {
    let mut left = Vec::new();
    for directory in ["tmp", "blobs/sha256", "roots"] {
        for entry in fs::read_dir(store.path().join(directory)).expect("a directory of the store") {
            let name = entry.expect("an entry").file_name().to_string_lossy().into_owned();
            left.push(format!("{directory}/{name}"));
        }
    }
    left
}

/// The name of the part of a blob in a store.
fn part(blob: &[u8]) -> String {
    format!("tmp/part-sha256-{}", Digest::of(blob).hex())
}
