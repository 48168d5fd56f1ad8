//! Tables in which each row has a bar.

use maud::{Markup, html};

use super::scale::Scale;

/// What an axis has room for on a narrow screen.
const TICKS: usize = 6;

/// A table with a graph in each row, and words below it. On a narrow screen all cells of a row stand
/// below each other.
pub(super) struct Bars<'a> {
    /// Of the first column.
    pub(super) first: &'a str,
    /// Of the columns of numbers.
    pub(super) numbers: &'a [&'a str],
    /// Of the words below each graph.
    pub(super) words: Option<&'a str>,
    pub(super) axis: Axis,
    pub(super) groups: Vec<Group>,
}

/// The axis that all graphs of a table share.
pub(super) struct Axis {
    pub(super) scale: Scale,
    pub(super) write: Box<dyn Fn(f64) -> String>,
    /// What it shows, for those who do not see it.
    pub(super) title: String,
}

pub(super) struct Group {
    pub(super) title: Option<String>,
    pub(super) rows: Vec<Row>,
}

pub(super) struct Row {
    pub(super) name: Markup,
    /// Elements of SVG, or why there are none.
    pub(super) graph: Result<Graph, Markup>,
    pub(super) numbers: Vec<String>,
    pub(super) words: Option<Markup>,
}

pub(super) struct Graph {
    /// Class of the family.
    pub(super) class: &'static str,
    /// What it shows, in words.
    pub(super) title: String,
    pub(super) marks: Markup,
}

// The style sheet places the cells of a row in a grid, and some readers take what is no longer laid out
// as a table for none: so the roles are said.
impl Bars<'_> {
    pub(super) fn render(self) -> Markup {
        html! {
            table class={ "bars n" (self.numbers.len()) } role="table" {
                thead role="rowgroup" { tr role="row" {
                    th.name scope="col" role="columnheader" { (self.first) }
                    th.graph scope="col" role="columnheader" { (self.axis.labels()) }
                    @for name in self.numbers {
                        th.number scope="col" role="columnheader" { (name) }
                    }
                    @if let Some(words) = self.words {
                        th.words scope="col" role="columnheader" { (words) }
                    }
                } }
                @for group in &self.groups {
                    tbody role="rowgroup" {
                        @if let Some(title) = &group.title { (self.title(title)) }
                        @for row in &group.rows { (self.row(row)) }
                    }
                }
            }
        }
    }

    fn title(&self, title: &str) -> Markup {
        let columns = 2 + self.numbers.len() + usize::from(self.words.is_some());
        html! {
            tr.group role="row" {
                th scope="rowgroup" role="rowheader" colspan=(columns) { (title) }
            }
        }
    }

    fn row(&self, row: &Row) -> Markup {
        // What has no numbers has their place for its reason.
        let spare = if row.numbers.is_empty() { self.numbers.len() } else { 0 };
        html! {
            tr role="row" {
                th.name scope="row" role="rowheader" { (row.name) }
                td class={ "graph g" (spare) } role="cell" colspan=(1 + spare) {
                    @match &row.graph {
                        Ok(graph) => svg class=(graph.class) role="img" aria-label=(graph.title) {
                            title { (graph.title) }
                            (self.axis.grid())
                            (graph.marks)
                        },
                        Err(reason) => div.reason { (reason) },
                    }
                }
                @for (name, number) in self.numbers.iter().zip(&row.numbers) {
                    td.number role="cell" data-name=(name) { (number) }
                }
                @if let Some(words) = &row.words { td.words role="cell" { (words) } }
            }
        }
    }
}

impl Axis {
    fn labels(&self) -> Markup {
        html! {
            svg.axis role="img" aria-label=(self.title) {
                title { (self.title) }
                @for tick in self.scale.ticks(TICKS) {
                    @let at = self.scale.at(tick);
                    text.tick x=(percent(at)) y="15" text-anchor=(anchor(at)) { ((self.write)(tick)) }
                }
            }
        }
    }

    fn grid(&self) -> Markup {
        html! {
            @for tick in self.scale.ticks(TICKS) {
                @let x = percent(self.scale.at(tick));
                line.grid x1=(x) x2=(x) y1="0" y2="100%" {}
            }
        }
    }
}

/// A place from 0 to 1 as a coordinate.
pub(super) fn percent(at: f64) -> String {
    format!("{:.2}%", at * 100.0)
}

/// Text at the ends of an axis stays within it.
fn anchor(at: f64) -> &'static str {
    match at {
        at if at < 0.02 => "start",
        at if at > 0.98 => "end",
        _ => "middle",
    }
}
