//! Shapes of convolutions.

use std::ops::Range;

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

    /// The only axis with more than one position, if there is no other.
    pub fn line(&self) -> Option<usize> {
        let mut long = (0..3).filter(|&a| self.input[a] > 1 || self.output[a] > 1);
        let axis = long.next().unwrap_or(2);
        (long.next().is_none() && (0..3).all(|a| a == axis || self.kernel[a] == 1)).then_some(axis)
    }

    /// Input positions along `axis` that these outputs read.
    pub fn reads(&self, axis: usize, outputs: &Range<usize>) -> Range<usize> {
        let reach = (self.kernel[axis].max(1) - 1) * self.dilation[axis];
        let at = |o: usize| (o * self.stride[axis]) as isize - self.pad[axis] as isize;
        let clip = |i: isize| i.clamp(0, self.input[axis] as isize) as usize;
        if outputs.is_empty() {
            return 0..0;
        }
        clip(at(outputs.start))..clip(at(outputs.end - 1) + reach as isize + 1)
    }

    /// Output positions along `axis` that read any of these inputs.
    pub fn writes(&self, axis: usize, inputs: &Range<usize>) -> Range<usize> {
        let reach = (self.kernel[axis].max(1) - 1) * self.dilation[axis];
        windows_over(inputs, self.stride[axis], self.pad[axis], reach, self.output[axis])
    }

    /// One channel in, one channel out per group.
    pub(super) fn is_depthwise(&self) -> bool {
        self.groups == self.in_channels && self.groups == self.out_channels && self.groups > 1
    }

    /// Index of a weight: output channel, input channel in its group, taps.
    pub(super) fn weight_at(&self, out: usize, input: usize, tap: [usize; 3]) -> usize {
        let [_, k1, k2] = self.kernel;
        let row = (out * (self.in_channels / self.groups) + input) * self.kernel[0] + tap[0];
        (row * k1 + tap[1]) * k2 + tap[2]
    }

    /// Panics unless the shapes are consistent with each other and with the weights and bias.
    pub(super) fn check(&self, weights: usize, bias: usize) {
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

/// Which of `outputs` windows see any of `inputs`: window `o` begins at `o * stride - pad` and ends `reach` behind that.
pub(crate) fn windows_over(
    inputs: &Range<usize>,
    stride: usize,
    pad: usize,
    reach: usize,
    outputs: usize,
) -> Range<usize> {
    if inputs.is_empty() {
        return 0..0;
    }
    let first = (inputs.start + pad).saturating_sub(reach).div_ceil(stride);
    let end = (inputs.end - 1 + pad) / stride + 1;
    first.min(outputs)..end.min(outputs).max(first.min(outputs))
}
