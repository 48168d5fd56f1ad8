//! Compiles every program under `programs/` to a static executable and writes the table of guests
//! that `src/lib.rs` includes.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::{env, fs};

/// The folders of guests: what plain libc can do, and what only Linux can.
const FOLDERS: [&str; 2] = ["programs/portable", "programs/native"];

const FLAGS: [&str; 6] = ["-static", "-s", "-O1", "-Wall", "-Wextra", "-Werror"];

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
    let compiler = Compiler::choose()?;
    let mut table = String::new();
    let mut all = String::new();
    for (name, source) in sources()? {
        let story = story(&source)?;
        let executable = out.join(&name);
        compiler.compile(&source, &executable)?;
        let size = fs::metadata(&executable)
            .map_err(|error| format!("{}: {error}", executable.display()))?
            .len();
        let constant = name.to_uppercase();
        // The image is a static, so that using a constant does not embed it once more.
        write!(
            table,
            "static {constant}_IMAGE: [u8; {size}] = *include_bytes!({executable:?});\n\
             /// {story}\n\
             pub const {constant}: Guest = Guest {{ name: {name:?}, story: {story:?}, \
             path: {executable:?}, image: &{constant}_IMAGE }};\n",
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

/// The programs by name; a name in both folders is an error, because it names a constant.
fn sources() -> Result<BTreeMap<String, PathBuf>, String> {
    let root = PathBuf::from(variable("CARGO_MANIFEST_DIR")?);
    let mut found = BTreeMap::new();
    for folder in FOLDERS.map(|folder| root.join(folder)) {
        let unreadable = |error| format!("{}: {error}", folder.display());
        for entry in fs::read_dir(&folder).map_err(unreadable)? {
            let path = entry.map_err(unreadable)?.path();
            if path.extension().is_none_or(|extension| extension != "c") {
                continue;
            }
            let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            if let Some(other) = found.insert(name, path.clone()) {
                return Err(format!("{} and {}: one name", path.display(), other.display()));
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

/// The C compiler for the target, and the Debian packages that bring it.
struct Compiler {
    command: String,
    packages: String,
}

impl Compiler {
    /// `CC_<target>`, else `CC`, else musl's compiler, since its static programs are a twentieth of
    /// the size, else `cc`; or Debian's cross compiler for a foreign target.
    fn choose() -> Result<Self, String> {
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
        Ok(Self { command, packages })
    }

    fn compile(&self, source: &Path, executable: &Path) -> Result<(), String> {
        // `CC` may carry arguments or a wrapper, as in `ccache gcc`.
        let mut words = self.command.split_whitespace();
        let output = Command::new(words.next().unwrap_or_default())
            .args(words)
            .args(FLAGS)
            .arg("-o")
            .args([executable, source])
            .output()
            .map_err(|error| {
                format!(
                    "the C compiler `{}` does not start: {error}\n\
                     guests are C programs; on Debian or Ubuntu: apt-get install {}",
                    self.command, self.packages
                )
            })?;
        if output.status.success() {
            return Ok(());
        }
        let said = String::from_utf8_lossy(&output.stderr);
        let mut message = format!("{} did not compile:\n{said}", source.display());
        // gcc's linker, lld, and a missing header.
        if ["cannot find -l", "unable to find library", "No such file or directory"]
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

fn variable(name: &str) -> Result<String, String> {
    env::var(name).map_err(|error| format!("{name}: {error}"))
}

/// A variable of the user's, whose change means a new build.
fn setting(name: &str) -> Option<String> {
    println!("cargo::rerun-if-env-changed={name}");
    env::var(name).ok().filter(|value| !value.trim().is_empty())
}
