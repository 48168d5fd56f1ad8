//! What `make install` puts where, and how the library is linked.

use super::{FOLDER, Place, count, equal, header};
use crate::test::tally::Tally;
use crate::{Outcome, command, workspace};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The names that programs are linked with: exactly these are exported.
const SYMBOLS: &str = "tests/symbols.txt";
const VERSION: &str = env!("CARGO_PKG_VERSION");
/// What the shared library may need of the system.
const NEEDED: [&str; 5] = ["ld-linux", "libc.so.6", "libgcc_s.so.1", "libm.so.6", "linux-vdso"];

pub(super) fn check(tally: &mut Tally, place: &Place) {
    count(tally, "the links of the library", links(place));
    count(tally, "what the library says of itself", dynamic(place));
    count(tally, "what pkg-config says", pkg_config(place));
    count(tally, "exported symbols", symbols(place));
    count(tally, "functions in the header", declared(place));
    count(tally, "install twice, strip and uninstall", again(place));
}

/// The part of the version that programs are linked with.
pub(super) fn series() -> &'static str {
    let [major, minor] = [env!("CARGO_PKG_VERSION_MAJOR"), env!("CARGO_PKG_VERSION_MINOR")];
    &VERSION[..major.len() + if major == "0" { 1 + minor.len() } else { 0 }]
}

fn links(place: &Place) -> Outcome {
    let (lib, name) = (place.lib(), format!("libstockade.so.{VERSION}"));
    let link = |name: &str| {
        let target = fs::read_link(lib.join(name)).map_err(|error| format!("{name}: {error}"))?;
        Ok::<_, String>(target.to_string_lossy().into_owned())
    };
    equal(&link("libstockade.so")?, &format!("libstockade.so.{}", series()))?;
    equal(&link(&format!("libstockade.so.{}", series()))?, &name)?;
    let start = |name: &str, length: usize| {
        let bytes = fs::read(lib.join(name)).map_err(|error| format!("{name}: {error}"))?;
        Ok::<_, String>(bytes.get(..length).unwrap_or_default().to_vec())
    };
    equal(&start(&name, 4)?, &b"\x7fELF".to_vec())?;
    equal(&start("libstockade.a", 8)?, &b"!<arch>\n".to_vec())
}

fn dynamic(place: &Place) -> Outcome {
    let mut readelf = Command::new("readelf");
    readelf.args(["--dynamic", "--wide"]).arg(place.lib().join("libstockade.so"));
    dynamic_section(&command::quietly(readelf.env("LC_ALL", "C"))?)
}

/// Judges what readelf says.
pub(super) fn dynamic_section(text: &str) -> Outcome {
    let values = |tag: &str| -> Vec<String> {
        let lines = text.lines().filter(|line| line.contains(&format!("({tag})")));
        let value = |line: &str| line.rsplit_once(':').map(|(_, value)| value.trim().to_owned());
        lines.filter_map(value).collect()
    };
    equal(&values("SONAME"), &vec![format!("[libstockade.so.{}]", series())])?;
    let flags = values("FLAGS_1").join(" ");
    if !flags.split(' ').any(|flag| flag == "NODELETE") {
        return Err(format!("a library that may be unloaded: flags {flags}"));
    }
    let known = |name: &String| NEEDED.iter().any(|known| name[1..].starts_with(known));
    match values("NEEDED").iter().find(|name| !known(name)) {
        Some(name) => Err(format!("needs {name}")),
        None => Ok(()),
    }
}

fn pkg_config(place: &Place) -> Outcome {
    let words = |list: &[String]| list.iter().map(|word| format!("{word} ")).collect::<String>();
    equal(&place.pkg_config(&["--modversion"])?.concat().as_str(), &VERSION)?;
    let include = format!("-I{} ", place.prefix.join("include").display());
    equal(&words(&place.pkg_config(&["--cflags"])?), &include)?;
    let shared = words(&place.pkg_config(&["--libs"])?);
    equal(&shared, &format!("-L{} -lstockade ", place.lib().display()))?;
    let statics = place.pkg_config(&["--static", "--libs"])?;
    if statics.iter().any(|word| word == "-lc") {
        return Ok(());
    }
    Err(format!("nothing to link the static library with: {}", words(&statics)))
}

fn symbols(place: &Place) -> Outcome {
    let mut nm = Command::new("nm");
    nm.args(["--dynamic", "--defined-only", "--format=posix"]);
    let text = command::quietly(nm.arg(place.lib().join("libstockade.so")))?;
    let mut found: Vec<&str> = text.lines().filter_map(|line| line.split(' ').next()).collect();
    found.sort_unstable();
    compare("exported", &found, "listed", &listed()?.lines().collect::<Vec<_>>())
}

fn declared(place: &Place) -> Outcome {
    let file = place.header();
    let text = fs::read_to_string(&file).map_err(|error| error.to_string())?;
    let found = header::functions(&text);
    let found: Vec<&str> = found.iter().map(String::as_str).collect();
    compare("declared", &found, "listed", &listed()?.lines().collect::<Vec<_>>())
}

fn listed() -> Outcome<String> {
    let file = workspace::root().join(FOLDER).join(SYMBOLS);
    fs::read_to_string(&file).map_err(|error| format!("{SYMBOLS}: {error}"))
}

/// Both lists are sorted, and the same.
pub(super) fn compare(this: &str, found: &[&str], that: &str, wanted: &[&str]) -> Outcome {
    let only = |left: &[&str], right: &[&str]| {
        let names = left.iter().filter(|name| !right.contains(name)).copied();
        names.collect::<Vec<_>>().join(" ")
    };
    if found == wanted {
        return Ok(());
    }
    let (more, less) = (only(found, wanted), only(wanted, found));
    Err(format!("{this} alone: [{more}]; {that} alone: [{less}]; or not sorted ({SYMBOLS})"))
}

/// As a packager installs it.
fn again(place: &Place) -> Outcome {
    let folder = place.stage.folder().join("package");
    let make = |target: &str| {
        // It is built already.
        let mut make = place.make(&[target, "CARGO=:", "PREFIX=/usr", "LIBDIR=/usr/lib/c"]);
        command::quietly(make.arg(format!("DESTDIR={}", folder.display()))).map(drop)
    };
    make("install")?;
    let first = files(&folder);
    make("install-strip")?;
    equal(&files(&folder), &first)?;
    let wanted = ["usr/include/stockade.h", "usr/lib/c/libstockade.a", "usr/lib/c/libstockade.so"];
    if let Some(name) = wanted.iter().find(|name| !folder.join(name).is_file()) {
        return Err(format!("no {name} in {first:?}"));
    }
    let text = fs::read_to_string(folder.join("usr/lib/c/pkgconfig/stockade.pc"));
    let text = text.map_err(|error| format!("stockade.pc: {error}"))?;
    for line in ["prefix=/usr", "libdir=${prefix}/lib/c", "includedir=${prefix}/include"] {
        if !text.lines().any(|found| found == line) {
            return Err(format!("no line `{line}` in stockade.pc"));
        }
    }
    make("uninstall")?;
    equal(&files(&folder), &Vec::new())
}

/// All that is below a folder and is none.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            found.extend(files(&path));
        } else {
            found.push(path);
        }
    }
    found.sort();
    found
}
