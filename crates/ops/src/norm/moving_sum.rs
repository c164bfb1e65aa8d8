//! Sums over a window that moves along one axis, with nothing beyond its ends. It is no operator of ONNX: LRN expands to
//! it.
use deeplift_graph::broadcast::{around, axis_index};
use deeplift_graph::operator::{Linear, LinearKind, Parts, Permuted};
use deeplift_graph::wire::Attribute;
use deeplift_graph::{ensure, structures, Build, Fact, Operator, Result, Structure};
use deeplift_kernels::{map, Scratch};
use deeplift_simd::Real;

struct MovingSum {
    fact: Fact,
    axis: usize,
    kernel: Kernel,
}

/// Output `i` sums inputs `i - before` to `i + after` along `axis`.
pub fn build(cx: &Build<'_>) -> Result<Box<dyn Operator>> {
    let x = cx.input(0)?;
    let axis = axis_index(cx.int("axis", 0)?, x.shape.len())?;
    let (outer, extent, inner) = around(&x.shape, axis);
    let reach = |name: &str| -> Result<usize> {
        let v = cx.int(name, 0)?;
        ensure!(v >= 0, InvalidModel, "'{name}' is {v}; expected at least 0");
        Ok((v as usize).min(extent))
    };
    let kernel = Kernel { outer, extent, inner, before: reach("before")?, after: reach("after")? };
    Ok(Box::new(MovingSum { fact: Fact::data(x.shape.clone(), x.dtype), axis, kernel }))
}

impl MovingSum {
    fn structure<T: Real>(&self) -> Result<Structure<T>> {
        Ok(Structure::Linear(Box::new(self.kernel.clone())))
    }
}

impl Operator for MovingSum {
    fn outputs(&self) -> Vec<Fact> {
        vec![self.fact.clone()]
    }

    fn permute(&self, cx: &Build<'_>, perm: &[usize]) -> Option<Permuted> {
        let mut attrs = cx.attrs.clone();
        attrs.insert("axis".into(), Attribute::Int(perm[self.axis] as i64));
        Some(Permuted { attrs, constants: vec![], perm: perm.to_vec() })
    }

    fn mixed_axes(&self) -> Vec<usize> {
        vec![self.axis]
    }

    structures!();
}

#[derive(Clone)]
struct Kernel {
    outer: usize,
    extent: usize,
    inner: usize,
    before: usize,
    after: usize,
}

impl Kernel {
    /// Adds to every element of `y` those of `x` from `before` ahead of it to `after` behind.
    fn add<T: Real>(&self, x: &[T], y: &mut [T], before: usize, after: usize) {
        let block = self.extent * self.inner;
        for (x, y) in x.chunks_exact(block).zip(y.chunks_exact_mut(block)) {
            if self.inner == 1 {
                for (i, y) in y.iter_mut().enumerate() {
                    let window = &x[i.saturating_sub(before)..(i + after + 1).min(self.extent)];
                    *y += window.iter().copied().sum();
                }
                continue;
            }
            for (i, y) in y.chunks_exact_mut(self.inner).enumerate() {
                for k in i.saturating_sub(before)..(i + after + 1).min(self.extent) {
                    map::add_assign(y, &x[k * self.inner..][..self.inner]);
                }
            }
        }
    }
}

impl<T: Real> Linear<T> for Kernel {
    fn forward(&self, _lanes: usize, x: &[&[T]], y: &mut [T], _scratch: &mut Scratch<T>) {
        y.fill(T::ZERO);
        self.add(x[0], y, self.before, self.after);
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
        if !accumulate {
            mx.fill(T::ZERO);
        }
        self.add(my, mx, self.after, self.before);
    }

    fn parts(&self) -> Parts<T> {
        Parts { positive: Some(Box::new(self.clone())), negative: None }
    }

    fn kind(&self) -> LinearKind {
        LinearKind::Aggregate
    }

    fn flops(&self) -> f64 {
        (self.outer * self.extent * self.inner * (self.before + self.after + 1)) as f64
    }
}
