//! LogSoftmax: `M_x = M_y − w ΣM_y` with the weights of Softmax (SEMANTICS 3.2).
use deeplift_graph::operator::{ClosedForm, Permuted};
use deeplift_graph::{structures, Build, Fact, Operator, Result, Structure};
use deeplift_simd::Real;

use crate::softmax::{axes, extents, lines, log_means, permute, weights};

struct LogSoftmax {
    fact: Fact,
    shape: [usize; 3],
    axes: Vec<usize>,
}

/// Log-probabilities along one axis.
pub fn build(cx: &Build<'_>) -> Result<Box<dyn Operator>> {
    let x = cx.input(0)?;
    Ok(Box::new(LogSoftmax {
        fact: Fact::data(x.shape.clone(), x.dtype),
        shape: extents(cx)?,
        axes: axes(cx)?,
    }))
}

impl LogSoftmax {
    fn structure<T: Real>(&self) -> Result<Structure<T>> {
        Ok(Structure::ClosedForm(Box::new(Kernel(self.shape))))
    }
}

impl Operator for LogSoftmax {
    fn outputs(&self) -> Vec<Fact> {
        vec![self.fact.clone()]
    }

    fn permute(&self, cx: &Build<'_>, perm: &[usize]) -> Option<Permuted> {
        permute(cx, perm)
    }

    fn mixed_axes(&self) -> Vec<usize> {
        self.axes.clone()
    }

    structures!();
}

/// A record holds `w`.
struct Kernel([usize; 3]);

impl<T: Real> ClosedForm<T> for Kernel {
    fn forward(&self, x: &[&[T]], y: &mut [T]) {
        deeplift_kernels::softmax::log_softmax(x[0], self.0, y);
    }

    fn record_len(&self) -> usize {
        self.0.iter().product()
    }

    fn record(&self, x: &[&[T]], x0: &[&[T]], record: &mut [T]) {
        for (r, w) in record.iter_mut().zip(weights(&log_means(x[0], x0[0], self.0), self.0)) {
            *r = T::from_f64(w);
        }
    }

    fn adjoint(&self, _port: usize, record: &[T], my: &[T], mx: &mut [T], accumulate: bool) {
        for line in lines(self.0) {
            let flow: f64 = line.clone().map(|i| my[i].to_f64()).sum();
            for i in line {
                let m = T::from_f64(my[i].to_f64() - record[i].to_f64() * flow);
                mx[i] = if accumulate { mx[i] + m } else { m };
            }
        }
    }
}
