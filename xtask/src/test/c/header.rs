//! The header alone, by every compiler and standard it is for.

use super::{Place, count};
use crate::command;
use crate::test::tally::Tally;
use std::fs;
use std::process::Command;

/// A language, the compilers of which the first that is there is taken, and standards.
type Row = (&'static str, &'static [&'static str], &'static [&'static str]);

const TABLE: [Row; 4] = [
    ("c", &["gcc"], &["c99", "c11", "c17"]),
    ("c++", &["g++"], &["c++17"]),
    ("c", &["clang", "clang-22"], &["c99", "c11", "c17"]),
    ("c++", &["clang++", "clang++-22"], &["c++17"]),
];

/// Twice, as it may come to a program by other headers.
const ALONE: &str = "#include <stockade.h>\n#include <stockade.h>\n";

pub(super) fn check(tally: &mut Tally, place: &Place) {
    let file = place.stage.folder().join("alone");
    for (language, compilers, standards) in TABLE {
        let Some(compiler) = compilers.iter().find(|name| command::find(name, &[]).is_some())
        else {
            tally.skip(&format!("the header by {}", compilers[0]), "it is not installed");
            continue;
        };
        for standard in standards {
            let mut compile = Command::new(compiler);
            compile.args(["-x", language, &format!("-std={standard}"), "-pedantic"]);
            compile.args(["-Wall", "-Wextra", "-Werror", "-fsyntax-only", "-I"]);
            compile.args([&place.prefix.join("include"), &file]);
            let outcome = fs::write(&file, ALONE)
                .map_err(|error| error.to_string())
                .and_then(|()| command::quietly(&mut compile).map(drop));
            count(tally, &format!("the header as {standard} by {compiler}"), outcome);
        }
    }
}

/// The functions that the header declares, sorted.
pub(super) fn functions(header: &str) -> Vec<String> {
    let mut code = String::new();
    for (at, part) in header.split("/*").enumerate() {
        code.push_str(if at == 0 { part } else { part.split_once("*/").map_or("", |ends| ends.1) });
    }
    let lines = code.lines().filter(|line| !line.starts_with('#'));
    let code: Vec<&str> = lines.collect();
    let mut names: Vec<String> = code
        .join("\n")
        .split('(')
        .filter_map(|before| {
            let name = |c: char| c.is_ascii_alphanumeric() || c == '_';
            let start = before.rfind(|c| !name(c)).map_or(0, |at| at + 1);
            before[start..].starts_with("stockade_").then(|| before[start..].to_owned())
        })
        .collect();
    names.sort();
    names
}
