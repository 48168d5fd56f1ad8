//! Plots with two axes.
//!
//! Lines are drawn in a square of [`UNITS`], stretched to the plot; their width and dashes are not.
//! Text and dots are placed in per cent across and in pixels down, so nothing but the distance
//! between them depends on the screen.

use std::fmt::Write;

use maud::{Markup, Render, html};

use super::family::Label;
use super::scale::Scale;
use super::table::percent;

const UNITS: f64 = 1000.0;

/// Of a line of text, in pixels.
const LINE: f64 = 14.0;

/// One plot.
pub(super) struct Plot {
    /// Of the element, to refer to its texts.
    pub(super) id: String,
    /// What it shows, for those who do not see it.
    pub(super) title: String,
    pub(super) words: String,
    /// In pixels.
    pub(super) height: f64,
    pub(super) x: Axis,
    pub(super) y: Axis,
    pub(super) lines: Markup,
    pub(super) marks: Markup,
}

pub(super) struct Axis {
    pub(super) name: String,
    pub(super) scale: Scale,
    pub(super) ticks: Vec<(f64, String)>,
}

impl Axis {
    /// With at most `most` ticks, at round values.
    pub(super) fn round(name: &str, scale: Scale, most: usize, write: fn(f64) -> String) -> Self {
        let ticks = scale.ticks(most).into_iter().map(|tick| (tick, write(tick))).collect();
        Self { name: name.to_owned(), scale, ticks }
    }
}

impl Render for Plot {
    fn render(&self) -> Markup {
        let (title, words) = (format!("{}-title", self.id), format!("{}-words", self.id));
        html! {
            div.plot {
                p.axis-name { (self.y.name) }
                svg role="img" aria-labelledby=(title) aria-describedby=(words) height=(self.height) {
                    title id=(title) { (self.title) }
                    desc id=(words) { (self.words) }
                    (self.grid())
                    svg width="100%" height="100%" viewBox={ "0 0 " (UNITS) " " (UNITS) }
                        preserveAspectRatio="none" { (self.lines) }
                    (self.marks)
                }
                p.axis-name.across { (self.x.name) }
            }
        }
    }
}

impl Plot {
    fn grid(&self) -> Markup {
        html! {
            @for (tick, text) in &self.y.ticks {
                @let y = pixels(self.down(self.y.scale.at(*tick)));
                line.grid x1="0" x2="100%" y1=(y) y2=(y) {}
                text.tick x="0" y=(y) dx="-8" dy="4" text-anchor="end" { (text) }
            }
            @for (tick, text) in &self.x.ticks {
                @let x = percent(self.x.scale.at(*tick));
                line.grid x1=(x) x2=(x) y1="0" y2="100%" {}
                text.tick x=(x) y="100%" dy="18" text-anchor="middle" { (text) }
            }
        }
    }

    /// From a place on the axis, 0 to 1, to pixels from the top.
    fn down(&self, at: f64) -> f64 {
        (1.0 - at) * self.height
    }
}

/// Pixels, as a coordinate.
pub(super) fn pixels(pixels: f64) -> String {
    format!("{pixels:.1}")
}

/// A line through places that are given from 0 to 1.
pub(super) fn line(class: &str, places: &[(f64, f64)]) -> Markup {
    let mut path = String::new();
    for (nth, (x, y)) in places.iter().enumerate() {
        let command = if nth == 0 { 'M' } else { 'L' };
        write!(path, "{command}{:.1} {:.1}", x * UNITS, (1.0 - y) * UNITS).unwrap_or(());
    }
    html! { path class={ "line " (class) } d=(path) {} }
}

/// A line that rises in steps. A step that the screen cannot show is left out.
pub(super) fn steps(class: &str, places: &[(f64, f64)]) -> Markup {
    let mut path = String::new();
    let (mut before, mut level) = (0.0, 0.0);
    let mut rise = |from: f64, to: f64| {
        let command =
            if path.is_empty() { format!("M{from:.0} {UNITS}") } else { format!("H{from:.0}") };
        write!(path, "{command}V{:.0}", UNITS - to).unwrap_or(());
    };
    for (nth, (x, y)) in places.iter().enumerate() {
        let x = (x * UNITS).round();
        if nth > 0 && x > before {
            rise(before, level);
        }
        (before, level) = (x, (y * UNITS).round());
    }
    if !places.is_empty() {
        rise(before, level);
    }
    html! { path class={ "line " (class) } d=(path) {} }
}

/// The key of a mode, on its line.
pub(super) fn key(label: &Label<'_>, x: f64, y: f64) -> Markup {
    placed(label, x, y, "0", "middle")
}

/// The key of a mode, after the end of its line.
pub(super) fn key_after(label: &Label<'_>, x: f64, y: f64) -> Markup {
    placed(label, x, y, "8", "start")
}

fn placed(label: &Label<'_>, x: f64, y: f64, dx: &str, anchor: &str) -> Markup {
    html! {
        text class={ "label " (label.family.class()) } x=(percent(x)) y=(pixels(y)) dx=(dx) dy="4"
            text-anchor=(anchor) { (label.key) }
    }
}

/// Heights for labels that would stand at `wanted`, in pixels, so that none covers another.
pub(super) fn apart(wanted: &[f64], height: f64) -> Vec<f64> {
    let gap = LINE.min(height / wanted.len().max(1) as f64);
    let mut order: Vec<usize> = (0..wanted.len()).collect();
    order.sort_by(|a, b| wanted[*a].total_cmp(&wanted[*b]));
    let mut placed = wanted.to_vec();
    let mut free = 0.0;
    for nth in &order {
        placed[*nth] = wanted[*nth].max(free);
        free = placed[*nth] + gap;
    }
    let mut free = height;
    for nth in order.iter().rev() {
        placed[*nth] = placed[*nth].min(free);
        free = placed[*nth] - gap;
    }
    placed
}

/// What the keys stand for, with a sample of each line.
pub(super) fn legend<'a>(labels: impl IntoIterator<Item = (Label<'a>, String)>) -> Markup {
    html! {
        ul.legend {
            @for (label, more) in labels {
                li {
                    svg.sample aria-hidden="true" viewBox="0 0 28 10" {
                        path class={ "line " (label.family.class()) } d="M0 5H28" {}
                    }
                    " " (label)
                    @if !more.is_empty() { " " span.sub { (more) } }
                }
            }
        }
    }
}
