//! How close limits and counts of native programs come to what was asked and to what the kernel
//! accounts, by whatever means this host has.
//!
//! `cargo run --release -p stockade-benches --bin accuracy [RUNS=20]`
#![allow(clippy::print_stdout, reason = "a benchmark prints what it measured")]

use std::time::Duration;

use stockade::{
    Ability, Bytes, Control, Cpus, Limit, Limits, Mount, NamespaceSandbox, Policy, Program, Report,
    Sandbox, Verdict,
};
use stockade_benches::{Failure, Machine};
use stockade_guests as guests;

const MIB: u64 = 1 << 20;
const MS: u64 = 1_000_000;

/// Ordinary programs, some of them several processes.
const PROGRAMS: [(&str, &[&str]); 10] = [
    ("awk", &["/usr/bin/awk", "BEGIN { for (i = 0; i < 3000000; i++) x += i }"]),
    ("perl", &["/usr/bin/perl", "-e", "for (1..4000000) { $x += $_ }"]),
    ("python3", &["/usr/bin/python3", "-c", "sum(i * i for i in range(3000000))"]),
    ("node", &["/usr/bin/node", "-e", "let x = 0; for (let i = 0; i < 3e8; i++) x += i"]),
    ("sh, a loop", &["/bin/sh", "-c", "i=0; while [ $i -lt 400000 ]; do i=$((i+1)); done"]),
    ("sh, forks", &["/bin/sh", "-c", "for i in $(seq 300); do /bin/true; done"]),
    ("gzip", &["/bin/sh", "-c", "head -c 20000000 /dev/urandom | gzip -1 > /dev/null"]),
    ("xz", &["/bin/sh", "-c", "head -c 1000000 /dev/urandom | xz -3 > /dev/null"]),
    ("sort", &["/bin/sh", "-c", "seq 300000 | sort -R | tail -n 1 > /dev/null"]),
    ("openssl", &["/bin/sh", "-c", "head -c 200000000 /dev/zero | openssl dgst -sha256"]),
];

fn main() -> Result<(), Failure> {
    let runs = std::env::args().nth(1).map_or(Ok(20), |runs| runs.parse())?;
    let bench = Bench { sandbox: NamespaceSandbox::new()?, runs };
    println!("{}, n = {runs} each", Machine::look());
    for control in [Control::Memory, Control::CpuTime, Control::Cpus, Control::Processes] {
        println!("{control}: {}", bench.mechanism(control));
    }
    println!("\n{:40} {:>10} {:>10} {:>10}", "off by", "median", "p90", "worst");
    bench.clocks()?;
    bench.rate()?;
    bench.memory()?;
    bench.counts()?;
    println!("\n{:40} {:>10} {:>10} {:>10}", "CPU time, ms", "kernel", "report", "worst %");
    PROGRAMS.iter().try_for_each(|(name, words)| bench.usage(name, words))
}

struct Bench {
    sandbox: NamespaceSandbox,
    runs: usize,
}

impl Bench {
    fn mechanism(&self, control: Control) -> String {
        match self.sandbox.support().ability(control) {
            Ability::Enforced { mechanism } | Ability::Approximated { mechanism, .. } => mechanism,
            other => format!("{other:?}"),
        }
    }

    fn is_exact(&self, control: Control) -> bool {
        matches!(self.sandbox.support().ability(control), Ability::Enforced { .. })
    }

    /// Runs a guest as often as wanted and shows what `off` makes of the reports.
    fn measure(
        &self,
        name: &str,
        job: (&guests::Guest, &[&str]),
        limit: impl Fn(&mut Limits),
        off: impl Fn(&Report) -> Option<f64>,
    ) -> Result<(), Failure> {
        let mut all = Vec::with_capacity(self.runs);
        for _ in 0..self.runs {
            let report = self.run(job, &limit)?;
            all.push(off(&report).ok_or_else(|| format!("{name}: {:?}", report.verdict))?);
        }
        all.sort_by(f64::total_cmp);
        let at = |percent: usize| all.get((all.len() * percent).div_ceil(100).saturating_sub(1));
        let shown = [50, 90, 100].map(|percent| at(percent).copied().unwrap_or(f64::NAN));
        println!("{name:40} {:>10.2} {:>10.2} {:>10.2}", shown[0], shown[1], shown[2]);
        Ok(())
    }

    fn run(
        &self,
        (guest, args): (&guests::Guest, &[&str]),
        limit: impl Fn(&mut Limits),
    ) -> Result<Report, Failure> {
        let mut policy = Policy::default();
        policy.filesystem.mounts.push(Mount::file("/guest", guest.image));
        limit(&mut policy.limits);
        let support = self.sandbox.support();
        policy.best_effort = Control::ALL
            .into_iter()
            .filter(|control| matches!(support.ability(*control), Ability::Approximated { .. }))
            .collect();
        Ok(self.sandbox.run(&policy, &Program::executable("/guest").args(args))?)
    }

    fn clocks(&self) -> Result<(), Failure> {
        for ms in [200u64, 1000] {
            let limit = |limits: &mut Limits| limits.cpu_time = Duration::from_millis(ms).into();
            let off = |report: &Report| {
                let used = Duration::from_nanos(report.usage.cpu_ns());
                hit(report, Control::CpuTime).map(|_| used.as_secs_f64() * 1e3 - ms as f64)
            };
            let spin = (&guests::SPIN, &[][..]);
            self.measure(&format!("cpu_time {ms} ms, one task: ms"), spin, limit, off)?;
            let spin = (&guests::CPU_THREADS, &["8", "20000"][..]);
            self.measure(&format!("cpu_time {ms} ms, 8 tasks: ms"), spin, limit, off)?;
        }
        self.measure(
            "wall_time 200 ms: ms",
            (&guests::SLEEP_FOREVER, &[]),
            |limits| limits.wall_time = Duration::from_millis(200).into(),
            |report| {
                hit(report, Control::WallTime)?;
                Some(report.usage.wall_ns.saturating_sub(200 * MS) as f64 / MS as f64)
            },
        )
    }

    fn rate(&self) -> Result<(), Failure> {
        if !self.is_exact(Control::Cpus) {
            return Ok(());
        }
        self.measure(
            "cpus 0.5, 64 threads: rate",
            (&guests::CPU_THREADS, &["64", "2000"]),
            |limits| {
                limits.cpus = Some(Cpus::from_milli(500));
                limits.processes = Limit::At(80);
            },
            |report| Some(report.usage.cpu_ns() as f64 / report.usage.wall_ns.max(1) as f64),
        )
    }

    fn memory(&self) -> Result<(), Failure> {
        for mib in [32u64, 256] {
            let four_times = (mib * 4).to_string();
            let limit = |limits: &mut Limits| limits.memory = Bytes(mib * MIB).into();
            let off = |report: &Report| {
                hit(report, Control::Memory)?;
                Some((report.usage.peak_memory as f64 - (mib * MIB) as f64) / 1024.0)
            };
            let bombs =
                [("a bomb", &guests::MEMORY_BOMB), ("page tables", &guests::PAGE_TABLE_BOMB)];
            for (name, guest) in bombs {
                let job = (guest, &[four_times.as_str()][..]);
                self.measure(&format!("memory {mib} MiB, {name}: KiB"), job, limit, off)?;
            }
        }
        Ok(())
    }

    fn counts(&self) -> Result<(), Failure> {
        self.measure(
            "output 65,537 bytes: bytes kept",
            (&guests::STDOUT_FLOOD, &["200000"]),
            |limits| limits.output = Bytes(65_537).into(),
            |report| hit(report, Control::Output).map(|_| report.stdout.len() as f64 - 65_537.0),
        )?;
        if !self.is_exact(Control::Processes) {
            return Ok(());
        }
        self.measure(
            "processes 16: tasks alive",
            (&guests::FORK_COUNT, &["40"]),
            |limits| limits.processes = Limit::At(16),
            |report| {
                hit(report, Control::Processes).map(|_| report.usage.peak_processes as f64 - 16.0)
            },
        )
    }

    /// Shows what the kernel says of a program beside what the report says.
    fn usage(&self, name: &str, words: &[&str]) -> Result<(), Failure> {
        let (mut kernel, mut told, mut worst) = (0.0f64, 0.0f64, 0.0f64);
        for _ in 0..self.runs {
            let report = self.run((&guests::ACCOUNTED, words), |_| ())?;
            let said = String::from_utf8_lossy(&report.stderr);
            let micros = said.split_whitespace().next().and_then(|word| word.parse::<f64>().ok());
            let Some(micros) = micros.filter(|_| report.verdict.success()) else {
                println!("{name:40} {:?} {said}", report.verdict);
                return Ok(());
            };
            let reported = report.usage.cpu_ns() as f64 / 1e3;
            worst = worst.max((reported / micros - 1.0).abs() * 100.0);
            kernel += micros / 1e3 / self.runs as f64;
            told += reported / 1e3 / self.runs as f64;
        }
        println!("{name:40} {kernel:>10.1} {told:>10.1} {worst:>10.2}");
        Ok(())
    }
}

/// What was observed when this limit ended the run.
fn hit(report: &Report, control: Control) -> Option<u64> {
    match report.verdict {
        Verdict::Limit { control: hit, observed, .. } if hit == control => Some(observed),
        _ => None,
    }
}
