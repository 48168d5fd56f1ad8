//! The results as one page of HTML that needs nothing else: no script, no other file, no network.
//!
//! Every horizontal coordinate of a figure is a per cent of its width, so that figures fit a screen
//! of any width and their text keeps its size.

mod cpu;
mod endurance;
mod family;
mod footprint;
mod head;
mod latency;
mod overhead;
mod phases;
mod plot;
mod scale;
mod spread;
mod starts;
mod table;
mod targets;
mod text;

#[cfg(test)]
mod tests;

use maud::{DOCTYPE, Markup, PreEscaped, html};

use self::family::Labels;
use crate::Results;

const STYLE: &str = include_str!("page/style.css");

/// The results as one page of HTML, with its style and figures inside.
///
/// Text of the results is shown as text, whatever is in it; characters that control a terminal or
/// the direction of writing are replaced.
pub fn page(results: &Results) -> String {
    let labels = Labels::new(&results.modes);
    let mut sections = vec![
        starts::section(results, &labels),
        spread::section(results, &labels),
        cpu::section(results, &labels),
        phases::section(&labels),
        latency::host_size(results, &labels),
        latency::concurrency(results, &labels),
        latency::live(results, &labels),
    ];
    sections.extend(endurance::section(results, &labels));
    sections.extend([
        footprint::section(results, &labels),
        overhead::section(results, &labels),
        targets::section(results),
    ]);
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { "Stockade " (results.version) ": what isolation costs" }
                style { (PreEscaped(STYLE)) }
            }
            body {
                (head::masthead(results))
                nav aria-label="Sections" {
                    ol { @for part in &sections { li { a href={ "#" (part.id) } { (part.title) } } } }
                }
                main { @for part in sections { (part.render()) } }
            }
        }
    };
    page.into_string().chars().map(visible).collect()
}

/// A section of the page: a title, what one sees, and the figure.
struct Section {
    id: &'static str,
    title: &'static str,
    /// `None` when there is nothing to show.
    figure: Option<Figure>,
}

struct Figure {
    caption: Markup,
    body: Markup,
    /// The same as numbers, where the figure has none.
    numbers: Option<Markup>,
}

impl Section {
    fn render(self) -> Markup {
        html! {
            section id=(self.id) {
                h2 { (self.title) }
                @match self.figure {
                    None => p.nothing { "Not measured in this run." },
                    Some(figure) => {
                        figure {
                            figcaption { (figure.caption) }
                            (figure.body)
                        }
                        @if let Some(numbers) = figure.numbers {
                            details { summary { "The numbers" } (numbers) }
                        }
                    }
                }
            }
        }
    }
}

/// What fails may print anything, and its message is shown.
fn visible(c: char) -> char {
    let turns =
        matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    if turns || (c.is_control() && c != '\n' && c != '\t') {
        char::REPLACEMENT_CHARACTER
    } else {
        c
    }
}
