//! [`PolicyError`]: what is wrong with a policy, by key and value.

/// A policy that makes no sense. Names the key and the value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PolicyError {
    /// The text is neither valid TOML nor JSON, or has an unknown key or a value of the wrong
    /// type. The detail is the parser's own, with line and column.
    #[error("the policy is not valid {format}: {detail}")]
    Syntax {
        /// `TOML` or `JSON`.
        format: &'static str,
        /// The parser's message.
        detail: String,
    },
    /// Data that is no text of ours has an unknown key or a value of the wrong type. The detail begins
    /// with the key.
    #[error("{detail}")]
    Entry {
        /// What is wrong, and where.
        detail: String,
    },
    /// The text is larger than any sensible policy.
    #[error("the policy text is {size} bytes long; at most {max} are read")]
    TooLarge {
        /// Size of the text, in bytes.
        size: usize,
        /// Largest size accepted, in bytes.
        max: usize,
    },
    /// A value that is of the right type but makes no sense.
    #[error("`{key} = {value}` makes no sense: expected {expected}")]
    Value {
        /// The key, with dots.
        key: String,
        /// The value, shortened if it is long.
        value: String,
        /// What would have been accepted.
        expected: String,
    },
}

impl PolicyError {
    /// A senseless value; long or unprintable values are shortened and escaped.
    pub fn value(
        key: impl Into<String>,
        value: impl AsRef<str>,
        expected: impl Into<String>,
    ) -> Self {
        let mut rest = value.as_ref().escape_debug();
        let mut shown: String = rest.by_ref().take(80).collect();
        if rest.next().is_some() {
            shown.push('…');
        }
        Self::Value { key: key.into(), value: shown, expected: expected.into() }
    }

    /// Advice, where there is some beyond what was expected.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Syntax { .. } => {
                Some("`stockade policy show FILE` prints a policy with every key".to_owned())
            }
            Self::Entry { .. } => Some("correct it; nothing was started".to_owned()),
            Self::TooLarge { .. } => {
                Some("give large files to the sandbox as binds, not as contents".to_owned())
            }
            Self::Value { key, .. } => Some(format!("correct `{key}`; nothing was started")),
        }
    }
}
