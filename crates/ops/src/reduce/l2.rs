//! ReduceL2: `m_i = (x_i + x0_i) / (‖x‖ + ‖x0‖)`, and 0 where both norms are 0 (SEMANTICS 3.2).
use deeplift_graph::operator::{ClosedForm, Permuted};
use deeplift_graph::{structures, Build, Constant, Fact, Operator, Result, Structure};
use deeplift_simd::Real;

use super::Axes;

struct L2 {
    axes: Axes,
    fact: Fact,
}

/// Over the given axes.
pub fn build(cx: &Build<'_>) -> Result<Box<dyn Operator>> {
    let axes = Axes::read(cx)?;
    let fact = Fact::data(axes.output.clone(), cx.input(0)?.dtype);
    Ok(Box::new(L2 { axes, fact }))
}

impl L2 {
    fn structure<T: Real>(&self) -> Result<Structure<T>> {
        Ok(Structure::ClosedForm(Box::new(Kernel(self.axes.clone()))))
    }
}

impl Operator for L2 {
    fn outputs(&self) -> Vec<Fact> {
        vec![self.fact.clone()]
    }

    fn fold(&self, inputs: &[Option<&Constant>]) -> Result<Option<Vec<Constant>>> {
        self.axes.fold(inputs, |group| group.iter().map(|v| v * v).sum::<f64>().sqrt())
    }

    fn permute(&self, cx: &Build<'_>, perm: &[usize]) -> Option<Permuted> {
        super::permute(cx, perm)
    }

    structures!();
}

/// A record holds the multiplier of every input element, grouped by output.
struct Kernel(Axes);

impl Kernel {
    fn norm<T: Real>(&self, x: &[T], base: usize) -> f64 {
        let square = |&r: &usize| x[base + r].to_f64() * x[base + r].to_f64();
        self.0.offsets.iter().map(square).sum::<f64>().sqrt()
    }
}

impl<T: Real> ClosedForm<T> for Kernel {
    fn forward(&self, x: &[&[T]], y: &mut [T]) {
        for (y, &base) in y.iter_mut().zip(&self.0.bases) {
            *y = T::from_f64(self.norm(x[0], base));
        }
    }

    fn record_len(&self) -> usize {
        self.0.input_len
    }

    fn record(&self, x: &[&[T]], x0: &[&[T]], record: &mut [T]) {
        let (x, x0) = (x[0], x0[0]);
        for (group, &base) in record.chunks_exact_mut(self.0.offsets.len()).zip(&self.0.bases) {
            let total = self.norm(x, base) + self.norm(x0, base);
            let factor = if total == 0.0 { 0.0 } else { 1.0 / total };
            for (r, &offset) in group.iter_mut().zip(&self.0.offsets) {
                *r = T::from_f64((x[base + offset].to_f64() + x0[base + offset].to_f64()) * factor);
            }
        }
    }

    fn adjoint(&self, _port: usize, record: &[T], my: &[T], mx: &mut [T], accumulate: bool) {
        self.0.spread(record, my, mx, accumulate);
    }
}
