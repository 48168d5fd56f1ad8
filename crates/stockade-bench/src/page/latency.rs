//! How the time of a run depends on one thing: memory of the host, starts at once, live sandboxes.

use maud::{Markup, html};

use super::family::{Label, Labels};
use super::plot::{self, Axis, Plot};
use super::scale::Scale;
use super::table::percent;
use super::{Figure, Section, text};
use crate::{Point, Results, Series};

/// In pixels.
pub(super) const HEIGHT: f64 = 260.0;

/// Ticks stand at what was measured, if they have this much of the axis between them.
const ROOM: f64 = 0.11;

pub(super) fn host_size(results: &Results, labels: &Labels<'_>) -> Section {
    let figure = figure(
        "host-size",
        &results.host_size,
        labels,
        html! {
            "A run by a process that holds memory and, where it holds any, has 64 threads besides. A line "
            "that stays level does not depend on the host process; one that climbs copies some of it."
        },
    );
    Section { id: "host-size", title: "Time against memory of the host process", figure }
}

pub(super) fn concurrency(results: &Results, labels: &Labels<'_>) -> Section {
    let figure = figure(
        "concurrency",
        &results.concurrency,
        labels,
        html! {
            "Runs by several threads at once. Throughput stops growing where the processors are busy; from "
            "there on, more threads only wait longer."
        },
    );
    Section { id: "concurrency", title: "Throughput and time against concurrency", figure }
}

pub(super) fn live(results: &Results, labels: &Labels<'_>) -> Section {
    let figure = figure(
        "live",
        &results.live,
        labels,
        html! {
            "The next run while others stay alive. A level line means that a start does not depend on how "
            "many there are."
        },
    );
    Section { id: "live", title: "Time against live sandboxes", figure }
}

/// One series with its label, without what has no points.
pub(super) struct Line<'a> {
    pub(super) label: Label<'a>,
    pub(super) points: &'a [Point],
}

/// Those that have points.
pub(super) fn lines<'a>(series: &'a [Series], labels: &Labels<'a>) -> Vec<Line<'a>> {
    let some = series.iter().filter(|series| !series.points.is_empty());
    some.map(|series| Line { label: labels.of(&series.mode), points: &series.points }).collect()
}

fn figure<'a>(
    id: &str,
    series: &'a [Series],
    labels: &Labels<'a>,
    caption: Markup,
) -> Option<Figure> {
    let name = &series.iter().find(|series| !series.points.is_empty())?.x;
    let lines = lines(series, labels);
    let rates = lines.iter().any(|line| line.points.iter().any(|point| point.per_second.is_some()));
    let body = html! {
        div.plots {
            @if rates { (throughput(id, name, &lines)) }
            (latency(id, name, &lines, across(name, &lines)))
        }
        (plot::legend(lines.iter().map(|line| (line.label.clone(), String::new()))))
    };
    let caption = html! {
        (caption) " Filled dots and thick lines are p50, hollow dots and thin lines p99; all axes are logarithmic."
        @if lines.iter().any(|line| line.points.iter().any(|point| point.x == 0)) {
            " Zero, which such an axis does not have, stands at its left end."
        }
    };
    Some(Figure { caption, body, numbers: Some(numbers(name, &lines, rates)) })
}

/// Time against what is along `x`.
pub(super) fn latency(id: &str, name: &str, lines: &[Line<'_>], x: Axis) -> Plot {
    let times =
        lines.iter().flat_map(|line| line.points).flat_map(|point| [point.p50_ns, point.p99_ns]);
    let y = Axis::round(
        "time of a run",
        Scale::round_log(times.map(|time| time as f64)),
        8,
        text::time_of,
    );
    let place = |point: &Point, time: u64| (x.scale.at(point.x as f64), y.scale.at(time as f64));
    let along = |line: &Line<'_>, time: fn(&Point) -> u64| -> Vec<(f64, f64)> {
        line.points.iter().map(|point| place(point, time(point))).collect()
    };
    let drawn: Vec<_> = lines
        .iter()
        .map(|line| (along(line, |point| point.p50_ns), along(line, |point| point.p99_ns)))
        .collect();
    let ends: Vec<(f64, f64)> = drawn.iter().filter_map(|(p50, _)| p50.last().copied()).collect();
    let marks = html! {
        @for (line, (p50, p99)) in lines.iter().zip(&drawn) {
            (dots(line, p99, "hollow"))
            (dots(line, p50, "filled"))
        }
        (keys(lines, &ends))
    };
    let curves = html! {
        @for (line, (p50, p99)) in lines.iter().zip(&drawn) {
            @let class = line.label.family.class();
            (plot::line(&format!("thin {class}"), p99))
            (plot::line(class, p50))
        }
    };
    let title = format!("Time of a run against {name}");
    let words = "The table below the figure has every point.".to_owned();
    Plot { id: format!("{id}-time"), title, words, height: HEIGHT, x, y, lines: curves, marks }
}

fn throughput(id: &str, name: &str, lines: &[Line<'_>]) -> Plot {
    let rates = lines.iter().flat_map(|line| line.points).filter_map(|point| point.per_second);
    let y = Axis::round("runs a second", Scale::round_log(rates), 8, text::digits);
    let x = across(name, lines);
    let along = |line: &Line<'_>| -> Vec<(f64, f64)> {
        let place =
            |point: &Point| Some((x.scale.at(point.x as f64), y.scale.at(point.per_second?)));
        line.points.iter().filter_map(place).collect()
    };
    let (lines, drawn): (Vec<&Line<'_>>, Vec<_>) = lines
        .iter()
        .map(|line| (line, along(line)))
        .filter(|(_, places)| !places.is_empty())
        .unzip();
    let ends: Vec<(f64, f64)> = drawn.iter().filter_map(|places| places.last().copied()).collect();
    let marks = html! {
        @for (line, places) in lines.iter().zip(&drawn) { (dots(line, places, "filled")) }
        (keys(lines.iter().copied(), &ends))
    };
    let curves = html! {
        @for (line, places) in lines.iter().zip(&drawn) {
            (plot::line(line.label.family.class(), places))
        }
    };
    let title = format!("Runs a second against {name}");
    let words = "The table below the figure has every point.".to_owned();
    Plot { id: format!("{id}-rate"), title, words, height: HEIGHT, x, y, lines: curves, marks }
}

/// The axis of what was varied, with ticks where it was measured.
fn across(name: &str, lines: &[Line<'_>]) -> Axis {
    let mut values: Vec<u64> =
        lines.iter().flat_map(|line| line.points).map(|point| point.x).collect();
    values.sort_unstable();
    values.dedup();
    let write = |value: u64| {
        if name.starts_with("bytes") { text::bytes(value as f64) } else { text::count(value) }
    };
    let values: Vec<(f64, String)> =
        values.into_iter().map(|value| (value as f64, write(value))).collect();
    let places: Vec<f64> = values.iter().map(|(value, _)| *value).collect();
    let scale = Scale::tight_log(&places);
    let mut last = f64::NEG_INFINITY;
    let ticks = values.into_iter().filter(|(value, _)| {
        let at = scale.at(*value);
        let room = at - last >= ROOM;
        last = if room { at } else { last };
        room
    });
    Axis { name: format!("{name}, logarithmic"), scale, ticks: ticks.collect() }
}

pub(super) fn dots(line: &Line<'_>, places: &[(f64, f64)], kind: &str) -> Markup {
    html! {
        @for (x, y) in places {
            circle class={ "dot " (kind) " " (line.label.family.class()) } r="3" cx=(percent(*x))
                cy=(plot::pixels((1.0 - y) * HEIGHT)) {}
        }
    }
}

/// Keys beside the right ends of the lines, which are at these places.
pub(super) fn keys<'a>(
    lines: impl IntoIterator<Item = &'a Line<'a>>,
    ends: &[(f64, f64)],
) -> Markup {
    let wanted: Vec<f64> = ends.iter().map(|(_, y)| (1.0 - y) * HEIGHT).collect();
    let placed = ends.iter().zip(plot::apart(&wanted, HEIGHT));
    html! {
        @for (line, ((x, _), y)) in lines.into_iter().zip(placed) {
            (plot::key_after(&line.label, *x, y))
        }
    }
}

pub(super) fn numbers(name: &str, lines: &[Line<'_>], rates: bool) -> Markup {
    html! {
        div.scroll tabindex="0" role="region" aria-label="Every point as numbers" {
            table.plain-table {
                thead { tr {
                    th scope="col" { "Mode" }
                    th.number scope="col" { (name) }
                    th.number scope="col" { "p50" }
                    th.number scope="col" { "p99" }
                    @if rates { th.number scope="col" { "runs a second" } }
                } }
                @for line in lines {
                    tbody { @for point in line.points { (row(&line.label, point, rates)) } }
                }
            }
        }
    }
}

fn row(label: &Label<'_>, point: &Point, rates: bool) -> Markup {
    html! {
        tr {
            th scope="row" { (label) }
            td.number { (text::count(point.x)) }
            td.number { (text::time(point.p50_ns)) }
            td.number { (text::time(point.p99_ns)) }
            @if rates { td.number { (point.per_second.map_or_else(|| "–".to_owned(), text::digits)) } }
        }
    }
}
