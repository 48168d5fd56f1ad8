//! What the project aims at, beside what was measured here.

use maud::{Markup, html};

use super::{Figure, Section, text};
use crate::{Results, Target};

pub(super) fn section(results: &Results) -> Section {
    let count =
        |met: Option<bool>| results.targets.iter().filter(|target| target.met == met).count();
    let caption = html! {
        (count(Some(true))) " met, " (count(Some(false))) " missed, " (count(None)) " not judged, in this "
        "run on this machine."
    };
    let body = html! {
        div.scroll tabindex="0" role="region" aria-label="Targets" {
            table.plain-table.targets {
                thead { tr {
                    th scope="col" { "Id" }
                    th scope="col" { "What" }
                    th scope="col" { "Target" }
                    th.number scope="col" { "Measured" }
                    th scope="col" { "Judged" }
                } }
                tbody { @for target in &results.targets { (row(target)) } }
            }
        }
    };
    let figure = || Figure { caption, body, numbers: None };
    Section {
        id: "targets",
        title: "Targets of the project",
        figure: (!results.targets.is_empty()).then(figure),
    }
}

fn row(target: &Target) -> Markup {
    let (class, verdict) = match target.met {
        Some(true) => ("met", "met"),
        Some(false) => ("missed", "missed"),
        None => ("unknown", if target.measured.is_some() { "not judged" } else { "not measured" }),
    };
    html! {
        tr {
            th scope="row" { (target.id) }
            td {
                (target.what)
                @if let Some(note) = &target.note { span.note { (note) } }
            }
            td.aim data-name="target" { (aim(target)) }
            td.number data-name="measured" { (measured(target)) }
            td.judged { span class={ "verdict " (class) } { (verdict) } }
        }
    }
}

/// With the sign that ratios have on this page.
fn aim(target: &Target) -> String {
    match target.target.strip_suffix(" x") {
        Some(number) => format!("{number} ×"),
        None => target.target.clone(),
    }
}

fn measured(target: &Target) -> String {
    match (target.measured, target.unit.as_str()) {
        (None, _) => "–".to_owned(),
        (Some(number), "x") => text::ratio(number),
        (Some(number), unit) => format!("{} {unit}", text::digits(number)).trim_end().to_owned(),
    }
}
