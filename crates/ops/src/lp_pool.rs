//! LpPool and GlobalLpPool: the p-norm of each window.
use deeplift_graph::constant::element_count;
use deeplift_graph::operator::ClosedForm;
use deeplift_graph::{bail, ensure, structures, Build, Constant, Fact, Operator, Result, Structure};
use deeplift_kernels::{AveragePool as Pool, PoolGeometry};
use deeplift_simd::Real;

use crate::pool::{fold_channels_last, output_shape, spatial, Windows};

struct LpPool {
    fact: Fact,
    geometry: PoolGeometry,
    batch: usize,
    p: u32,
    last: bool,
}

/// Most factors that a power is made of; norms of higher order are maxima.
const MAX_P: i64 = 64;

/// `p` is a whole number, 2 by default. Padding adds nothing.
pub fn build(cx: &Build<'_>) -> Result<Box<dyn Operator>> {
    let (batch, input, channels, last) = spatial(cx)?;
    let p = cx.int("p", 2)?;
    ensure!((1..=MAX_P).contains(&p), InvalidModel, "p is {p}; 1 to {MAX_P} were expected");
    let kernel = if cx.op == "GlobalLpPool" { input.clone() } else { Windows::kernel_shape(cx)? };
    let windows = Windows::read(cx, &input, &kernel)?;
    let shape = output_shape(batch, &windows.output, channels, last);
    element_count(&shape)?;
    let fact = Fact::data(shape, cx.input(0)?.dtype);
    Ok(Box::new(LpPool { fact, geometry: windows.pool(channels), batch, p: p as u32, last }))
}

impl LpPool {
    fn kernel<T: Real>(&self) -> Kernel<T> {
        Kernel { sums: Pool::sum(self.geometry.clone()), batch: self.batch, p: self.p }
    }

    fn structure<T: Real>(&self) -> Result<Structure<T>> {
        if !self.last {
            bail!(Internal, "a pool has a kernel for channels last only")
        }
        Ok(Structure::ClosedForm(Box::new(self.kernel())))
    }
}

impl Operator for LpPool {
    fn outputs(&self) -> Vec<Fact> {
        vec![self.fact.clone()]
    }

    fn fold(&self, inputs: &[Option<&Constant>]) -> Result<Option<Vec<Constant>>> {
        let Some(x) = inputs[0] else { return Ok(None) };
        let run = |x: &[f64], y: &mut [f64]| self.kernel().forward(&[x], y);
        Ok(Some(vec![fold_channels_last(x, &self.fact, self.last, run)]))
    }

    structures!();
}

/// `(a^p - b^p) / (a - b)` for `a, b >= 0`, the derivative where they are equal: a sum without cancellation.
fn power_ratio<T: Real>(a: T, b: T, p: u32) -> T {
    // Horner's scheme, with b^k for the k-th coefficient.
    let (mut sum, mut power) = (T::ONE, T::ONE);
    for _ in 1..p {
        power *= b;
        sum = sum * a + power;
    }
    sum
}

fn power<T: Real>(a: T, p: u32) -> T {
    (1..p).fold(a, |y, _| y * a)
}

/// Divided difference of `|x|`; at 0 the derivative is 0.
fn abs_ratio<T: Real>(x: T, x0: T) -> T {
    if x == x0 {
        let sign = |v: bool| if v { T::ONE } else { T::ZERO };
        return sign(x > T::ZERO) - sign(x < T::ZERO);
    }
    if (x >= T::ZERO) == (x0 >= T::ZERO) {
        return if x + x0 >= T::ZERO { T::ONE } else { T::ZERO - T::ONE };
    }
    (x.abs() - x0.abs()) / (x - x0)
}

/// `y = (Σ |x|^p)^(1/p)`. A record holds the divided difference of `|x|^p` of every input, then that of the root of
/// every output: the outputs' differences are a product of the two, exactly.
struct Kernel<T> {
    sums: Pool<T>,
    batch: usize,
    p: u32,
}

impl<T: Real> Kernel<T> {
    fn lens(&self) -> (usize, usize) {
        let g = self.sums.geometry();
        (g.input_len(), g.output_len())
    }

    /// Norms of the windows of `x`.
    fn norms(&self, x: &[T], y: &mut [T]) {
        let (from, to) = self.lens();
        let powers: Vec<T> = x.iter().map(|x| power(x.abs(), self.p)).collect();
        for (x, y) in powers.chunks_exact(from).zip(y.chunks_exact_mut(to)) {
            self.sums.forward(x, y);
        }
        for y in y {
            *y = match self.p {
                1 => *y,
                2 => T::from_f64(y.to_f64().sqrt()),
                p => T::from_f64(y.to_f64().powf(1.0 / f64::from(p))),
            };
        }
    }
}

impl<T: Real> ClosedForm<T> for Kernel<T> {
    fn forward(&self, x: &[&[T]], y: &mut [T]) {
        self.norms(x[0], y);
    }

    fn record_len(&self) -> usize {
        let (from, to) = self.lens();
        self.batch * (from + to)
    }

    fn record(&self, x: &[&[T]], x0: &[&[T]], record: &mut [T]) {
        let (from, to) = self.lens();
        let (inputs, outputs) = record.split_at_mut(self.batch * from);
        for ((d, &x), &x0) in inputs.iter_mut().zip(x[0]).zip(x0[0]) {
            *d = abs_ratio(x, x0) * power_ratio(x.abs(), x0.abs(), self.p);
        }
        let mut y0 = vec![T::ZERO; self.batch * to];
        self.norms(x[0], outputs);
        self.norms(x0[0], &mut y0);
        for (y, &y0) in outputs.iter_mut().zip(&y0) {
            // The root is the inverse of the power; a window of zeros on both sides has no difference to pass on.
            let ratio = power_ratio(*y, y0, self.p);
            *y = if ratio > T::ZERO { T::ONE / ratio } else { T::ZERO };
        }
    }

    fn adjoint(&self, _port: usize, record: &[T], my: &[T], mx: &mut [T], accumulate: bool) {
        let (from, to) = self.lens();
        let (inputs, outputs) = record.split_at(self.batch * from);
        let scaled: Vec<T> = my.iter().zip(outputs).map(|(&m, &d)| m * d).collect();
        let mut sums = vec![T::ZERO; inputs.len()];
        for (m, sums) in scaled.chunks_exact(to).zip(sums.chunks_exact_mut(from)) {
            self.sums.adjoint(m, sums, false);
        }
        for ((mx, &d), &m) in mx.iter_mut().zip(inputs).zip(&sums) {
            *mx = if accumulate { *mx + d * m } else { d * m };
        }
    }
}
