//! MaxPool: each output is the first largest element of its window; padding never wins.
use deeplift_graph::constant::element_count;
use deeplift_graph::operator::{Members, Selection};
use deeplift_graph::{bail, ensure, structures, Build, Constant, Fact, Operator, Result, Structure};
use deeplift_kernels::pool::{max_pool, max_pool_winners};
use deeplift_kernels::PoolGeometry;
use deeplift_simd::Real;

use crate::pool::{fold_channels_last, output_shape, spatial, Windows};

struct MaxPool {
    fact: Fact,
    batch: usize,
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
    let shape = output_shape(batch, &w.output, channels, last);
    element_count(&shape)?;
    let fact = Fact::data(shape, cx.input(0)?.dtype);
    Ok(Box::new(MaxPool { fact, batch, geometry: w.pool(channels), last }))
}

impl MaxPool {
    fn structure<T: Real>(&self) -> Result<Structure<T>> {
        if !self.last {
            bail!(Internal, "a pool has a kernel for channels last only")
        }
        Ok(Structure::Selection(Box::new(self.kernel())))
    }

    fn kernel(&self) -> Kernel {
        Kernel { geometry: self.geometry.clone(), batch: self.batch }
    }
}

impl Operator for MaxPool {
    fn outputs(&self) -> Vec<Fact> {
        vec![self.fact.clone()]
    }

    fn fold(&self, inputs: &[Option<&Constant>]) -> Result<Option<Vec<Constant>>> {
        let Some(x) = inputs[0] else { return Ok(None) };
        let run = |x: &[f64], y: &mut [f64]| self.kernel().forward(x, y);
        Ok(Some(vec![fold_channels_last(x, &self.fact, self.last, run)]))
    }

    structures!();
}

/// The windows of one image, for `batch` of them in a lane.
struct Kernel {
    geometry: PoolGeometry,
    batch: usize,
}

impl<T: Real> Selection<T> for Kernel {
    fn forward(&self, x: &[T], y: &mut [T]) {
        let g = &self.geometry;
        for (x, y) in x.chunks_exact(g.input_len()).zip(y.chunks_exact_mut(g.output_len())) {
            max_pool(g, x, y);
        }
    }

    fn winners(&self, x: &[T], index: &mut [u32]) {
        let g = &self.geometry;
        let images = x.chunks_exact(g.input_len()).zip(index.chunks_exact_mut(g.output_len()));
        for (i, (x, index)) in images.enumerate() {
            max_pool_winners(g, x, index);
            index.iter_mut().for_each(|w| *w += (i * g.input_len()) as u32);
        }
    }

    fn largest(&self) -> bool {
        true
    }

    fn members(&self) -> Members {
        let (one, first) = self.geometry.members();
        let (mut start, mut index) = (vec![0], Vec::with_capacity(self.batch * first.len()));
        for i in 0..self.batch {
            let (before, shift) = (index.len() as u32, (i * self.geometry.input_len()) as u32);
            start.extend(one[1..].iter().map(|s| before + s));
            index.extend(first.iter().map(|w| shift + w));
        }
        Members { start, index }
    }
}
