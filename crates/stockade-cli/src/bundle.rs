//! `stockade run --bundle`.

use std::ffi::OsString;
use std::path::Path;

use stockade::oci::bundle::{Bundle, NoteKind, Options, RefusedFields};
use stockade::{Error, ErrorKind, ProgramSource, Result};

use crate::args::{Allowed, BackendArg, RunArgs};
use crate::exit;

/// Why a bundle that makes sense is not run as this command line has it.
#[derive(Debug, thiserror::Error)]
enum BundleError {
    #[error("{word:?} cannot stand in `process.args`, which is text")]
    NotText { word: OsString },
    #[error("the bundle's program is {found}, and `--backend` is for {asked}")]
    Backend { found: &'static str, asked: &'static str },
}

/// Reads a bundle, and says what of it opens a wall or is not enforced.
pub(crate) fn load(dir: &Path, args: &RunArgs) -> Result<Bundle> {
    let mut options = Options::default();
    args.bundle.allow.iter().for_each(|allowed| allowed.set(&mut options));
    // It is made read-only afterwards.
    options.writable_root_is_ephemeral |= args.policy.files.read_only;
    let text = |word: OsString| word.into_string().map_err(|word| BundleError::NotText { word });
    let words = args.words().into_iter().map(text).collect::<Result<_, _>>();
    options.args = words.map_err(|error| Error::new(ErrorKind::InvalidPolicy, error))?;
    let bundle = Bundle::load_with(dir, &options).map_err(advised)?;
    suits(&bundle.program.source, args.backend)?;
    for note in &bundle.notes {
        if matches!(note.kind, NoteKind::NotEnforced | NoteKind::Opened) {
            exit::say(&format!("note: {}: {}", note.path, note.reason));
        }
    }
    Ok(bundle)
}

/// A refusal, with the options by which some of what is refused would be accepted.
fn advised(error: Error) -> Error {
    let Some(RefusedFields { fields, .. }) = error.get_ref().downcast_ref() else { return error };
    let refused = |place: &str| fields.iter().any(|field| field.path == place);
    let names = Allowed::ALL.iter().filter(|(.., place)| refused(place)).map(|(_, name, _)| *name);
    match names.collect::<Vec<_>>().as_slice() {
        [] => error,
        names => {
            let hint = format!(
                "take these out of config.json, or accept what there is instead: `--allow {}`; nothing \
                 was started",
                names.join(",")
            );
            error.with_hint(hint)
        }
    }
}

/// Whether the backend that was asked for runs such a program.
fn suits(source: &ProgramSource, backend: BackendArg) -> Result<()> {
    let native = matches!(source, ProgramSource::Executable(_));
    let (found, asked) = match backend {
        BackendArg::Namespace if !native => ("a WebAssembly module", "native programs"),
        BackendArg::Wasm if native => ("native", "WebAssembly modules"),
        _ => return Ok(()),
    };
    let error = BundleError::Backend { found, asked };
    Err(Error::new(ErrorKind::Unsupported, error).with_hint("leave `--backend` out"))
}
