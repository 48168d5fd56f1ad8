//! [`Policy`]: a policy that was read and checked.

use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use pyo3::prelude::*;
use stockade::{MAX_POLICY_TEXT, PolicyFormat};

use crate::errors::{defect, raised};

/// A checked policy.
#[pyclass(frozen, eq, module = "stockade._native")]
#[derive(PartialEq)]
pub(crate) struct Policy {
    pub(crate) inner: Arc<stockade::Policy>,
}

impl Policy {
    fn read(text: &str, format: PolicyFormat) -> PyResult<Self> {
        let policy = stockade::Policy::from_text(text, format);
        let policy = policy.map_err(|error| raised(error.into()))?;
        Ok(Self { inner: Arc::new(policy) })
    }
}

#[pymethods]
impl Policy {
    #[new]
    fn from_json(text: &str) -> PyResult<Self> {
        Self::read(text, PolicyFormat::Json)
    }

    /// A policy of keywords: its data as JSON, which nobody wrote by hand.
    #[staticmethod]
    fn of_data(text: &str) -> PyResult<Self> {
        if text.len() > MAX_POLICY_TEXT {
            return Self::from_json(text);
        }
        let data: serde_json::Value = serde_json::from_str(text).map_err(defect)?;
        let policy = stockade::Policy::from_deserializer(data);
        let policy = policy.map_err(|error| raised(error.into()))?;
        Ok(Self { inner: Arc::new(policy) })
    }

    #[staticmethod]
    fn from_toml(text: &str) -> PyResult<Self> {
        Self::read(text, PolicyFormat::Toml)
    }

    /// Every key, written out.
    fn to_json(&self) -> PyResult<String> {
        serde_json::to_string(&*self.inner).map_err(defect)
    }

    fn to_toml(&self) -> PyResult<String> {
        self.inner.to_toml().map_err(|error| raised(error.into()))
    }

    /// The name that reports give it.
    fn digest(&self) -> String {
        self.inner.hash()
    }

    fn __hash__(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        self.inner.hash().hash(&mut hasher);
        hasher.finish()
    }
}
