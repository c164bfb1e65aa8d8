//! PRelu: `x` above 0, `a x` below, with a learned slope per channel or element.
use std::sync::Arc;

use deeplift_graph::broadcast::{broadcast_index, broadcast_shape, inverse};
use deeplift_graph::operator::{Elementwise, Permuted, Pointwise};
use deeplift_graph::{ensure, structures, Build, Constant, Fact, Operator, Result, Structure};
use deeplift_simd::Real;

use crate::joint::joint;
use crate::joint::prelu::ComputedSlope;
use crate::shape::partial;

struct PRelu {
    fact: Fact,
    slope: Constant,
    pointwise: Option<Arc<dyn Pointwise>>,
}

/// The slope broadcasts to the input.
pub fn build(cx: &Build<'_>) -> Result<Box<dyn Operator>> {
    let x = cx.input(0)?;
    let slope = cx.input(1)?;
    let shape = broadcast_shape(&x.shape, &slope.shape)?;
    ensure!(shape == x.shape, InvalidModel, "slope of shape {:?} does not fit {:?}", slope.shape, x.shape);
    let slope = match (&x.constant, &slope.constant) {
        (None, Some(slope)) => slope.clone(),
        _ => return joint(cx, ComputedSlope, x.dtype),
    };
    let pointwise = partial(cx, |a, d| {
        let slope = if a[0] > 0.0 { 1.0 } else { a[1] };
        d[0] = slope;
        slope * a[0]
    });
    Ok(Box::new(PRelu { fact: Fact::data(shape, x.dtype), slope, pointwise }))
}

impl PRelu {
    fn structure<T: Real>(&self) -> Result<Structure<T>> {
        let slope = broadcast_index(&self.slope.shape, &self.fact.shape);
        Ok(Structure::Elementwise(Box::new(Map(slope
            .into_iter()
            .map(|i| T::from_f64(self.slope.at(i)))
            .collect()))))
    }
}

impl Operator for PRelu {
    fn outputs(&self) -> Vec<Fact> {
        vec![self.fact.clone()]
    }

    fn permute(&self, cx: &Build<'_>, perm: &[usize]) -> Option<Permuted> {
        let mut shape = vec![1; perm.len() - self.slope.shape.len()];
        shape.extend(&self.slope.shape);
        let slope = self.slope.reshaped(shape).transposed(&inverse(perm));
        Some(Permuted { attrs: cx.attrs.clone(), constants: vec![(1, slope)], perm: perm.to_vec() })
    }

    fn pointwise(&self) -> Option<Arc<dyn Pointwise>> {
        self.pointwise.clone()
    }

    structures!();
}

/// One slope per element of a lane.
struct Map<T>(Vec<T>);

impl<T: Real> Elementwise<T> for Map<T> {
    fn apply(&self, x: &[T], y: &mut [T]) {
        for ((y, &x), &a) in y.iter_mut().zip(x).zip(&self.0) {
            *y = if x > T::ZERO { x } else { a * x };
        }
    }

    fn divided_difference(&self, x: &[T], x0: &[T], d: &mut [T]) {
        for (((d, &x), &x0), &a) in d.iter_mut().zip(x).zip(x0).zip(&self.0) {
            *d = match (x > T::ZERO, x0 > T::ZERO) {
                (true, true) => T::ONE,
                (false, false) => a,
                (true, false) => (x - a * x0) / (x - x0),
                (false, true) => (a * x - x0) / (x - x0),
            };
        }
    }
}
