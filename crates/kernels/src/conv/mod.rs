//! Convolution of channels-last activations, and its adjoint.
//!
//! Both are packed as maps along each axis (`axis`), which are computed as matrix products (`correlate`), of one
//! dimension in fewer products where that pays (`winograd`), on request as products in bf16 (`reduced`), or, with one
//! channel per group, channel by channel (`depthwise`), to very few channels as dot products (`few_channels`), or, adjoint
//! and in several dimensions, as products with all taps that are added up (`fold`).

mod axis;
pub(crate) mod correlate;
mod depthwise;
mod few_channels;
mod fold;
mod reduced;
mod weights;
mod winograd;

use crate::lazy::{Holding, Source};
use crate::{Epilogue, Reduced, Scratch, Work};
use axis::Axis;
use correlate::Correlation;
use deeplift_simd::{Isa, Real};
use depthwise::Depthwise;
use few_channels::FewChannels;
use fold::Fold;
use reduced::ReducedCorrelation;
use std::ops::Range;
use weights::MapWeights;
use winograd::Winograd;

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
    fn is_depthwise(&self) -> bool {
        self.groups == self.in_channels && self.groups == self.out_channels && self.groups > 1
    }

    /// Index of a weight: output channel, input channel in its group, taps.
    fn weight_at(&self, out: usize, input: usize, tap: [usize; 3]) -> usize {
        let [_, k1, k2] = self.kernel;
        let row = (out * (self.in_channels / self.groups) + input) * self.kernel[0] + tap[0];
        (row * k1 + tap[1]) * k2 + tap[2]
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

/// A convolution with its weights packed for the forward pass, when they are first used.
#[derive(Clone, Debug)]
pub struct PackedConv<T: Real> {
    geometry: ConvGeometry,
    packed: Packed<T>,
}

/// How a convolution may be computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Variant {
    /// In products of its element type, by the way that is expected to be fastest among those that lose little accuracy.
    Fastest,
    /// Like `Fastest`, losing more: for multipliers. Their errors count by the differences that they are multiplied with,
    /// those of values by the values, which may be far larger than their differences.
    Multipliers,
    /// In products of bf16 where that is expected to be faster.
    Reduced(Reduced),
    /// By direct sums: equal windows give equal outputs, bit for bit.
    Direct,
    /// By Winograd's algorithm where the shapes allow it, even if slower: for tests and measurements.
    Winograd,
}

/// The ways to compute one map.
#[derive(Clone, Debug)]
enum Packed<T: Real> {
    Matrix(Correlation<T>),
    Winograd(Box<Winograd<T>>),
    Reduced(Box<ReducedCorrelation<T>>),
    Depthwise(Depthwise<T>),
    FewChannels(FewChannels<T>),
    /// Of an adjoint, all phases.
    Fold(Fold<T>),
}

impl<T: Real> Packed<T> {
    /// Chooses the way for a map, from shapes alone.
    fn new(axes: [Axis; 3], weights: &MapWeights<T>, bias: &[T], isa: Isa, variant: Variant) -> Self {
        if weights.is_depthwise() {
            return Packed::Depthwise(Depthwise::new(axes, weights, bias, isa));
        }
        if let Variant::Reduced(how) = variant {
            if let Some(packed) = ReducedCorrelation::new(&axes, weights, bias, isa, how) {
                return Packed::Reduced(Box::new(packed));
            }
        }
        if variant != Variant::Winograd {
            let products = Correlation::<T>::vectors_per_position(&axes, weights.sizes(), isa);
            let dots = FewChannels::<T>::vectors_per_position(&axes, weights.sizes(), isa);
            if dots.is_some_and(|dots| dots < products) {
                return Packed::FewChannels(FewChannels::new(axes, weights, bias, isa));
            }
        }
        if let Some(packed) = Winograd::new(&axes, weights, bias, isa, variant) {
            return Packed::Winograd(Box::new(packed));
        }
        Packed::Matrix(Correlation::new(axes, weights, bias, isa))
    }

    /// Multiply-adds of a vector that a map takes as direct sums.
    fn least_cost(axes: &[Axis; 3], sizes: [usize; 3], isa: Isa) -> f64 {
        let positions: usize = axes.iter().map(|axis| axis.count).product();
        let products = Correlation::<T>::vectors_per_position(axes, sizes, isa);
        let dots = FewChannels::<T>::vectors_per_position(axes, sizes, isa).unwrap_or(f64::INFINITY);
        positions as f64 * products.min(dots)
    }

    /// Counts what is packed.
    fn tally(&self, holding: &mut Holding) {
        match self {
            Packed::Matrix(packed) => packed.tally(holding),
            Packed::Winograd(packed) => packed.tally(holding),
            Packed::Reduced(packed) => packed.tally(holding),
            Packed::Depthwise(packed) => packed.tally(holding),
            Packed::FewChannels(packed) => packed.tally(holding),
            Packed::Fold(packed) => packed.tally(holding),
        }
    }

    fn is_reduced(&self) -> bool {
        matches!(self, Packed::Reduced(_))
    }

    /// Bound on the growth of rounding errors over those of the direct sum.
    fn amplification(&self) -> f64 {
        match self {
            Packed::Winograd(packed) => packed.amplification(),
            Packed::Matrix(_)
            | Packed::Reduced(_)
            | Packed::Depthwise(_)
            | Packed::FewChannels(_)
            | Packed::Fold(_) => 1.0,
        }
    }

    /// Narrows the map along the only axis of a line.
    fn narrow(&mut self, axis: usize, narrow: impl Fn(&mut Axis)) {
        match self {
            Packed::Matrix(packed) => narrow(packed.last_axis()),
            Packed::Winograd(packed) => packed.narrow(narrow),
            Packed::Reduced(packed) => packed.narrow(narrow),
            Packed::Depthwise(packed) => narrow(packed.axis(axis)),
            Packed::FewChannels(packed) => narrow(packed.last_axis()),
            // Has several axes.
            Packed::Fold(_) => {}
        }
    }

    fn work(&self) -> Work {
        match self {
            Packed::Matrix(packed) => packed.work(),
            Packed::Winograd(packed) => packed.work(),
            Packed::Reduced(packed) => packed.work(),
            Packed::Depthwise(packed) => packed.work(),
            Packed::FewChannels(packed) => packed.work(),
            Packed::Fold(packed) => packed.work(),
        }
    }

    fn apply(&self, x: &[T], epilogue: &mut Epilogue<'_, T>, scratch: &mut Scratch<T>) {
        match self {
            Packed::Matrix(packed) => packed.apply(x, epilogue, scratch),
            Packed::Winograd(packed) => packed.apply(x, epilogue, scratch),
            Packed::Reduced(packed) => packed.apply(x, epilogue, scratch),
            Packed::Depthwise(packed) => packed.apply(x, epilogue),
            Packed::FewChannels(packed) => packed.apply(x, epilogue, scratch),
            Packed::Fold(packed) => packed.apply(x, epilogue, scratch),
        }
    }
}

impl<T: Real> PackedConv<T> {
    /// For `weights`, `[out_channels][in_channels / groups][k0][k1][k2]`, and `bias`, one per output channel
    /// or empty.
    ///
    /// # Panics
    /// If shapes do not agree or the instruction set is not available.
    pub fn new(geometry: ConvGeometry, weights: impl Into<Source<T>>, bias: &[T], isa: Isa) -> Self {
        Self::with_variant(geometry, weights, bias, isa, Variant::Fastest)
    }

    /// Like [`PackedConv::new`], computed in a certain way.
    ///
    /// # Panics
    /// If shapes do not agree or the instruction set is not available.
    pub fn with_variant(
        geometry: ConvGeometry,
        weights: impl Into<Source<T>>,
        bias: &[T],
        isa: Isa,
        variant: Variant,
    ) -> Self {
        assert!(isa.is_available(), "convolution: this processor has no {isa}");
        let weights = weights.into();
        geometry.check(weights.len(), bias.len());
        let axes = [0, 1, 2].map(|axis| Axis::forward(&geometry, axis));
        let weights = MapWeights::new(&geometry, weights, false);
        let packed = Packed::new(axes, &weights, bias, isa, variant);
        Self { geometry, packed }
    }

    /// Counts its packed weights.
    pub fn tally(&self, holding: &mut Holding) {
        self.packed.tally(holding);
    }

    /// Whether products are in bf16.
    pub fn is_reduced(&self) -> bool {
        self.packed.is_reduced()
    }

    /// Whether equal windows give equal outputs, bit for bit, wherever they are.
    pub fn is_even(&self) -> bool {
        !matches!(self.packed, Packed::Winograd(_))
    }

    /// The shapes given to [`PackedConv::new`].
    pub fn geometry(&self) -> &ConvGeometry {
        &self.geometry
    }

    /// Bound on how much larger rounding errors are than those of direct sums, for values of equal magnitude.
    #[doc(hidden)]
    pub fn amplification(&self) -> f64 {
        self.packed.amplification()
    }

    /// From now on only the output positions in `outputs` are computed; others are not touched. False, and nothing
    /// changes, unless there is one axis only.
    pub fn narrow(&mut self, outputs: Range<usize>) -> bool {
        let line = self.geometry.line();
        if let Some(axis) = line {
            self.packed.narrow(axis, |axis| axis.narrow(&outputs));
        }
        line.is_some()
    }

    /// Which kernel was chosen, and what one lane costs.
    pub fn work(&self) -> Work {
        self.packed.work()
    }

    /// Convolves one lane, `[input.., in_channels]` to `[output.., out_channels]`.
    ///
    /// # Panics
    /// If `x` or a slice of the epilogue has another length.
    pub fn forward(&self, x: &[T], mut epilogue: Epilogue<'_, T>, scratch: &mut Scratch<T>) {
        assert_eq!(x.len(), self.geometry.input_len(), "convolution: input of {:?}", self.geometry);
        epilogue.check(self.geometry.output_len());
        self.packed.apply(x, &mut epilogue, scratch);
    }
}

/// The adjoint of a convolution with its weights packed, when they are first used: multipliers of the output to multipliers of the input.
#[derive(Clone, Debug)]
pub struct PackedConvAdjoint<T: Real> {
    geometry: ConvGeometry,
    /// One map per combination of the residues of the input position modulo the strides.
    phases: Vec<Packed<T>>,
    /// Elements of a lane of multipliers that are read.
    live: Range<usize>,
}

impl<T: Real> PackedConvAdjoint<T> {
    /// The adjoint of the convolution with this geometry and these weights.
    ///
    /// # Panics
    /// If shapes do not agree or the instruction set is not available.
    pub fn new(geometry: ConvGeometry, weights: impl Into<Source<T>>, isa: Isa) -> Self {
        Self::with_bias(geometry, weights, &[], isa)
    }

    /// The adjoint plus `bias`, one per input channel of the convolution or empty: a transposed convolution.
    ///
    /// # Panics
    /// If shapes do not agree or the instruction set is not available.
    pub fn with_bias(geometry: ConvGeometry, weights: impl Into<Source<T>>, bias: &[T], isa: Isa) -> Self {
        Self::with_variant(geometry, weights, bias, isa, Variant::Fastest)
    }

    /// Like [`PackedConvAdjoint::with_bias`], computed in a certain way.
    ///
    /// # Panics
    /// If shapes do not agree or the instruction set is not available.
    pub fn with_variant(
        geometry: ConvGeometry,
        weights: impl Into<Source<T>>,
        bias: &[T],
        isa: Isa,
        variant: Variant,
    ) -> Self {
        assert!(isa.is_available(), "convolution: this processor has no {isa}");
        let weights = weights.into();
        geometry.check(weights.len(), 0);
        let channels = geometry.in_channels;
        assert!(bias.is_empty() || bias.len() == channels, "adjoint: {} biases for {geometry:?}", bias.len());
        let (g, weights) = (&geometry, MapWeights::new(&geometry, weights, true));
        let [axes0, axes1, axes2] = [0, 1, 2].map(|axis| Axis::adjoint(g, axis));
        let mut maps = Vec::new();
        for axis0 in &axes0 {
            for axis1 in &axes1 {
                maps.extend(axes2.iter().map(|axis2| [axis0.clone(), axis1.clone(), axis2.clone()]));
            }
        }
        let apart = maps.iter().map(|axes| Packed::<T>::least_cost(axes, weights.sizes(), isa)).sum();
        // What asks for other products gets them.
        let direct = !matches!(variant, Variant::Winograd | Variant::Reduced(_));
        let phases = match Fold::new(g, &weights, bias, isa, apart).filter(|_| direct) {
            Some(fold) => vec![Packed::Fold(fold)],
            None => maps.into_iter().map(|axes| Packed::new(axes, &weights, bias, isa, variant)).collect(),
        };
        let live = 0..geometry.output_len();
        Self { geometry, phases, live }
    }

    /// Counts its packed weights.
    pub fn tally(&self, holding: &mut Holding) {
        self.phases.iter().for_each(|phase| phase.tally(holding));
    }

    /// Bound on how much larger rounding errors are than those of direct sums, for values of equal magnitude.
    #[doc(hidden)]
    pub fn amplification(&self) -> f64 {
        self.phases.iter().map(Packed::amplification).fold(1.0, f64::max)
    }

    /// From now on multipliers of outputs outside of `outputs` count as zero, and only those of inputs in `inputs` are
    /// computed; others are not touched. False, and nothing changes, unless there is one axis only.
    pub fn narrow(&mut self, outputs: Range<usize>, inputs: Range<usize>) -> bool {
        let Some(axis) = self.geometry.line() else { return false };
        for phase in &mut self.phases {
            phase.narrow(axis, |axis| {
                axis.narrow(&inputs);
                axis.narrow_source(&outputs);
            });
        }
        let channels = self.geometry.out_channels;
        self.live = outputs.start * channels..outputs.end * channels;
        true
    }

    /// Whether equal windows give equal outputs, bit for bit, at all positions of a residue modulo the strides.
    pub fn is_even(&self) -> bool {
        !self.phases.iter().any(|phase| matches!(phase, Packed::Winograd(_)))
    }

    /// Whether products are in bf16, of all phases or some.
    pub fn is_reduced(&self) -> bool {
        self.phases.iter().any(Packed::is_reduced)
    }

    /// The shapes of the convolution, not of its adjoint.
    pub fn geometry(&self) -> &ConvGeometry {
        &self.geometry
    }

    /// Which kernels were chosen, and what one lane costs.
    pub fn work(&self) -> Work {
        self.phases.iter().map(Packed::work).fold(Work::default(), |all, phase| all + phase)
    }

    /// Maps one lane `[output.., out_channels]` to `[input.., in_channels]`.
    ///
    /// # Panics
    /// If `my` or a slice of the epilogue has another length.
    pub fn apply(&self, my: &[T], mut epilogue: Epilogue<'_, T>, scratch: &mut Scratch<T>) {
        assert_eq!(my.len(), self.geometry.output_len(), "adjoint: multipliers of {:?}", self.geometry);
        epilogue.check(self.geometry.input_len());
        for phase in &self.phases {
            phase.apply(&my[self.live.clone()], &mut epilogue, scratch);
        }
    }
}
