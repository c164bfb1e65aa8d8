//! Conv: one to three spatial axes, groups, strides, dilations, any padding.
use deeplift_graph::constant::element_count;
use deeplift_graph::operator::{FusedLinear, Linear, LinearKind, Parts};
use deeplift_graph::{bail, ensure, structures, Build, Constant, Fact, Operator, Result, Structure};
use deeplift_kernels::{ConvGeometry, Epilogue, PackedConv, PackedConvAdjoint, Scratch};
use deeplift_simd::{Isa, Real};

use crate::pool::{output_shape, spatial, three, Windows};

struct Conv {
    fact: Fact,
    batch: usize,
    geometry: ConvGeometry,
    last: bool,
    weights: Constant,
    bias: Option<Constant>,
}

/// Weights `[out, in / groups, taps..]` and the optional bias are constants.
pub fn build(cx: &Build<'_>) -> Result<Box<dyn Operator>> {
    let (batch, input, channels, last) = spatial(cx)?;
    let weights = cx.constant(1, "weights")?.clone();
    let groups = cx.int("group", 1)?;
    ensure!(weights.shape.len() == input.len() + 2, InvalidModel, "weights of shape {:?}", weights.shape);
    let (outs, ins, taps) = (weights.shape[0], weights.shape[1], &weights.shape[2..]);
    ensure!(
        groups > 0
            && ins.checked_mul(groups as usize) == Some(channels)
            && outs.is_multiple_of(groups as usize),
        InvalidModel,
        "weights of shape {:?} with {groups} groups do not fit {channels} channels",
        weights.shape
    );
    if let Some(k) = cx.ints("kernel_shape")? {
        let same = k.len() == taps.len() && k.iter().zip(taps).all(|(&k, &t)| k == t as i64);
        ensure!(same, InvalidModel, "kernel_shape {k:?} differs from weights of shape {:?}", weights.shape);
    }
    let w = Windows::read(cx, &input, taps)?;
    let bias = cx.optional_constant(2, "bias")?.cloned();
    if let Some(b) = &bias {
        ensure!(b.len() == outs, InvalidModel, "bias of {} values for {outs} output channels", b.len());
    }
    let shape = output_shape(batch, &w.output, outs, last);
    element_count(&shape)?;
    let geometry = ConvGeometry {
        input: three(&w.input, 1),
        output: three(&w.output, 1),
        kernel: three(&w.kernel, 1),
        stride: three(&w.stride, 1),
        dilation: three(&w.dilation, 1),
        pad: three(&w.pad, 0),
        in_channels: channels,
        out_channels: outs,
        groups: groups as usize,
    };
    Ok(Box::new(Conv { fact: Fact::data(shape, cx.input(0)?.dtype), batch, geometry, last, weights, bias }))
}

impl Conv {
    fn structure<T: Real>(&self) -> Result<Structure<T>> {
        if !self.last {
            bail!(UnsupportedOp, "a convolution of constants has no kernel")
        }
        let bias = self.bias.as_ref().map_or(vec![], Constant::to_real);
        Ok(Structure::Linear(Box::new(Kernel::new(self.batch, &self.geometry, &self.weights, &bias))))
    }
}

impl Operator for Conv {
    fn outputs(&self) -> Vec<Fact> {
        vec![self.fact.clone()]
    }

    structures!();
}

struct Kernel<T: Real> {
    batch: usize,
    /// The file's own values, shared; parts are made from them.
    weights: Constant,
    forward: PackedConv<T>,
    adjoint: PackedConvAdjoint<T>,
}

impl<T: Real> Kernel<T> {
    fn new(batch: usize, geometry: &ConvGeometry, weights: &Constant, bias: &[T]) -> Self {
        Self::packed(batch, geometry, weights, &weights.to_real(), bias)
    }

    /// Packs values that may be a part of the constant's.
    fn packed(batch: usize, geometry: &ConvGeometry, weights: &Constant, values: &[T], bias: &[T]) -> Self {
        let isa = Isa::active();
        let forward = PackedConv::new(geometry.clone(), values, bias, isa);
        let adjoint = PackedConvAdjoint::new(geometry.clone(), values, isa);
        Kernel { batch, weights: weights.clone(), forward, adjoint }
    }
}

impl<T: Real> Linear<T> for Kernel<T> {
    fn forward(&self, lanes: usize, x: &[&[T]], y: &mut [T], scratch: &mut Scratch<T>) {
        let g = self.forward.geometry();
        let (xs, ys) = (x[0].chunks_exact(g.input_len()), y.chunks_exact_mut(g.output_len()));
        for (x, out) in xs.zip(ys).take(lanes * self.batch) {
            self.forward.forward(x, Epilogue::Store { out }, scratch);
        }
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
        let g = self.forward.geometry();
        let (ys, xs) = (my.chunks_exact(g.output_len()), mx.chunks_exact_mut(g.input_len()));
        for (my, out) in ys.zip(xs).take(lanes * self.batch) {
            let epilogue = if accumulate { Epilogue::Add { out } } else { Epilogue::Store { out } };
            self.adjoint.apply(my, epilogue, scratch);
        }
    }

    fn parts(&self) -> Parts<T> {
        let part = |keep: fn(T) -> T| -> Option<Box<dyn Linear<T>>> {
            let w: Vec<T> = self.weights.to_real::<T>().into_iter().map(keep).collect();
            Some(Box::new(Kernel::packed(self.batch, self.forward.geometry(), &self.weights, &w, &[])))
        };
        Parts { positive: part(|w| w.max(T::ZERO)), negative: part(|w| w.min(T::ZERO)) }
    }

    fn kind(&self) -> LinearKind {
        LinearKind::Convolution
    }

    fn flops(&self) -> f64 {
        let g = self.forward.geometry();
        let taps = g.kernel.iter().product::<usize>() * g.in_channels / g.groups;
        2.0 * (self.batch * g.output_len() * taps) as f64
    }

    fn weight_bytes(&self) -> usize {
        self.weights.len() * size_of::<T>()
    }

    fn fused(&self) -> Option<&dyn FusedLinear<T>> {
        (self.batch == 1).then_some(self)
    }
}

impl<T: Real> FusedLinear<T> for Kernel<T> {
    fn forward_with(&self, x: &[T], epilogue: Epilogue<'_, T>, scratch: &mut Scratch<T>) {
        self.forward.forward(x, epilogue, scratch);
    }

    fn adjoint_with(&self, my: &[T], epilogue: Epilogue<'_, T>, scratch: &mut Scratch<T>) {
        self.adjoint.apply(my, epilogue, scratch);
    }
}
