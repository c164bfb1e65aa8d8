//! Conv: one to three spatial axes, groups, strides, dilations, any padding.
use deeplift_graph::constant::element_count;
use deeplift_graph::operator::Linear;
use deeplift_graph::{bail, ensure, structures, Build, Constant, Fact, Operator, Result, Structure};
use deeplift_kernels::{ConvGeometry, Scratch};
use deeplift_simd::Real;

use crate::conv_kernel::{Direction, Kernel};
use crate::pool::{fold_channels_last, output_shape, spatial, three, Windows};

struct Conv {
    fact: Fact,
    batch: usize,
    geometry: ConvGeometry,
    last: bool,
    weights: Constant,
    bias: Option<Constant>,
}

/// Sizes of a convolution, from the shapes of its inputs.
pub(crate) struct Layer {
    pub batch: usize,
    pub channels: usize,
    pub outs: usize,
    pub groups: usize,
    /// Whether channels are the last axis.
    pub last: bool,
    pub windows: Windows,
}

impl Layer {
    fn read(cx: &Build<'_>) -> Result<Self> {
        let (batch, input, channels, last) = spatial(cx)?;
        let weights = &cx.input(1)?.shape;
        let groups = cx.int("group", 1)?;
        ensure!(weights.len() == input.len() + 2, InvalidModel, "weights of shape {weights:?}");
        let (outs, ins, taps) = (weights[0], weights[1], &weights[2..]);
        ensure!(
            groups > 0
                && ins.checked_mul(groups as usize) == Some(channels)
                && outs.is_multiple_of(groups as usize),
            InvalidModel,
            "weights of shape {weights:?} with {groups} groups do not fit {channels} channels"
        );
        if let Some(k) = cx.ints("kernel_shape")? {
            let same = k.len() == taps.len() && k.iter().zip(taps).all(|(&k, &t)| k == t as i64);
            ensure!(same, InvalidModel, "kernel_shape {k:?} differs from weights of shape {weights:?}");
        }
        let windows = Windows::read(cx, &input, taps)?;
        if let Some(b) = cx.optional(2) {
            ensure!(b.len() == outs, InvalidModel, "bias of {} values for {outs} output channels", b.len());
        }
        Ok(Layer { batch, channels, outs, groups: groups as usize, last, windows })
    }

    /// Shape of the output.
    pub fn shape(&self) -> Result<Vec<usize>> {
        let shape = output_shape(self.batch, &self.windows.output, self.outs, self.last);
        element_count(&shape)?;
        Ok(shape)
    }
}

/// Weights `[out, in / groups, taps..]` and the optional bias; where one is computed, other nodes stand for it.
pub fn build(cx: &Build<'_>) -> Result<Box<dyn Operator>> {
    let layer = Layer::read(cx)?;
    let fact = Fact::data(layer.shape()?, cx.input(0)?.dtype);
    let constant = |i: usize| cx.optional(i).is_none_or(|f| f.constant.is_some());
    if !constant(1) || !constant(2) {
        ensure!(!layer.last, InvalidModel, "computed weights are expected channels first");
        return crate::conv_computed::build(cx, layer, fact);
    }
    let (weights, bias) = (cx.constant(1, "weights")?.clone(), cx.optional_constant(2, "bias")?.cloned());
    let w = &layer.windows;
    let geometry = ConvGeometry {
        input: three(&w.input, 1),
        output: three(&w.output, 1),
        kernel: three(&w.kernel, 1),
        stride: three(&w.stride, 1),
        dilation: three(&w.dilation, 1),
        pad: three(&w.pad, 0),
        in_channels: layer.channels,
        out_channels: layer.outs,
        groups: layer.groups,
    };
    Ok(Box::new(Conv { fact, batch: layer.batch, geometry, last: layer.last, weights, bias }))
}

impl Conv {
    fn kernel<T: Real>(&self) -> Kernel<T> {
        let bias = self.bias.as_ref().map_or(vec![], Constant::to_real);
        Kernel::new(Direction::Forward, self.batch, &self.geometry, &self.weights, bias)
    }

    fn structure<T: Real>(&self) -> Result<Structure<T>> {
        if !self.last {
            bail!(Internal, "a convolution has a kernel for channels last only")
        }
        Ok(Structure::Linear(Box::new(self.kernel())))
    }
}

impl Operator for Conv {
    fn outputs(&self) -> Vec<Fact> {
        vec![self.fact.clone()]
    }

    fn fold(&self, inputs: &[Option<&Constant>]) -> Result<Option<Vec<Constant>>> {
        let Some(x) = inputs[0] else { return Ok(None) };
        let kernel = self.kernel::<f64>();
        let run = |x: &[f64], y: &mut [f64]| kernel.forward(1, &[x], y, &mut Scratch::default());
        Ok(Some(vec![fold_channels_last(x, &self.fact, self.last, run)]))
    }

    structures!();
}
