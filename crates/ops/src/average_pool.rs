//! AveragePool, with ceil_mode and count_include_pad as the frameworks count.
use std::ops::Range;

use deeplift_graph::constant::element_count;
use deeplift_graph::operator::{Linear, LinearKind, Parts};
use deeplift_graph::{bail, ensure, structures, Build, Constant, Fact, Operator, Result, Structure};
use deeplift_kernels::{AveragePool as Pool, Scratch};
use deeplift_simd::Real;

use crate::pool::{self, fold_channels_last, output_shape, spatial, three, Windows};

struct AveragePool {
    fact: Fact,
    windows: Windows,
    channels: usize,
    include_pad: bool,
    last: bool,
}

/// Padded cells count in the divisor only with `count_include_pad`.
pub fn build(cx: &Build<'_>) -> Result<Box<dyn Operator>> {
    let (batch, input, channels, last) = spatial(cx)?;
    let windows = Windows::read(cx, &input, &Windows::kernel_shape(cx)?)?;
    let shape = output_shape(batch, &windows.output, channels, last);
    element_count(&shape)?;
    let include_pad = cx.int("count_include_pad", 0)? != 0;
    for a in 0..input.len() {
        ensure!(
            include_pad || (0..windows.output[a]).all(|o| windows.sees_input(a, o)),
            InvalidModel,
            "padding {:?}/{:?} leaves a window of {:?} without an element on spatial axis {a}",
            windows.pad,
            windows.pad_end,
            windows.kernel
        );
    }
    let fact = Fact::data(shape, cx.input(0)?.dtype);
    Ok(Box::new(AveragePool { fact, windows, channels, include_pad, last }))
}

impl AveragePool {
    fn kernel<T: Real>(&self) -> Kernel<T> {
        let end = three(&self.windows.pad_end, 0);
        Kernel(Pool::new(self.windows.pool(self.channels), self.include_pad, end))
    }

    fn structure<T: Real>(&self) -> Result<Structure<T>> {
        if !self.last {
            bail!(Internal, "a pool has a kernel for channels last only")
        }
        Ok(Structure::Linear(Box::new(self.kernel())))
    }
}

impl Operator for AveragePool {
    fn outputs(&self) -> Vec<Fact> {
        vec![self.fact.clone()]
    }

    fn fold(&self, inputs: &[Option<&Constant>]) -> Result<Option<Vec<Constant>>> {
        let Some(x) = inputs[0] else { return Ok(None) };
        let kernel = self.kernel::<f64>();
        let run = |x: &[f64], y: &mut [f64]| kernel.forward(1, &[x], y, &mut Scratch::default());
        Ok(Some(vec![fold_channels_last(x, &self.fact, self.last, run)]))
    }

    structures!();
}

#[derive(Clone)]
struct Kernel<T>(Pool<T>);

impl<T: Real> Linear<T> for Kernel<T> {
    fn forward(&self, _lanes: usize, x: &[&[T]], y: &mut [T], _scratch: &mut Scratch<T>) {
        let g = self.0.geometry();
        for (x, y) in x[0].chunks_exact(g.input_len()).zip(y.chunks_exact_mut(g.output_len())) {
            self.0.forward(x, y);
        }
    }

    fn adjoint(
        &self,
        _lanes: usize,
        _port: usize,
        my: &[T],
        mx: &mut [T],
        accumulate: bool,
        _scratch: &mut Scratch<T>,
    ) {
        let g = self.0.geometry();
        for (my, mx) in my.chunks_exact(g.output_len()).zip(mx.chunks_exact_mut(g.input_len())) {
            self.0.adjoint(my, mx, accumulate);
        }
    }

    fn writes(&self, _port: usize, input: &Range<usize>) -> Range<usize> {
        pool::writes(self.0.geometry(), input)
    }

    fn narrowed(&self, out: &Range<usize>) -> Option<Box<dyn Linear<T>>> {
        let g = self.0.geometry();
        let out = out.start / g.channels..out.end.div_ceil(g.channels);
        let (part, input) = self.0.part(&out)?;
        let lens = [g.input_len(), g.output_len()];
        let at = |r: Range<usize>| r.start * g.channels..r.end * g.channels;
        Some(Box::new(Part { part, lens, input: at(input), out: at(out) }))
    }

    fn parts(&self) -> Parts<T> {
        Parts { positive: Some(Box::new(self.clone())), negative: None }
    }

    fn kind(&self) -> LinearKind {
        LinearKind::Aggregate
    }
}

/// Some of the windows, each at its place among all.
#[derive(Clone)]
struct Part<T> {
    part: Pool<T>,
    /// Elements of one input and one output with all windows.
    lens: [usize; 2],
    input: Range<usize>,
    out: Range<usize>,
}

impl<T: Real> Linear<T> for Part<T> {
    fn forward(&self, _lanes: usize, x: &[&[T]], y: &mut [T], _scratch: &mut Scratch<T>) {
        for (x, y) in x[0].chunks_exact(self.lens[0]).zip(y.chunks_exact_mut(self.lens[1])) {
            self.part.forward(&x[self.input.clone()], &mut y[self.out.clone()]);
        }
    }

    fn adjoint(&self, _: usize, _: usize, _: &[T], _: &mut [T], _: bool, _: &mut Scratch<T>) {
        unreachable!("a narrowed operator has no multipliers")
    }

    fn parts(&self) -> Parts<T> {
        unreachable!("a narrowed operator has no multipliers")
    }

    fn kind(&self) -> LinearKind {
        LinearKind::Aggregate
    }
}
