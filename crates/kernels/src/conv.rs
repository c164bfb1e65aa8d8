//! Convolution of channels-last activations, and its adjoint.

use crate::{oracle, Epilogue, Scratch};
use deeplift_simd::{Isa, Real};

/// Shapes of a convolution over three spatial axes (leading ones for fewer), channels-last.
#[derive(Clone, Debug, PartialEq)]
pub struct ConvGeometry {
    /// Input positions per axis.
    pub input: [usize; 3],
    /// Output positions per axis. What they need beyond the input's end is padding with zeros.
    pub output: [usize; 3],
    /// Taps per axis.
    pub kernel: [usize; 3],
    /// Input positions between two outputs.
    pub stride: [usize; 3],
    /// Input positions between two taps.
    pub dilation: [usize; 3],
    /// Zeros before the first input position.
    pub pad: [usize; 3],
    /// Channels of the input.
    pub in_channels: usize,
    /// Channels of the output.
    pub out_channels: usize,
    /// Blocks that channels are split into, each output block seeing one input block.
    pub groups: usize,
}

impl ConvGeometry {
    /// Elements of one input lane.
    pub fn input_len(&self) -> usize {
        self.input.iter().product::<usize>() * self.in_channels
    }

    /// Elements of one output lane.
    pub fn output_len(&self) -> usize {
        self.output.iter().product::<usize>() * self.out_channels
    }

    /// Elements of the weights, `[out_channels][in_channels / groups][k0][k1][k2]`.
    pub fn weights_len(&self) -> usize {
        self.out_channels * (self.in_channels / self.groups) * self.kernel.iter().product::<usize>()
    }

    /// Panics unless the shapes are consistent with each other and with the weights and bias.
    fn check(&self, weights: usize, bias: usize) {
        assert!(
            self.groups > 0
                && self.in_channels.is_multiple_of(self.groups)
                && self.out_channels.is_multiple_of(self.groups),
            "convolution: groups must divide the channels: {self:?}"
        );
        assert!(
            self.stride.iter().chain(&self.dilation).all(|&step| step > 0),
            "convolution: strides and dilations must be positive: {self:?}"
        );
        assert_eq!(weights, self.weights_len(), "convolution: number of weights for {self:?}");
        assert!(bias == 0 || bias == self.out_channels, "convolution: {bias} biases for {self:?}");
    }
}

fn widen<T: Real>(values: &[T]) -> Vec<f64> {
    values.iter().map(|v| v.to_f64()).collect()
}

/// A convolution with its weights packed for the forward pass.
#[derive(Clone, Debug)]
pub struct PackedConv<T: Real> {
    geometry: ConvGeometry,
    weights: Vec<T>,
    bias: Vec<T>,
}

impl<T: Real> PackedConv<T> {
    /// Packs `weights`, `[out_channels][in_channels / groups][k0][k1][k2]`, and `bias`, one per output channel
    /// or empty.
    ///
    /// # Panics
    /// If shapes do not agree or the instruction set is not available.
    pub fn new(geometry: ConvGeometry, weights: &[T], bias: &[T], isa: Isa) -> Self {
        assert!(isa.is_available(), "convolution: this processor has no {isa}");
        geometry.check(weights.len(), bias.len());
        Self { geometry, weights: weights.to_vec(), bias: bias.to_vec() }
    }

    /// The shapes given to [`PackedConv::new`].
    pub fn geometry(&self) -> &ConvGeometry {
        &self.geometry
    }

    /// Convolves one lane, `[input.., in_channels]` to `[output.., out_channels]`.
    ///
    /// # Panics
    /// If `x` or a slice of the epilogue has another length.
    pub fn forward(&self, x: &[T], mut epilogue: Epilogue<'_, T>, scratch: &mut Scratch<T>) {
        epilogue.check(self.geometry.output_len());
        scratch.buffer.resize_at_least(1);
        let y = oracle::conv(&self.geometry, &widen(x), &widen(&self.weights), &widen(&self.bias));
        epilogue.apply(0, &y.into_iter().map(T::from_f64).collect::<Vec<_>>());
    }
}

/// The adjoint of a convolution with its weights packed: multipliers of the output to multipliers of the input.
#[derive(Clone, Debug)]
pub struct PackedConvAdjoint<T: Real> {
    geometry: ConvGeometry,
    weights: Vec<T>,
}

impl<T: Real> PackedConvAdjoint<T> {
    /// Packs the adjoint of the convolution with this geometry and these weights.
    ///
    /// # Panics
    /// If shapes do not agree or the instruction set is not available.
    pub fn new(geometry: ConvGeometry, weights: &[T], isa: Isa) -> Self {
        assert!(isa.is_available(), "convolution: this processor has no {isa}");
        geometry.check(weights.len(), 0);
        Self { geometry, weights: weights.to_vec() }
    }

    /// The shapes of the convolution, not of its adjoint.
    pub fn geometry(&self) -> &ConvGeometry {
        &self.geometry
    }

    /// Maps one lane `[output.., out_channels]` to `[input.., in_channels]`.
    ///
    /// # Panics
    /// If `my` or a slice of the epilogue has another length.
    pub fn apply(&self, my: &[T], mut epilogue: Epilogue<'_, T>, scratch: &mut Scratch<T>) {
        epilogue.check(self.geometry.input_len());
        scratch.buffer.resize_at_least(1);
        let mx = oracle::conv_adjoint(&self.geometry, &widen(my), &widen(&self.weights));
        epilogue.apply(0, &mx.into_iter().map(T::from_f64).collect::<Vec<_>>());
    }
}
