//! MaxPool: each output is the first largest element of its window; padding never wins.
use std::ops::Range;

use deeplift_graph::constant::element_count;
use deeplift_graph::operator::{cross_winners, Members, Selection};
use deeplift_graph::{bail, ensure, structures, Build, Constant, Fact, Operator, Result, Structure};
use deeplift_kernels::pool::{max_pool, max_pool_cross, max_pool_route, max_pool_winners, MOST_CELLS};
use deeplift_kernels::PoolGeometry;
use deeplift_simd::Real;

use crate::pool::{self, fold_channels_last, output_shape, spatial, Windows};

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

impl Kernel {
    /// Where image `i` lies in the input and in the output.
    fn image(&self, i: usize) -> (Range<usize>, Range<usize>) {
        let (n, m) = (self.geometry.input_len(), self.geometry.output_len());
        (i * n..(i + 1) * n, i * m..(i + 1) * m)
    }
}

impl<T: Real> Selection<T> for Kernel {
    fn forward(&self, x: &[T], y: &mut [T]) {
        for (from, to) in (0..self.batch).map(|i| self.image(i)) {
            max_pool(&self.geometry, &x[from], &mut y[to]);
        }
    }

    fn winners(&self, x: &[T], index: &mut [u32]) {
        for (from, to) in (0..self.batch).map(|i| self.image(i)) {
            max_pool_winners(&self.geometry, &x[from.clone()], &mut index[to.clone()]);
            index[to].iter_mut().for_each(|w| *w += from.start as u32);
        }
    }

    fn cross(&self, x: &[T], x0: &[T], y0: &mut [T], taken: &mut [u32], m: &mut [T], work: &mut Vec<u32>) {
        if self.geometry.cells() > MOST_CELLS {
            return cross_winners(self, x, x0, y0, taken, m, work);
        }
        for (from, to) in (0..self.batch).map(|i| self.image(i)) {
            let (x, x0) = (&x[from.clone()], &x0[from.clone()]);
            let (y0, m, taken) = (&mut y0[to.clone()], &mut m[to.clone()], &mut taken[to]);
            max_pool_cross(&self.geometry, x, x0, y0, taken, m);
            taken.iter_mut().for_each(|w| *w += from.start as u32);
        }
    }

    fn route(&self, taken: &[u32], m: &[T], my: &[T], scale: Option<&[T]>, mx: &mut [T], accumulate: bool) {
        for (from, to) in (0..self.batch).map(|i| self.image(i)) {
            let (taken, m, my) = (&taken[to.clone()], &m[to.clone()], &my[to]);
            let scale = scale.map(|s| &s[from.clone()]);
            let (origin, mx) = (from.start as u32, &mut mx[from]);
            max_pool_route(&self.geometry, origin, taken, m, my, scale, mx, accumulate);
        }
    }

    fn writes(&self, input: &Range<usize>) -> Range<usize> {
        if self.batch == 1 {
            pool::writes(&self.geometry, input)
        } else {
            0..usize::MAX
        }
    }

    fn narrowed(&self, out: &Range<usize>) -> Option<Box<dyn Selection<T>>> {
        let channels = self.geometry.channels;
        let out = out.start / channels..out.end.div_ceil(channels);
        let (geometry, input) = self.geometry.part(&out).filter(|_| self.batch == 1)?;
        let at = |r: Range<usize>| r.start * channels..r.end * channels;
        Some(Box::new(Part { geometry, input: at(input), out: at(out) }))
    }

    fn largest(&self) -> bool {
        true
    }

    fn reads(&self, out: &Range<usize>) -> Range<usize> {
        let channels = self.geometry.channels;
        let outputs = out.start / channels..out.end.div_ceil(channels);
        match self.geometry.part(&outputs).filter(|_| self.batch == 1) {
            Some((_, positions)) => positions.start * channels..positions.end * channels,
            None => 0..usize::MAX,
        }
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

/// Some of the windows, each at its place among all; to be computed only.
struct Part {
    geometry: PoolGeometry,
    input: Range<usize>,
    out: Range<usize>,
}

impl<T: Real> Selection<T> for Part {
    fn forward(&self, x: &[T], y: &mut [T]) {
        max_pool(&self.geometry, &x[self.input.clone()], &mut y[self.out.clone()]);
    }

    fn winners(&self, _: &[T], _: &mut [u32]) {
        unreachable!("a narrowed operator has no multipliers")
    }

    fn largest(&self) -> bool {
        true
    }

    fn members(&self) -> Members {
        unreachable!("a narrowed operator has no multipliers")
    }
}
