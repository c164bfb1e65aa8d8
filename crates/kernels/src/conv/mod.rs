//! Convolution of channels-last activations, and its adjoint.
//!
//! Both are packed as maps along each axis (`axis`), which are computed as matrix products (`correlate`), in fewer products
//! where that pays, of one dimension (`winograd`) or over small images (`image`), on request as products in bf16 (`reduced`),
//! or, with one channel per group, channel by channel (`depthwise`), to very few channels as dot products (`few_channels`),
//! from very few channels by copies of what outputs see (`patches`), or, adjoint and in several dimensions, as products with all taps that are added up (`fold`).

mod axis;
pub(crate) mod correlate;
mod depthwise;
mod few_channels;
mod fold;
mod geometry;
mod image;
mod patches;
mod reduced;
mod weights;
mod winograd;

use crate::lazy::{Holding, Source};
use crate::{Epilogue, Epilogues, Reduced, Scratch, Work};
use axis::Axis;
use correlate::Correlation;
use deeplift_simd::{Isa, Real};
use depthwise::Depthwise;
use few_channels::FewChannels;
use fold::Fold;
pub(crate) use geometry::windows_over;
pub use geometry::ConvGeometry;
use image::Image;
use patches::Patches;
use reduced::ReducedCorrelation;
use std::ops::Range;
use weights::MapWeights;
use winograd::Winograd;

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
    /// Forward, of several dimensions.
    Patches(Patches<T>),
    /// Of an adjoint, all phases.
    Fold(Fold<T>),
    /// Of an adjoint, all phases.
    Image(Box<Image<T>>),
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

    /// The forward pass of a convolution, by copies of what outputs see if its products are short otherwise.
    fn or_patches(self, g: &ConvGeometry, weights: &MapWeights<T>, bias: &[T]) -> Self {
        match self {
            Packed::Matrix(matrix) if g.line().is_none() => {
                match Patches::new(g, weights, bias, matrix.isa()) {
                    Some(patches) => Packed::Patches(patches),
                    None => Packed::Matrix(matrix),
                }
            }
            other => other,
        }
    }

    /// Counts what is packed.
    fn tally(&self, holding: &mut Holding) {
        match self {
            Packed::Matrix(packed) => packed.tally(holding),
            Packed::Winograd(packed) => packed.tally(holding),
            Packed::Reduced(packed) => packed.tally(holding),
            Packed::Depthwise(packed) => packed.tally(holding),
            Packed::FewChannels(packed) => packed.tally(holding),
            Packed::Patches(packed) => packed.tally(holding),
            Packed::Fold(packed) => packed.tally(holding),
            Packed::Image(packed) => packed.tally(holding),
        }
    }

    fn is_reduced(&self) -> bool {
        matches!(self, Packed::Reduced(_))
    }

    /// Bound on the growth of rounding errors over those of the direct sum.
    fn amplification(&self) -> f64 {
        match self {
            Packed::Winograd(packed) => packed.amplification(),
            Packed::Image(packed) => packed.amplification(),
            Packed::Matrix(_)
            | Packed::Reduced(_)
            | Packed::Depthwise(_)
            | Packed::FewChannels(_)
            | Packed::Patches(_)
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
            // Have several axes.
            Packed::Patches(_) | Packed::Fold(_) | Packed::Image(_) => {}
        }
    }

    fn work(&self) -> Work {
        match self {
            Packed::Matrix(packed) => packed.work(),
            Packed::Winograd(packed) => packed.work(),
            Packed::Reduced(packed) => packed.work(),
            Packed::Depthwise(packed) => packed.work(),
            Packed::FewChannels(packed) => packed.work(),
            Packed::Patches(packed) => packed.work(),
            Packed::Fold(packed) => packed.work(),
            Packed::Image(packed) => packed.work(),
        }
    }

    fn apply(&self, x: &[T], epilogue: &mut Epilogue<'_, T>, scratch: &mut Scratch<T>) {
        match self {
            Packed::Matrix(packed) => packed.apply(x, epilogue, scratch),
            Packed::Winograd(packed) => packed.apply(x, epilogue, scratch),
            Packed::Reduced(packed) => packed.apply(x, epilogue, scratch),
            Packed::Depthwise(packed) => packed.apply(x, epilogue),
            Packed::FewChannels(packed) => packed.apply(x, epilogue, scratch),
            Packed::Patches(packed) => packed.apply(x, epilogue, scratch),
            Packed::Fold(packed) => packed.apply(x, epilogue, scratch),
            Packed::Image(packed) => packed.apply(x, epilogue, scratch),
        }
    }

    /// Whether equal windows give equal outputs.
    fn is_even(&self) -> bool {
        !matches!(self, Packed::Winograd(_) | Packed::Image(_))
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
        let direct = Packed::<T>::least_cost(&axes, weights.sizes(), isa);
        let packed = match Image::new(&geometry, &weights, false, bias, isa, variant, direct) {
            Some(image) => Packed::Image(Box::new(image)),
            None => Packed::new(axes, &weights, bias, isa, variant).or_patches(&geometry, &weights, bias),
        };
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
        self.packed.is_even()
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

    /// Convolves `lanes` lanes that lie behind each other, each as [`PackedConv::forward`] does.
    ///
    /// # Panics
    /// If `x` or a slice of an epilogue has another length.
    pub fn forward_lanes(
        &self,
        lanes: usize,
        x: &[T],
        epilogues: Epilogues<'_, T>,
        scratch: &mut Scratch<T>,
    ) {
        let ins = self.geometry.input_len();
        assert_eq!(x.len(), lanes * ins, "convolution: {lanes} inputs of {:?}", self.geometry);
        if let Packed::Image(image) = &self.packed {
            return image.apply_lanes(lanes, x, epilogues, scratch);
        }
        for lane in 0..lanes {
            let x = &x[lane * ins..][..ins];
            epilogues(lane, &mut |epilogue| self.forward(x, epilogue, scratch));
        }
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
        let fold = Fold::new(g, &weights, bias, isa, apart).filter(|_| direct);
        let least = fold.as_ref().map_or(apart, Fold::cost);
        let image = Image::new(g, &weights, true, bias, isa, variant, least);
        let phases = match (image, fold) {
            (Some(image), _) => vec![Packed::Image(Box::new(image))],
            (None, Some(fold)) => vec![Packed::Fold(fold)],
            (None, None) => {
                maps.into_iter().map(|axes| Packed::new(axes, &weights, bias, isa, variant)).collect()
            }
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
        self.phases.iter().all(Packed::is_even)
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

    /// Maps `lanes` lanes that lie behind each other, each as [`PackedConvAdjoint::apply`] does.
    ///
    /// # Panics
    /// If `my` or a slice of an epilogue has another length.
    pub fn apply_lanes(&self, lanes: usize, my: &[T], epilogues: Epilogues<'_, T>, scratch: &mut Scratch<T>) {
        let outs = self.geometry.output_len();
        assert_eq!(my.len(), lanes * outs, "adjoint: {lanes} lanes of multipliers of {:?}", self.geometry);
        if let [Packed::Image(image)] = &self.phases[..] {
            return image.apply_lanes(lanes, my, epilogues, scratch);
        }
        for lane in 0..lanes {
            let my = &my[lane * outs..][..outs];
            epilogues(lane, &mut |epilogue| self.apply(my, epilogue, scratch));
        }
    }
}
