//! Cast. Between float types it is the identity here: one precision, chosen by the caller, is used throughout.
use deeplift_graph::{ensure, Build, DType, Operator, Result};

/// A data tensor can be cast between float types only.
pub fn build(cx: &Build<'_>) -> Result<Box<dyn Operator>> {
    let to = DType::from_onnx(cx.int("to", 1)? as i32)?;
    let x = cx.input(0)?;
    ensure!(
        x.constant.is_some()
            || (to.is_float() && x.dtype.is_float())
            || (to.is_float() && x.dtype == DType::Bool),
        UnsupportedOp,
        "cast from {:?} to {to:?} of a tensor that depends on the input has no rule",
        x.dtype
    );
    super::view(cx, x.shape.clone(), to)
}
