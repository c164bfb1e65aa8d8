//! CumSum: running sums along an axis.
use deeplift_graph::broadcast::{around, axis_index};
use deeplift_graph::operator::{Linear, LinearKind, Parts, Permuted};
use deeplift_graph::{ensure, structures, Build, Constant, Fact, Operator, Result, Structure};
use deeplift_kernels::Scratch;
use deeplift_simd::Real;

struct CumSum {
    fact: Fact,
    axis: usize,
    kernel: Kernel,
}

/// `exclusive` leaves the element itself out, `reverse` sums from the end.
pub fn build(cx: &Build<'_>) -> Result<Box<dyn Operator>> {
    let x = cx.input(0)?;
    let axis = axis(cx)?;
    let exclusive = cx.int("exclusive", 0)? != 0;
    let reverse = cx.int("reverse", 0)? != 0;
    let kernel = Kernel { around: around(&x.shape, axis), exclusive, reverse };
    Ok(Box::new(CumSum { fact: Fact::data(x.shape.clone(), x.dtype), axis, kernel }))
}

fn axis(cx: &Build<'_>) -> Result<usize> {
    let axis = cx.constant(1, "axis")?.to_i64()?;
    ensure!(axis.len() == 1, InvalidModel, "axis {axis:?} is not one axis");
    axis_index(axis[0], cx.input(0)?.shape.len())
}

impl CumSum {
    fn structure<T: Real>(&self) -> Result<Structure<T>> {
        Ok(Structure::Linear(Box::new(self.kernel.clone())))
    }
}

impl Operator for CumSum {
    fn outputs(&self) -> Vec<Fact> {
        vec![self.fact.clone()]
    }

    fn fold(&self, inputs: &[Option<&Constant>]) -> Result<Option<Vec<Constant>>> {
        let Some(x) = inputs[0] else { return Ok(None) };
        let mut y = vec![0.0; x.len()];
        self.kernel.run(false, &x.to_f64(), &mut y, false);
        let y = Constant::f64(x.shape.clone(), y);
        Ok(Some(vec![crate::shape::as_dtype(y, x.dtype)]))
    }

    fn permute(&self, cx: &Build<'_>, perm: &[usize]) -> Option<Permuted> {
        let to = Constant::i64(vec![], vec![perm[axis(cx).ok()?] as i64]);
        Some(Permuted { attrs: cx.attrs.clone(), constants: vec![(1, to)], perm: perm.to_vec() })
    }

    fn mixed_axes(&self) -> Vec<usize> {
        vec![self.axis]
    }

    structures!();
}

#[derive(Clone)]
struct Kernel {
    around: (usize, usize, usize),
    exclusive: bool,
    reverse: bool,
}

impl Kernel {
    /// The running sums, or with `back` their adjoint, which runs the other way. Sums are made in double precision:
    /// sequences are thousands of positions long.
    fn run<T: Real>(&self, back: bool, x: &[T], y: &mut [T], accumulate: bool) {
        let (_, n, inner) = self.around;
        let mut sums = vec![0.0f64; inner];
        for (x, y) in x.chunks_exact((n * inner).max(1)).zip(y.chunks_exact_mut((n * inner).max(1))) {
            sums.fill(0.0);
            for step in 0..n {
                let a = if self.reverse != back { n - 1 - step } else { step };
                let row = a * inner..(a + 1) * inner;
                for ((sum, &x), y) in sums.iter_mut().zip(&x[row.clone()]).zip(&mut y[row]) {
                    let before = *sum;
                    *sum += x.to_f64();
                    let value = T::from_f64(if self.exclusive { before } else { *sum });
                    *y = if accumulate { *y + value } else { value };
                }
            }
        }
    }
}

impl<T: Real> Linear<T> for Kernel {
    fn forward(&self, _lanes: usize, x: &[&[T]], y: &mut [T], _scratch: &mut Scratch<T>) {
        self.run(false, x[0], y, false);
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
        self.run(true, my, mx, accumulate);
    }

    fn parts(&self) -> Parts<T> {
        Parts { positive: Some(Box::new(self.clone())), negative: None }
    }

    fn kind(&self) -> LinearKind {
        LinearKind::Aggregate
    }
}
