//! Building a runtime from packages whose hashes are known.

use std::fs;
use std::path::{Path, PathBuf};

use stockade_core::Result;

use super::Language;
use super::command::Step;
use super::recipe;
use super::store::io_error;

const VENV: &str = "Python 3.10 or newer with venv is needed: apt-get install python3-venv";
const REGISTRY: &str = "is PyPI, or the mirror that pip is set to, reachable? If not, build the runtime elsewhere and use \
     `stockade runtime install --from FILE`";
const COMPILER: &str = "a clang that compiles C for WASI is needed: apt-get install clang-22 lld-22 \
     libclang-rt-22-dev-wasm32 wasi-libc; or use `stockade runtime install --from FILE`";

/// Names under which such a compiler may be found.
const COMPILERS: [&str; 2] = ["clang-22", "clang"];
const PIP: &str = "--disable-pip-version-check --no-input --no-deps --require-hashes";

/// The version of the source package, which names its directory.
const QUICKJS: &str = "quickjs_ng-0.17.0.2";
const SOURCES: [&str; 4] = ["quickjs.c", "libregexp.c", "libunicode.c", "dtoa.c"];

/// Builds in an empty directory of our own; answers where the module is.
pub(super) fn build(language: Language, folder: &Path) -> Result<PathBuf> {
    // Apart from the tools, of which nothing may get into what is built.
    let recipe = folder.join("recipe");
    fs::create_dir(&recipe).map_err(|error| io_error(&recipe, error))?;
    for file in recipe::ingredients(language) {
        let path = recipe.join(file.name);
        fs::write(&path, file.text).map_err(|error| io_error(&path, error))?;
    }
    match language {
        Language::Python => python(folder),
        Language::JavaScript => javascript(folder),
    }
}

fn python(folder: &Path) -> Result<PathBuf> {
    let tools = environment(folder)?;
    let pip = Step::new(tools.join("pip"), folder, REGISTRY);
    pip.words("install --only-binary=:all:")
        .words(PIP)
        .words("-r recipe/requirements.txt")
        .run()?;
    let hint = "the snapshot of the interpreter could not be made";
    Step::new(tools.join("componentize-py"), folder, hint)
        .words("-q -d recipe/world.wit -w python componentize app -p recipe -o python.wasm")
        // Else it would take in the packages of another Python.
        .env("VIRTUAL_ENV", folder.join("none"))
        .run()?;
    Ok(folder.join("python.wasm"))
}

fn javascript(folder: &Path) -> Result<PathBuf> {
    let compiler = compiler(folder)?;
    let tools = environment(folder)?;
    let pip = || Step::new(tools.join("pip"), folder, REGISTRY);
    pip().words("install --only-binary=:all:").words(PIP).words("-r recipe/tools.txt").run()?;
    pip()
        .words("download --no-binary=:all: --no-build-isolation")
        .words(PIP)
        .words("-r recipe/sources.txt")
        .run()?;
    let hint = "the package of QuickJS could not be unpacked";
    let archive = format!("{QUICKJS}.tar.gz");
    Step::new(tools.join("python"), folder, hint).words("-m tarfile -e").arg(archive).run()?;
    let sources = format!("{QUICKJS}/upstream-quickjs");
    let mut clang = Step::new(compiler, folder, "QuickJS could not be compiled")
        .words("--target=wasm32-wasi -O2 -s -w -D_GNU_SOURCE")
        .words("-D_WASI_EMULATED_PROCESS_CLOCKS -D_WASI_EMULATED_SIGNAL")
        // The stack lies below the data, so that an overflow traps.
        .words("-Wl,-z,stack-size=1048576 -Wl,--stack-first")
        .words("-o javascript.wasm recipe/main.c recipe/host.c -I")
        .arg(&sources);
    for source in SOURCES {
        clang = clang.arg(format!("{sources}/{source}"));
    }
    clang.words("-lwasi-emulated-process-clocks -lwasi-emulated-signal -lm").run()?;
    Ok(folder.join("javascript.wasm"))
}

/// Makes an environment for packages; answers where its commands are.
fn environment(folder: &Path) -> Result<PathBuf> {
    Step::new("python3", folder, VENV).words("-m venv tools").run()?;
    Ok(folder.join("tools/bin"))
}

/// The first compiler that makes a WASI program of an empty one.
fn compiler(folder: &Path) -> Result<&'static str> {
    let source = folder.join("empty.c");
    fs::write(&source, "#include <stdio.h>\nint main(void) { return puts(\"\") < 0; }\n")
        .map_err(|error| io_error(&source, error))?;
    let mut outcome = Ok(COMPILERS[0]);
    for name in COMPILERS {
        let probe = Step::new(name, folder, COMPILER);
        match probe.words("--target=wasm32-wasi -w -o empty.wasm empty.c").run() {
            Ok(()) => return Ok(name),
            Err(error) => outcome = Err(error),
        }
    }
    outcome
}
