//! Linear operators with few weights per output: interpolation, scattering, overlapping blocks, Fourier transforms.
use std::sync::Arc;

use deeplift_graph::operator::{Linear, LinearKind, Parts, Permuted};
use deeplift_graph::{ensure, structures, Build, Constant, Fact, Operator, Result, Structure};
use deeplift_kernels::Scratch;
use deeplift_simd::Real;

use crate::index_map::Permutable;

/// One weight: output position, input position, value.
pub(crate) type Entry = (u32, u32, f64);

/// Most weights of one operator: their number grows with shapes that a file names.
const MAX_ENTRIES: usize = 1 << 26;

/// Checks a number of weights before they are made.
pub(crate) fn check_entries(counts: &[usize]) -> Result<usize> {
    let n = counts.iter().try_fold(1usize, |n, &c| n.checked_mul(c)).filter(|&n| n <= MAX_ENTRIES);
    ensure!(
        n.is_some(),
        UnsupportedModel,
        "its linear map has more than {MAX_ENTRIES} weights; choose a target before it, or export the model differently"
    );
    Ok(n.unwrap_or_default())
}

/// The weights of one data input.
#[derive(Clone)]
pub(crate) struct Port {
    /// Positions of the input, each of `inner` elements.
    pub input: usize,
    pub entries: Arc<Vec<Entry>>,
}

/// `y = base + Σ ports A x`, the same for every one of `outer` blocks, whose positions are rows of `inner` elements.
pub(crate) struct Sparse {
    pub fact: Fact,
    pub outer: usize,
    /// Output positions of a block.
    pub output: usize,
    pub inner: usize,
    pub ports: Vec<Port>,
    /// Constant term of each element of the output.
    pub base: Option<Vec<f64>>,
    pub kind: LinearKind,
    /// See [`Operator::mixed_axes`].
    pub mixed: Vec<usize>,
    pub permutable: Option<Permutable>,
}

impl Sparse {
    fn kernel<T: Real>(&self) -> Kernel<T> {
        let port = |p: &Port| {
            let entries = p.entries.iter().map(|&(o, i, w)| (o, i, T::from_f64(w))).collect();
            (p.input, entries)
        };
        Kernel {
            outer: self.outer,
            output: self.output,
            inner: self.inner,
            ports: self.ports.iter().map(port).collect(),
            base: self.base.as_ref().map(|b| b.iter().map(|&v| T::from_f64(v)).collect()),
            kind: self.kind,
        }
    }

    pub(crate) fn structure<T: Real>(&self) -> Result<Structure<T>> {
        Ok(Structure::Linear(Box::new(self.kernel())))
    }
}

impl Operator for Sparse {
    fn outputs(&self) -> Vec<Fact> {
        vec![self.fact.clone()]
    }

    /// For operators of one input; those of several have a fold of their own.
    fn fold(&self, inputs: &[Option<&Constant>]) -> Result<Option<Vec<Constant>>> {
        let Some(x) = inputs[0] else { return Ok(None) };
        let mut y = vec![0.0; self.fact.len()];
        self.kernel::<f64>().forward(1, &[&x.to_f64()], &mut y, &mut Scratch::default());
        let y = Constant::f64(self.fact.shape.clone(), y);
        Ok(Some(vec![crate::shape::as_dtype(y, self.fact.dtype)]))
    }

    fn permute(&self, cx: &Build<'_>, perm: &[usize]) -> Option<Permuted> {
        self.permutable?(cx, perm)
    }

    fn mixed_axes(&self) -> Vec<usize> {
        self.mixed.clone()
    }

    structures!();
}

/// Input positions and weights of one data input.
type Weights<T> = (usize, Arc<[(u32, u32, T)]>);

#[derive(Clone)]
struct Kernel<T> {
    outer: usize,
    output: usize,
    inner: usize,
    ports: Vec<Weights<T>>,
    base: Option<Vec<T>>,
    kind: LinearKind,
}

impl<T: Real> Kernel<T> {
    /// The weights of one sign, without the constant term.
    fn part(&self, keep: impl Fn(T) -> bool) -> Option<Box<dyn Linear<T>>> {
        let kept = |(n, all): &Weights<T>| (*n, all.iter().copied().filter(|e| keep(e.2)).collect());
        let ports: Vec<Weights<T>> = self.ports.iter().map(kept).collect();
        let empty = ports.iter().all(|(_, entries)| entries.is_empty());
        (!empty).then(|| Box::new(Kernel { ports, base: None, ..self.clone() }) as Box<dyn Linear<T>>)
    }
}

impl<T: Real> Linear<T> for Kernel<T> {
    fn forward(&self, lanes: usize, x: &[&[T]], y: &mut [T], _scratch: &mut Scratch<T>) {
        let (block, inner) = (self.output * self.inner, self.inner);
        match &self.base {
            Some(base) => y.chunks_exact_mut(base.len()).take(lanes).for_each(|y| y.copy_from_slice(base)),
            None => y.fill(T::ZERO),
        }
        for ((input, entries), x) in self.ports.iter().zip(x) {
            for b in 0..lanes * self.outer {
                let (x, y) = (&x[b * input * inner..], &mut y[b * block..][..block]);
                for &(o, i, w) in entries.iter() {
                    let to = &mut y[o as usize * inner..][..inner];
                    for (y, &x) in to.iter_mut().zip(&x[i as usize * inner..][..inner]) {
                        *y += w * x;
                    }
                }
            }
        }
    }

    fn adjoint(
        &self,
        lanes: usize,
        port: usize,
        my: &[T],
        mx: &mut [T],
        accumulate: bool,
        _scratch: &mut Scratch<T>,
    ) {
        if !accumulate {
            mx.fill(T::ZERO);
        }
        let (block, inner) = (self.output * self.inner, self.inner);
        let (input, entries) = &self.ports[port];
        for b in 0..lanes * self.outer {
            let (mx, my) = (&mut mx[b * input * inner..], &my[b * block..][..block]);
            for &(o, i, w) in entries.iter() {
                let to = &mut mx[i as usize * inner..][..inner];
                for (mx, &my) in to.iter_mut().zip(&my[o as usize * inner..][..inner]) {
                    *mx += w * my;
                }
            }
        }
    }

    fn parts(&self) -> Parts<T> {
        Parts { positive: self.part(|w| w > T::ZERO), negative: self.part(|w| w < T::ZERO) }
    }

    fn kind(&self) -> LinearKind {
        self.kind
    }

    fn flops(&self) -> f64 {
        let weights: usize = self.ports.iter().map(|(_, entries)| entries.len()).sum();
        2.0 * (self.outer * weights * self.inner) as f64
    }
}
