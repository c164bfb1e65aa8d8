//! Max and Min of several tensors: exact while planning and within functions of one element (a leaky ReLU, for example).
//! Elsewhere a rewrite stacks the tensors, and the operator becomes a selection along the new axis (SEMANTICS 3.2).
use std::sync::Arc;

use deeplift_graph::operator::{Permuted, Pointwise};
use deeplift_graph::{structures, Build, Constant, Fact, Operator, Result, Structure};
use deeplift_simd::Real;

use crate::shape::{common_shape, evaluate, partial};
use crate::sub::signed_permute;

struct Extremum {
    fact: Fact,
    largest: bool,
    pointwise: Option<Arc<dyn Pointwise>>,
}

/// Value of the first best argument, and which it is.
fn best(a: &[f64], largest: bool) -> usize {
    let better = |x: f64, y: f64| if largest { x > y } else { x < y };
    (1..a.len()).fold(0, |b, i| if better(a[i], a[b]) { i } else { b })
}

/// Any number of broadcast operands.
pub fn build(cx: &Build<'_>) -> Result<Box<dyn Operator>> {
    let x = cx.input(0)?;
    if cx.inputs.len() == 1 {
        return crate::layout::view(cx, x.shape.clone(), x.dtype);
    }
    let largest = cx.op == "Max";
    let pointwise = partial(cx, move |a, d| {
        let at = best(a, largest);
        d.fill(0.0);
        d[at] = 1.0;
        a[at]
    });
    Ok(Box::new(Extremum { fact: Fact::data(common_shape(cx)?, x.dtype), largest, pointwise }))
}

impl Extremum {
    fn structure<T: Real>(&self) -> Result<Structure<T>> {
        Ok(Structure::Opaque { advice: "of computed tensors it is rewritten before".into(), forward: None })
    }
}

impl Operator for Extremum {
    fn outputs(&self) -> Vec<Fact> {
        vec![self.fact.clone()]
    }

    fn fold(&self, inputs: &[Option<&Constant>]) -> Result<Option<Vec<Constant>>> {
        let value = |a: &[f64], _: &mut [f64]| a[best(a, self.largest)];
        Ok(Some(vec![evaluate(inputs, &value, self.fact.dtype)?]))
    }

    fn permute(&self, cx: &Build<'_>, perm: &[usize]) -> Option<Permuted> {
        signed_permute(cx, perm)
    }

    fn pointwise(&self) -> Option<Arc<dyn Pointwise>> {
        self.pointwise.clone()
    }

    structures!();
}
