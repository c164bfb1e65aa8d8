//! ReduceSum.
use deeplift_graph::operator::{Linear, LinearKind, Parts, Permuted};
use deeplift_graph::{structures, Build, Constant, Fact, Operator, Result, Structure};
use deeplift_kernels::{reduce, Scratch};
use deeplift_simd::Real;

use super::Axes;

/// A sum over axes, or with the factor 1/n their mean.
pub(crate) struct Sum {
    pub axes: Axes,
    pub fact: Fact,
    pub factor: f64,
}

/// Sums over the given axes.
pub fn build(cx: &Build<'_>) -> Result<Box<dyn Operator>> {
    let axes = Axes::read(cx)?;
    let fact = Fact::data(axes.output.clone(), cx.input(0)?.dtype);
    Ok(Box::new(Sum { axes, fact, factor: 1.0 }))
}

impl Sum {
    fn structure<T: Real>(&self) -> Result<Structure<T>> {
        Ok(Structure::Linear(Box::new(Kernel { axes: self.axes.clone(), factor: self.factor })))
    }
}

impl Operator for Sum {
    fn outputs(&self) -> Vec<Fact> {
        vec![self.fact.clone()]
    }

    fn permute(&self, cx: &Build<'_>, perm: &[usize]) -> Option<Permuted> {
        super::permute(cx, perm)
    }

    fn fold(&self, inputs: &[Option<&Constant>]) -> Result<Option<Vec<Constant>>> {
        self.axes.fold(inputs, |group| self.factor * group.iter().sum::<f64>())
    }

    structures!();
}

#[derive(Clone)]
struct Kernel {
    axes: Axes,
    factor: f64,
}

impl<T: Real> Linear<T> for Kernel {
    /// Sums in double precision: sequences are thousands of positions long.
    fn forward(&self, _lanes: usize, x: &[&[T]], y: &mut [T], _scratch: &mut Scratch<T>) {
        let outputs = self.axes.bases.len();
        if let Some(shape) = self.axes.block {
            for (x, y) in x[0].chunks_exact(self.axes.input_len).zip(y.chunks_exact_mut(outputs)) {
                if self.factor == 1.0 {
                    reduce::sum(x, shape, y);
                } else {
                    reduce::mean(x, shape, y);
                }
            }
            return;
        }
        let mut sums = vec![0.0f64; outputs];
        for (x, y) in x[0].chunks_exact(self.axes.input_len).zip(y.chunks_exact_mut(sums.len())) {
            sums.fill(0.0);
            for &r in &self.axes.offsets {
                for (sum, &b) in sums.iter_mut().zip(&self.axes.bases) {
                    *sum += x[b + r].to_f64();
                }
            }
            for (y, &sum) in y.iter_mut().zip(&sums) {
                *y = T::from_f64(sum * self.factor);
            }
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
        let factor = T::from_f64(self.factor);
        let outputs = self.axes.bases.len();
        for (mx, my) in mx.chunks_exact_mut(self.axes.input_len).zip(my.chunks_exact(outputs)) {
            for &r in &self.axes.offsets {
                for (&my, &b) in my.iter().zip(&self.axes.bases) {
                    let m = my * factor;
                    mx[b + r] = if accumulate { mx[b + r] + m } else { m };
                }
            }
        }
    }

    fn parts(&self) -> Parts<T> {
        Parts { positive: Some(Box::new(self.clone())), negative: None }
    }

    fn kind(&self) -> LinearKind {
        LinearKind::Aggregate
    }
}
