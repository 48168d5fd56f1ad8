//! [`Startup`]: what making an instance of a module takes.
//!
//! wasmtime compiles it into one function: each initial value, and each entry and segment that it
//! cannot lay out ahead.

use wasmparser::{
    BinaryReaderError, ConstExpr, DataKind, DataSectionReader, ElementItems, ElementKind,
    ElementSectionReader, GlobalSectionReader, MemorySectionReader, Operator, Payload,
};

use super::{at_most, refuse};
use crate::module::ModuleError;

/// Most that it may weigh, by module; as one function of the module's own.
const MAX_WEIGHT: u64 = 2_000_000;
/// What an initial value weighs beside its bytes.
const VALUE: u64 = 4;
/// What an entry of an element segment weighs: few modules have any that is not laid out ahead,
/// and a table has no more than this allows.
const ENTRY: u64 = 16;
/// What an entry weighs that each instance holds, in memory that no limit of a policy counts: all
/// instances of a component together may so take 50 MB.
const PASSIVE_ENTRY: u64 = 128;
/// What a data segment weighs that is not laid out ahead.
const SEGMENT: u64 = 100;
/// An image of memory up to this size is laid out ahead however little is in it.
const SMALL_IMAGE: u64 = 16 << 20;
const PAGE: u64 = 65_536;

#[derive(Default)]
pub(super) struct Startup {
    weight: u64,
    /// Bytes of the module's own memory at first.
    memory: u64,
}

impl Startup {
    /// Takes the next part of the module into account.
    pub(super) fn add(&mut self, payload: &Payload<'_>) -> Result<(), ModuleError> {
        match payload {
            Payload::MemorySection(section) => self.memories(section.clone()),
            Payload::GlobalSection(section) => self.globals(section.clone()),
            Payload::ElementSection(section) => self.elements(section.clone()),
            Payload::DataSection(section) => self.data(section.clone()),
            _ => return Ok(()),
        }
        .map_err(refuse)?;
        at_most("initial values and segments of the weight", self.weight, MAX_WEIGHT)
    }

    fn memories(&mut self, section: MemorySectionReader<'_>) -> Result<(), BinaryReaderError> {
        for memory in section {
            self.memory = self.memory.max(memory?.initial.saturating_mul(PAGE));
        }
        Ok(())
    }

    fn globals(&mut self, section: GlobalSectionReader<'_>) -> Result<(), BinaryReaderError> {
        for global in section {
            self.weight += VALUE + len(&global?.init_expr);
        }
        Ok(())
    }

    fn elements(&mut self, section: ElementSectionReader<'_>) -> Result<(), BinaryReaderError> {
        for element in section {
            let element = element?;
            let entry = match element.kind {
                ElementKind::Passive => PASSIVE_ENTRY,
                _ => ENTRY,
            };
            let (count, range) = match element.items {
                ElementItems::Functions(items) => (items.count(), items.range()),
                ElementItems::Expressions(_, items) => (items.count(), items.range()),
            };
            self.weight += entry * u64::from(count) + range.len() as u64;
        }
        Ok(())
    }

    /// By the rules of wasmtime: all segments are laid out ahead, or none.
    fn data(&mut self, section: DataSectionReader<'_>) -> Result<(), BinaryReaderError> {
        let (mut ahead, mut count, mut bytes) = (true, 0, 0u64);
        let (mut first, mut end) = (u64::MAX, 0);
        for data in section {
            let data = data?;
            let DataKind::Active { offset_expr, .. } = data.kind else { continue };
            let len = data.data.len() as u64;
            count += SEGMENT + self::len(&offset_expr);
            bytes += len;
            match constant(&offset_expr)? {
                Some(offset) => {
                    first = first.min(offset);
                    end = end.max(offset + len);
                }
                None => ahead = false,
            }
        }
        let image = end.saturating_sub(first);
        ahead &= end <= self.memory && (image < SMALL_IMAGE || image < bytes.saturating_mul(2));
        self.weight += if ahead { 0 } else { count };
        Ok(())
    }
}

fn len(value: &ConstExpr<'_>) -> u64 {
    value.get_binary_reader().bytes_remaining() as u64
}

/// The value, if it is written out.
fn constant(value: &ConstExpr<'_>) -> Result<Option<u64>, BinaryReaderError> {
    let mut operators = value.get_operators_reader();
    let Operator::I32Const { value } = operators.read()? else { return Ok(None) };
    let Operator::End = operators.read()? else { return Ok(None) };
    Ok(Some(value.cast_unsigned().into()))
}
