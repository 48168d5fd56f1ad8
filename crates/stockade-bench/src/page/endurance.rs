//! Runs again and again: their time, and what is held meanwhile.

use maud::{Markup, html};

use super::family::{Family, Label, Labels};
use super::latency::{self, HEIGHT, Line, dots, keys};
use super::plot::{self, Axis, Plot};
use super::scale::Scale;
use super::{Figure, Section, text};
use crate::{Growth, Results};

const MIB: f64 = (1 << 20) as f64;
const RUNS: &str = "runs";

/// A number of every stretch; `None` where it could not be read.
type Read = fn(&Growth) -> Option<u64>;

/// Whose memory is held: key, name, family, and how to know it.
const HOLDERS: [(&str, &str, Family, Read); 2] = [
    ("H1", "the host process", Family::Other, |growth| Some(growth.host_bytes)),
    ("H2", "its helper", Family::Namespace, |growth| growth.helper_bytes),
];

/// `None` unless it was asked for.
pub(super) fn section(results: &Results, labels: &Labels<'_>) -> Option<Section> {
    let lines = latency::lines(&results.endurance, labels);
    if lines.is_empty() && results.growth.is_empty() {
        return None;
    }
    let body = html! {
        div.plots {
            (latency::latency("endurance", RUNS, &lines, along(results)))
            (memory(&results.growth, along(results)))
        }
        (plot::legend(lines.iter().map(|line| (line.label.clone(), compared(line)))))
        (plot::legend(HOLDERS.map(|holder| (holder_label(&holder), String::new()))))
    };
    let numbers = html! { (latency::numbers(RUNS, &lines, false)) (held(&results.growth)) };
    let caption = html! {
        "Runs one after the other, of these modes in turns, told in stretches; a plain process, run more "
        "rarely, tells what the machine itself did meanwhile. First the time of a run: filled dots and "
        "thick lines are p50, hollow dots and thin lines p99. Then the resident memory when no sandbox "
        "is alive. A level line means that a run leaves nothing behind that the next has to pay for. "
        "Times and sizes are on logarithmic axes."
    };
    let figure = Some(Figure { caption, body, numbers: Some(numbers) });
    Some(Section { id: "endurance", title: "Time and memory over many runs", figure })
}

/// From zero to all runs.
fn along(results: &Results) -> Axis {
    let counts = results.endurance.iter().flat_map(|series| &series.points).map(|point| point.x);
    let counts = counts.chain(results.growth.iter().map(|growth| growth.runs));
    let scale = Scale::linear(counts.map(|runs| runs as f64));
    Axis::round(RUNS, scale, 6, text::digits)
}

/// The last stretch beside the first.
fn compared(line: &Line<'_>) -> String {
    match (line.points.first(), line.points.last()) {
        (Some(first), Some(last)) if first.p50_ns > 0 && line.points.len() > 1 => {
            let ratio = last.p50_ns as f64 / first.p50_ns as f64;
            format!("last p50 {} the first", text::ratio(ratio))
        }
        _ => String::new(),
    }
}

fn holder_label((key, name, family, _): &(&str, &'static str, Family, Read)) -> Label<'static> {
    Label { key: (*key).to_owned(), name, family: *family }
}

fn memory(growth: &[Growth], x: Axis) -> Plot {
    let sizes = growth.iter().flat_map(|growth| HOLDERS.map(|(.., read)| read(growth)));
    let scale = Scale::round_log(sizes.flatten().map(|bytes| bytes as f64 / MIB));
    let y = Axis::round("resident memory", scale, 6, |size| format!("{} MiB", text::digits(size)));
    let drawn: Vec<(Line<'_>, Vec<(f64, f64)>)> = HOLDERS
        .iter()
        .map(|holder| {
            let place = |growth: &Growth| {
                let bytes = holder.3(growth)?;
                Some((x.scale.at(growth.runs as f64), y.scale.at(bytes as f64 / MIB)))
            };
            let line = Line { label: holder_label(holder), points: &[] };
            (line, growth.iter().filter_map(place).collect::<Vec<_>>())
        })
        .filter(|(_, places)| !places.is_empty())
        .collect();
    let ends: Vec<(f64, f64)> =
        drawn.iter().filter_map(|(_, places)| places.last().copied()).collect();
    let marks = html! {
        @for (line, places) in &drawn { (dots(line, places, "filled")) }
        (keys(drawn.iter().map(|(line, _)| line), &ends))
    };
    let lines = html! {
        @for (line, places) in &drawn { (plot::line(line.label.family.class(), places)) }
    };
    Plot {
        id: "endurance-memory".to_owned(),
        title: "Resident memory against runs".to_owned(),
        words: "The table below the figure has every point.".to_owned(),
        height: HEIGHT,
        x,
        y,
        lines,
        marks,
    }
}

fn held(growth: &[Growth]) -> Markup {
    let size = |bytes: Option<u64>| {
        bytes.map_or_else(|| "–".to_owned(), |bytes| text::bytes(bytes as f64))
    };
    let count = |files: Option<u64>| files.map_or_else(|| "–".to_owned(), text::count);
    html! {
        div.scroll tabindex="0" role="region" aria-label="What was held, as numbers" {
            table.plain-table {
                thead { tr {
                    th.number scope="col" { (RUNS) }
                    th.number scope="col" { "host, resident" }
                    th.number scope="col" { "its open files" }
                    th.number scope="col" { "helper, resident" }
                    th.number scope="col" { "its open files" }
                } }
                tbody { @for growth in growth { tr {
                    td.number { (text::count(growth.runs)) }
                    td.number { (size(Some(growth.host_bytes))) }
                    td.number { (text::count(growth.host_files)) }
                    td.number { (size(growth.helper_bytes)) }
                    td.number { (count(growth.helper_files)) }
                } } }
            }
        }
    }
}
