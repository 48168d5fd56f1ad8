//! `stockade image`, and the image of `stockade run --image`.

use std::collections::{HashMap, HashSet};
use std::env;
use std::io::{self, BufRead, IsTerminal, Write};

use comfy_table::{Table, TableStyle};
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use stockade::oci::{Credentials, Entry, Image, Progress, PullOptions, Root, Source, Store};
use stockade::{Bytes, Error, ErrorKind, Result};

use crate::args::{BackendArg, ImageCommand, PullArgs, RunArgs};
use crate::backend::Choice;
use crate::exit::{self, Exit};

/// Does what the subcommand says, and shows it.
pub(crate) fn image(command: &ImageCommand) -> Result<Exit, Exit> {
    let text = attempt(command).map_err(|error| exit::failed(&error))?;
    io::stdout().write_all(text.as_bytes()).map_err(exit::output)?;
    Ok(Exit::SUCCESS)
}

fn attempt(command: &ImageCommand) -> Result<String> {
    let store = store()?;
    match command {
        ImageCommand::Load { source } => {
            let image = load(&store, source)?;
            // What the first run would wait for.
            store.root(&image)?;
            Ok(format!("{}\n", image.digest()))
        }
        ImageCommand::Pull(args) => {
            let image = pull(&store, args)?;
            store.root(&image)?;
            Ok(format!("{}\n", image.digest()))
        }
        ImageCommand::List { json: true } => {
            let text = serde_json::to_string_pretty(&store.list()?);
            Ok(text.map_err(|error| Error::new(ErrorKind::Internal, error))? + "\n")
        }
        ImageCommand::List { json: false } => Ok(table(&store.list()?)),
        ImageCommand::Rm { names } => {
            for name in names {
                store.remove(name)?;
            }
            let freed = store.collect_garbage()?;
            Ok(format!("removed {}, freed {} bytes\n", names.len(), freed.bytes))
        }
    }
}

/// This user's images.
fn store() -> Result<Store> {
    Store::open(&Store::default_dir(|variable| env::var_os(variable))?)
}

fn table(entries: &[Entry]) -> String {
    let mut table = Table::new();
    table.load_style(TableStyle::new()).set_header(["name", "size", "digest"]);
    for Entry { name, digest, size, .. } in entries {
        let size = size.map_or_else(|| "?".to_owned(), |size| Bytes(size).to_string());
        table.add_row([name.to_string(), size, digest.to_string()]);
    }
    format!("{table}\n")
}

/// Finds or loads an image, and unpacks it unless it was before.
pub(crate) fn root(source: &Source) -> Result<Root> {
    let store = store()?;
    store.root(&load(&store, source)?)
}

/// What runs of it: the image's own command, or what is given for it.
pub(crate) fn program(root: &Root, args: &RunArgs) -> Result<Choice> {
    if args.backend == BackendArg::Wasm {
        let hint = "leave --backend out, or give the module itself";
        return Err(Error::new(ErrorKind::Unsupported, NativeOnly).with_hint(hint));
    }
    Ok(root.program(&args.words())?.into())
}

/// An image was to be run by the backend for modules.
#[derive(Debug, thiserror::Error)]
#[error("programs of images are run behind namespaces alone")]
struct NativeOnly;

/// Loads an image, with a bar for each part of it if somebody watches.
fn load(store: &Store, source: &Source) -> Result<Image> {
    if !io::stderr().is_terminal() {
        return store.load(source, &mut |_| {});
    }
    let mut bars = Bars::new();
    store.load(source, &mut |progress| bars.show(progress))
}

/// Pulls an image, with bars if somebody watches, else with a line for each part that is there.
fn pull(store: &Store, args: &PullArgs) -> Result<Image> {
    let mut options = PullOptions::default();
    options.plain_http = args.plain_http;
    options.credentials = match &args.username {
        Some(username) => Some(Credentials {
            username: username.clone(),
            password: password(io::stdin().lock())?,
        }),
        None => Credentials::of_docker(&args.name, |variable| env::var_os(variable))?,
    };
    if io::stderr().is_terminal() {
        let mut bars = Bars::new();
        return store.pull(&args.name, &options, &mut |progress| bars.show(progress));
    }
    let mut said = HashSet::new();
    store.pull(&args.name, &options, &mut |Progress { blob, done, size, .. }| {
        if done == size && said.insert(blob.to_owned()) {
            exit::say(&format!("{blob}: {}", Bytes(size)));
        }
    })
}

/// Most bytes that a password may have.
const LONGEST_PASSWORD: u64 = 64 << 10;

/// The first line of what is read.
fn password(from: impl BufRead) -> Result<String> {
    let mut line = String::new();
    from.take(LONGEST_PASSWORD).read_line(&mut line).map_err(|error| {
        Error::new(ErrorKind::Io, error).with_hint("a password is a line of text")
    })?;
    let line = line.trim_end_matches(['\n', '\r']);
    if line.is_empty() {
        let hint = "write it to standard input: stockade image pull ... < file";
        return Err(Error::new(ErrorKind::InvalidPolicy, NoPassword).with_hint(hint));
    }
    Ok(line.to_owned())
}

#[derive(Debug, thiserror::Error)]
#[error("standard input holds no password")]
struct NoPassword;

/// A bar for each part of an image, and one for the whole. They are gone when this value is.
struct Bars {
    all: MultiProgress,
    whole: ProgressBar,
    parts: HashMap<String, ProgressBar>,
}

impl Bars {
    fn new() -> Self {
        let all = MultiProgress::with_draw_target(ProgressDrawTarget::stderr());
        let whole = all.add(bar("all", 0));
        Self { all, whole, parts: HashMap::new() }
    }

    fn show(&mut self, Progress { blob, done, size, .. }: Progress<'_>) {
        let part = self.parts.entry(blob.to_owned()).or_insert_with(|| {
            self.whole.inc_length(size);
            self.all.insert_before(&self.whole, bar(blob, size))
        });
        part.set_position(done);
        self.whole.set_position(self.parts.values().map(ProgressBar::position).sum());
    }
}

impl Drop for Bars {
    fn drop(&mut self) {
        // A terminal that cannot be cleared has more to show than it needs, and nothing else.
        let _ = self.all.clear();
    }
}

fn bar(blob: &str, size: u64) -> ProgressBar {
    let bar = ProgressBar::new(size);
    // A template that cannot be read leaves the one of the library.
    if let Ok(style) = ProgressStyle::with_template("{msg:20} {wide_bar} {bytes}/{total_bytes}") {
        bar.set_style(style);
    }
    // Enough of a digest to tell one from another.
    let name = blob.rsplit(':').next().unwrap_or(blob);
    bar.with_message(name.chars().take(20).collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::password;

    #[test]
    fn a_password_is_a_line() {
        for (text, found) in [("secret\nmore\n", "secret"), ("a b\r\n", "a b"), ("end", "end")] {
            assert_eq!(password(text.as_bytes()).expect("a password"), found);
        }
        for text in [&b""[..], b"\n", b"\xff\n"] {
            password(text).expect_err("it is none");
        }
    }
}
