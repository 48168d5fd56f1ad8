//! [`Expansion`]: how large a component is once each instance in it is written out.
//!
//! A component may instantiate another twice, which instantiates a third twice, and so on: wasmtime
//! writes all of them out before it compiles, and a thousand bytes become gigabytes.

use wasmparser::{BinaryReaderError, ComponentInstance, Payload};

/// An upper bound, found while the parts of a component go by.
#[derive(Debug)]
pub(crate) struct Expansion {
    /// The components and modules that the part at hand is in, and what each instantiates.
    open: Vec<u64>,
    /// How often any of them can be written out at most.
    times: u64,
    /// All definitions that are written out.
    items: u64,
}

impl Expansion {
    pub(crate) fn new() -> Self {
        Self { open: Vec::new(), times: 1, items: 0 }
    }

    /// Takes the next part into account.
    pub(crate) fn add(&mut self, payload: &Payload<'_>) -> Result<(), BinaryReaderError> {
        let items = match payload {
            Payload::Version { .. } => {
                self.open.push(0);
                return Ok(());
            }
            Payload::End(_) => {
                // Whatever the order: no component is within itself, so that each multiplies the
                // others' number at most by the number of its own instances.
                let instances = self.open.pop().unwrap_or(0);
                self.times = self.times.saturating_mul(instances.saturating_add(1));
                return Ok(());
            }
            Payload::ComponentInstanceSection(section) => {
                for instance in section.clone() {
                    let made = matches!(instance?, ComponentInstance::Instantiate { .. });
                    if let Some(instances) = self.open.last_mut() {
                        *instances += u64::from(made);
                    }
                }
                section.count()
            }
            Payload::InstanceSection(section) => section.count(),
            Payload::ComponentAliasSection(section) => section.count(),
            Payload::ComponentCanonicalSection(section) => section.count(),
            Payload::ComponentImportSection(section) => section.count(),
            Payload::ComponentExportSection(section) => section.count(),
            _ => return Ok(()),
        };
        self.items = self.items.saturating_add(items.into());
        Ok(())
    }

    /// The most definitions there can be in the end.
    pub(crate) fn total(&self) -> u64 {
        self.times.saturating_mul(self.items)
    }
}
