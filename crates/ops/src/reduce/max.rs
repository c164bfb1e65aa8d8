//! ReduceMax and ReduceMin; Maximum and Minimum, which reduce the axis along which several tensors were stacked.
use deeplift_graph::operator::{Members, Permuted, Selection};
use deeplift_graph::{ensure, structures, Build, Constant, Fact, Operator, Result, Structure};
use deeplift_kernels::reduce;
use deeplift_simd::Real;

use super::Axes;

struct Extremum {
    fact: Fact,
    kernel: Kernel,
}

/// Largest or smallest element over the given axes.
pub fn build(cx: &Build<'_>) -> Result<Box<dyn Operator>> {
    let axes = Axes::read(cx)?;
    let fact = Fact::data(axes.output.clone(), cx.input(0)?.dtype);
    let largest = !matches!(cx.op, "ReduceMin" | "Minimum");
    let binary = matches!(cx.op, "Maximum" | "Minimum");
    Ok(Box::new(Extremum { fact, kernel: Kernel { axes, largest, binary } }))
}

impl Extremum {
    fn structure<T: Real>(&self) -> Result<Structure<T>> {
        Ok(Structure::Selection(Box::new(self.kernel.clone())))
    }
}

impl Operator for Extremum {
    fn outputs(&self) -> Vec<Fact> {
        vec![self.fact.clone()]
    }

    fn permute(&self, cx: &Build<'_>, perm: &[usize]) -> Option<Permuted> {
        super::permute(cx, perm)
    }

    fn fold(&self, inputs: &[Option<&Constant>]) -> Result<Option<Vec<Constant>>> {
        let Some(x) = inputs[0] else { return Ok(None) };
        if self.kernel.axes.offsets.is_empty() {
            let float = x.dtype.is_float();
            ensure!(float, UnsupportedOp, "the extremum of no {:?} elements is not defined here", x.dtype);
            let nothing = if self.kernel.largest { f64::NEG_INFINITY } else { f64::INFINITY };
            return self.kernel.axes.fold(inputs, |_| nothing);
        }
        let values = x.to_f64();
        let mut winners = vec![0; self.kernel.axes.bases.len()];
        self.kernel.winners(&values, &mut winners);
        Ok(Some(vec![x.pick(self.fact.shape.clone(), winners.into_iter().map(|i| i as usize))]))
    }

    structures!();
}

#[derive(Clone)]
struct Kernel {
    axes: Axes,
    largest: bool,
    /// Whether the axis is that of stacked tensors.
    binary: bool,
}

impl<T: Real> Selection<T> for Kernel {
    fn forward(&self, x: &[T], y: &mut [T]) {
        if let Some(shape) = self.axes.block {
            let extreme = if self.largest { reduce::max } else { reduce::min };
            extreme(x, shape, y);
            return;
        }
        let mut winners = vec![0; y.len()];
        self.winners(x, &mut winners);
        for (y, &w) in y.iter_mut().zip(&winners) {
            *y = x[w as usize];
        }
    }

    fn winners(&self, x: &[T], index: &mut [u32]) {
        if let Some(shape) = self.axes.block {
            let first = if self.largest { reduce::max_index } else { reduce::min_index };
            first(x, shape, index);
            for (w, &b) in index.iter_mut().zip(&self.axes.bases) {
                *w = (b + self.axes.offsets[*w as usize]) as u32;
            }
            return;
        }
        for (w, &b) in index.iter_mut().zip(&self.axes.bases) {
            *w = (b + self.axes.offsets[0]) as u32;
        }
        for &r in &self.axes.offsets[1..] {
            for (w, &b) in index.iter_mut().zip(&self.axes.bases) {
                let (new, old) = (x[b + r], x[*w as usize]);
                if if self.largest { new > old } else { new < old } {
                    *w = (b + r) as u32;
                }
            }
        }
    }

    fn largest(&self) -> bool {
        self.largest
    }

    fn members(&self) -> Members {
        let (outputs, each) = (self.axes.bases.len(), self.axes.offsets.len());
        let start = (0..=outputs).map(|o| (o * each) as u32).collect();
        let of = |&b: &usize| self.axes.offsets.iter().map(move |&r| (b + r) as u32);
        Members { start, index: self.axes.bases.iter().flat_map(of).collect() }
    }

    fn binary(&self) -> bool {
        self.binary
    }
}
