mod cases;
mod choices;
mod defaults;
mod hostile;
mod list;
mod manual;
mod runtime;
mod schema;
mod values;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::{Value, json};
use stockade_core::{Error, ErrorKind};

use super::*;

/// A directory that is removed with the value, with an empty root.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("stockade-bundle-{}-{number}", std::process::id());
        let dir = std::env::temp_dir().join(name);
        fs::create_dir_all(dir.join("rootfs")).expect("there is room for a directory");
        Self(fs::canonicalize(dir).expect("it was made"))
    }

    fn load(&self, config: &Value) -> Result<Bundle> {
        Bundle::from_config(&config.to_string(), &self.0)
    }

    fn load_with(&self, config: &Value, options: &Options) -> Result<Bundle> {
        Bundle::from_config_with(&config.to_string(), &self.0, options)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// The smallest config that is accepted without a note.
fn smallest() -> Value {
    json!({
        "ociVersion": "1.0.2",
        "process": { "cwd": "/", "args": ["/bin/true"] },
        "root": { "path": "rootfs", "readonly": true },
        "linux": { "namespaces": [{ "type": "network" }] },
    })
}

/// The smallest config, with a value at a place such as `process.rlimits[0].type`. What is missing on the
/// way is made.
fn with(place: &str, value: Value) -> Value {
    let mut config = smallest();
    put(&mut config, place, value);
    config
}

fn put(config: &mut Value, place: &str, value: Value) {
    let place = place.replace("[]", "[0]");
    let mut here = config;
    for part in place.split('.') {
        let (name, index) = match part.strip_suffix(']').and_then(|part| part.split_once('[')) {
            Some((name, index)) => (name, index.parse::<usize>().ok()),
            None => (part, None),
        };
        if !here.is_object() {
            *here = json!({});
        }
        here = &mut here[name];
        if let Some(index) = index {
            if !here.is_array() {
                *here = json!([]);
            }
            let list = here.as_array_mut().expect("it was made a list");
            while list.len() <= index {
                list.push(json!({}));
            }
            here = &mut list[index];
        }
    }
    *here = value;
}

fn refusals(error: &Error) -> Vec<Refusal> {
    error.get_ref().downcast_ref::<RefusedFields>().map_or(vec![], |refused| refused.fields.clone())
}

#[track_caller]
fn refused(result: Result<Bundle>) -> Vec<String> {
    let error = result.expect_err("it asks for what is not done");
    assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
    assert!(error.hint().is_some());
    refusals(&error).into_iter().map(|refusal| refusal.path).collect()
}

#[track_caller]
fn accepted(result: Result<Bundle>) -> Bundle {
    result.unwrap_or_else(|error| panic!("{error}: {:?}", error.get_ref()))
}

#[track_caller]
fn noted(bundle: &Bundle, path: &str, kind: NoteKind) {
    let has = bundle.notes.iter().any(|note| note.path == path && note.kind == kind);
    assert!(has, "{path} {kind:?} in {:#?}", bundle.notes);
}
