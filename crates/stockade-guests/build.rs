//! Compiles every program under `programs/` to a static executable, the portable ones to a module of
//! WASI preview 1 as well, and writes the table of guests that `src/lib.rs` includes.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::iter::once;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::{env, fs};

/// The folders of guests: what plain libc can do, and what only Linux can.
const PORTABLE: &str = "programs/portable";
const NATIVE: &str = "programs/native";

const FLAGS: [&str; 5] = ["-s", "-O1", "-Wall", "-Wextra", "-Werror"];

/// The stack of a module lies below its data, so that it ends in a trap and not in the data.
const MODULE_FLAGS: [&str; 2] = ["-Wl,-z,stack-size=65536", "-Wl,--stack-first"];

/// WASI preview 1 as compilers call it now, and as they and older C libraries did.
const MODULE_TARGETS: [&[&str]; 2] =
    [&["--target=wasm32-wasip1"], &["--target=wasm32-wasi", "-Wno-deprecated"]];

const MODULE_PACKAGES: &str = "clang-22 lld-22 libclang-rt-22-dev-wasm32 wasi-libc";

fn main() -> ExitCode {
    println!("cargo::rerun-if-changed=programs");
    match build() {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            for line in message.lines() {
                println!("cargo::error={line}");
            }
            ExitCode::FAILURE
        }
    }
}

fn build() -> Result<(), String> {
    let out = PathBuf::from(variable("OUT_DIR")?);
    let native = Compiler::native()?;
    let wasi = Compiler::wasi(&out)?;
    let mut table = String::new();
    let mut all = String::new();
    for (name, source) in sources()? {
        let story = story(&source.path)?;
        let constant = name.to_uppercase();
        let executable = out.join(&name);
        native.compile(&source.path, &executable)?;
        embed(&mut table, &format!("{constant}_IMAGE"), &executable)?;
        let module = if source.portable {
            let module = out.join(format!("{name}.wasm"));
            wasi.compile(&source.path, &module)?;
            embed(&mut table, &format!("{constant}_MODULE"), &module)?;
            format!("Some(&{constant}_MODULE)")
        } else {
            "None".to_owned()
        };
        write!(
            table,
            "/// {story}\n\
             pub const {constant}: Guest = Guest {{ name: {name:?}, story: {story:?}, \
             path: {executable:?}, image: &{constant}_IMAGE, module: {module} }};\n",
        )
        .map_err(|error| error.to_string())?;
        all.push_str(&constant);
        all.push_str(", ");
    }
    table.push_str("/// Every guest, by name.\n");
    table.push_str(&format!("pub const ALL: &[Guest] = &[{all}];\n"));
    let path = out.join("guests.rs");
    fs::write(&path, table).map_err(|error| format!("{}: {error}", path.display()))
}

/// Makes the bytes of `file` a static, so that using a guest does not embed them once more.
fn embed(table: &mut String, constant: &str, file: &Path) -> Result<(), String> {
    let size = fs::metadata(file).map_err(|error| format!("{}: {error}", file.display()))?.len();
    writeln!(table, "static {constant}: [u8; {size}] = *include_bytes!({file:?});")
        .map_err(|error| error.to_string())
}

/// A program to compile.
struct Source {
    path: PathBuf,
    /// Whether it becomes a module as well.
    portable: bool,
}

/// The programs by name; a name in both folders is an error, because it names a constant.
fn sources() -> Result<BTreeMap<String, Source>, String> {
    let root = PathBuf::from(variable("CARGO_MANIFEST_DIR")?);
    let mut found = BTreeMap::new();
    for (folder, portable) in [(root.join(PORTABLE), true), (root.join(NATIVE), false)] {
        let unreadable = |error| format!("{}: {error}", folder.display());
        for entry in fs::read_dir(&folder).map_err(unreadable)? {
            let path = entry.map_err(unreadable)?.path();
            if path.extension().is_none_or(|extension| extension != "c") {
                continue;
            }
            let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            if let Some(other) = found.insert(name, Source { path: path.clone(), portable }) {
                return Err(format!("{} and {}: one name", path.display(), other.path.display()));
            }
        }
    }
    Ok(found)
}

/// What the first line of a program says it does.
fn story(source: &Path) -> Result<String, String> {
    let text =
        fs::read_to_string(source).map_err(|error| format!("{}: {error}", source.display()))?;
    text.lines()
        .next()
        .and_then(|line| line.strip_prefix("/* story: ")?.strip_suffix(" */"))
        .filter(|story| !story.trim().is_empty())
        .map(str::to_owned)
        .ok_or_else(|| format!("{}:1: must be `/* story: … */`", source.display()))
}

/// A C compiler with its first arguments, and the Debian packages that bring it.
struct Compiler {
    words: Vec<String>,
    flags: &'static [&'static str],
    packages: String,
}

impl Compiler {
    /// `CC_<target>`, else `CC`, else musl's compiler, since its static programs are a twentieth of
    /// the size, else `cc`; or Debian's cross compiler for a foreign target.
    fn native() -> Result<Self, String> {
        let target = variable("TARGET")?;
        let arch = variable("CARGO_CFG_TARGET_ARCH")?;
        let (default, packages) = if target == variable("HOST")? {
            let musl = Command::new("musl-gcc").arg("--version").output();
            let works = musl.is_ok_and(|output| output.status.success());
            (if works { "musl-gcc" } else { "cc" }.to_owned(), "gcc libc6-dev".to_owned())
        } else {
            (format!("{arch}-linux-gnu-gcc"), format!("gcc-{}-linux-gnu", arch.replace('_', "-")))
        };
        let command = setting(&format!("CC_{}", target.replace('-', "_")))
            .or_else(|| setting("CC"))
            .unwrap_or(default);
        Ok(Self { words: words(&command), flags: &["-static"], packages })
    }

    /// `WASI_CC`, which names its target itself, else the first clang that compiles a program for
    /// WASI preview 1.
    fn wasi(out: &Path) -> Result<Self, String> {
        let wasi =
            |words| Self { words, flags: &MODULE_FLAGS, packages: MODULE_PACKAGES.to_owned() };
        if let Some(command) = setting("WASI_CC") {
            return Ok(wasi(words(&command)));
        }
        let trial = out.join("trial.c");
        fs::write(&trial, "#include <stdio.h>\nint main(void) { return puts(\"\") < 0; }\n")
            .map_err(|error| format!("{}: {error}", trial.display()))?;
        for clang in ["clang-22", "clang"] {
            for target in MODULE_TARGETS {
                let words = once(&clang).chain(target).map(|word| (*word).to_owned());
                let compiler = wasi(words.collect());
                if compiler.compile(&trial, &out.join("trial.wasm")).is_ok() {
                    return Ok(compiler);
                }
            }
        }
        Err(format!(
            "no clang compiles C for WASI preview 1; \
             on Debian or Ubuntu: apt-get install {MODULE_PACKAGES}\n\
             or set WASI_CC to a compiler with its arguments"
        ))
    }

    fn compile(&self, source: &Path, program: &Path) -> Result<(), String> {
        let output = Command::new(self.words.first().map_or("", String::as_str))
            .args(self.words.iter().skip(1))
            .args(FLAGS)
            .args(self.flags)
            .arg("-o")
            .args([program, source])
            .output()
            .map_err(|error| {
                format!(
                    "the C compiler `{}` does not start: {error}\n\
                     guests are C programs; on Debian or Ubuntu: apt-get install {}",
                    self.words.join(" "),
                    self.packages
                )
            })?;
        if output.status.success() {
            return Ok(());
        }
        let said = String::from_utf8_lossy(&output.stderr);
        let mut message = format!("{} did not compile:\n{said}", source.display());
        // gcc's linker, lld, and a missing header.
        if [
            "cannot find -l",
            "unable to find library",
            "No such file or directory",
            "file not found",
        ]
        .iter()
        .any(|sign| said.contains(sign))
        {
            write!(
                message,
                "the static C library or its headers are missing; \
                 on Debian or Ubuntu: apt-get install {}",
                self.packages
            )
            .map_err(|error| error.to_string())?;
        }
        Err(message)
    }
}

/// The words of a setting such as `CC`, which may carry arguments or a wrapper, as in `ccache gcc`.
fn words(command: &str) -> Vec<String> {
    command.split_whitespace().map(str::to_owned).collect()
}

fn variable(name: &str) -> Result<String, String> {
    env::var(name).map_err(|error| format!("{name}: {error}"))
}

/// A variable of the user's, whose change means a new build.
fn setting(name: &str) -> Option<String> {
    println!("cargo::rerun-if-env-changed={name}");
    env::var(name).ok().filter(|value| !value.trim().is_empty())
}
