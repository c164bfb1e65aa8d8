//! Neg: rewritten to a product with -1; integers in shape arithmetic are negated exactly.
use deeplift_graph::{Build, Fact, Operator, Result};

use crate::shape::{as_dtype, partial, PlanTime};

/// Data goes through the rewrite, constants through `evaluate`.
pub fn build(cx: &Build<'_>) -> Result<Box<dyn Operator>> {
    let x = cx.input(0)?;
    Ok(Box::new(PlanTime {
        fact: Fact::data(x.shape.clone(), x.dtype),
        evaluate: Box::new(|c| {
            let Some(x) = c[0] else { deeplift_graph::bail!(InvalidModel, "input 0 is missing") };
            let zero = as_dtype(deeplift_graph::Constant::i64(vec![], vec![0]), x.dtype);
            crate::shape::zip(&zero, x, i64::wrapping_sub, |a, b| a - b)
        }),
        from_shapes: false,
        pointwise: partial(cx, |a, d| {
            d[0] = -1.0;
            -a[0]
        }),
    }))
}
