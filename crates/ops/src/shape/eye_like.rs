//! EyeLike: ones on a diagonal of a matrix of the input's shape.
use deeplift_graph::{bail, Build, Constant, DType, Fact, Operator, Result};

use super::{as_dtype, PlanTime};
use crate::index_map::check_size;

/// The element type is the input's unless `dtype` is given.
pub fn build(cx: &Build<'_>) -> Result<Box<dyn Operator>> {
    let x = cx.input(0)?;
    let [rows, cols] = x.shape[..] else { bail!(InvalidModel, "shape {:?} is no matrix", x.shape) };
    check_size(&x.shape)?;
    let dtype = match cx.int("dtype", 0)? {
        0 => x.dtype,
        code => DType::from_onnx(i32::try_from(code).unwrap_or(-1))?,
    };
    let k = cx.int("k", 0)?;
    let on = move |i: usize| f64::from(u8::from((i % cols) as i64 == k.saturating_add((i / cols) as i64)));
    let evaluate = move |_: &[Option<&Constant>]| {
        Ok(as_dtype(Constant::f64(vec![rows, cols], (0..rows * cols).map(on).collect()), dtype))
    };
    let fact = Fact::data(x.shape.clone(), dtype);
    Ok(Box::new(PlanTime { fact, evaluate: Box::new(evaluate), from_shapes: true, pointwise: None }))
}
