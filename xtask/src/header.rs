//! `cargo xtask header`: writes `stockade.h` from the sources of the C binding.
//!
//! A section of the header is a file of [`SOURCES`], in the order in which `mod.rs` names them: its
//! heading and what is said below it are the file's `//!` lines; constants, types and functions follow
//! as cbindgen writes them. What a section uses stands in it or above it.

use crate::{Outcome, workspace};
use std::fs;
use std::path::Path;

/// Where the header is committed.
pub(crate) const HEADER: &str = "bindings/c/include/stockade.h";
/// How cbindgen words it, and the text that it begins with.
#[cfg(feature = "header")]
const STYLE: &str = "bindings/c/cbindgen.toml";
/// What C sees.
const SOURCES: &str = "bindings/c/src/exported";
/// As wide as a line of the header may be.
const WIDTH: usize = 100;

/// Writes the header.
pub(crate) fn run() -> Outcome {
    let file = workspace::root().join(HEADER);
    fs::write(&file, generate(workspace::root())?)
        .map_err(|error| format!("{}: {error}", file.display()))?;
    println!("header: written to {HEADER}");
    Ok(())
}

/// The header as the sources say it.
pub(crate) fn generate(root: &Path) -> Outcome<String> {
    let folder = root.join(SOURCES);
    let read = |name: &str| {
        let file = folder.join(name);
        fs::read_to_string(&file).map_err(|error| format!("{}: {error}", file.display()))
    };
    let mut sections = String::new();
    for module in modules(&read("mod.rs")?) {
        let name = format!("{module}.rs");
        let declarations = declarations(root, &folder.join(&name))?;
        if !declarations.trim().is_empty() {
            sections.push_str(&heading(&read(&name)?));
            sections.push_str(&compact(&declarations));
        }
    }
    Ok(page(preamble(root)?.trim(), sections.trim_end()))
}

/// The modules that a file names, in its order.
pub(crate) fn modules(text: &str) -> Vec<&str> {
    let names = text.lines().filter_map(|line| {
        let line = line.strip_prefix("pub ").unwrap_or(line);
        line.strip_prefix("mod ")?.strip_suffix(';')
    });
    names.collect()
}

/// The `//!` lines of a file as a comment.
pub(crate) fn heading(text: &str) -> String {
    let mut lines = text.lines().map_while(|line| line.strip_prefix("//!")).map(str::trim);
    let title = lines.next().unwrap_or_default().trim_end_matches('.');
    let rule = "-".repeat(WIDTH.saturating_sub(title.chars().count() + 7));
    let text: Vec<&str> = lines.collect();
    if text.is_empty() {
        return format!("\n/* {title} {rule} */\n\n");
    }
    let text: String =
        text.iter().map(|line| format!("\n * {line}").trim_end().to_owned()).collect();
    format!("\n/* {title} {rule}{text}\n */\n\n")
}

/// What cbindgen writes, as it is read best: comments of one line on one line, constants without gaps
/// between them, types by their names alone, parameters side by side, and no links.
pub(crate) fn compact(text: &str) -> String {
    let text = text.replace("[`", "`").replace("`]", "`");
    let lines: Vec<&str> = text.lines().collect();
    let mut out: Vec<String> = Vec::new();
    let mut rest = lines.as_slice();
    while let Some((line, after)) = rest.split_first() {
        rest = after;
        match after {
            [said, close, ..]
                if line.trim() == "/**" && close.trim() == "*/" && said.len() + 4 <= WIDTH =>
            {
                let said = said.trim().trim_start_matches('*').trim();
                out.push(format!("{line} {said} */"));
                rest = &after[2..];
            }
            _ => out.push(folded(&by_name(line))),
        }
    }
    let is_gap = |at: usize| {
        let constant = |line: Option<&String>| line.is_some_and(|line| line.starts_with("#define"));
        let said = out.get(at + 1).is_some_and(|line| line.starts_with("/** "));
        out[at].is_empty()
            && at > 0
            && constant(out.get(at - 1))
            && constant(out.get(at + 1 + usize::from(said)))
    };
    let kept: Vec<&str> =
        (0..out.len()).filter(|at| !is_gap(*at)).map(|at| out[at].as_str()).collect();
    kept.join("\n") + "\n"
}

/// A line that calls types by the names that a `typedef` gave them.
fn by_name(line: &str) -> String {
    if line.starts_with("typedef struct ") || line.starts_with("typedef union ") {
        return line.to_owned();
    }
    line.replace("struct stockade_", "stockade_").replace("union stockade_", "stockade_")
}

/// A declaration, its parameters on as many lines as they take.
fn folded(line: &str) -> String {
    let Some(indent) = line.rfind('(').map(|at| at + 1).filter(|_| line.ends_with(");")) else {
        return line.to_owned();
    };
    let (before, parameters) = line.split_at(indent);
    let (mut out, mut width) = (before.to_owned(), indent);
    for (at, parameter) in parameters.split_inclusive(", ").enumerate() {
        if at > 0 && width + parameter.trim_end().len() > WIDTH {
            out.truncate(out.trim_end().len());
            out.push_str(&format!("\n{:indent$}", ""));
            width = indent;
        }
        out.push_str(parameter);
        width += parameter.len();
    }
    out
}

/// The whole header.
fn page(preamble: &str, sections: &str) -> String {
    let [major, minor, patch] = [
        env!("CARGO_PKG_VERSION_MAJOR"),
        env!("CARGO_PKG_VERSION_MINOR"),
        env!("CARGO_PKG_VERSION_PATCH"),
    ];
    format!(
        "\
{preamble}

#ifndef STOCKADE_H
#define STOCKADE_H

#include <stddef.h>
#include <stdint.h>

/** The version that this header is of; `stockade_version` tells that of the library. */
#define STOCKADE_VERSION \"{major}.{minor}.{patch}\"
#define STOCKADE_VERSION_MAJOR {major}
#define STOCKADE_VERSION_MINOR {minor}
#define STOCKADE_VERSION_PATCH {patch}

#ifdef __cplusplus
extern \"C\" {{
#endif
{sections}

#ifdef __cplusplus
}}
#endif

#endif /* STOCKADE_H */
"
    )
}

/// What cbindgen writes of one file.
#[cfg(feature = "header")]
fn declarations(root: &Path, file: &Path) -> Outcome<String> {
    let mut config = style(root)?;
    config.header = None;
    let failed = |error: cbindgen::Error| format!("{}: {error}", file.display());
    let builder = cbindgen::Builder::new().with_config(config).with_src(file);
    let mut text = Vec::new();
    builder.generate().map_err(failed)?.write(&mut text);
    String::from_utf8(text).map_err(|_| "cbindgen did not write UTF-8".to_owned())
}

/// What stands at the top of the header.
#[cfg(feature = "header")]
fn preamble(root: &Path) -> Outcome<String> {
    Ok(style(root)?.header.unwrap_or_default())
}

#[cfg(feature = "header")]
fn style(root: &Path) -> Outcome<cbindgen::Config> {
    cbindgen::Config::from_file(root.join(STYLE)).map_err(|error| format!("{STYLE}: {error}"))
}

#[cfg(not(feature = "header"))]
fn declarations(_: &Path, _: &Path) -> Outcome<String> {
    Err("built without the feature `header`; run: cargo xtask header".to_owned())
}

#[cfg(not(feature = "header"))]
fn preamble(_: &Path) -> Outcome<String> {
    Ok(String::new())
}
