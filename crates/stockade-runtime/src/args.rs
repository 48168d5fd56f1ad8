//! The command line as typed, which is runc's. No I/O.
//!
//! Engines write options in the way of Go programs: before the command those of the program, behind it
//! those of the command, `--name value` or `--name=value`, and the last of two counts.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{ArgAction, Parser, Subcommand, ValueEnum};

use crate::walls::Walls;

/// What `--version` prints after the program's name. Engines look for the word "version" in the first
/// line and for `spec: ` at the start of another.
const VERSION: &str = concat!("version ", env!("CARGO_PKG_VERSION"), "\nspec: 1.2.0");

const AFTER_HELP: &str = "\
A container is made from a bundle: a directory with a config.json, as the Open Container Initiative
specifies it, and a root filesystem. `spec` writes a config.json to begin with.";

/// A container runtime with the arguments of runc, for Docker, containerd and podman
#[derive(Debug, Parser)]
#[command(name = "stockade-oci", version = VERSION, disable_version_flag = true)]
#[command(args_override_self = true, disable_help_subcommand = true)]
#[command(color = clap::ColorChoice::Never, max_term_width = 100)]
#[command(after_help = AFTER_HELP)]
#[command(override_usage = "stockade-oci [OPTIONS] <COMMAND> [OPTIONS] [ARGUMENTS]")]
pub(crate) struct Args {
    #[command(flatten)]
    pub(crate) globals: Globals,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What stands before the command.
#[derive(Debug, clap::Args)]
pub(crate) struct Globals {
    /// Directory for the state of containers, in memory [default: /run/stockade-oci, or
    /// $XDG_RUNTIME_DIR/stockade-oci for a user who is not root]
    #[arg(long, value_name = "DIR")]
    pub(crate) root: Option<PathBuf>,
    /// File that errors are appended to, beside standard error
    #[arg(long, value_name = "FILE")]
    pub(crate) log: Option<PathBuf>,
    /// How lines of the log are written
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t, hide_possible_values = true)]
    #[arg(help = "How lines of the log are written: text or json")]
    pub(crate) log_format: Format,
    /// Write to the log what is done as well
    #[arg(long)]
    pub(crate) debug: bool,
    /// Have systemd make the control groups; `cgroupsPath` is then `slice:prefix:name`
    #[arg(long)]
    pub(crate) systemd_cgroup: bool,
    /// Whether to go without the control groups that may not be made: true, false or auto
    #[arg(long, value_enum, value_name = "CHOICE", default_value_t, hide_possible_values = true)]
    pub(crate) rootless: Rootless,
    /// What holds a container: `config`, what its config.json says; `full`, for code that is not
    /// trusted, no privileges and Stockade's filter of system calls besides
    #[arg(long, value_enum, value_name = "WALLS", default_value_t, hide_possible_values = true)]
    pub(crate) walls: Walls,
    /// Taken from older engines, and not used
    #[arg(long, value_name = "FILE", hide = true)]
    pub(crate) criu: Option<PathBuf>,
    /// Print the version
    #[arg(short = 'v', long, action = ArgAction::Version)]
    version: Option<bool>,
}

/// How lines of the log are written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    #[default]
    Text,
    Json,
}

/// Whether a container may go without control groups.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Rootless {
    True,
    False,
    /// If the caller is not root.
    #[default]
    Auto,
}

impl Rootless {
    /// What it comes to for a caller.
    pub(crate) fn is_on(self, is_root: bool) -> bool {
        match self {
            Self::True => true,
            Self::False => false,
            Self::Auto => !is_root,
        }
    }
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Make a container, whose program waits for `start`
    Create(CreateArgs),
    /// Have the program of a container that was created begin
    Start(IdArgs),
    /// Create and start a container, and wait for its end
    Run(RunArgs),
    /// Run another program in a container
    Exec(ExecArgs),
    /// Print the state of a container
    State(IdArgs),
    /// Send a signal to the first process of a container
    Kill(KillArgs),
    /// Remove what is left of a container
    Delete(DeleteArgs),
    /// List the containers
    List(ListArgs),
    /// List the processes of a container
    Ps(PsArgs),
    /// Stop all processes of a container until `resume`
    Pause(IdArgs),
    /// Have the processes of a paused container go on
    Resume(IdArgs),
    /// Change the limits of a container
    Update(UpdateArgs),
    /// Print what a container uses, and when it runs out of memory
    Events(EventsArgs),
    /// Print what this runtime can do
    Features,
    /// Write a config.json to begin with
    Spec(SpecArgs),
    #[command(external_subcommand)]
    Other(Vec<OsString>),
}

#[derive(Debug, clap::Args)]
pub(crate) struct IdArgs {
    /// Name of the container
    #[arg(value_name = "CONTAINER")]
    pub(crate) id: String,
}

/// What `create` and `run` take.
#[derive(Debug, clap::Args)]
pub(crate) struct CreateArgs {
    /// Name of the container, which no other has
    #[arg(value_name = "CONTAINER")]
    pub(crate) id: String,
    /// Directory that holds config.json
    #[arg(short, long, value_name = "DIR", default_value = ".")]
    pub(crate) bundle: PathBuf,
    /// Socket that the terminal's master end is sent to
    #[arg(long, value_name = "SOCKET")]
    pub(crate) console_socket: Option<PathBuf>,
    /// File to write the process id to
    #[arg(long, value_name = "FILE")]
    pub(crate) pid_file: Option<PathBuf>,
    /// Do not use pivot_root, which a root in the first memory filesystem does not allow
    #[arg(long)]
    pub(crate) no_pivot: bool,
    /// Keep the session keyring of the caller
    #[arg(long)]
    pub(crate) no_new_keyring: bool,
    /// Pass on so many descriptors behind the standard streams and $LISTEN_FDS
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) preserve_fds: u32,
}

#[derive(Debug, clap::Args)]
pub(crate) struct RunArgs {
    #[command(flatten)]
    pub(crate) create: CreateArgs,
    /// Do not wait for the end
    #[arg(short, long)]
    pub(crate) detach: bool,
    /// Do not delete the container at the end
    #[arg(long)]
    pub(crate) keep: bool,
    /// Do not adopt processes that the container leaves behind
    #[arg(long)]
    pub(crate) no_subreaper: bool,
}

#[derive(Debug, clap::Args)]
pub(crate) struct ExecArgs {
    /// Name of the container
    #[arg(value_name = "CONTAINER")]
    pub(crate) id: String,
    /// Program and its arguments, unless there is `--process`
    #[arg(value_name = "COMMAND", trailing_var_arg = true, allow_hyphen_values = true)]
    pub(crate) command: Vec<String>,
    /// File with the `process` of a config.json
    #[arg(short, long, value_name = "FILE")]
    pub(crate) process: Option<PathBuf>,
    /// Do not wait for the end
    #[arg(short, long)]
    pub(crate) detach: bool,
    /// File to write the process id to
    #[arg(long, value_name = "FILE")]
    pub(crate) pid_file: Option<PathBuf>,
    /// Socket that the terminal's master end is sent to
    #[arg(long, value_name = "SOCKET")]
    pub(crate) console_socket: Option<PathBuf>,
    /// Give it a terminal
    #[arg(short, long)]
    pub(crate) tty: bool,
    /// Working directory in the container
    #[arg(long, value_name = "DIR")]
    pub(crate) cwd: Option<PathBuf>,
    /// Variable of its environment; may be given more than once
    #[arg(short, long, value_name = "NAME=VALUE")]
    pub(crate) env: Vec<String>,
    /// User id and group id
    #[arg(short, long, value_name = "UID[:GID]")]
    pub(crate) user: Option<String>,
    /// Further group; may be given more than once
    #[arg(short = 'g', long, value_name = "GID", value_delimiter = ',')]
    pub(crate) additional_gids: Vec<u32>,
    /// Capability that it has besides; may be given more than once
    #[arg(short, long, value_name = "NAME", value_delimiter = ',')]
    pub(crate) cap: Vec<String>,
    /// Let it gain no privileges from what it executes
    #[arg(long)]
    pub(crate) no_new_privs: bool,
    /// SELinux label
    #[arg(long, value_name = "LABEL")]
    pub(crate) process_label: Option<String>,
    /// AppArmor profile
    #[arg(long, value_name = "PROFILE")]
    pub(crate) apparmor: Option<String>,
    /// Pass on so many descriptors behind the standard streams and $LISTEN_FDS
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) preserve_fds: u32,
    /// Control group beneath the container's, which exists; may be given more than once
    #[arg(long, value_name = "[CONTROLLER:]PATH")]
    pub(crate) cgroup: Vec<String>,
    /// Do it in a paused container too, where it stands still until `resume`
    #[arg(long)]
    pub(crate) ignore_paused: bool,
}

#[derive(Debug, clap::Args)]
pub(crate) struct KillArgs {
    /// Name of the container
    #[arg(value_name = "CONTAINER")]
    pub(crate) id: String,
    /// Name or number of the signal
    #[arg(value_name = "SIGNAL", default_value = "SIGTERM")]
    pub(crate) signal: String,
    /// Send it to every process of the container
    #[arg(short, long)]
    pub(crate) all: bool,
}

#[derive(Debug, clap::Args)]
pub(crate) struct DeleteArgs {
    /// Name of the container
    #[arg(value_name = "CONTAINER")]
    pub(crate) id: String,
    /// Kill it if it still runs, and do not mind if it does not exist
    #[arg(short, long)]
    pub(crate) force: bool,
}

/// How a list is printed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Shown {
    #[default]
    Table,
    Json,
}

#[derive(Debug, clap::Args)]
pub(crate) struct ListArgs {
    /// How to print it: table or json
    #[arg(short, long, value_enum, default_value_t, hide_possible_values = true)]
    pub(crate) format: Shown,
    /// Print the names alone
    #[arg(short, long)]
    pub(crate) quiet: bool,
}

#[derive(Debug, clap::Args)]
pub(crate) struct PsArgs {
    /// Name of the container
    #[arg(value_name = "CONTAINER")]
    pub(crate) id: String,
    /// How to print it: table or json
    #[arg(short, long, value_enum, default_value_t, hide_possible_values = true)]
    pub(crate) format: Shown,
    /// Options of ps(1) for the table; they must have it print process ids
    #[arg(value_name = "PS OPTIONS", trailing_var_arg = true, allow_hyphen_values = true)]
    pub(crate) options: Vec<OsString>,
}

#[derive(Debug, clap::Args)]
pub(crate) struct EventsArgs {
    /// Name of the container
    #[arg(value_name = "CONTAINER")]
    pub(crate) id: String,
    /// Time between two prints
    #[arg(long, value_name = "TIME", default_value = "5s", value_parser = humantime::parse_duration)]
    pub(crate) interval: std::time::Duration,
    /// Print what is used once
    #[arg(long)]
    pub(crate) stats: bool,
}

#[derive(Debug, clap::Args)]
pub(crate) struct SpecArgs {
    /// Directory to write it to
    #[arg(short, long, value_name = "DIR", default_value = ".")]
    pub(crate) bundle: PathBuf,
    /// For a user who is not root
    #[arg(long)]
    pub(crate) rootless: bool,
}

/// What `update` takes. Numbers may be negative, and are texts where they may have a unit.
#[derive(Debug, Default, clap::Args)]
pub(crate) struct UpdateArgs {
    /// Name of the container
    #[arg(value_name = "CONTAINER")]
    pub(crate) id: String,
    /// File with the `linux.resources` of a config.json to change, or `-`; no other option counts then
    #[arg(short, long, value_name = "FILE")]
    pub(crate) resources: Option<PathBuf>,
    /// Weight of block I/O, from 10 to 1000
    #[arg(long, value_name = "N")]
    pub(crate) blkio_weight: Option<u16>,
    /// Period that the quota is of, in microseconds
    #[arg(long, value_name = "N")]
    pub(crate) cpu_period: Option<u64>,
    /// CPU time in a period, in microseconds; -1 for no bound
    #[arg(long, value_name = "N", allow_hyphen_values = true)]
    pub(crate) cpu_quota: Option<i64>,
    /// CPU time that may be saved up, in microseconds
    #[arg(long, value_name = "N")]
    pub(crate) cpu_burst: Option<u64>,
    /// Share of CPU time against others
    #[arg(long, value_name = "N")]
    pub(crate) cpu_share: Option<u64>,
    /// Real-time period, in microseconds
    #[arg(long, value_name = "N")]
    pub(crate) cpu_rt_period: Option<u64>,
    /// Real-time CPU time in a period, in microseconds
    #[arg(long, value_name = "N", allow_hyphen_values = true)]
    pub(crate) cpu_rt_runtime: Option<i64>,
    /// 1 to run only when nothing else wants to
    #[arg(long, value_name = "N")]
    pub(crate) cpu_idle: Option<i64>,
    /// CPUs to run on, such as 0-3,7
    #[arg(long, value_name = "LIST")]
    pub(crate) cpuset_cpus: Option<String>,
    /// Memory nodes to use
    #[arg(long, value_name = "LIST")]
    pub(crate) cpuset_mems: Option<String>,
    /// Memory, in bytes or with k, m or g; -1 for no bound
    #[arg(long, value_name = "SIZE", allow_hyphen_values = true)]
    pub(crate) memory: Option<String>,
    /// Memory to come back to when it is short
    #[arg(long, value_name = "SIZE", allow_hyphen_values = true)]
    pub(crate) memory_reservation: Option<String>,
    /// Memory and swap together; -1 for no bound
    #[arg(long, value_name = "SIZE", allow_hyphen_values = true)]
    pub(crate) memory_swap: Option<String>,
    /// Most processes; -1 for no bound
    #[arg(long, value_name = "N", allow_hyphen_values = true)]
    pub(crate) pids_limit: Option<i64>,
    /// Not done
    #[arg(long, value_name = "SCHEMA", hide = true)]
    pub(crate) l3_cache_schema: Option<String>,
    /// Not done
    #[arg(long, value_name = "SCHEMA", hide = true)]
    pub(crate) mem_bw_schema: Option<String>,
}

#[cfg(test)]
mod tests;
