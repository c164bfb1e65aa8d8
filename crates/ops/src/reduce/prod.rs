//! ReduceProd: `m_i = ∫ Π_{j≠i} (x0_j + t Δ_j) dt` over 0..1, the effect of an element averaged over all orders in which
//! the elements may change from reference to example (the Shapley value; for two elements the product rule of SEMANTICS
//! 3.2). Exactly complete, symmetric, no division by a difference.
use deeplift_graph::operator::{ClosedForm, Permuted};
use deeplift_graph::{ensure, structures, Build, Constant, Fact, Operator, Result, Structure};
use deeplift_simd::Real;

use super::Axes;

/// Most elements of one product, whose quadrature takes half as many nodes. A longer one over- or underflows.
const MOST: usize = 4096;

struct Product {
    axes: Axes,
    fact: Fact,
}

/// Over the given axes.
pub fn build(cx: &Build<'_>) -> Result<Box<dyn Operator>> {
    let axes = Axes::read(cx)?;
    let fact = Fact::data(axes.output.clone(), cx.input(0)?.dtype);
    Ok(Box::new(Product { axes, fact }))
}

impl Product {
    fn structure<T: Real>(&self) -> Result<Structure<T>> {
        let factors = self.axes.offsets.len();
        ensure!(
            factors <= MOST,
            UnsupportedOp,
            "multiplies {factors} elements; at most {MOST} can be attributed; choose a target before this node"
        );
        let nodes = gauss_legendre(factors.div_ceil(2));
        Ok(Structure::ClosedForm(Box::new(Kernel { axes: self.axes.clone(), nodes })))
    }
}

impl Operator for Product {
    fn outputs(&self) -> Vec<Fact> {
        vec![self.fact.clone()]
    }

    fn fold(&self, inputs: &[Option<&Constant>]) -> Result<Option<Vec<Constant>>> {
        let Some(x) = inputs[0] else { return Ok(None) };
        if x.dtype.is_float() {
            return self.axes.fold(inputs, |group| group.iter().product());
        }
        let values = x.to_i64()?;
        let product = |&b: &usize| self.axes.offsets.iter().fold(1i64, |p, &r| p.wrapping_mul(values[b + r]));
        let value = Constant::i64(self.axes.output.clone(), self.axes.bases.iter().map(product).collect());
        Ok(Some(vec![crate::shape::as_dtype(value, x.dtype)]))
    }

    fn permute(&self, cx: &Build<'_>, perm: &[usize]) -> Option<Permuted> {
        super::permute(cx, perm)
    }

    structures!();
}

/// Nodes and weights on 0..1 that integrate polynomials of a degree below `2 n` exactly: roots of the Legendre
/// polynomial by Newton's method.
fn gauss_legendre(n: usize) -> Vec<(f64, f64)> {
    let root = |k: usize| {
        let mut x = (std::f64::consts::PI * (k as f64 + 0.75) / (n as f64 + 0.5)).cos();
        let mut slope = 1.0;
        for _ in 0..8 {
            let (mut p, mut before) = (x, 1.0);
            for i in 2..=n {
                let i = i as f64;
                (p, before) = (((2.0 * i - 1.0) * x * p - (i - 1.0) * before) / i, p);
            }
            slope = n as f64 * (x * p - before) / (x * x - 1.0);
            x -= p / slope;
        }
        (0.5 * (x + 1.0), 1.0 / ((1.0 - x * x) * slope * slope))
    };
    (0..n).map(root).collect()
}

/// A record holds the multiplier of every input element, grouped by output.
struct Kernel {
    axes: Axes,
    nodes: Vec<(f64, f64)>,
}

impl<T: Real> ClosedForm<T> for Kernel {
    fn forward(&self, x: &[&[T]], y: &mut [T]) {
        for (y, &base) in y.iter_mut().zip(&self.axes.bases) {
            *y = T::from_f64(self.axes.offsets.iter().map(|&r| x[0][base + r].to_f64()).product());
        }
    }

    fn record_len(&self) -> usize {
        self.axes.input_len
    }

    fn record(&self, x: &[&[T]], x0: &[&[T]], record: &mut [T]) {
        let n = self.axes.offsets.len();
        // Products of all later factors, one more than there are.
        let mut after = vec![1.0; n + 1];
        let mut multipliers = vec![0.0; n];
        for (group, &base) in record.chunks_exact_mut(n).zip(&self.axes.bases) {
            multipliers.fill(0.0);
            for &(t, weight) in &self.nodes {
                let factor = |i: usize| {
                    let at = base + self.axes.offsets[i];
                    (1.0 - t) * x0[0][at].to_f64() + t * x[0][at].to_f64()
                };
                for i in (0..n).rev() {
                    after[i] = after[i + 1] * factor(i);
                }
                let mut before = weight;
                for (i, m) in multipliers.iter_mut().enumerate() {
                    *m += before * after[i + 1];
                    before *= factor(i);
                }
            }
            group.iter_mut().zip(&multipliers).for_each(|(r, &m)| *r = T::from_f64(m));
        }
    }

    fn adjoint(&self, _port: usize, record: &[T], my: &[T], mx: &mut [T], accumulate: bool) {
        self.axes.spread(record, my, mx, accumulate);
    }
}

#[cfg(test)]
mod tests {
    use super::gauss_legendre;

    #[test]
    fn polynomials_are_integrated_exactly() {
        for n in [1, 2, 3, 7, 40, 300] {
            let nodes = gauss_legendre(n);
            for power in [0, 1, n, 2 * n - 1] {
                let sum: f64 = nodes.iter().map(|(t, w)| w * t.powi(power as i32)).sum();
                let exact = 1.0 / (power as f64 + 1.0);
                assert!((sum - exact).abs() < 1e-13, "{n} nodes, power {power}: {sum} for {exact}");
            }
        }
    }
}
