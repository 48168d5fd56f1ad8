//! The command line as typed. No I/O: what is parsed here becomes a policy in [`crate::policy`].

mod bundle;
mod image;
mod map;
mod mount;

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, Parser, Subcommand, ValueEnum, value_parser};
use stockade::oci::Source;
use stockade::runtime::Language;
use stockade::{Base, Bytes, Control, Cpus, Limit, NetworkMode, SyscallProfile};

pub(crate) use bundle::{Allowed, BundleArgs};
pub(crate) use image::{ImageCommand, PullArgs};
pub(crate) use map::MapArgs;
pub(crate) use mount::{BindArg, EnvArg, TmpfsArg};

const EXAMPLES: &str = "\
Examples:
  stockade run -- python3 -c 'print(1 + 1)'
  stockade run --memory 64MiB --wall-time 5s --ro ./data:/data -- python3 /data/job.py
  stockade run --policy judge.toml --report report.json -- ./solution < input.txt
  stockade map --policy judge.toml < jobs.jsonl > reports.jsonl
  stockade doctor
  stockade doctor --attack
  stockade bench --quick
";

const STATUS: &str = "\
Exit status:
  the program's own; 128 + N if signal N killed it; 134 if a WebAssembly module trapped
  124  a limit or a refusal stopped it (one line on standard error says which)
  125  Stockade could not start it: bad policy, unmet control, missing program
  2    the command line was misused

Standard input, output and error stream through as they come. Standard input is read ahead of the
program; in a shell loop that reads its own input, add `< /dev/null`. Ctrl-C kills the program;
a second one ends Stockade at once, and the program with it.

Sizes are written 4096, 64KiB, 1.5GiB; times 500ms, 2s, 1.5 (seconds), 1m30s. A limit is lifted
only by writing `unlimited`. An option replaces what the policy file says; --ro, --rw, --tmpfs,
--env and --best-effort add to it, and a mount replaces one of the same target.

Examples:
  stockade run -- python3 -c 'print(1 + 1)'
  stockade run --memory 64MiB --cpu-time 2s --ro ./data:/data -- python3 /data/job.py
  stockade run --base empty --ro ./solution:/solution --syscalls strict -- /solution < input.txt
  stockade run --rw .:/src --cwd /src --best-effort memory --report - -- make
  stockade run --fuel 1000000000 ./job.wasm < input.txt
  stockade run --backend wasm python -c 'print(1 + 1)'
  stockade run --image oci:/srv/images/app -- --version
  stockade run --bundle /srv/bundles/job --allow terminal_is_streams
";

const DOCTOR_STATUS: &str = "\
Exit status:
  0    every backend meets the default policy here; with --attack, no attack got through
  1    one does not; with --attack, one did
  125  with --attack and no attack that got through: the policy is bad, a backend could not be
       attacked, or no attack applied

The attacks harm nothing: they are aimed at files, sockets and processes of their own. Without
--policy they run under the default policy, where limits that this host only approximates are taken
as they are.
";

const BENCH_STATUS: &str = "\
Exit status:
  0    something was measured, whether or not the targets are met
  125  nothing could be measured, or a file could not be written

It takes minutes, or with --quick less than half of one, and --long adds minutes. It wants a
machine with nothing else to do: the load before and after is part of the results. Processes,
images and files are its own, and go with it. What is not installed is skipped, which the results
say. `-` is standard output.

Examples:
  stockade bench --quick
  stockade bench --long --json results.json --html results.html
  stockade bench --vm-kernel /boot/vmlinuz
";

/// Run programs you do not trust.
#[derive(Debug, Parser)]
#[command(name = "stockade", version, after_help = EXAMPLES, disable_help_subcommand = true)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run a program inside a sandbox
    #[command(
        after_help = STATUS,
        override_usage = "stockade run [OPTIONS] [--] <PROGRAM> [ARGS]..."
    )]
    Run(Box<RunArgs>),
    /// Run many programs under one policy, as many at once as there is room for
    #[command(after_help = map::STATUS)]
    Map(Box<MapArgs>),
    /// Show what this host can enforce, and the fix for what it cannot
    #[command(after_help = DOCTOR_STATUS)]
    Doctor(DoctorArgs),
    /// Measure isolation modes side by side on this machine
    #[command(after_help = BENCH_STATUS)]
    Bench(BenchArgs),
    /// Check or show a policy file
    Policy {
        #[command(subcommand)]
        command: PolicyCommand,
    },
    /// Install what runs Python and JavaScript source in the WebAssembly backend
    Runtime {
        #[command(subcommand)]
        command: RuntimeCommand,
    },
    /// Keep images, for `stockade run --image`
    Image {
        #[command(subcommand)]
        command: ImageCommand,
    },
    /// Show the version and the architecture
    Version,
}

#[derive(Debug, Args)]
pub(crate) struct DoctorArgs {
    /// Print JSON instead of a table
    #[arg(long)]
    pub(crate) json: bool,
    /// Try to break out of a sandbox, in every way of the suite, and say what stopped it
    #[arg(long)]
    pub(crate) attack: bool,
    /// Try the attacks that take long as well
    #[arg(long, requires = "attack")]
    pub(crate) thorough: bool,
    /// Attack under this policy: JSON if its name ends in `.json`, else TOML
    #[arg(long, value_name = "FILE", requires = "attack")]
    pub(crate) policy: Option<PathBuf>,
    /// What is examined or attacked: `auto` is every backend
    #[arg(long, value_name = "BACKEND", default_value = "auto")]
    pub(crate) backend: BackendArg,
}

impl DoctorArgs {
    /// Whether a backend is asked for.
    pub(crate) fn asks_for(&self, backend: BackendArg) -> bool {
        self.backend == BackendArg::Auto || self.backend == backend
    }
}

#[derive(Debug, Args)]
pub(crate) struct BenchArgs {
    /// Write the results as JSON; `-` instead of a table
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,
    /// Write the results as a page of HTML
    #[arg(long, value_name = "FILE")]
    pub(crate) html: Option<PathBuf>,
    /// A tenth of the rounds, and nothing that takes seconds
    #[arg(long)]
    pub(crate) quick: bool,
    /// Run 100,000 times as well, and show whether time and memory stay as they are: minutes more
    #[arg(long)]
    pub(crate) long: bool,
    /// Boot this kernel in the virtual machine; /boot/vmlinuz-$(uname -r) if left out
    #[arg(long, value_name = "FILE")]
    pub(crate) vm_kernel: Option<PathBuf>,
    /// Rounds of the fast modes, for tests
    #[arg(long, value_name = "COUNT", hide = true, value_parser = at_least_one())]
    pub(crate) rounds: Option<usize>,
    /// One more tool, for tests
    #[arg(long, value_name = "FILE", hide = true)]
    pub(crate) tool: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum RuntimeCommand {
    /// Build a runtime from packages of PyPI, checked by hash, and keep it for this user
    Install {
        #[arg(value_name = "LANGUAGE", value_parser = language())]
        language: Language,
        /// Take this module, built elsewhere, and use no network
        #[arg(long, value_name = "FILE")]
        from: Option<PathBuf>,
    },
    /// Show which runtimes are installed
    List,
    /// Remove a runtime
    Remove {
        #[arg(value_name = "LANGUAGE", value_parser = language())]
        language: Language,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum PolicyCommand {
    /// Say whether a policy file is good; exit status 1 if it is not
    Check {
        /// The policy: JSON if its name ends in `.json`, else TOML
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
    /// Print a policy with every key spelled out
    Show {
        /// The policy: JSON if its name ends in `.json`, else TOML; the defaults if left out
        #[arg(value_name = "FILE")]
        file: Option<PathBuf>,
        /// Print JSON instead of TOML
        #[arg(long)]
        json: bool,
    },
}

/// Which backend; for a program, `Auto` goes by what it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum BackendArg {
    Auto,
    Namespace,
    Wasm,
}

#[derive(Debug, Args)]
pub(crate) struct RunArgs {
    /// The program: a path inside the sandbox, or a name looked up in its PATH; for WebAssembly a
    /// module or a script (.py, .js, .mjs), which are files of the host, or `python` or `javascript`
    #[arg(value_name = "PROGRAM", required_unless_present_any = ["image", "bundle"])]
    pub(crate) program: Option<OsString>,

    /// Its arguments
    #[arg(value_name = "ARGS", trailing_var_arg = true, allow_hyphen_values = true)]
    pub(crate) args: Vec<OsString>,

    /// Run it in the files of an image, with the image's environment and working directory; what it writes
    /// to them is in memory and gone when it ends. PROGRAM and ARGS are for its entrypoint, or replace its
    /// command: oci:DIR, docker-archive:FILE, or the name of one that was loaded before
    #[arg(long, value_name = "IMAGE", conflicts_with_all = ["base", "rootfs"])]
    pub(crate) image: Option<Source>,

    #[command(flatten)]
    pub(crate) bundle: BundleArgs,

    /// What runs it: `auto` takes `wasm` if PROGRAM is a path, or a name ending in `.wasm`, of a
    /// WebAssembly module on the host, or a script there that is not executable, and `namespace`
    /// otherwise; the report says which
    #[arg(long, value_name = "BACKEND", default_value = "auto")]
    pub(crate) backend: BackendArg,

    /// Write the report as JSON when the run is over; `-` is standard error
    #[arg(long, value_name = "FILE")]
    pub(crate) report: Option<PathBuf>,

    #[command(flatten)]
    pub(crate) policy: PolicyArgs,
}

impl RunArgs {
    /// The program and its arguments, as they were given.
    pub(crate) fn words(&self) -> Vec<OsString> {
        self.program.iter().chain(&self.args).cloned().collect()
    }
}

/// What makes a policy.
#[derive(Debug, Default, Args)]
pub(crate) struct PolicyArgs {
    /// Start from this policy: JSON if its name ends in `.json`, else TOML
    #[arg(id = "policy", long, value_name = "FILE")]
    pub(crate) file: Option<PathBuf>,

    /// Accept these controls weaker than asked; the report says how they were enforced
    #[arg(long, value_name = "CONTROL,…", value_delimiter = ',', hide_possible_values = true,
        value_parser = named(Control::ALL.map(|control| (control.name(), control))))]
    pub(crate) best_effort: Vec<Control>,

    #[command(flatten)]
    pub(crate) limits: LimitArgs,

    #[command(flatten)]
    pub(crate) files: FileArgs,

    #[command(flatten)]
    pub(crate) process: ProcessArgs,
}

#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Limits")]
pub(crate) struct LimitArgs {
    /// Memory of the whole workload, in-memory files included
    #[arg(long, value_name = "SIZE")]
    pub(crate) memory: Option<Limit<Bytes>>,
    /// CPU time, summed over all tasks
    #[arg(long, value_name = "TIME")]
    pub(crate) cpu_time: Option<Limit<Duration>>,
    /// Time from start to end, sleeping included
    #[arg(long, value_name = "TIME")]
    pub(crate) wall_time: Option<Limit<Duration>>,
    /// Share of CPU time: 0.5 is half a core
    #[arg(long, value_name = "CORES")]
    pub(crate) cpus: Option<Cpus>,
    /// Tasks alive at once; threads count
    #[arg(long, value_name = "COUNT")]
    pub(crate) processes: Option<Limit<u64>>,
    /// Open files of each process
    #[arg(long, value_name = "COUNT")]
    pub(crate) open_files: Option<Limit<u64>>,
    /// Size of any one file it writes
    #[arg(long, value_name = "SIZE")]
    pub(crate) file_size: Option<Limit<Bytes>>,
    /// Size of all in-memory filesystems together
    #[arg(long, value_name = "SIZE")]
    pub(crate) disk: Option<Limit<Bytes>>,
    /// Bytes it may print, on each stream
    #[arg(long, value_name = "SIZE")]
    pub(crate) output: Option<Limit<Bytes>>,
    /// Instructions it may execute (WebAssembly only)
    #[arg(long, value_name = "COUNT")]
    pub(crate) fuel: Option<u64>,
}

#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Files")]
pub(crate) struct FileArgs {
    /// What stands at `/`: the host's system directories, or nothing
    #[arg(long, value_name = "BASE", conflicts_with = "rootfs",
        value_parser = named([("system", Base::System), ("empty", Base::Empty)]))]
    pub(crate) base: Option<Base>,
    /// Use this directory of the host as `/`, read-only
    #[arg(long, value_name = "DIR")]
    pub(crate) rootfs: Option<PathBuf>,
    /// Let it write to the root of `--rootfs`; what it writes is in memory, counts as `--disk`, and is gone
    /// when it ends. The root of `--image` is writable without it
    #[arg(long, conflicts_with = "read_only")]
    pub(crate) writable: bool,
    /// Have the root of `--image` read-only
    #[arg(long)]
    pub(crate) read_only: bool,
    /// Show a file or directory of the host, read-only; DST is SRC if left out
    #[arg(long, value_name = "SRC[:DST]", value_parser = mount::bind())]
    pub(crate) ro: Vec<BindArg>,
    /// Show a file or directory of the host, writable
    #[arg(long, value_name = "SRC[:DST]", value_parser = mount::bind())]
    pub(crate) rw: Vec<BindArg>,
    /// Give it an empty writable directory in memory
    #[arg(long, value_name = "DST[:SIZE]")]
    pub(crate) tmpfs: Vec<TmpfsArg>,
}

#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Process")]
pub(crate) struct ProcessArgs {
    /// Set an environment variable; the host's environment is never inherited
    #[arg(long, value_name = "NAME=VALUE")]
    pub(crate) env: Vec<EnvArg>,
    /// Working directory inside the sandbox
    #[arg(long, value_name = "DIR")]
    pub(crate) cwd: Option<String>,
    /// The network it reaches
    #[arg(long, value_name = "MODE", value_parser = named([
        ("none", NetworkMode::None),
        ("loopback", NetworkMode::Loopback),
        ("host", NetworkMode::Host),
    ]))]
    pub(crate) network: Option<NetworkMode>,
    /// The system calls it may use
    #[arg(long, value_name = "PROFILE", value_parser = named([
        ("default", SyscallProfile::Default),
        ("strict", SyscallProfile::Strict),
    ]))]
    pub(crate) syscalls: Option<SyscallProfile>,
}

fn at_least_one() -> impl TypedValueParser<Value = usize> {
    value_parser!(u64).range(1..=1_000_000).map(|rounds| rounds as usize)
}

fn language() -> impl TypedValueParser<Value = Language> {
    named(Language::ALL.map(|language| (language.name(), language)))
}

/// A value of the library's that is written as one of a few names.
fn named<T: Clone + Send + Sync + 'static, const N: usize>(
    values: [(&'static str, T); N],
) -> impl TypedValueParser<Value = T> {
    let names = PossibleValuesParser::new(values.clone().map(|(name, _)| name));
    names.try_map(move |given| {
        let found = values.iter().find(|(name, _)| *name == given);
        found.map(|(_, value)| value.clone()).ok_or("no such name")
    })
}

#[cfg(test)]
mod tests;
