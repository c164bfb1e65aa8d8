//! AveragePool, with ceil_mode and count_include_pad as the frameworks count.
use deeplift_graph::constant::element_count;
use deeplift_graph::operator::{Linear, LinearKind, Parts};
use deeplift_graph::{bail, ensure, structures, Build, Fact, Operator, Result, Structure};
use deeplift_kernels::{AveragePool as Pool, Scratch};
use deeplift_simd::Real;

use crate::pool::{output_shape, spatial, three, Windows};

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
    ensure!(batch == 1, UnsupportedOp, "the batch axis was merged with {batch} others before this pool");
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
    fn structure<T: Real>(&self) -> Result<Structure<T>> {
        if !self.last {
            bail!(UnsupportedOp, "a pool of constants has no kernel")
        }
        let end = three(&self.windows.pad_end, 0);
        let pool = Pool::new(self.windows.pool(self.channels), self.include_pad, end);
        Ok(Structure::Linear(Box::new(Kernel(pool))))
    }
}

impl Operator for AveragePool {
    fn outputs(&self) -> Vec<Fact> {
        vec![self.fact.clone()]
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

    fn parts(&self) -> Parts<T> {
        Parts { positive: Some(Box::new(self.clone())), negative: None }
    }

    fn kind(&self) -> LinearKind {
        LinearKind::Aggregate
    }
}
