//! ConstantOfShape: one value everywhere.
use deeplift_graph::constant::element_count;
use deeplift_graph::wire::Attribute;
use deeplift_graph::{ensure, Build, Constant, DType, Fact, Operator, Result};

use super::{as_dtype, PlanTime};

/// The shape is known at plan time; the value defaults to float 0.
pub fn build(cx: &Build<'_>) -> Result<Box<dyn Operator>> {
    let shape = cx.constant(0, "shape")?.to_i64()?;
    ensure!(shape.iter().all(|&d| d >= 0), InvalidModel, "shape {shape:?} has a negative dimension");
    let shape: Vec<usize> = shape.iter().map(|&d| d as usize).collect();
    element_count(&shape)?;
    let (value, dtype) = match cx.attrs.get("value") {
        Some(Attribute::Tensor(t)) => (t.scalar().unwrap_or(0.0), t.dtype),
        _ => (0.0, DType::F32),
    };
    let fact = Fact::data(shape.clone(), dtype);
    let evaluate = move |_: &[Option<&Constant>]| {
        let n = shape.iter().product();
        Ok(as_dtype(Constant::f64(shape.clone(), vec![value; n]), dtype))
    };
    Ok(Box::new(PlanTime { fact, evaluate: Box::new(evaluate), from_shapes: false, pointwise: None }))
}
