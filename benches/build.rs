//! Compiles the workloads, natively and to modules of WASI preview 1, and writes their table. What
//! cannot be compiled here is absent from it, with the reason: the other benchmarks need no compiler.

use std::error::Error;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

const WORKLOADS: [&str; 3] = ["lz", "json", "sha256"];

const FLAGS: [&str; 5] = ["-s", "-O2", "-Wall", "-Wextra", "-Werror"];

/// Compilers for WASI preview 1, whose target has two names.
const WASI: [&str; 4] = [
    "clang-22 --target=wasm32-wasip1",
    "clang-22 --target=wasm32-wasi -Wno-deprecated",
    "clang --target=wasm32-wasip1",
    "clang --target=wasm32-wasi -Wno-deprecated",
];

const PACKAGES: &str = "apt-get install clang-22 lld-22 libclang-rt-22-dev-wasm32 wasi-libc, \
                        or set WASI_CC to a compiler with its arguments";

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=workloads");
    let wasi = setting("WASI_CC").map_or(WASI.map(str::to_owned).to_vec(), |chosen| vec![chosen]);
    let native = vec![setting("CC").unwrap_or_else(|| "cc".to_owned())];
    let out = PathBuf::from(env::var("OUT_DIR")?);
    let mut table = String::new();
    for name in WORKLOADS {
        let source =
            Path::new(&env::var("CARGO_MANIFEST_DIR")?).join(format!("workloads/{name}.c"));
        let (module, program) = (out.join(format!("{name}.wasm")), out.join(name));
        let compiled = compile(&wasi, &source, &module);
        let module = match compiled {
            Ok(()) => format!("Ok(include_bytes!({module:?}))"),
            Err(reason) => format!("Err({:?})", format!("{reason}\n{PACKAGES}")),
        };
        let program = match compile(&native, &source, &program) {
            Ok(()) => format!("Ok({program:?})"),
            Err(reason) => format!("Err({reason:?})"),
        };
        writeln!(table, "Workload {{ name: {name:?}, module: {module}, program: {program} }},")?;
    }
    fs::write(out.join("workloads.rs"), format!("&[{table}]"))?;
    Ok(())
}

/// Compiles with the first compiler that can; or says what each said.
fn compile(compilers: &[String], source: &Path, program: &Path) -> Result<(), String> {
    let mut said = String::new();
    for compiler in compilers {
        let mut words = compiler.split_whitespace();
        let mut command = Command::new(words.next().unwrap_or_default());
        match command.args(words).args(FLAGS).arg("-o").args([program, source]).output() {
            Ok(output) if output.status.success() => return Ok(()),
            Ok(output) => said.push_str(&String::from_utf8_lossy(&output.stderr)),
            Err(error) => said.push_str(&format!("{compiler}: {error}\n")),
        }
    }
    Err(said)
}

/// A variable of the user's, whose change means a new build.
fn setting(name: &str) -> Option<String> {
    println!("cargo::rerun-if-env-changed={name}");
    env::var(name).ok().filter(|value| !value.trim().is_empty())
}
