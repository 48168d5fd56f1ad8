//! [`Row`]: one line of the closed list of what a bundle may ask for.

use std::fmt::{self, Write as _};

use serde_json::Value;

/// What becomes of a field, or of one of its values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Treatment {
    /// Done as asked, or more tightly.
    Honoured,
    /// Accepted and noted: what Stockade does is at least as tight, or it means nothing here.
    Harmless,
    /// Accepted and noted, but less is done than asked. No wall of a sandbox rests on it.
    NotEnforced,
    /// By its value.
    Depends,
    /// An error that names it, as soon as it asks for something.
    Refused,
    /// Goes the way of the object it is part of.
    Part,
}

impl fmt::Display for Treatment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Honoured => "honoured",
            Self::Harmless => "harmless",
            Self::NotEnforced => "not enforced",
            Self::Depends => "depends",
            Self::Refused => "refused",
            Self::Part => "part",
        })
    }
}

/// What a field's value must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Shape {
    /// Text.
    Text,
    /// `true` or `false`.
    Flag,
    /// A whole number, at least 0.
    Whole,
    /// A whole number, below 2^63.
    Signed,
    /// A whole number from 0 to 2^32 - 1.
    Id,
    /// A list of texts.
    Texts,
    /// A list of ids.
    Ids,
    /// An object whose members have rows of their own.
    Object,
    /// A list of such objects.
    Objects,
    /// An object of texts.
    Map,
    /// An object whose members have names of the config's own.
    Named,
    /// Not looked at.
    Any,
}

impl Shape {
    /// Whether a value has it. `null` is as good as nothing, as it is to engines.
    pub(crate) fn fits(self, value: &Value) -> bool {
        let list = |fits: fn(Self, &Value) -> bool, each: Self| {
            value
                .as_array()
                .is_some_and(|items| items.iter().all(|item| !item.is_null() && fits(each, item)))
        };
        value.is_null()
            || match self {
                Self::Text => value.is_string(),
                Self::Flag => value.is_boolean(),
                Self::Whole => value.is_u64(),
                Self::Signed => value.is_i64(),
                Self::Id => value.as_u64().is_some_and(|id| u32::try_from(id).is_ok()),
                Self::Texts => list(Self::fits, Self::Text),
                Self::Ids => list(Self::fits, Self::Id),
                Self::Objects => list(Self::fits, Self::Object),
                Self::Object | Self::Named => value.is_object(),
                Self::Map => {
                    value.as_object().is_some_and(|map| map.values().all(Value::is_string))
                }
                Self::Any => true,
            }
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Text => "text",
            Self::Flag => "true or false",
            Self::Whole => "a whole number, at least 0",
            Self::Signed => "a whole number",
            Self::Id => "a whole number from 0 to 4294967295",
            Self::Texts => "a list of texts",
            Self::Ids => "a list of whole numbers from 0 to 4294967295",
            Self::Object | Self::Named => "an object",
            Self::Objects => "a list of objects",
            Self::Map => "an object of texts",
            Self::Any => "anything",
        })
    }
}

/// One line of the list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Row {
    /// A field's path, such as `process.rlimits[].type`, or the name of a value.
    pub name: &'static str,
    /// What the value must be.
    pub shape: Shape,
    /// What becomes of it.
    pub treatment: Treatment,
    /// Into what, or why.
    pub text: &'static str,
}

/// The row with a name.
pub(crate) fn find(rows: &'static [Row], name: &str) -> Option<&'static Row> {
    rows.iter().find(|row| row.name == name)
}

/// Rows as a table of Markdown. `what` is the heading of the names, which are quoted if `quoted`.
pub(crate) fn markdown(what: &str, rows: &[Row], quoted: bool) -> String {
    let mut table = format!("| {what} | | |\n|---|---|---|\n");
    let mut rows = rows.iter().peekable();
    while let Some(row) = rows.next() {
        let tick = if quoted { "`" } else { "" };
        let mut names = format!("{tick}{}{tick}", row.name);
        if row.treatment == Treatment::Part {
            continue;
        }
        // Values that share a line are listed together.
        while let Some(next) =
            rows.next_if(|next| next.treatment == row.treatment && next.text == row.text)
        {
            let _ = write!(names, ", {tick}{}{tick}", next.name);
        }
        let _ = writeln!(table, "| {names} | {} | {} |", row.treatment, row.text);
    }
    table
}
