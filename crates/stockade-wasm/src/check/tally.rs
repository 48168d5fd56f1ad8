//! [`Tally`]: what a binary has, with the modules and components in it.

use wasmparser::{
    BinaryReaderError, CompositeInnerType, FunctionSectionReader, TableSectionReader,
    TypeSectionReader,
};

use super::startup::Startup;
use super::{at_most, refuse};
use crate::module::ModuleError;

/// Deepest that components may lie in each other.
const MAX_DEPTH: u64 = 16;
/// Most entries a table may have from the start: what the pool has room for.
const MAX_TABLE: u64 = 100_000;

/// What is counted over the whole binary.
#[derive(Clone, Copy)]
pub(super) enum Item {
    Binaries,
    Types,
    Functions,
    Values,
    Imports,
    Exports,
    Globals,
    Elements,
    Data,
    Parts,
    Weight,
}

impl Item {
    const COUNT: usize = Self::Weight as usize + 1;

    /// How the message calls it, and how many there may be: several times what the interpreters of
    /// Python and JavaScript and Go's tools have. One function may use all globals and imports, and
    /// the compiler panics where it tells more than 65,535 places apart.
    const fn limit(self) -> (&'static str, u64) {
        match self {
            Self::Binaries => ("modules and components in it,", 1_000),
            Self::Types => ("types,", 100_000),
            Self::Functions => ("functions,", 100_000),
            Self::Values => ("parameters and results of functions,", 2_000_000),
            Self::Imports => ("imports,", 30_000),
            Self::Exports => ("exports,", 100_000),
            Self::Globals => ("globals,", 30_000),
            Self::Elements => ("element segments,", 20_000),
            Self::Data => ("data segments,", 200_000),
            Self::Parts => ("instances, aliases and types of components,", 200_000),
            Self::Weight => ("functions of the weight", 100_000_000),
        }
    }
}

/// Counts, and what is needed for counting.
#[derive(Default)]
pub(super) struct Tally {
    counts: [u64; Item::COUNT],
    depth: u64,
    /// Values that the function types of the module being read have.
    arities: Vec<u64>,
    /// Of the module being read.
    pub(super) startup: Startup,
}

impl Tally {
    pub(super) fn add(&mut self, item: Item, count: u64) -> Result<(), ModuleError> {
        let (what, max) = item.limit();
        let sum = &mut self.counts[item as usize];
        *sum = sum.saturating_add(count);
        at_most(what, *sum, max)
    }

    pub(super) fn begin_module(&mut self) {
        self.arities.clear();
        self.startup = Startup::default();
    }

    pub(super) fn enter(&mut self) -> Result<(), ModuleError> {
        self.depth += 1;
        at_most("components in each other,", self.depth, MAX_DEPTH)
    }

    pub(super) fn leave(&mut self) {
        self.depth = self.depth.saturating_sub(1);
    }

    pub(super) fn types(
        &mut self,
        section: TypeSectionReader<'_>,
    ) -> Result<(), BinaryReaderError> {
        for group in section {
            for kind in group?.types() {
                self.arities.push(match &kind.composite_type.inner {
                    CompositeInnerType::Func(function) => {
                        (function.params().len() + function.results().len()) as u64
                    }
                    _ => 0,
                });
            }
        }
        Ok(())
    }

    /// Each function is called by code of its own, made for its signature.
    pub(super) fn signatures(
        &mut self,
        section: FunctionSectionReader<'_>,
    ) -> Result<(), ModuleError> {
        for index in section {
            let index = index.map_err(refuse)? as usize;
            // One that does not exist is found by the validator.
            self.add(Item::Values, self.arities.get(index).copied().unwrap_or(0))?;
        }
        Ok(())
    }

    pub(super) fn tables(&mut self, section: TableSectionReader<'_>) -> Result<(), ModuleError> {
        for table in section {
            at_most("a table with entries,", table.map_err(refuse)?.ty.initial, MAX_TABLE)?;
        }
        Ok(())
    }
}
