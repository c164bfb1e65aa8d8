//! Dense: `y = x W + b` over the last axis, the form that Gemm and MatMul with constant weights are rewritten to.
use std::sync::Arc;

use deeplift_graph::operator::{Linear, LinearKind, Parts, Pass};
use deeplift_graph::{ensure, structures, Build, Constant, Fact, Layers, Operator, Result, Structure};
use deeplift_kernels::{Epilogue, Holding, PackedDense, Reduced, Scratch, Work};
use deeplift_simd::Real;

use crate::conv_layer::Sign;
use crate::dense_layer::DenseLayer;

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
        let layer = DenseLayer::new(self.weights.clone(), self.bias.to_real());
        Ok(Structure::Linear(Box::new(Kernel::<T>::of(self.rows, layer, None))))
    }
}

impl Operator for Dense {
    fn outputs(&self) -> Vec<Fact> {
        vec![self.fact.clone()]
    }

    structures!();
}

struct Kernel<T: Real> {
    /// Rows of one lane.
    rows: usize,
    layer: Arc<DenseLayer<T>>,
    packed: PackedDense<T>,
    how: Option<Reduced>,
}

impl<T: Real> Kernel<T> {
    /// In products of bf16 if these are asked for, and pay.
    fn of(rows: usize, layer: Arc<DenseLayer<T>>, how: Option<Reduced>) -> Self {
        let packed = how.and_then(|how| layer.reduced(how)).unwrap_or_else(|| layer.packed());
        Kernel { rows, layer, packed, how }
    }
}

impl<T: Real> Linear<T> for Kernel<T> {
    fn forward(&self, lanes: usize, x: &[&[T]], y: &mut [T], scratch: &mut Scratch<T>) {
        let rows = lanes * self.rows;
        let out = &mut y[..rows * self.packed.outputs()];
        self.packed.forward(rows, &x[0][..rows * self.packed.inputs()], Epilogue::Store { out }, scratch);
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
        let (my, mx) = (&my[..rows * self.packed.outputs()], &mut mx[..rows * self.packed.inputs()]);
        self.packed.adjoint(rows, my, mx, accumulate, scratch);
    }

    fn reduced(&self, how: Reduced) -> Option<Box<dyn Linear<T>>> {
        self.layer.reduced(how)?;
        Some(Box::new(Kernel::of(self.rows, self.layer.clone(), Some(how))))
    }

    fn share(&mut self, layers: &Layers) {
        *self = Kernel::of(self.rows, layers.share(self.layer.clone()), self.how);
    }

    fn tally(&self, multipliers: bool, holding: &mut Holding) {
        self.packed.tally(multipliers, holding);
    }

    fn parts(&self) -> Parts<T> {
        let part = |sign: Sign| -> Option<Box<dyn Linear<T>>> {
            Some(Box::new(Kernel::of(self.rows, self.layer.part(sign), self.how)))
        };
        Parts { positive: part(Sign::Positive), negative: part(Sign::Negative) }
    }

    fn kind(&self) -> LinearKind {
        LinearKind::Dense
    }

    fn flops(&self) -> f64 {
        2.0 * (self.rows * self.packed.inputs() * self.packed.outputs()) as f64
    }

    fn weight_bytes(&self) -> usize {
        self.packed.inputs() * self.packed.outputs() * size_of::<T>()
    }

    fn work(&self, pass: Pass) -> Work {
        match pass {
            Pass::Forward => self.packed.work(self.rows),
            Pass::Adjoint => self.packed.adjoint_work(self.rows),
        }
    }
}
