//! CPU time of a run beside its wall time.

use maud::html;

use super::family::{Label, Labels};
use super::scale::Scale;
use super::table::{Axis, Bars, Graph, Group, Row, percent};
use super::{Figure, Section, text};
use crate::{Mode, Results};

pub(super) fn section(results: &Results, labels: &Labels<'_>) -> Section {
    let times = results.modes.iter().flat_map(|mode| [mode.p50(), mode.cpu_p50()]).flatten();
    let scale = Scale::round_log(times.map(|time| time as f64));
    let both =
        |(mode, label): (&Mode, &Label<'_>)| Some(row(label, mode.p50()?, mode.cpu_p50()?, &scale));
    let rows: Vec<Row> = labels.modes().filter_map(both).collect();
    let missing: Vec<&str> = labels
        .modes()
        .filter(|(mode, _)| mode.p50().is_some() && mode.cpu_p50().is_none())
        .map(|(_, label)| label.key.as_str())
        .collect();
    let caption = html! {
        "Medians of the same runs. An open bar is wall time, a filled one CPU time, of all processes of "
        "the mode that could be counted. A ratio of CPU to wall time above 1 is work on more than one "
        "processor; far below 1, the run waited. The axis is logarithmic. "
        @if !missing.is_empty() { "Not counted: " (missing.join(", ")) "." }
    };
    let none = rows.is_empty();
    let table = Bars {
        first: "Mode",
        numbers: &["wall", "CPU", "ratio"],
        words: None,
        axis: Axis { scale, write: Box::new(text::time_of), title: "time, logarithmic".to_owned() },
        groups: vec![Group { title: None, rows }],
    };
    let figure = || Figure { caption, body: table.render(), numbers: None };
    Section { id: "cpu", title: "CPU time beside wall time", figure: (!none).then(figure) }
}

fn row(label: &Label<'_>, wall: u64, cpu: u64, scale: &Scale) -> Row {
    let marks = html! {
        rect.bar.hollow x="0" y="6" width=(percent(scale.at(wall as f64))) height="7" {}
        rect.bar x="0" y="15" width=(percent(scale.at(cpu as f64))) height="7" {}
    };
    let title = format!("{}: wall {}, CPU {}", label.name, text::time(wall), text::time(cpu));
    let share = if wall == 0 { f64::NAN } else { cpu as f64 / wall as f64 };
    Row {
        name: html! { (label) },
        graph: Ok(Graph { class: label.family.class(), title, marks }),
        numbers: vec![text::time(wall), text::time(cpu), text::ratio(share)],
        words: None,
    }
}
