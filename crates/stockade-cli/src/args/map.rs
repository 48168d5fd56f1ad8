//! The options of `stockade map`.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::Args;

use super::{BackendArg, PolicyArgs};

pub(super) const STATUS: &str = "\
A job is one line, a JSON object; only `program` has to be there:
  { \"id\": any JSON, \"program\": \"python3\", \"args\": [\"-c\", \"…\"],
    \"stdin\": \"text\" or { \"base64\": \"…\" }, \"env\": { \"NAME\": \"value\" }, \"cwd\": \"/tmp\" }
What becomes of it is one line too, written when it ends:
  { \"id\": …, \"line\": N, \"report\": { … }, \"stdout\": \"text\" or { \"base64\": \"…\" }, \"stderr\": … }
  { \"id\": …, \"line\": N, \"error\": { \"kind\": …, \"message\": …, \"hint\": … } }
A line that is no job, or a job that cannot start, gives an error line, and the rest goes on.

As many jobs run at once as there is room for: each takes --memory of the memory that is available,
and --cpus of the cores, or one. A job that may use more than there is runs alone.

Exit status:
  0    every job has a report, whatever it says
  1    a line had an error
  125  no line got a report; or a bad policy, or jobs that cannot be read, or reports not written
  2    the command line was misused

Ctrl-C kills every program, writes what is known of them and ends; a second one ends Stockade at
once, and the programs with it.

Examples:
  stockade map --memory 64MiB --wall-time 5s < jobs.jsonl > reports.jsonl
  stockade map --policy judge.toml --jobs jobs.jsonl --reports reports.jsonl
  printf '%s\\n' '{\"program\": \"uname\"}' | stockade map
";

#[derive(Debug, Args)]
pub(crate) struct MapArgs {
    /// Read jobs from this file, or from standard input if it is `-`
    #[arg(long, value_name = "FILE", default_value = "-")]
    pub(crate) jobs: PathBuf,

    /// Write reports to this file, or to standard output if it is `-`
    #[arg(long, value_name = "FILE", default_value = "-")]
    pub(crate) reports: PathBuf,

    /// Run at most so many at once, even if there is room for more
    #[arg(long, value_name = "COUNT")]
    pub(crate) max_parallel: Option<NonZeroUsize>,

    /// What runs them; `auto` goes by each program, as in `stockade run`
    #[arg(long, value_name = "BACKEND", default_value = "auto")]
    pub(crate) backend: BackendArg,

    #[command(flatten)]
    pub(crate) policy: PolicyArgs,
}
