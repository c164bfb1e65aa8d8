//! Add and Sum: data and constants in any number, broadcast.
use deeplift_graph::{Build, Constant, Operator, Result};

use crate::shape::{as_dtype, partial, zip};
use crate::sub::SignedSum;

/// All operands with a plus sign.
pub fn build(cx: &Build<'_>) -> Result<Box<dyn Operator>> {
    let fold = |inputs: &[Option<&Constant>]| {
        let mut all = inputs.iter().copied().flatten();
        let Some(first) = all.next() else { deeplift_graph::bail!(InvalidModel, "has no input") };
        all.try_fold(first.clone(), |a, b| {
            Ok(as_dtype(zip(&a, b, i64::wrapping_add, |a, b| a + b)?, a.dtype))
        })
    };
    let pointwise = partial(cx, |a, d| {
        d.fill(1.0);
        a.iter().sum()
    });
    let signs = vec![1.0; cx.inputs.len()];
    Ok(Box::new(SignedSum::new(cx, signs, fold, pointwise)?))
}
