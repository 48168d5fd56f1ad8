//! Every member of a config, held against the list of fields.

use std::collections::BTreeMap;

use serde_json::Value;

use super::error::{BundleError, Refusal};
use super::json;
use super::table::{Row, Shape, Treatment};
use super::{Note, NoteKind};

/// What is found out about a config on the way.
#[derive(Debug, Default)]
pub(super) struct Findings {
    pub(super) notes: Vec<Note>,
    pub(super) refused: Vec<Refusal>,
}

impl Findings {
    pub(super) fn note(
        &mut self,
        kind: NoteKind,
        path: impl Into<String>,
        reason: impl Into<String>,
    ) {
        self.notes.push(Note { path: path.into(), kind, reason: reason.into() });
    }

    pub(super) fn harmless(&mut self, path: impl Into<String>, reason: impl Into<String>) {
        self.note(NoteKind::Harmless, path, reason);
    }

    pub(super) fn refuse(&mut self, path: impl Into<String>, reason: impl Into<String>) {
        self.refused.push(Refusal { path: path.into(), reason: reason.into() });
    }

    /// What a row says of a value with that name; one that is honoured needs no words.
    pub(super) fn row(&mut self, path: &str, name: &str, row: &Row) {
        let reason = || format!("{name}: {}", row.text);
        match row.treatment {
            Treatment::Harmless => self.harmless(path, reason()),
            Treatment::NotEnforced => self.note(NoteKind::NotEnforced, path, reason()),
            Treatment::Refused => self.refuse(path, reason()),
            Treatment::Honoured | Treatment::Depends | Treatment::Part => {}
        }
    }
}

/// Checks the names and the shapes of all members, and applies the rows that do not depend on values.
///
/// # Errors
/// [`BundleError::WrongType`], [`BundleError::Spelling`].
pub(super) fn walk(
    config: &Value,
    rows: impl Iterator<Item = Row>,
    found: &mut Findings,
) -> Result<(), BundleError> {
    if !config.is_object() {
        let (path, found) = ("config.json".to_owned(), json::kind(config));
        return Err(BundleError::WrongType { path, found, expected: Shape::Object });
    }
    let known = rows.map(|row| (row.name, row)).collect();
    Walk { known, found }.object("", "", config)
}

struct Walk<'a> {
    known: BTreeMap<&'static str, Row>,
    found: &'a mut Findings,
}

impl Walk<'_> {
    /// `name` is the object's name in the list, `path` its place in the config.
    fn object(&mut self, name: &str, path: &str, object: &Value) -> Result<(), BundleError> {
        for (member, value) in object.as_object().into_iter().flatten() {
            let (name, path) = (join(name, member), join(path, &shown(member)));
            // A name with a dot would be taken for a member of a member.
            let plain = !member.contains(['.', '[', ']']);
            let Some(&row) = self.known.get(name.as_str()).filter(|_| plain) else {
                let mut names = self.known.keys().filter(|_| plain);
                // Engines written in Go read a name in any case.
                if let Some(known) = names.find(|known| known.eq_ignore_ascii_case(&name)) {
                    return Err(BundleError::Spelling { path, known });
                }
                self.found.note(NoteKind::Ignored, path, UNKNOWN);
                continue;
            };
            self.member(&row, path, value)?;
        }
        Ok(())
    }

    fn member(&mut self, row: &Row, path: String, value: &Value) -> Result<(), BundleError> {
        if !row.shape.fits(value) {
            let (found, expected) = (json::kind(value), row.shape);
            return Err(BundleError::WrongType { path, found, expected });
        }
        match row.treatment {
            Treatment::Harmless if !is_empty(value, false) => {
                self.found.harmless(path.as_str(), row.text);
            }
            // Under names of the config's own, a member asks for something whatever it holds.
            Treatment::Refused if row.shape == Shape::Named && json::has_members(value) => {
                self.found.refuse(path.as_str(), row.text);
            }
            Treatment::Refused if !is_empty(value, true) => {
                self.found.refuse(path.as_str(), row.text);
            }
            _ => {}
        }
        match row.shape {
            Shape::Object => self.object(row.name, &path, value),
            Shape::Objects => {
                let name = format!("{}[]", row.name);
                json::items(value).iter().enumerate().try_for_each(|(index, item)| {
                    self.object(&name, &format!("{path}[{index}]"), item)
                })
            }
            _ => Ok(()),
        }
    }
}

const UNKNOWN: &str =
    "no version of the specification that is read here has it, so it is passed over";

fn join(path: &str, member: &str) -> String {
    if path.is_empty() { member.to_owned() } else { format!("{path}.{member}") }
}

/// A name as it can be printed.
fn shown(name: &str) -> String {
    let shown: String = name.escape_debug().take(81).collect();
    if shown.chars().count() > 80 {
        format!("{}…", shown.chars().take(80).collect::<String>())
    } else {
        shown
    }
}

/// Whether nothing is asked for. `zero` says whether the numbers 0 and -1 ask for nothing either,
/// which engines send for "not set".
fn is_empty(value: &Value, zero: bool) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::Bool(true) => false,
        Value::Number(number) => zero && matches!(number.as_i64(), Some(0 | -1)),
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(members) => members.values().all(|value| is_empty(value, zero)),
    }
}
