//! What a person reads.

use comfy_table::{CellAlignment, ColumnConstraint, ContentArrangement, Table, TableStyle};
use stockade::bench::{Growth, Mode, Results, Series, Target};

use crate::doctor::screen::{width, wrap};

/// Everything, block by block.
pub(super) fn render(results: &Results) -> String {
    let width = width();
    let mut blocks = vec![head(results, width), modes(&results.modes)];
    blocks.extend(walls(&results.modes, &results.version, width));
    for (title, all) in [
        ("in a host that holds memory, with 64 threads", &results.host_size),
        ("by several threads at once", &results.concurrency),
        ("the next start, beside others that are alive", &results.live),
        ("again and again", &results.endurance),
    ] {
        blocks.extend(series(title, all, width));
    }
    blocks.extend(growth(&results.growth));
    blocks.extend(held(results, width));
    blocks.extend(overhead(results));
    blocks.push(targets(&results.targets, width));
    blocks.join("\n\n")
}

fn head(results: &Results, width: u16) -> String {
    let host = &results.host;
    let text = format!(
        "Stockade {} on Linux {}, {} processors, {} of memory, cgroups {}, as {}; load {:.2} before \
         and {:.2} after{}",
        results.version,
        host.kernel,
        host.cpus,
        size(host.memory_bytes),
        host.cgroup,
        host.user,
        host.load_before,
        host.load_after,
        if results.quick { "; few rounds, to be quick" } else { "" },
    );
    wrap(&text, "", width)
}

/// All modes, with those that failed or are missing.
fn modes(all: &[Mode]) -> String {
    let plain = all.iter().find(|mode| mode.family == "plain").and_then(Mode::p50);
    let mut rows =
        vec![["", "start", "n", "p50", "p90", "p99", "CPU", "of plain"].map(str::to_owned)];
    for mode in all.iter().filter(|mode| mode.skipped.is_none()) {
        let shown = |ns: Option<u64>| ns.map_or_else(|| "-".to_owned(), time);
        let ratio = mode.p50().zip(plain).map(|(p50, plain)| p50 as f64 / plain as f64);
        rows.push([
            mode.name.clone(),
            mode.start.clone(),
            mode.wall_ns.len().to_string(),
            shown(mode.p50()),
            shown(mode.p90()),
            shown(mode.p99()),
            shown(mode.cpu_p50()),
            ratio.map_or_else(|| "-".to_owned(), |ratio| format!("{ratio:.2}x")),
        ]);
    }
    table(rows, 2)
}

/// What stands around each, why it failed, and what is missing.
fn walls(all: &[Mode], own: &str, width: u16) -> Option<String> {
    let mut lines = Vec::new();
    let mut seen: Vec<&Mode> = Vec::new();
    for mode in all {
        let mut parts = Vec::new();
        parts.extend(mode.skipped.as_ref().map(|reason| format!("skipped: {reason}")));
        if mode.failures > 0 {
            let why = mode.failure.as_deref().unwrap_or("for no known reason");
            parts.push(format!("FAILED in {} of {} runs: {why}", mode.failures, mode.runs));
        }
        if mode.skipped.is_none() {
            parts.extend(mode.note.clone());
            let same = seen.iter().find(|other| other.walls == mode.walls);
            parts.extend((!mode.walls.is_empty()).then(|| match same {
                Some(other) => format!("the same as around {}", other.name),
                None => mode.walls.join("; "),
            }));
            seen.push(mode);
            let foreign = mode.version.as_ref().filter(|version| *version != own);
            parts.extend(foreign.map(|version| format!("version: {version}")));
        }
        if !parts.is_empty() {
            lines.push(format!("  {}", mode.name));
            lines.extend(parts.iter().map(|part| wrap(part, "      ", width)));
        }
    }
    (!lines.is_empty()).then(|| format!("what stands around each\n{}", lines.join("\n")))
}

fn series(title: &str, all: &[Series], width: u16) -> Option<String> {
    let first = all.first()?;
    let what = if first.x.starts_with("bytes") { size } else { |x: u64| x.to_string() };
    let mut lines = vec![wrap(&format!("{title} ({})", first.x), "", width)];
    let mut rows = vec![["", "at", "p50", "p99", "a second"].map(str::to_owned)];
    for series in all {
        for (index, point) in series.points.iter().enumerate() {
            rows.push([
                if index == 0 { series.mode.clone() } else { String::new() },
                what(point.x),
                time(point.p50_ns),
                time(point.p99_ns),
                point.per_second.map_or_else(|| "-".to_owned(), |rate| format!("{rate:.0}")),
            ]);
        }
    }
    lines.push(table(rows, 1));
    Some(lines.join("\n"))
}

/// What is held after so many runs.
fn growth(all: &[Growth]) -> Option<String> {
    if all.is_empty() {
        return None;
    }
    let shown = |bytes: Option<u64>| bytes.map_or_else(|| "-".to_owned(), size);
    let count =
        |files: Option<u64>| files.map_or_else(|| "-".to_owned(), |files| files.to_string());
    let mut rows = vec![["runs", "host", "its files", "helper", "its files"].map(str::to_owned)];
    for growth in all {
        rows.push([
            growth.runs.to_string(),
            size(growth.host_bytes),
            growth.host_files.to_string(),
            shown(growth.helper_bytes),
            count(growth.helper_files),
        ]);
    }
    Some(format!("resident memory and open files after so many runs\n{}", table(rows, 0)))
}

fn held(results: &Results, width: u16) -> Option<String> {
    let lines = results.footprint.iter().map(|entry| {
        wrap(&format!("{}: {} ({})", entry.mode, size(entry.bytes), entry.how), "  ", width)
    });
    let lines: Vec<String> = lines.collect();
    (!lines.is_empty()).then(|| format!("what an idle one holds\n{}", lines.join("\n")))
}

fn overhead(results: &Results) -> Option<String> {
    if results.overhead.is_empty() {
        return None;
    }
    let mut rows = vec![["", "in", "bare", "inside", "ratio"].map(str::to_owned)];
    for entry in &results.overhead {
        rows.push([
            entry.workload.clone(),
            entry.mode.clone(),
            time(entry.bare_ns),
            time(entry.inside_ns),
            entry.ratio().map_or_else(|| "-".to_owned(), |ratio| format!("{ratio:.3}x")),
        ]);
    }
    Some(format!("long runs, CPU time\n{}", table(rows, 2)))
}

fn targets(all: &[Target], width: u16) -> String {
    let mut lines = vec!["targets".to_owned()];
    for target in all {
        let met = match target.met {
            Some(true) => "met",
            Some(false) => "MISSED",
            None => "-",
        };
        let measured = target.measured.map_or_else(
            || "not measured".to_owned(),
            |measured| {
                let digits = if measured.abs() < 100.0 { 2 } else { 0 };
                format!("{measured:.digits$} {}", target.unit)
            },
        );
        let note = target.note.as_ref().map_or_else(String::new, |note| format!(" ({note})"));
        let text =
            format!("{}: {}, aim {}{note}", target.what, measured.trim(), target.target.trim());
        let wrapped = wrap(&text, "               ", width);
        lines.push(format!("  {:4} {met:6}  {}", target.id, wrapped.trim_start()));
    }
    lines.join("\n")
}

/// Columns from `numbers` on are aligned to the right.
fn table<const N: usize>(rows: Vec<[String; N]>, numbers: usize) -> String {
    let mut table = Table::new();
    table.load_style(TableStyle::new());
    table.set_content_arrangement(ContentArrangement::Disabled);
    for row in rows {
        table.add_row(row);
    }
    for (index, column) in table.column_iter_mut().enumerate() {
        column.set_padding((if index == 0 { 2 } else { 1 }, 1));
        column.set_constraint(ColumnConstraint::ContentWidth);
        if index >= numbers {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table.trim_fmt()
}

/// Nanoseconds, with three digits that count.
fn time(ns: u64) -> String {
    let ns = ns as f64;
    let (value, unit) = match ns {
        _ if ns < 1e3 => (ns, "ns"),
        _ if ns < 1e6 => (ns / 1e3, "µs"),
        _ if ns < 1e9 => (ns / 1e6, "ms"),
        _ => (ns / 1e9, "s"),
    };
    let digits = match value {
        _ if value >= 100.0 => 0,
        _ if value >= 10.0 => 1,
        _ => 2,
    };
    format!("{value:.digits$} {unit}")
}

fn size(bytes: u64) -> String {
    const UNITS: [&str; 4] = ["B", "KiB", "MiB", "GiB"];
    let (mut value, mut unit) = (bytes as f64, 0);
    while value >= 1024.0 && unit + 1 < UNITS.len() {
        (value, unit) = (value / 1024.0, unit + 1);
    }
    let digits = if value.fract() == 0.0 { 0 } else { 1 };
    format!("{value:.digits$} {}", UNITS[unit])
}

#[cfg(test)]
mod tests;
