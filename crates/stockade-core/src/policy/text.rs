//! Policies as text: TOML and JSON.

use serde::Deserializer;

use super::table::Table;
use super::{Policy, PolicyError};

/// The largest policy text that is read, in bytes. In-memory files count.
pub const MAX_POLICY_TEXT: usize = 1 << 20;

/// How a policy is written down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum PolicyFormat {
    /// TOML 1.0.
    Toml,
    /// JSON (RFC 8259).
    Json,
}

impl Policy {
    /// Reads a policy from TOML and checks every value.
    ///
    /// # Errors
    /// [`PolicyError`] naming the unknown key, the senseless value, or the place of the syntax
    /// error.
    ///
    /// ```
    /// use stockade_core::Policy;
    /// let policy = Policy::from_toml("[limits]\nmemory = \"64MiB\"")?;
    /// assert!(Policy::from_toml("[limits]\nmemroy = \"64MiB\"").is_err());
    /// # Ok::<(), stockade_core::PolicyError>(())
    /// ```
    pub fn from_toml(text: &str) -> Result<Self, PolicyError> {
        Self::from_text(text, PolicyFormat::Toml)
    }

    /// Reads a policy from JSON and checks every value.
    ///
    /// # Errors
    /// As [`Policy::from_toml`].
    pub fn from_json(text: &str) -> Result<Self, PolicyError> {
        Self::from_text(text, PolicyFormat::Json)
    }

    /// Reads a policy in the given format and checks every value.
    ///
    /// # Errors
    /// As [`Policy::from_toml`].
    pub fn from_text(text: &str, format: PolicyFormat) -> Result<Self, PolicyError> {
        if text.len() > MAX_POLICY_TEXT {
            return Err(PolicyError::TooLarge { size: text.len(), max: MAX_POLICY_TEXT });
        }
        let policy: Self = match format {
            PolicyFormat::Toml => {
                toml::from_str(text).map(|Table(policy)| policy).map_err(|error| {
                    PolicyError::Syntax {
                        format: "TOML",
                        detail: error.to_string().trim_end().to_owned(),
                    }
                })?
            }
            PolicyFormat::Json => {
                from_json(text).map_err(|detail| PolicyError::Syntax { format: "JSON", detail })?
            }
        };
        policy.validate()?;
        Ok(policy)
    }

    /// Reads a policy from what another format or language holds, and checks every value. The caller
    /// sees to it that the data is of a sensible size.
    ///
    /// # Errors
    /// [`PolicyError`] naming the unknown key or the senseless value.
    ///
    /// ```
    /// use stockade_core::Policy;
    /// let data = serde_json::json!({ "limits": { "memory": "64MiB" } });
    /// let policy = Policy::from_deserializer(data)?;
    /// assert_eq!(policy.limits.memory, "64MiB".parse().unwrap());
    /// # Ok::<(), stockade_core::PolicyError>(())
    /// ```
    pub fn from_deserializer<'de, D>(data: D) -> Result<Self, PolicyError>
    where
        D: Deserializer<'de, Error: std::fmt::Display>,
    {
        let Table(policy) = serde_path_to_error::deserialize(data).map_err(|error| {
            let path = error.path().to_string();
            let detail = error.into_inner().to_string();
            let detail = if path == "." { detail } else { format!("`{path}`: {detail}") };
            PolicyError::Entry { detail }
        })?;
        Self::validate(&policy)?;
        Ok(policy)
    }

    /// Writes the policy as TOML, every key spelled out.
    ///
    /// # Errors
    /// [`PolicyError::Syntax`] if a value cannot be written as TOML.
    pub fn to_toml(&self) -> Result<String, PolicyError> {
        toml::to_string_pretty(self)
            .map_err(|error| PolicyError::Syntax { format: "TOML", detail: error.to_string() })
    }
}

/// The JSON parser alone tells line and column, but not the key.
fn from_json(text: &str) -> Result<Policy, String> {
    let mut parser = serde_json::Deserializer::from_str(text);
    let Table(policy) = serde_path_to_error::deserialize(&mut parser).map_err(|error| {
        let path = error.path().to_string();
        let error = error.into_inner();
        if path == "." { error.to_string() } else { format!("`{path}`: {error}") }
    })?;
    parser.end().map_err(|error| error.to_string())?;
    Ok(policy)
}
