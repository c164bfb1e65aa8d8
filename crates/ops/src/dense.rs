//! Dense: `y = x W + b` over the last axis, the form that Gemm and MatMul with constant weights are rewritten to.
use deeplift_graph::operator::{Linear, LinearKind, Parts, Pass};
use deeplift_graph::{ensure, structures, Build, Constant, Fact, Operator, Result, Structure};
use deeplift_kernels::{Epilogue, PackedDense, Reduced, Scratch, Variant, Work};
use deeplift_simd::{Isa, Real};

struct Dense {
    fact: Fact,
    rows: usize,
    weights: Constant,
    bias: Constant,
}

/// Weights `[in, out]` and bias `[out]` are constants.
pub fn build(cx: &Build<'_>) -> Result<Box<dyn Operator>> {
    let x = cx.input(0)?;
    let (weights, bias) = (cx.constant(1, "weights")?.clone(), cx.constant(2, "bias")?.clone());
    ensure!(
        weights.shape.len() == 2 && bias.len() == weights.shape[1],
        InvalidModel,
        "weights of shape {:?} and bias of shape {:?} are no dense layer",
        weights.shape,
        bias.shape
    );
    let (mut shape, k) = (x.shape.clone(), weights.shape[0]);
    ensure!(
        shape.last() == Some(&k),
        InvalidModel,
        "weights of shape {:?} do not fit an input of shape {:?}",
        weights.shape,
        x.shape
    );
    let last = shape.len() - 1;
    shape[last] = weights.shape[1];
    let rows = shape[..last].iter().product();
    Ok(Box::new(Dense { fact: Fact::data(shape, x.dtype), rows, weights, bias }))
}

impl Dense {
    fn structure<T: Real>(&self) -> Result<Structure<T>> {
        let bias: Vec<T> = self.bias.to_real();
        Ok(Structure::Linear(Box::new(Kernel::new(
            self.rows,
            self.weights.shape[0],
            self.weights.shape[1],
            &self.weights,
            &bias,
        ))))
    }
}

impl Operator for Dense {
    fn outputs(&self) -> Vec<Fact> {
        vec![self.fact.clone()]
    }

    structures!();
}

struct Kernel<T: Real> {
    rows: usize,
    k: usize,
    n: usize,
    /// The file's own values, shared; parts are made from them.
    weights: Constant,
    bias: Vec<T>,
    variant: Variant,
    forward: PackedDense<T>,
    transposed: PackedDense<T>,
}

impl<T: Real> Kernel<T> {
    fn new(rows: usize, k: usize, n: usize, weights: &Constant, bias: &[T]) -> Self {
        Self::packed([rows, k, n], weights, &weights.to_real(), bias, Variant::Fastest)
    }

    /// Packs values that may be a part of the constant's.
    fn packed(
        [rows, k, n]: [usize; 3],
        weights: &Constant,
        values: &[T],
        bias: &[T],
        variant: Variant,
    ) -> Self {
        let isa = Isa::active();
        let forward = PackedDense::with_variant(k, n, values, bias, isa, variant);
        let transposed = PackedDense::transposed_with_variant(k, n, values, isa, variant);
        let (weights, bias) = (weights.clone(), bias.to_vec());
        Kernel { rows, k, n, weights, bias, variant, forward, transposed }
    }
}

impl<T: Real> Linear<T> for Kernel<T> {
    fn forward(&self, lanes: usize, x: &[&[T]], y: &mut [T], scratch: &mut Scratch<T>) {
        let rows = lanes * self.rows;
        let out = &mut y[..rows * self.n];
        self.forward.forward(rows, &x[0][..rows * self.k], Epilogue::Store { out }, scratch);
    }

    fn adjoint(
        &self,
        lanes: usize,
        _port: usize,
        my: &[T],
        mx: &mut [T],
        accumulate: bool,
        scratch: &mut Scratch<T>,
    ) {
        let rows = lanes * self.rows;
        let out = &mut mx[..rows * self.k];
        let epilogue = if accumulate { Epilogue::Add { out } } else { Epilogue::Store { out } };
        self.transposed.forward(rows, &my[..rows * self.n], epilogue, scratch);
    }

    fn reduced(&self, how: Reduced) -> Option<Box<dyn Linear<T>>> {
        let (sizes, values) = ([self.rows, self.k, self.n], self.weights.to_real());
        let kernel = Kernel::packed(sizes, &self.weights, &values, &self.bias, Variant::Reduced(how));
        (kernel.forward.is_reduced() || kernel.transposed.is_reduced()).then(|| Box::new(kernel) as Box<_>)
    }

    fn parts(&self) -> Parts<T> {
        let part = |keep: fn(T) -> T| -> Option<Box<dyn Linear<T>>> {
            let w: Vec<T> = self.weights.to_real::<T>().into_iter().map(keep).collect();
            let sizes = [self.rows, self.k, self.n];
            Some(Box::new(Kernel::packed(sizes, &self.weights, &w, &[], self.variant)))
        };
        Parts { positive: part(|w| w.max(T::ZERO)), negative: part(|w| w.min(T::ZERO)) }
    }

    fn kind(&self) -> LinearKind {
        LinearKind::Dense
    }

    fn flops(&self) -> f64 {
        2.0 * (self.rows * self.k * self.n) as f64
    }

    fn weight_bytes(&self) -> usize {
        self.weights.len() * size_of::<T>()
    }

    fn work(&self, pass: Pass) -> Work {
        match pass {
            Pass::Forward => self.forward.work(self.rows),
            Pass::Adjoint => self.transposed.work(self.rows),
        }
    }
}
