//! Operators that have no exact rule but can be computed: upstream of a scored layer, or behind inputs that are held
//! fixed.
use std::sync::Arc;

use deeplift_graph::operator::Evaluate;
use deeplift_graph::{structures, Constant, Fact, Operator, Result, Structure};
use deeplift_simd::Real;

use crate::shape::as_dtype;

/// The output of one lane from the values of input 0.
type Compute = Arc<dyn Fn(&[f64]) -> Vec<f64> + Send + Sync>;

/// An operator of one data input.
pub(crate) struct ForwardOnly {
    pub fact: Fact,
    /// What the user can do where contributions would have to pass.
    pub advice: &'static str,
    /// Axes along which elements meet although the output is as long as the input.
    pub mixed: Vec<usize>,
    pub compute: Compute,
}

impl ForwardOnly {
    fn structure<T: Real>(&self) -> Result<Structure<T>> {
        let forward = Lane(self.compute.clone());
        Ok(Structure::Opaque { advice: self.advice.into(), forward: Some(Box::new(forward)) })
    }
}

impl Operator for ForwardOnly {
    fn outputs(&self) -> Vec<Fact> {
        vec![self.fact.clone()]
    }

    fn fold(&self, inputs: &[Option<&Constant>]) -> Result<Option<Vec<Constant>>> {
        let Some(x) = inputs[0] else { return Ok(None) };
        let y = Constant::f64(self.fact.shape.clone(), (self.compute)(&x.to_f64()));
        Ok(Some(vec![as_dtype(y, self.fact.dtype)]))
    }

    fn mixed_axes(&self) -> Vec<usize> {
        self.mixed.clone()
    }

    structures!();
}

struct Lane(Compute);

impl<T: Real> Evaluate<T> for Lane {
    fn forward(&self, x: &[&[T]], y: &mut [T]) {
        let values: Vec<f64> = x[0].iter().map(|v| v.to_f64()).collect();
        for (y, v) in y.iter_mut().zip((self.0)(&values)) {
            *y = T::from_f64(v);
        }
    }
}
