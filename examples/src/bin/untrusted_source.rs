//! How do I run Python and JavaScript source behind WebAssembly, without a Python on the host?
//!
//! Needs the runtimes: `stockade runtime install python`, and `javascript`. Prints, with them:
//!
//! ```text
//! python: 3.14 counts [('a', 3), ('b', 2)], exited 0
//! python: stopped by memory
//! javascript: sorted 1,2,10, exited 0
//! javascript: stopped by wall_time
//! ```
#![allow(clippy::print_stdout, reason = "an example shows what happens by printing it")]

use std::time::Duration;

use stockade::runtime::{Language, Runtime};
use stockade::{ErrorKind, Policy, Sandbox, Verdict, WasmSandbox};

const JOBS: [(Language, &str); 4] = [
    (
        Language::Python,
        "import sys, collections\n\
         counts = collections.Counter('abaab').most_common()\n\
         print(f'{sys.version_info.major}.{sys.version_info.minor} counts', counts)",
    ),
    (Language::Python, "x = bytearray(10**9)"),
    (Language::JavaScript, "console.log('sorted', [10, 1, 2].sort((a, b) => a - b).join())"),
    (Language::JavaScript, "for (;;) {}"),
];

fn main() -> Result<(), Box<dyn std::error::Error>> {
    // Compiled code is kept, so that the next process need not compile CPython again.
    let mut sandbox = WasmSandbox::builder();
    if let Some(cache) = stockade::runtime::user_cache().filter(|path| path.is_dir()) {
        sandbox = sandbox.cache_dir(cache.join("modules"));
    }
    let sandbox = sandbox.build()?;
    let mut policy = Policy::default();
    policy.limits.memory = stockade::Bytes(64 << 20).into();
    policy.limits.wall_time = Duration::from_secs(2).into();

    for (language, code) in JOBS {
        let runtime = match Runtime::find(language) {
            Ok(runtime) => runtime,
            Err(error) if error.kind() == ErrorKind::NotFound => {
                println!("{language}: {error}; {}", error.hint().unwrap_or_default());
                continue;
            }
            Err(error) => return Err(error.into()),
        };
        let report = sandbox.run(&policy, &runtime.code(code))?;
        let printed = String::from_utf8_lossy(&report.stdout);
        match report.verdict {
            Verdict::Exited { code } => println!("{language}: {}, exited {code}", printed.trim()),
            Verdict::Limit { control, .. } => println!("{language}: stopped by {control}"),
            verdict => println!("{language}: {verdict:?}"),
        }
    }
    Ok(())
}
