//! A reader of what the page is written in, which forgives nothing.

use std::collections::HashSet;

/// Elements that HTML closes by itself.
const VOID: [&str; 2] = ["meta", "br"];

/// Attributes that hold coordinates.
const PLACES: [&str; 13] =
    ["x", "y", "x1", "x2", "y1", "y2", "cx", "cy", "r", "dx", "dy", "width", "height"];

/// What a page has.
#[derive(Debug, Default)]
pub(super) struct Document {
    pub(super) elements: Vec<(String, Vec<(String, String)>)>,
    /// Everything that is text, elements left out, entities replaced.
    pub(super) text: String,
}

impl Document {
    /// Reads a page.
    ///
    /// # Panics
    /// If it is not balanced, has text that is not escaped, an id twice, a reference to no id, or a
    /// coordinate that is not a number.
    pub(super) fn read(page: &str) -> Self {
        let mut rest = page.strip_prefix("<!DOCTYPE html>").expect("a page begins with its type");
        let (mut document, mut open) = (Self::default(), Vec::new());
        while let Some(at) = rest.find('<') {
            document.text.push_str(&unescape(&rest[..at]));
            let (tag, after) = tag(&rest[at + 1..]);
            rest = after;
            if let Some(name) = tag.strip_prefix('/') {
                assert_eq!(open.pop().as_deref(), Some(name), "closed, but not the last opened");
                continue;
            }
            let (name, attributes) = opened(tag);
            if name == "style" {
                let end = rest.find("</style>").expect("a style ends");
                rest = &rest[end..];
            }
            if !VOID.contains(&name.as_str()) {
                open.push(name.clone());
            }
            document.elements.push((name, attributes));
        }
        assert_eq!((open, rest), (Vec::new(), ""), "something was not closed");
        document.check();
        document
    }

    pub(super) fn values(&self, attribute: &str) -> impl Iterator<Item = &str> {
        let attributes = self.elements.iter().flat_map(|(_, attributes)| attributes);
        attributes.filter(move |(name, _)| name == attribute).map(|(_, value)| value.as_str())
    }

    pub(super) fn named(&self, name: &str) -> usize {
        self.elements.iter().filter(|(element, _)| element == name).count()
    }

    fn check(&self) {
        let mut ids = HashSet::new();
        assert!(self.values("id").all(|id| ids.insert(id)), "an id stands for one element");
        let links =
            self.values("href").map(|link| link.strip_prefix('#').expect("links stay here"));
        for id in links.chain(self.values("aria-labelledby")).chain(self.values("aria-describedby"))
        {
            assert!(ids.contains(id), "nothing is called {id}");
        }
        for attribute in PLACES {
            self.values(attribute).for_each(|value| place(attribute, value));
        }
        for path in self.values("d") {
            let numbers = path.split(|c: char| "MLHV ".contains(c)).filter(|part| !part.is_empty());
            numbers.for_each(|number| place("d", number));
        }
    }
}

/// A coordinate is a number of sane size. What is in per cent stays near its plot.
fn place(attribute: &str, value: &str) {
    let number = value.trim_end_matches('%').parse::<f64>();
    let number = number.unwrap_or_else(|error| panic!("{attribute}={value}: {error}"));
    let most = if value.ends_with('%') { 100.0 } else { 1000.0 };
    assert!((-8.0..=most).contains(&number), "{attribute}={value} is outside of its plot");
}

/// A tag up to its end, and what comes after it. A `>` in an attribute's value does not end it.
fn tag(text: &str) -> (&str, &str) {
    let mut quoted = false;
    for (at, c) in text.char_indices() {
        match c {
            '"' => quoted = !quoted,
            '<' => panic!("a tag within a tag: {}", text.chars().take(80).collect::<String>()),
            '>' if !quoted => return (&text[..at], &text[at + 1..]),
            _ => {}
        }
    }
    panic!("a tag does not end");
}

fn opened(tag: &str) -> (String, Vec<(String, String)>) {
    let (name, mut rest) = tag.split_once(' ').unwrap_or((tag, ""));
    assert!(name.chars().all(|c| c.is_ascii_alphanumeric()), "an element called {name}");
    let mut attributes = Vec::new();
    while !rest.is_empty() {
        let (key, value) = rest.split_once("=\"").expect("an attribute has a quoted value");
        assert!(
            key.chars().all(|c| c.is_ascii_alphanumeric() || c == '-'),
            "an attribute called {key}"
        );
        let (value, more) = value.split_once('"').expect("a quoted value ends");
        attributes.push((key.to_owned(), unescape(value)));
        assert!(more.is_empty() || more.starts_with(' '), "attributes are apart");
        rest = more.trim_start_matches(' ');
    }
    (name.to_owned(), attributes)
}

fn unescape(text: &str) -> String {
    assert!(!text.contains(['<', '>']), "not escaped: {text}");
    let mut parts = text.split('&');
    let mut plain = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (entity, rest) = part.split_once(';').expect("an & begins an entity");
        plain.push(match entity {
            "amp" => '&',
            "lt" => '<',
            "gt" => '>',
            "quot" => '"',
            _ => panic!("an unknown entity, {entity}"),
        });
        plain.push_str(rest);
    }
    plain
}
