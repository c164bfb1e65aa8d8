//! ReLU. Its divided difference needs no threshold: opposite signs do not cancel (SEMANTICS 3.5), and kernels fuse it.
use std::sync::Arc;

use deeplift_graph::operator::{Elementwise, Permuted, Pointwise};
use deeplift_graph::{structures, Build, Fact, Operator, Result, Structure};
use deeplift_kernels::map;
use deeplift_simd::Real;

struct Relu(Fact);

/// ReLU has no attributes.
pub fn build(cx: &Build<'_>) -> Result<Box<dyn Operator>> {
    let x = cx.input(0)?;
    Ok(Box::new(Relu(Fact::data(x.shape.clone(), x.dtype))))
}

impl Relu {
    fn structure<T: Real>(&self) -> Result<Structure<T>> {
        Ok(Structure::Elementwise(Box::new(Map)))
    }
}

impl Operator for Relu {
    fn outputs(&self) -> Vec<Fact> {
        vec![self.0.clone()]
    }

    fn permute(&self, cx: &Build<'_>, perm: &[usize]) -> Option<Permuted> {
        Some(Permuted { attrs: cx.attrs.clone(), constants: vec![], perm: perm.to_vec() })
    }

    fn pointwise(&self) -> Option<Arc<dyn Pointwise>> {
        Some(Arc::new(Map))
    }

    structures!();
}

struct Map;

impl<T: Real> Elementwise<T> for Map {
    fn is_uniform(&self) -> bool {
        true
    }

    fn apply(&self, x: &[T], y: &mut [T]) {
        map::relu(x, y);
    }

    fn divided_difference(&self, x: &[T], x0: &[T], d: &mut [T]) {
        map::relu_ratio(x, x0, d);
    }

    fn is_relu(&self) -> bool {
        true
    }
}

impl Pointwise for Map {
    fn eval(&self, args: &[f64], d: &mut [f64]) -> f64 {
        d[0] = if args[0] > 0.0 { 1.0 } else { 0.0 };
        args[0].max(0.0)
    }
}
