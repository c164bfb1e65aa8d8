//! Cast. Between float types it is the identity here: one precision, chosen by the caller, is used throughout. Integers
//! and truth values that depend on the input are carried as numbers, so only what loses them is a step.
use deeplift_graph::{Build, DType, Operator, Result};

use crate::unary::step;

/// To integers it truncates towards zero, to truth values it compares with 0.
pub fn build(cx: &Build<'_>) -> Result<Box<dyn Operator>> {
    let to = DType::from_onnx(cx.int("to", 1)? as i32)?;
    let x = cx.input(0)?;
    match (x.dtype, to) {
        (DType::Bool, DType::Bool) => super::view(cx, x.shape.clone(), to),
        (_, DType::Bool) => step::to_bool(cx),
        (from, _) if from.is_float() && !to.is_float() => step::to_integer(cx, to),
        _ => super::view(cx, x.shape.clone(), to),
    }
}
