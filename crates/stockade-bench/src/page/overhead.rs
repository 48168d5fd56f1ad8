//! What a program loses that runs for long.

use maud::html;

use super::family::Labels;
use super::scale::Scale;
use super::table::{Axis, Bars, Graph, Group, Row, percent};
use super::{Figure, Section, text};
use crate::{Overhead, Results};

pub(super) fn section(results: &Results, labels: &Labels<'_>) -> Section {
    let ratios = || results.overhead.iter().filter_map(Overhead::ratio);
    let scale = Scale::linear(ratios().chain([1.0]));
    let row = |one: &Overhead| {
        let label = labels.of(&one.mode);
        let ratio = one.ratio();
        let graph = ratio.map(|ratio| Graph {
            class: label.family.class(),
            title: format!("{}, {}: {}", one.workload, label.name, text::ratio(ratio)),
            marks: html! {
                rect.bar x="0" y="8" width=(percent(scale.at(ratio))) height="12" {}
                line.level x1=(percent(scale.at(1.0))) x2=(percent(scale.at(1.0))) y1="0" y2="100%" {}
            },
        });
        Row {
            name: html! { (one.workload) br; span.sub { (label) } },
            graph: graph.ok_or_else(|| html! { "No time was measured outside." }),
            numbers: vec![
                text::time(one.bare_ns),
                text::time(one.inside_ns),
                ratio.map_or_else(|| "–".to_owned(), text::ratio),
            ],
            words: None,
        }
    };
    let table = Bars {
        first: "Work",
        numbers: &["outside", "inside", "ratio"],
        words: None,
        axis: Axis {
            scale,
            write: Box::new(text::ratio),
            title: "inside divided by outside".to_owned(),
        },
        groups: vec![Group { title: None, rows: results.overhead.iter().map(row).collect() }],
    };
    let caption = html! {
        "The same work outside and inside: medians of CPU time, without the start. The ratio is the time "
        "inside divided by the one outside; a bar that ends at the line of 1 lost nothing."
    };
    let figure = || Figure { caption, body: table.render(), numbers: None };
    Section {
        id: "overhead",
        title: "Speed of long work",
        figure: (!results.overhead.is_empty()).then(figure),
    }
}
