//! ReduceLogSumExp: `M_x = w M_y` with the weights of Softmax, which sum to 1 (SEMANTICS 3.2): the counts head of a
//! bias-corrected model.
use deeplift_graph::operator::{ClosedForm, Permuted};
use deeplift_graph::{structures, Build, Constant, Fact, Operator, Result, Structure};
use deeplift_simd::Real;

use super::Axes;
use crate::softmax::{log_means, weights};

struct LogSumExp {
    axes: Axes,
    fact: Fact,
}

/// Over the given axes.
pub fn build(cx: &Build<'_>) -> Result<Box<dyn Operator>> {
    let axes = Axes::read(cx)?;
    let fact = Fact::data(axes.output.clone(), cx.input(0)?.dtype);
    Ok(Box::new(LogSumExp { axes, fact }))
}

impl LogSumExp {
    fn structure<T: Real>(&self) -> Result<Structure<T>> {
        Ok(Structure::ClosedForm(Box::new(Kernel(self.axes.clone()))))
    }
}

impl Operator for LogSumExp {
    fn outputs(&self) -> Vec<Fact> {
        vec![self.fact.clone()]
    }

    fn fold(&self, inputs: &[Option<&Constant>]) -> Result<Option<Vec<Constant>>> {
        self.axes.fold(inputs, |group| {
            let top = group.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            if top.is_finite() {
                top + group.iter().map(|v| (v - top).exp()).sum::<f64>().ln()
            } else {
                top
            }
        })
    }

    fn permute(&self, cx: &Build<'_>, perm: &[usize]) -> Option<Permuted> {
        super::permute(cx, perm)
    }

    structures!();
}

/// A record holds `w`, grouped by output.
struct Kernel(Axes);

impl Kernel {
    fn grouped<T: Real>(&self, x: &[T]) -> Vec<f64> {
        let all = self.0.bases.iter().flat_map(|&b| self.0.offsets.iter().map(move |&r| x[b + r].to_f64()));
        all.collect()
    }

    fn shape(&self) -> [usize; 3] {
        [self.0.bases.len(), self.0.offsets.len(), 1]
    }
}

impl<T: Real> ClosedForm<T> for Kernel {
    fn forward(&self, x: &[&[T]], y: &mut [T]) {
        let mut sums = vec![0.0; self.0.bases.len()];
        deeplift_kernels::reduce::log_sum_exp(&self.grouped(x[0]), self.shape(), &mut sums);
        for (y, &s) in y.iter_mut().zip(&sums) {
            *y = T::from_f64(s);
        }
    }

    fn record_len(&self) -> usize {
        self.0.input_len
    }

    fn record(&self, x: &[&[T]], x0: &[&[T]], record: &mut [T]) {
        let means = log_means(&self.grouped(x[0]), &self.grouped(x0[0]), self.shape());
        for (r, w) in record.iter_mut().zip(weights(&means, self.shape())) {
            *r = T::from_f64(w);
        }
    }

    fn adjoint(&self, _port: usize, record: &[T], my: &[T], mx: &mut [T], accumulate: bool) {
        self.0.spread(record, my, mx, accumulate);
    }
}
