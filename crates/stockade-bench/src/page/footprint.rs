//! Memory of one idle sandbox.

use maud::html;

use super::family::Labels;
use super::scale::Scale;
use super::table::{Axis, Bars, Graph, Group, Row, percent};
use super::{Figure, Section, text};
use crate::{Footprint, Results};

pub(super) fn section(results: &Results, labels: &Labels<'_>) -> Section {
    let most = results.footprint.iter().map(|one| one.bytes).max().unwrap_or(0);
    // The axis counts in the unit of the largest, so that its ticks are round.
    let unit = 1024_f64.powi(most.checked_ilog2().unwrap_or(0) as i32 / 10);
    let scale = Scale::linear(results.footprint.iter().map(|one| one.bytes as f64 / unit));
    let row = |one: &Footprint| {
        let label = labels.of(&one.mode);
        let size = text::bytes(one.bytes as f64);
        let width = percent(scale.at(one.bytes as f64 / unit));
        let graph = Graph {
            class: label.family.class(),
            title: format!("{}: {size}", label.name),
            marks: html! { rect.bar x="0" y="8" width=(width) height="12" {} },
        };
        Row {
            name: html! { (label) },
            graph: Ok(graph),
            numbers: vec![size],
            words: Some(html! { (one.how) }),
        }
    };
    let table = Bars {
        first: "Mode",
        numbers: &["each"],
        words: Some("How it was counted"),
        axis: Axis {
            scale,
            write: Box::new(move |size| text::bytes(size * unit)),
            title: "bytes".to_owned(),
        },
        groups: vec![Group { title: None, rows: results.footprint.iter().map(row).collect() }],
    };
    let caption = html! {
        "What one more idle sandbox takes, from zero on a linear axis. Compare only what was counted "
        "in the same way."
    };
    let figure = || Figure { caption, body: table.render(), numbers: None };
    Section {
        id: "footprint",
        title: "Memory of a sandbox",
        figure: (!results.footprint.is_empty()).then(figure),
    }
}
