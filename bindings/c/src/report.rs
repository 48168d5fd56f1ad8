//! The account of a run, for C.

use std::mem;

use stockade::{Control, Report, Verdict};

use crate::exported::constants as c;
use crate::failure::Failure;
use crate::words;

/// The account of a run.
pub(crate) struct Account {
    /// Without what was captured.
    report: Report,
    /// What was captured of standard output and standard error, each with a NUL behind it.
    outputs: [Vec<u8>; 2],
}

impl From<Report> for Account {
    fn from(mut report: Report) -> Self {
        let mut outputs = [mem::take(&mut report.stdout), mem::take(&mut report.stderr)];
        outputs.iter_mut().for_each(|output| output.push(0));
        Self { report, outputs }
    }
}

impl Account {
    pub(crate) fn verdict(&self) -> i32 {
        words::of_verdict(&self.report.verdict)
    }

    /// The status of a program that exited, or the number of the signal that killed it.
    pub(crate) fn code(&self) -> i32 {
        match &self.report.verdict {
            Verdict::Exited { code } => *code,
            Verdict::Signaled { number, .. } => *number,
            _ => -1,
        }
    }

    /// The control that stopped it.
    pub(crate) fn control(&self) -> i32 {
        match &self.report.verdict {
            Verdict::Limit { control, .. } | Verdict::Denied { control, .. } => {
                words::of_control(*control)
            }
            _ => 0,
        }
    }

    pub(crate) fn amount(&self, amount: i32) -> u64 {
        let report = &self.report;
        let (usage, timings) = (&report.usage, &report.timings);
        let (limit, observed) = match &report.verdict {
            Verdict::Limit { limit, observed, .. } => (*limit, *observed),
            _ => (0, 0),
        };
        match amount {
            c::STOCKADE_WALL_NS => usage.wall_ns,
            c::STOCKADE_CPU_USER_NS => usage.cpu_user_ns,
            c::STOCKADE_CPU_SYSTEM_NS => usage.cpu_system_ns,
            c::STOCKADE_PEAK_MEMORY => usage.peak_memory,
            c::STOCKADE_PEAK_PROCESSES => usage.peak_processes,
            c::STOCKADE_STDOUT_BYTES => usage.stdout_bytes,
            c::STOCKADE_STDERR_BYTES => usage.stderr_bytes,
            c::STOCKADE_FUEL_USED => usage.fuel.unwrap_or(0),
            c::STOCKADE_STDOUT_TRUNCATED => report.output.stdout_truncated.into(),
            c::STOCKADE_STDERR_TRUNCATED => report.output.stderr_truncated.into(),
            c::STOCKADE_LIMIT => limit,
            c::STOCKADE_OBSERVED => observed,
            c::STOCKADE_PREPARE_NS => timings.prepare_ns,
            c::STOCKADE_START_NS => timings.start_ns,
            c::STOCKADE_TEARDOWN_NS => timings.teardown_ns,
            _ => 0,
        }
    }

    /// What was captured of a stream, with a NUL behind it.
    pub(crate) fn output(&self, stream: i32) -> Option<&[u8]> {
        match stream {
            c::STOCKADE_STDOUT => Some(&self.outputs[0]),
            c::STOCKADE_STDERR => Some(&self.outputs[1]),
            _ => None,
        }
    }

    pub(crate) fn enforcement(&self, control: Control) -> i32 {
        let mut entries = self.report.enforcement.iter();
        let entry = entries.find(|entry| entry.control == control);
        entry.map_or(0, |entry| words::of_enforcement(entry.status))
    }

    pub(crate) fn to_json(&self) -> Result<String, Failure> {
        serde_json::to_string(&self.report).map_err(Failure::defect)
    }
}
