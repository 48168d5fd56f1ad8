//! How the times of each mode spread: the share of runs that were over by then.

use maud::{Markup, html};

use super::family::{Family, Label, Labels};
use super::plot::{self, Axis, Plot};
use super::scale::Scale;
use super::table::percent;
use super::{Figure, Section, text};
use crate::{Mode, Results};

/// In pixels.
const HEIGHT: f64 = 380.0;

/// A plot is taken to be this wide when labels are placed; most are wider.
const NARROW: f64 = 280.0;

/// What a label covers, in pixels.
const LABEL: (f64, f64) = (24.0, 15.0);

struct Curve<'a> {
    label: &'a Label<'a>,
    /// Times in order, as places on the axis, and the share of runs that took no longer.
    places: Vec<(f64, f64)>,
    failed: usize,
}

pub(super) fn section(results: &Results, labels: &Labels<'_>) -> Section {
    let times = results.modes.iter().flat_map(|mode| &mode.wall_ns);
    let scale = Scale::round_log(times.map(|time| *time as f64));
    let curve = |(mode, label)| curve(mode, label, &scale);
    let curves: Vec<Curve<'_>> = labels.modes().filter_map(curve).collect();
    let none = curves.is_empty();
    let figure = || {
        let caption = caption(&curves);
        Figure { caption, body: html! { (draw(&curves, scale)) (legend(&curves)) }, numbers: None }
    };
    Section { id: "spread", title: "Spread of the times", figure: (!none).then(figure) }
}

fn curve<'a>(mode: &Mode, label: &'a Label<'a>, scale: &Scale) -> Option<Curve<'a>> {
    let mut times = mode.wall_ns.clone();
    times.sort_unstable();
    let runs = times.len().saturating_add(mode.failures) as f64;
    let place = |(nth, time): (usize, &u64)| (scale.at(*time as f64), (nth + 1) as f64 / runs);
    let places: Vec<_> = times.iter().enumerate().map(place).collect();
    (!places.is_empty()).then_some(Curve { label, places, failed: mode.failures })
}

fn draw(curves: &[Curve<'_>], scale: Scale) -> Plot {
    let share = |share: f64| (share, format!("{:.0} %", share * 100.0));
    let words: Vec<String> =
        curves.iter().map(|curve| format!("{} is {}", curve.label.key, curve.label.name)).collect();
    Plot {
        id: "spread-plot".to_owned(),
        title: "Share of runs that were over within a time".to_owned(),
        words: format!(
            "{}. Medians and 99th percentiles are in the table above.",
            words.join(", ")
        ),
        height: HEIGHT,
        x: Axis::round("time of a run, logarithmic", scale, 7, text::time_of),
        y: Axis {
            name: "share of all runs".to_owned(),
            scale: Scale::unit(),
            ticks: [0.0, 0.25, 0.5, 0.75, 0.9, 1.0].map(share).into(),
        },
        lines: html! {
            @for curve in curves { (plot::steps(curve.label.family.class(), &curve.places)) }
        },
        marks: marks(curves),
    }
}

fn marks(curves: &[Curve<'_>]) -> Markup {
    let ends = curves.iter().filter(|curve| curve.failed > 0);
    html! {
        @for curve in ends {
            @if let Some((x, y)) = curve.places.last() {
                text class={ "end " (curve.label.family.class()) } x=(percent(*x))
                    y=(plot::pixels((1.0 - y) * HEIGHT)) dy="5" text-anchor="middle" { "×" }
            }
        }
        @for (curve, (x, y)) in curves.iter().zip(keys(curves)) {
            (plot::key(curve.label, x, (1.0 - y) * HEIGHT))
        }
    }
}

/// Where each curve has its key: on the curve, as far from the other keys as it must be.
fn keys(curves: &[Curve<'_>]) -> Vec<(f64, f64)> {
    let mut placed: Vec<(f64, f64)> = Vec::new();
    for curve in curves {
        let free = |place: &(f64, f64)| {
            let room = |other: &(f64, f64)| {
                let across = (place.0 - other.0).abs() * NARROW / LABEL.0;
                let down = (place.1 - other.1).abs() * HEIGHT / LABEL.1;
                across.max(down).min(1.0)
            };
            placed.iter().map(room).fold(1.0, f64::min)
        };
        let best = levels().map(|level| on(&curve.places, level)).fold(None, |best, place| {
            let room = free(&place);
            best.filter(|(most, _)| *most >= room).or(Some((room, place)))
        });
        placed.push(best.map_or((0.0, 0.5), |(_, place)| place));
    }
    placed
}

/// Heights at which a key may stand, the best first: from the middle outwards.
fn levels() -> impl Iterator<Item = f64> {
    (0..23).map(|nth: i32| {
        let away = f64::from((nth + 1) / 2) * 0.04;
        if nth % 2 == 0 { 0.5 - away } else { 0.5 + away }
    })
}

/// Where a curve crosses a height.
fn on(places: &[(f64, f64)], level: f64) -> (f64, f64) {
    let crossing = places.iter().find(|(_, share)| *share >= level).or(places.last());
    crossing.map_or((0.0, level), |(x, share)| (*x, share.min(level)))
}

fn legend(curves: &[Curve<'_>]) -> Markup {
    html! {
        @for family in Family::ALL {
            @let mut curves = curves.iter().filter(|curve| curve.label.family == family).peekable();
            @if curves.peek().is_some() {
                div.family {
                    p.family-name { (family.name()) }
                    (plot::legend(curves.map(|curve| (curve.label.clone(), failed(curve)))))
                }
            }
        }
    }
}

fn failed(curve: &Curve<'_>) -> String {
    match curve.failed {
        0 => String::new(),
        failed => format!("{} failed", text::count(failed as u64)),
    }
}

fn caption(curves: &[Curve<'_>]) -> Markup {
    html! {
        "How many of all runs were over within a time. A steep line is a mode that takes the same time "
        "again and again; what trails to the right at the top are its slowest runs. "
        @if curves.iter().any(|curve| curve.failed > 0) {
            "A line that ends below 100\u{a0}%, at ×, failed in the rest. "
        }
        "Style and colour of a line tell the family, the key on it the mode."
    }
}
