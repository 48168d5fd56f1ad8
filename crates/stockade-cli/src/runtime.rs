//! `stockade runtime`.

use std::io::{self, Write};

use stockade::runtime::{Language, Runtime, Source};
use stockade::{ErrorKind, Policy, Result, Sandbox};

use crate::args::RuntimeCommand;
use crate::backend;
use crate::exit::{self, Exit};

/// Does what the subcommand says, and shows it.
pub(crate) fn runtime(command: &RuntimeCommand) -> Result<Exit, Exit> {
    let text = attempt(command).map_err(|error| exit::failed(&error))?;
    io::stdout().write_all(text.as_bytes()).map_err(exit::output)?;
    Ok(Exit::SUCCESS)
}

fn attempt(command: &RuntimeCommand) -> Result<String> {
    match command {
        RuntimeCommand::Install { language, from } => {
            let source = match from {
                Some(file) => Source::File(file.clone()),
                None => {
                    exit::say(&format!("building {language}; this takes up to a minute"));
                    Source::Build
                }
            };
            let runtime = Runtime::install(*language, &source)?;
            // What the first run would wait for.
            backend::wasm()?.prepare(&Policy::default(), &runtime.program())?;
            Ok(format!(
                "{}{:<12}{}\n{:<12}{}\n",
                described(&runtime),
                "licences",
                language.licences(),
                "notices",
                runtime.path().with_extension("NOTICE").display(),
            ))
        }
        RuntimeCommand::List => Language::ALL.into_iter().map(listed).collect(),
        RuntimeCommand::Remove { language } => Ok(match Runtime::remove(*language)? {
            true => format!("{language} removed\n"),
            false => format!("{language} was not installed\n"),
        }),
    }
}

fn listed(language: Language) -> Result<String> {
    match Runtime::find(language) {
        Ok(runtime) => Ok(described(&runtime)),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            Ok(format!("{:<12}not installed\n", language.name()))
        }
        Err(error) => Err(error),
    }
}

fn described(runtime: &Runtime) -> String {
    format!(
        "{:<12}{}\n{:<12}{} bytes\n{:<12}{}\n",
        runtime.language().name(),
        runtime.path().display(),
        "size",
        runtime.size(),
        "sha256",
        runtime.sha256(),
    )
}
