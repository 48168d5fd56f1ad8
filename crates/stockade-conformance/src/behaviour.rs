//! [`Behaviour`]: what every backend does, and how modules differ.

use crate::Subject;

/// One thing that programs can rely on.
#[derive(Debug, Clone, Copy)]
pub struct Behaviour {
    /// What it is about.
    pub area: &'static str,
    /// What it is, as the name of a test.
    pub name: &'static str,
    /// What is different where programs are modules.
    pub difference: Option<Difference>,
    /// Panics where a subject does not behave so.
    pub(crate) check: fn(&dyn Subject),
}

/// How modules differ from native programs, on purpose, in a sentence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Difference {
    /// It is not checked of modules, for this reason.
    NativeOnly(&'static str),
    /// It is checked of modules, with this difference.
    Differs(&'static str),
    /// It is checked of components alone with this difference.
    ComponentsDiffer(&'static str),
}

impl Behaviour {
    /// Its name as a sentence.
    pub fn words(&self) -> String {
        self.name.replace('_', " ")
    }
}
