//! MaxPool: each output is the first largest element of its window; padding never wins.
use deeplift_graph::constant::element_count;
use deeplift_graph::operator::{Members, Selection};
use deeplift_graph::{bail, ensure, structures, Build, Fact, Operator, Result, Structure};
use deeplift_kernels::pool::{max_pool, max_pool_winners};
use deeplift_kernels::PoolGeometry;
use deeplift_simd::Real;

use crate::pool::{output_shape, spatial, Windows};

struct MaxPool {
    fact: Fact,
    geometry: PoolGeometry,
    last: bool,
}

/// Windows that lie entirely in the padding are refused: they have no maximum.
pub fn build(cx: &Build<'_>) -> Result<Box<dyn Operator>> {
    let (batch, input, channels, last) = spatial(cx)?;
    let w = Windows::read(cx, &input, &Windows::kernel_shape(cx)?)?;
    for a in 0..input.len() {
        ensure!(
            (0..w.output[a]).all(|o| w.sees_input(a, o)),
            InvalidModel,
            "padding {:?}/{:?} leaves a window of {:?} without an element on spatial axis {a}",
            w.pad,
            w.pad_end,
            w.kernel
        );
    }
    ensure!(batch == 1, UnsupportedOp, "the batch axis was merged with {batch} others before this pool");
    let shape = output_shape(batch, &w.output, channels, last);
    element_count(&shape)?;
    let fact = Fact::data(shape, cx.input(0)?.dtype);
    Ok(Box::new(MaxPool { fact, geometry: w.pool(channels), last }))
}

impl MaxPool {
    fn structure<T: Real>(&self) -> Result<Structure<T>> {
        if !self.last {
            bail!(UnsupportedOp, "a pool of constants has no kernel")
        }
        Ok(Structure::Selection(Box::new(Kernel(self.geometry.clone()))))
    }
}

impl Operator for MaxPool {
    fn outputs(&self) -> Vec<Fact> {
        vec![self.fact.clone()]
    }

    structures!();
}

struct Kernel(PoolGeometry);

impl<T: Real> Selection<T> for Kernel {
    fn forward(&self, x: &[T], y: &mut [T]) {
        max_pool(&self.0, x, y);
    }

    fn winners(&self, x: &[T], index: &mut [u32]) {
        max_pool_winners(&self.0, x, index);
    }

    fn largest(&self) -> bool {
        true
    }

    fn members(&self) -> Members {
        let (start, index) = self.0.members();
        Members { start, index }
    }
}
