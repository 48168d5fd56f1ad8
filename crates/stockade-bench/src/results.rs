//! [`Results`]: everything one benchmark found, as it is written to JSON.

use serde::{Deserialize, Serialize};

/// What the benchmark found. Every member is always there; what is absent is null or empty.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Results {
    /// Raised when a member changes its meaning or goes away.
    pub schema: u32,
    /// Of Stockade.
    pub version: String,
    /// When it began: RFC 3339, UTC.
    pub date: String,
    /// The command line that gives such results again.
    pub command: String,
    /// Whether rounds were left out to be quick; the figures are coarser then.
    pub quick: bool,
    /// What it was measured on.
    pub host: Host,
    /// Every mode of isolation, in the order in which they took turns.
    pub modes: Vec<Mode>,
    /// How long a start takes when the host process holds memory and has 64 threads.
    pub host_size: Vec<Series>,
    /// Starts by several threads at once.
    pub concurrency: Vec<Series>,
    /// How long the next start takes while others are alive.
    pub live: Vec<Series>,
    /// Runs again and again, in stretches; empty unless [`Options::long`](crate::Options::long).
    pub endurance: Vec<Series>,
    /// What is held before the first of those stretches, and after each.
    pub growth: Vec<Growth>,
    /// What an idle sandbox holds.
    pub footprint: Vec<Footprint>,
    /// What a program that runs for long loses.
    pub overhead: Vec<Overhead>,
    /// What the project aims at, and what was measured here.
    pub targets: Vec<Target>,
}

/// The machine, and how busy it was.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Host {
    /// `uname -r`
    pub kernel: String,
    /// Processors this process may use.
    pub cpus: usize,
    /// Bytes of memory.
    pub memory_bytes: u64,
    /// The hierarchies this process is in: `v1`, `v2`, `hybrid` or `none`.
    pub cgroup: String,
    /// `root` or `user`
    pub user: String,
    /// Load average of the last minute, before the first run.
    pub load_before: f64,
    /// The same, after the last run.
    pub load_after: f64,
}

/// One way to run the program.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Mode {
    /// Short and stable: `namespace_cold`.
    pub id: String,
    /// For people.
    pub name: String,
    /// `plain`, `namespace`, `wasm`, `container` or `vm`
    pub family: String,
    /// `cold` (everything anew), `warm` (prepared before) or `plain` (no isolation). Only modes that
    /// start alike are compared.
    pub start: String,
    /// Of the tool, as it tells.
    pub version: Option<String>,
    /// The protection that stands, in words.
    pub walls: Vec<String>,
    /// What to know about the figures.
    pub note: Option<String>,
    /// Why it was not measured.
    pub skipped: Option<String>,
    /// Rounds it took part in.
    pub runs: usize,
    /// Rounds in which it failed. They have no samples.
    pub failures: usize,
    /// The first failure.
    pub failure: Option<String>,
    /// Nanoseconds from the request to the end of the program known, one for each round that did not
    /// fail, in order.
    pub wall_ns: Vec<u64>,
    /// CPU time of the whole run, helpers included, of the same rounds; empty where it cannot be had.
    pub cpu_ns: Vec<u64>,
    /// Where the time goes, in order, where the mode tells.
    pub phases: Vec<PhaseTime>,
}

/// One phase of a start.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PhaseTime {
    /// As in `timings` of a report.
    pub name: String,
    /// Median, in nanoseconds.
    pub p50_ns: u64,
}

/// How a mode's latency depends on one thing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Series {
    /// [`Mode::id`]
    pub mode: String,
    /// What `x` is: `bytes held by the host`, `threads`, `live sandboxes` or `runs`
    pub x: String,
    /// By growing `x`.
    pub points: Vec<Point>,
}

/// One place of a series.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Point {
    /// Where.
    pub x: u64,
    /// Median of a run there, in nanoseconds.
    pub p50_ns: u64,
    /// The 99th percentile, in nanoseconds.
    pub p99_ns: u64,
    /// Runs a second, all threads together.
    pub per_second: Option<f64>,
}

/// What is held after so many runs, when none is alive.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Growth {
    /// Runs of each mode so far.
    pub runs: u64,
    /// Resident bytes of this process.
    pub host_bytes: u64,
    /// Its open descriptors.
    pub host_files: u64,
    /// Resident bytes of the helper; `None` where they cannot be read.
    pub helper_bytes: Option<u64>,
    /// Its open descriptors.
    pub helper_files: Option<u64>,
}

/// What one idle sandbox holds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Footprint {
    /// [`Mode::id`]
    pub mode: String,
    /// Bytes of one, on average.
    pub bytes: u64,
    /// How they were counted.
    pub how: String,
}

/// The same work outside and inside.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Overhead {
    /// What is done.
    pub workload: String,
    /// [`Mode::id`]
    pub mode: String,
    /// Median without the sandbox, in nanoseconds.
    pub bare_ns: u64,
    /// Median inside, in nanoseconds.
    pub inside_ns: u64,
}

impl Overhead {
    /// How many times longer it takes inside.
    pub fn ratio(&self) -> Option<f64> {
        (self.bare_ns > 0).then(|| self.inside_ns as f64 / self.bare_ns as f64)
    }
}

/// What the project aims at, beside what was measured.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Target {
    /// `P1` and so on. A target of several parts has an entry for each.
    pub id: String,
    /// What is measured.
    pub what: String,
    /// What is aimed at, in words.
    pub target: String,
    /// What was measured; `None` if it could not be.
    pub measured: Option<f64>,
    /// Of the measured number: `x` for a ratio.
    pub unit: String,
    /// Whether it was met; `None` if it was not measured.
    pub met: Option<bool>,
    /// What to know about it, or why it was not measured.
    pub note: Option<String>,
}

impl Mode {
    /// Median of `wall_ns`; `None` without samples.
    pub fn p50(&self) -> Option<u64> {
        percentile(&self.wall_ns, 50)
    }

    /// 90th percentile of `wall_ns`.
    pub fn p90(&self) -> Option<u64> {
        percentile(&self.wall_ns, 90)
    }

    /// 99th percentile of `wall_ns`.
    pub fn p99(&self) -> Option<u64> {
        percentile(&self.wall_ns, 99)
    }

    /// Median of `cpu_ns`.
    pub fn cpu_p50(&self) -> Option<u64> {
        percentile(&self.cpu_ns, 50)
    }
}

impl Results {
    /// The mode of this id.
    pub fn mode(&self, id: &str) -> Option<&Mode> {
        self.modes.iter().find(|mode| mode.id == id)
    }
}

/// The smallest sample that at least `percent` of a hundred do not exceed; `None` without samples.
pub fn percentile(samples: &[u64], percent: usize) -> Option<u64> {
    let mut sorted = samples.to_vec();
    sorted.sort_unstable();
    let rank = (sorted.len() * percent).div_ceil(100).max(1);
    sorted.get(rank - 1).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentile_is_a_sample_that_enough_do_not_exceed() {
        let hundred: Vec<u64> = (1..=100).rev().collect();
        assert_eq!([50, 90, 99, 100].map(|p| percentile(&hundred, p)), [50, 90, 99, 100].map(Some));
        assert_eq!(percentile(&[3, 1, 2], 50), Some(2));
        assert_eq!(percentile(&[7], 0), Some(7));
        assert_eq!(percentile(&[7], 99), Some(7));
        assert_eq!(percentile(&[], 50), None);
    }

    #[test]
    fn a_mode_without_samples_has_no_percentiles() {
        assert_eq!(Mode::default().p50(), None);
        let mode = Mode { wall_ns: vec![2, 1, 3], cpu_ns: vec![9], ..Mode::default() };
        assert_eq!((mode.p50(), mode.p90(), mode.cpu_p50()), (Some(2), Some(3), Some(9)));
    }
}
