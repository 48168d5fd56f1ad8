//! What was measured where, and how to read it.

use maud::{Markup, html};

use super::text;
use crate::Results;

pub(super) fn masthead(results: &Results) -> Markup {
    html! {
        header {
            p.over { "stockade bench" }
            h1 { "What isolation costs on this machine" }
            (facts(results))
            @if results.quick {
                p.warning { strong { "A quick run." } " It took few samples, so its figures are coarse." }
            }
            (reading())
        }
    }
}

fn facts(results: &Results) -> Markup {
    let host = &results.host;
    let load = format!(
        "{} before, {} after",
        text::digits(host.load_before),
        text::digits(host.load_after)
    );
    let facts = [
        ("Stockade", results.version.clone()),
        ("Measured", date(&results.date)),
        ("Kernel", host.kernel.clone()),
        ("Processors", text::count(host.cpus as u64)),
        ("Memory", text::bytes(host.memory_bytes as f64)),
        ("Control groups", host.cgroup.clone()),
        ("User", host.user.clone()),
        ("Load", load),
        ("Runs of each mode", rounds(results)),
    ];
    html! {
        dl.facts {
            @for (name, value) in facts { div { dt { (name) } dd { (value) } } }
            div.wide { dt { "Command" } dd { code { (results.command) } } }
        }
    }
}

/// A date of RFC 3339 in UTC, for people.
fn date(date: &str) -> String {
    let parts = date.strip_suffix('Z').and_then(|date| date.split_once('T'));
    parts.map_or_else(|| date.to_owned(), |(day, time)| format!("{day} {time} UTC"))
}

fn rounds(results: &Results) -> String {
    let ran = || results.modes.iter().filter(|mode| mode.skipped.is_none()).map(|mode| mode.runs);
    match (ran().min(), ran().max()) {
        (Some(least), Some(most)) if least < most => {
            format!("{} to {}", text::count(least as u64), text::count(most as u64))
        }
        (_, Some(most)) => text::count(most as u64),
        _ => "none".to_owned(),
    }
}

fn reading() -> Markup {
    html! {
        div.reading {
            h2 { "How to read it" }
            p {
                "Each run starts a small program and waits for its end: half of the runs took at most "
                "the time called p50, and ninety-nine of a hundred at most the one called p99. "
                "Compare cold starts with cold ones and warm with warm, and look at the protection "
                "below each bar, since a mode with fewer walls has less to do. "
                "Whatever else this machine did is in these figures too, so trust order and ratio "
                "more than digits."
            }
        }
    }
}
