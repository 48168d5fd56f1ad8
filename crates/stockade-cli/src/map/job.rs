//! A job as it is written: one JSON object.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use stockade::{Error, ErrorKind};

use super::lines::LONGEST;

/// What one line asks for.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Asked {
    #[serde(default)]
    pub(super) id: Value,
    pub(super) program: String,
    #[serde(default)]
    pub(super) args: Vec<String>,
    #[serde(default)]
    pub(super) stdin: Text,
    #[serde(default)]
    pub(super) env: BTreeMap<String, String>,
    pub(super) cwd: Option<String>,
}

/// Bytes in JSON: as text where they are text, else in base64 (RFC 4648, section 4).
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged, expecting = "expected a text, or { \"base64\": \"…\" }")]
pub(super) enum Text {
    Plain(String),
    Encoded(Encoded),
}

/// An object of one member.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Encoded {
    #[serde(rename = "base64")]
    Base64(String),
}

/// Why a line is no job.
#[derive(Debug, thiserror::Error)]
pub(super) enum LineError {
    #[error("line {number} is longer than {LONGEST} bytes")]
    TooLong { number: u64 },
    #[error("line {number} is no job: {detail}")]
    NoJob { number: u64, detail: String },
}

impl Default for Text {
    fn default() -> Self {
        Self::Plain(String::new())
    }
}

impl From<Vec<u8>> for Text {
    fn from(bytes: Vec<u8>) -> Self {
        match String::from_utf8(bytes) {
            Ok(text) => Self::Plain(text),
            Err(error) => Self::Encoded(Encoded::Base64(BASE64.encode(error.as_bytes()))),
        }
    }
}

impl Text {
    fn bytes(self) -> Result<Vec<u8>, base64::DecodeError> {
        match self {
            Self::Plain(text) => Ok(text.into_bytes()),
            Self::Encoded(Encoded::Base64(text)) => BASE64.decode(text),
        }
    }
}

impl Asked {
    /// Reads a line. Its `id` comes back whatever else is wrong with it, as far as it can be read.
    pub(super) fn read(number: u64, text: &[u8]) -> (Value, Result<Self, LineError>) {
        match parse(text) {
            Ok(mut asked) => (asked.id.take(), Ok(asked)),
            Err(detail) => {
                let id = serde_json::from_slice::<Value>(text).ok();
                let id = id.and_then(|mut line| Some(line.get_mut("id")?.take()));
                (id.unwrap_or_default(), Err(LineError::NoJob { number, detail }))
            }
        }
    }

    /// The input of the program.
    pub(super) fn input(&mut self, number: u64) -> Result<Vec<u8>, LineError> {
        std::mem::take(&mut self.stdin)
            .bytes()
            .map_err(|error| LineError::NoJob { number, detail: format!("stdin: {error}") })
    }
}

fn parse(text: &[u8]) -> Result<Asked, String> {
    // A list of the members' values would be understood too.
    if text.trim_ascii_start().starts_with(b"[") {
        return Err("it is a list, not an object".to_owned());
    }
    let mut parser = serde_json::Deserializer::from_slice(text);
    let asked = serde_path_to_error::deserialize(&mut parser).map_err(|error| {
        let path = error.path().to_string();
        let detail = within_line(error.inner());
        if path == "." { detail } else { format!("{path}: {detail}") }
    })?;
    parser.end().map_err(|error| within_line(&error))?;
    Ok(asked)
}

/// The parser's message. It was given one line, and would call it the first.
fn within_line(error: &serde_json::Error) -> String {
    let text = error.to_string();
    match text.rsplit_once(" at line 1 column ") {
        Some((message, column)) => format!("{message} at column {column}"),
        None => text,
    }
}

impl From<LineError> for Error {
    fn from(error: LineError) -> Self {
        let hint = match error {
            LineError::TooLong { .. } => "give a program large input as a file: `--ro`",
            LineError::NoJob { .. } => "`stockade map --help` shows what a job looks like",
        };
        Self::new(ErrorKind::InvalidPolicy, error).with_hint(hint)
    }
}
