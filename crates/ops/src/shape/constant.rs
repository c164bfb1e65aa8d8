//! Constant: a tensor, or a number or list, in an attribute.
use deeplift_graph::wire::Attribute;
use deeplift_graph::{bail, Build, Constant, DType, Fact, Operator, Result};

use super::{as_dtype, PlanTime};

/// Reads `value`, `value_float(s)` or `value_int(s)`.
pub fn build(cx: &Build<'_>) -> Result<Box<dyn Operator>> {
    let f32s = |shape: Vec<usize>, v: Vec<f64>| as_dtype(Constant::f64(shape, v), DType::F32);
    let value = match cx.attrs.iter().find(|(name, _)| name.starts_with("value")).map(|(_, a)| a) {
        Some(Attribute::Tensor(t)) => t.clone(),
        Some(Attribute::Float(v)) => f32s(vec![], vec![*v]),
        Some(Attribute::Floats(v)) => f32s(vec![v.len()], v.clone()),
        Some(Attribute::Int(v)) => Constant::i64(vec![], vec![*v]),
        Some(Attribute::Ints(v)) => Constant::i64(vec![v.len()], v.clone()),
        _ => bail!(InvalidModel, "has no numeric value"),
    };
    let fact = Fact { shape: value.shape.clone(), dtype: value.dtype, constant: None };
    Ok(Box::new(PlanTime {
        fact,
        evaluate: Box::new(move |_| Ok(value.clone())),
        from_shapes: true,
        pointwise: None,
    }))
}
