//! One function: validated, and weighed for the compiler.

use wasmparser::{
    FuncValidator, FunctionBody, Operator, OperatorsReader, ValidatorResources, WasmModuleResources,
};

use super::{at_most, refuse};
use crate::module::ModuleError;

/// Most locals one function may have.
const MAX_LOCALS: u64 = 20_000;
/// Deepest that blocks may nest.
const MAX_NESTING: u64 = 10_000;
/// Most that one function may weigh. Compiling takes up to about 4 µs for each.
const MAX_WEIGHT: u64 = 2_000_000;

/// Validates a function, and says how much work it is to compile.
///
/// The weight follows measurements of functions made to be slow. An instruction weighs one, and one
/// for each value it takes and gives, for each place it may go to. What is quadratic in the compiler
/// is quadratic here: values that live through many blocks, blocks with parameters, loops in loops,
/// loops after loops.
pub(super) fn weigh(
    function: &mut FuncValidator<ValidatorResources>,
    body: &FunctionBody<'_>,
) -> Result<u64, ModuleError> {
    let mut reader = body.get_binary_reader();
    function.read_locals(&mut reader).map_err(refuse)?;
    at_most("a function with locals,", function.len_locals().into(), MAX_LOCALS)?;
    let mut operators = OperatorsReader::new(reader);
    let mut weight = Weight::default();
    while !operators.eof() {
        let (operator, offset) = operators.read_with_offset().map_err(refuse)?;
        weight.before(&operator, offset, function);
        function.op(offset, &operator).map_err(refuse)?;
        weight.after(&operator, function);
        at_most("blocks in each other,", weight.nesting, MAX_NESTING)?;
        at_most("a function of the weight", weight.total(function), MAX_WEIGHT)?;
    }
    operators.finish().map_err(refuse)?;
    Ok(weight.total(function))
}

#[derive(Default)]
struct Weight {
    instructions: u64,
    blocks: u64,
    loops: u64,
    /// For each open block, whether it is a loop.
    open: Vec<bool>,
    open_loops: u64,
    nesting: u64,
    stack: u64,
}

impl Weight {
    fn total(&self, function: &FuncValidator<ValidatorResources>) -> u64 {
        let values = u64::from(function.len_locals()) + self.stack;
        self.instructions + values * self.blocks / 8
    }

    /// Takes and gives are known before the instruction changes the stack.
    fn before<R: WasmModuleResources>(
        &mut self,
        operator: &Operator<'_>,
        offset: usize,
        function: &mut FuncValidator<R>,
    ) {
        let arity = operator.operator_arity(&function.visitor(offset));
        let (takes, gives) = arity.map_or((0, 0), |(takes, gives)| (takes.into(), gives.into()));
        let values: u64 = takes + gives;
        let parameters = match operator {
            Operator::Block { .. } | Operator::Loop { .. } => takes,
            Operator::If { .. } => takes.saturating_sub(1),
            _ => 0,
        };
        // What they need is memory, once more for each block.
        self.instructions += parameters * self.blocks / 8;
        let places = match operator {
            Operator::BrTable { targets } => u64::from(targets.len()) + 1,
            Operator::Call { .. } | Operator::CallIndirect { .. } => 4,
            _ => 1,
        };
        // Beyond what registers hold, each value is moved through memory and back.
        self.instructions += (1 + values + 4 * values.saturating_sub(16)) * places;
    }

    fn after<R: WasmModuleResources>(
        &mut self,
        operator: &Operator<'_>,
        function: &FuncValidator<R>,
    ) {
        match operator {
            Operator::Loop { .. } => self.enter(true),
            Operator::Block { .. } | Operator::If { .. } => self.enter(false),
            Operator::BrIf { .. } | Operator::Else => self.blocks += 1,
            Operator::End => self.open_loops -= u64::from(self.open.pop().unwrap_or(false)),
            _ => {}
        }
        self.nesting = self.nesting.max(function.control_stack_height().into());
        self.stack = self.stack.max(function.operand_stack_height().into());
    }

    fn enter(&mut self, is_loop: bool) {
        self.blocks += 1;
        self.open.push(is_loop);
        if is_loop {
            self.loops += 1;
            self.open_loops += 1;
            self.instructions += (8 * self.loops + self.open_loops.pow(2)) / 256;
        }
    }
}
