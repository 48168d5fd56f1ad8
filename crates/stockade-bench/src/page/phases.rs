//! Where the time of a start goes.

use maud::{Markup, html};

use super::family::{Family, Label, Labels};
use super::scale::Scale;
use super::table::{Axis, Bars, Graph, Group, Row, percent};
use super::{Figure, Section, text};
use crate::{Mode, PhaseTime};

/// Shades that the style sheet has; more phases begin again.
const SHADES: usize = 10;

pub(super) fn section(labels: &Labels<'_>) -> Section {
    // A module's phases lie within each other, or before its run.
    let told: Vec<_> = labels
        .modes()
        .filter(|(mode, label)| label.family == Family::Namespace && !mode.phases.is_empty())
        .collect();
    let names = names(&told);
    let scale = Scale::linear(told.iter().map(|(mode, _)| total(mode)));
    let rows = told.iter().map(|(mode, label)| row(mode, label, &names, &scale)).collect();
    let table = Bars {
        first: "Mode",
        numbers: &["sum"],
        words: None,
        axis: Axis { scale, write: Box::new(text::time_of), title: "time".to_owned() },
        groups: vec![Group { title: None, rows }],
    };
    let caption = html! {
        "Medians of each phase, one after the other, on a linear axis. The sum is not the p50 of the run: "
        "medians do not add up, and some time is in no phase."
    };
    let figure = || Figure {
        caption,
        body: html! { (legend(&names)) (table.render()) },
        numbers: Some(numbers(&told, &names)),
    };
    Section { id: "phases", title: "Where the time goes", figure: (!told.is_empty()).then(figure) }
}

/// Every phase, in the order in which modes tell them.
fn names<'a>(told: &[(&'a Mode, &Label<'_>)]) -> Vec<&'a str> {
    let mut names: Vec<&str> = Vec::new();
    for phase in told.iter().flat_map(|(mode, _)| &mode.phases) {
        if !names.contains(&phase.name.as_str()) {
            names.push(&phase.name);
        }
    }
    names
}

fn total(mode: &Mode) -> f64 {
    mode.phases.iter().map(|phase| phase.p50_ns as f64).sum()
}

fn row(mode: &Mode, label: &Label<'_>, names: &[&str], scale: &Scale) -> Row {
    let mut end = 0.0;
    let places = mode.phases.iter().map(|phase| {
        let start = end;
        end += phase.p50_ns as f64;
        let nth = names.iter().position(|name| *name == phase.name).unwrap_or(0);
        part(nth, phase, scale.at(start), scale.at(end))
    });
    let marks = html! { @for part in places { (part) } };
    let parts: Vec<String> = mode
        .phases
        .iter()
        .map(|phase| format!("{} {}", phase.name, text::time(phase.p50_ns)))
        .collect();
    let title = format!("{}: {}", label.name, parts.join(", "));
    Row {
        name: html! { (label) },
        graph: Ok(Graph { class: "stack", title, marks }),
        numbers: vec![text::time_of(total(mode))],
        words: None,
    }
}

fn part(nth: usize, phase: &PhaseTime, from: f64, to: f64) -> Markup {
    let shade = nth % SHADES;
    html! {
        rect class={ "part s" (shade) } x=(percent(from)) y="6" width=(percent(to - from)) height="16" {
            title { (phase.name) ": " (text::time(phase.p50_ns)) }
        }
        @if to - from > 0.07 {
            text class={ "in s" (shade) } x=(percent((from + to) / 2.0)) y="18" text-anchor="middle" {
                (nth + 1)
            }
        }
    }
}

fn legend(names: &[&str]) -> Markup {
    html! {
        ul.legend {
            @for (nth, name) in names.iter().enumerate() {
                li { span class={ "swatch s" (nth % SHADES) } { (nth + 1) } " " (name) }
            }
        }
    }
}

fn numbers(told: &[(&Mode, &Label<'_>)], names: &[&str]) -> Markup {
    html! {
        div.scroll tabindex="0" role="region" aria-label="Phases as numbers" {
            table.plain-table {
                thead { tr {
                    th scope="col" { "Phase" }
                    @for (_, label) in told { th.number scope="col" { (label.key) } }
                } }
                tbody {
                    @for name in names {
                        tr {
                            th scope="row" { (name) }
                            @for (mode, _) in told {
                                @let phase = mode.phases.iter().find(|phase| phase.name == **name);
                                td.number { (phase.map_or_else(|| "–".to_owned(), |phase| text::time(phase.p50_ns))) }
                            }
                        }
                    }
                }
            }
        }
    }
}
