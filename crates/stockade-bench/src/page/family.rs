//! What stands for a mode in every figure: a short key, a colour, a style of line.

use std::collections::HashMap;

use maud::{Markup, Render, html};

use crate::Mode;

/// A kind of isolation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Family {
    Plain,
    Namespace,
    Wasm,
    Container,
    Machine,
    Other,
}

impl Family {
    pub(super) const ALL: [Self; 6] =
        [Self::Plain, Self::Namespace, Self::Wasm, Self::Container, Self::Machine, Self::Other];

    fn of(name: &str) -> Self {
        match name {
            "plain" => Self::Plain,
            "namespace" => Self::Namespace,
            "wasm" => Self::Wasm,
            "container" => Self::Container,
            "vm" => Self::Machine,
            _ => Self::Other,
        }
    }

    /// The class in the style sheet, which has the colour and the style of the line.
    pub(super) fn class(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Namespace => "namespace",
            Self::Wasm => "wasm",
            Self::Container => "container",
            Self::Machine => "machine",
            Self::Other => "other",
        }
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Plain => "no isolation",
            Self::Namespace => "namespaces",
            Self::Wasm => "WebAssembly",
            Self::Container => "container tools",
            Self::Machine => "virtual machines",
            Self::Other => "others",
        }
    }

    fn letter(self) -> char {
        match self {
            // P is for targets.
            Self::Plain => 'B',
            Self::Namespace => 'N',
            Self::Wasm => 'W',
            Self::Container => 'C',
            Self::Machine => 'V',
            Self::Other => 'X',
        }
    }
}

/// What stands for one mode.
#[derive(Clone, Debug)]
pub(super) struct Label<'a> {
    /// A letter for the family, and a number.
    pub(super) key: String,
    pub(super) name: &'a str,
    pub(super) family: Family,
}

impl Render for Label<'_> {
    fn render(&self) -> Markup {
        html! { span class={ "key " (self.family.class()) } { (self.key) } " " (self.name) }
    }
}

/// The labels of all modes.
pub(super) struct Labels<'a> {
    modes: Vec<(&'a Mode, Label<'a>)>,
}

impl<'a> Labels<'a> {
    pub(super) fn new(modes: &'a [Mode]) -> Self {
        let mut numbers = HashMap::new();
        let label = |mode: &'a Mode| {
            let family = Family::of(&mode.family);
            let number = numbers.entry(family).or_insert(0_usize);
            *number += 1;
            let key = format!("{}{number}", family.letter());
            (mode, Label { key, name: &mode.name, family })
        };
        Self { modes: modes.iter().map(label).collect() }
    }

    /// Every mode with its label, in the order of the results.
    pub(super) fn modes(&self) -> impl Iterator<Item = (&'a Mode, &Label<'a>)> {
        self.modes.iter().map(|(mode, label)| (*mode, label))
    }

    /// The label of a mode that something else names.
    pub(super) fn of(&self, id: &'a str) -> Label<'a> {
        let known = self.modes.iter().find(|(mode, _)| mode.id == id);
        known.map_or_else(
            || Label { key: "–".to_owned(), name: id, family: Family::Other },
            |(_, label)| label.clone(),
        )
    }
}
