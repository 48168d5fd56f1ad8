//! `stockade bench`: isolation modes side by side on this machine, as a table, as JSON and as a page.

mod screen;

use std::fs;
use std::io::{self, IsTerminal, Write};
use std::path::Path;

use indicatif::{ProgressBar, ProgressStyle};
use stockade::bench::{self, Options, Progress, Results, Stopped};
use stockade::{Error, ErrorKind};

use crate::args::BenchArgs;
use crate::exit::{self, Exit};
use crate::interrupt::{self, Interrupts};

/// A file that cannot be written.
#[derive(Debug, thiserror::Error)]
#[error("cannot write {path}")]
struct FileError {
    path: String,
    source: io::Error,
}

/// Measures, and shows what was found.
pub(crate) fn bench(args: &BenchArgs) -> Result<Exit, Exit> {
    let interrupts =
        Interrupts::listen().map_err(|error| exit::failed(&Error::new(ErrorKind::Io, error)))?;
    let watcher = Watcher { bar: bar(), interrupts };
    if io::stderr().is_terminal() {
        let time = if args.quick { "less than half a minute" } else { "two to six minutes" };
        let long = if args.long { ", and minutes more to run so often" } else { "" };
        exit::say(&format!(
            "measuring takes {time}{long}; the machine should have nothing else to do"
        ));
    }
    let outcome = bench::measure(&options(args), &watcher);
    watcher.bar.finish_and_clear();
    let results = match outcome {
        Ok(results) => results,
        Err(Stopped) => {
            let signal = watcher.interrupts.signal().unwrap_or(2);
            exit::say(&format!("interrupted by {}", interrupt::name(signal)));
            return Err(Exit::signal(signal));
        }
    };
    show(args, &results)?;
    let measured = results.modes.iter().any(|mode| !mode.wall_ns.is_empty());
    Ok(if measured { Exit::SUCCESS } else { Exit::FAILED })
}

fn options(args: &BenchArgs) -> Options {
    let mut options = Options::default();
    options.quick = args.quick;
    options.long = args.long;
    options.rounds = args.rounds;
    options.vm_kernel.clone_from(&args.vm_kernel);
    options.tool.clone_from(&args.tool);
    options.command = "stockade bench".to_owned();
    if args.quick {
        options.command.push_str(" --quick");
    }
    if args.long {
        options.command.push_str(" --long");
    }
    if let Some(rounds) = args.rounds {
        options.command.push_str(&format!(" --rounds {rounds}"));
    }
    if let Some(kernel) = &args.vm_kernel {
        options.command.push_str(&format!(" --vm-kernel {}", kernel.display()));
    }
    options
}

fn show(args: &BenchArgs, results: &Results) -> Result<(), Exit> {
    let json = || serde_json::to_string_pretty(results).map_err(|error| exit::output(error.into()));
    let is_output = |file: &Path| file.as_os_str() == "-";
    let to_output = [&args.json, &args.html].into_iter().flatten().any(|file| is_output(file));
    if let Some(file) = &args.html {
        write(file, &bench::page(results))?;
    }
    if let Some(file) = &args.json {
        write(file, &(json()? + "\n"))?;
    }
    if to_output { Ok(()) } else { print(&(screen::render(results) + "\n")) }
}

fn print(text: &str) -> Result<(), Exit> {
    io::stdout().write_all(text.as_bytes()).map_err(exit::output)
}

fn write(file: &Path, text: &str) -> Result<(), Exit> {
    if file.as_os_str() == "-" {
        return print(text);
    }
    fs::write(file, text).map_err(|source| {
        let path = file.display().to_string();
        exit::failed(&Error::new(ErrorKind::Io, FileError { path, source }))
    })
}

/// How far it is, for a terminal, and whether it was to end.
struct Watcher {
    bar: ProgressBar,
    interrupts: Interrupts,
}

fn bar() -> ProgressBar {
    if !io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{bar:30} {percent:>3}%  {msg}, {eta} left");
    let bar = ProgressBar::new(1);
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    bar
}

impl Progress for Watcher {
    fn at(&self, part: &str, done: usize, all: usize) -> Result<(), Stopped> {
        if self.interrupts.signal().is_some() {
            return Err(Stopped);
        }
        self.bar.set_length(all as u64);
        self.bar.set_position(done as u64);
        if self.bar.message() != part {
            self.bar.set_message(part.to_owned());
            self.bar.reset_eta();
        }
        Ok(())
    }
}
