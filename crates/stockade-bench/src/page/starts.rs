//! Median and 99th percentile of every mode, beside the protection that stands.

use maud::{Markup, html};

use super::family::{Label, Labels};
use super::scale::Scale;
use super::table::{Axis, Bars, Graph, Group, Row, percent};
use super::{Figure, Section, text};
use crate::{Mode, Results};

/// How modes start, and what that is called.
const STARTS: [(&str, &str); 3] = [
    ("plain", "No isolation"),
    ("cold", "Cold starts: everything is made for the run"),
    ("warm", "Warm starts: something was made before"),
];

pub(super) fn section(results: &Results, labels: &Labels<'_>) -> Section {
    let times = results.modes.iter().flat_map(|mode| [mode.p50(), mode.p99()]).flatten();
    let scale = Scale::round_log(times.map(|time| time as f64));
    let group = |title: &str, of: &dyn Fn(&Mode) -> bool| Group {
        title: Some(title.to_owned()),
        rows: labels
            .modes()
            .filter(|(mode, _)| of(mode))
            .map(|(mode, label)| row(mode, label, labels, &scale))
            .collect(),
    };
    let ran = |mode: &Mode| mode.skipped.is_none();
    let starts = STARTS
        .iter()
        .map(|(start, title)| group(title, &|mode: &Mode| ran(mode) && mode.start == *start));
    let mut groups: Vec<Group> = starts.collect();
    groups.push(group("Other starts", &|mode: &Mode| {
        ran(mode) && STARTS.iter().all(|(start, _)| *start != mode.start)
    }));
    groups.push(group("Not run here", &|mode: &Mode| !ran(mode)));
    groups.retain(|group| !group.rows.is_empty());
    let table = Bars {
        first: "Mode",
        numbers: &["p50", "p99", "n"],
        words: Some("Protection that stands"),
        axis: Axis {
            scale,
            write: Box::new(text::time_of),
            title: "time of a run, logarithmic".to_owned(),
        },
        groups,
    };
    let figure = || Figure { caption: caption(labels), body: table.render(), numbers: None };
    Section {
        id: "starts",
        title: "Time of a run",
        figure: (!results.modes.is_empty()).then(figure),
    }
}

fn row(mode: &Mode, label: &Label<'_>, labels: &Labels<'_>, scale: &Scale) -> Row {
    let name = html! {
        (label)
        @if let Some(version) = &mode.version { " " span.version { (version) } }
    };
    let (graph, numbers) = match (mode.p50(), mode.p99()) {
        (Some(p50), Some(p99)) => {
            let samples = text::count(mode.wall_ns.len() as u64);
            (Ok(bar(label, scale, p50, p99)), vec![text::time(p50), text::time(p99), samples])
        }
        _ => (Err(absent(mode)), Vec::new()),
    };
    let words = mode.skipped.is_none().then(|| words(mode, labels));
    Row { name, graph, numbers, words }
}

fn bar(label: &Label<'_>, scale: &Scale, p50: u64, p99: u64) -> Graph {
    let (bar, whisker) = (percent(scale.at(p50 as f64)), percent(scale.at(p99 as f64)));
    let marks = html! {
        rect.bar x="0" y="8" width=(bar) height="12" {}
        line.whisker x1=(bar) x2=(whisker) y1="14" y2="14" {}
        line.whisker x1=(whisker) x2=(whisker) y1="9" y2="19" {}
    };
    let title = format!("{}: p50 {}, p99 {}", label.name, text::time(p50), text::time(p99));
    Graph { class: label.family.class(), title, marks }
}

/// Why a mode has no bar.
fn absent(mode: &Mode) -> Markup {
    html! {
        @if let Some(reason) = &mode.skipped {
            (reason)
        } @else if mode.failures > 0 {
            strong.failed { "Every run failed: " } (mode.failure.as_deref().unwrap_or("no reason was given"))
        } @else {
            strong { "No samples." }
        }
    }
}

fn words(mode: &Mode, labels: &Labels<'_>) -> Markup {
    // Modes of one backend have the same long list.
    let same =
        labels.modes().find(|(other, _)| other.skipped.is_none() && other.walls == mode.walls);
    html! {
        @match same {
            _ if mode.wall_ns.is_empty() => "",
            _ if mode.walls.is_empty() => "none",
            Some((first, label)) if first.id != mode.id => { "the same as " (label.key) },
            _ => (mode.walls.join(" · ")),
        }
        @if let Some(note) = &mode.note { span.note { (note) } }
        // Where all failed, that stands in place of the bar.
        @if mode.failures > 0 && !mode.wall_ns.is_empty() {
            span.failed {
                strong { (text::count(mode.failures as u64)) " of " (text::count(mode.runs as u64)) " failed" }
                @if let Some(failure) = &mode.failure { ": " (failure) }
            }
        }
    }
}

fn caption(labels: &Labels<'_>) -> Markup {
    let measured = || labels.modes().filter_map(|(mode, label)| Some((mode.p50()?, label)));
    let ends = measured().min_by_key(|(p50, _)| *p50).zip(measured().max_by_key(|(p50, _)| *p50));
    let few = labels.modes().any(|(mode, _)| (1..100).contains(&mode.wall_ns.len()));
    html! {
        "A bar ends at p50, its whisker at p99. The axis is logarithmic: equal distances are equal "
        "ratios, and a bar twice as long is not twice the time. "
        @if let Some(((low, first), (high, last))) = ends && low < high {
            "The lowest p50 is " (text::time(low)) " (" (first.key) "), the highest "
            (text::time(high)) " (" (last.key) "). "
        }
        @if few { "With fewer than 100 samples, p99 is the slowest of them. " }
    }
}
