//! A convolution or its transpose as a linear map: one is the adjoint of the other, so that both have two packed maps.
use std::ops::Range;
use std::sync::Arc;

use deeplift_graph::operator::{Even, FusedLinear, Linear, LinearKind, OneHotLinear, Parts, Pass};
use deeplift_graph::{Constant, Layers};
use deeplift_kernels::{
    ConvGeometry, Epilogue, Epilogues, Holding, OneHotAdjoint, OneHotConv, PackedConv, PackedConvAdjoint,
    Reduced, Scratch, Variant, Work,
};
use deeplift_simd::Real;

pub(crate) use crate::conv_layer::Direction;
use crate::conv_layer::{ConvLayer, Sign};

/// How values and how multipliers are computed unless told otherwise.
const VARIANTS: [Variant; 2] = [Variant::Fastest, Variant::Multipliers];

/// The kernel of Conv and ConvTranspose.
pub(crate) struct Kernel<T: Real> {
    layer: Arc<ConvLayer<T>>,
    batch: usize,
    /// Of the operator and of its adjoint.
    variants: [Variant; 2],
    conv: PackedConv<T>,
    /// By direct sums, if `conv` is not and this may be asked for.
    even: Option<PackedConv<T>>,
    /// None where nobody asks for multipliers.
    adjoint: Option<PackedConvAdjoint<T>>,
    /// Output positions that are computed, if not all.
    outputs: Option<Range<usize>>,
}

impl<T: Real> Kernel<T> {
    /// Weights are `[geometry's out_channels, in_channels / groups, taps..]`; there is one bias per channel of the operator's
    /// output, or none.
    pub fn new(
        direction: Direction,
        batch: usize,
        geometry: &ConvGeometry,
        weights: &Constant,
        bias: Vec<T>,
    ) -> Self {
        Self::of(ConvLayer::new(direction, geometry, weights, bias), batch, VARIANTS)
    }

    fn of(layer: Arc<ConvLayer<T>>, batch: usize, variants: [Variant; 2]) -> Self {
        let [forward, back] = match layer.direction() {
            Direction::Forward => variants,
            Direction::Transposed => [variants[1], variants[0]],
        };
        let (conv, adjoint) = (layer.conv(forward), Some(layer.adjoint(back)));
        Kernel { layer, batch, variants, conv, even: None, adjoint, outputs: None }
    }

    /// Lengths of one example of the operator's input and output.
    fn lens(&self) -> (usize, usize) {
        let g = self.conv.geometry();
        match self.layer.direction() {
            Direction::Forward => (g.input_len(), g.output_len()),
            Direction::Transposed => (g.output_len(), g.input_len()),
        }
    }

    /// The geometry of a convolution over one axis, which can leave out outputs, and that axis.
    fn line(&self) -> Option<(&ConvGeometry, usize)> {
        let geometry = self.conv.geometry();
        let plain = self.layer.direction() == Direction::Forward && self.batch == 1;
        Some((geometry, geometry.line().filter(|_| plain)?))
    }

    fn adjoint(&self) -> &PackedConvAdjoint<T> {
        self.adjoint.as_ref().expect("dropped only where nobody asks for multipliers")
    }

    /// The operator, or with `back` its adjoint, of one example.
    fn apply(&self, back: bool, x: &[T], epilogue: Epilogue<'_, T>, scratch: &mut Scratch<T>) {
        if back == (self.layer.direction() == Direction::Transposed) {
            self.conv.forward(x, epilogue, scratch);
        } else {
            self.adjoint().apply(x, epilogue, scratch);
        }
    }

    /// The same of examples that lie behind each other.
    fn apply_lanes(
        &self,
        back: bool,
        lanes: usize,
        x: &[T],
        epilogues: Epilogues<'_, T>,
        scratch: &mut Scratch<T>,
    ) {
        if back == (self.layer.direction() == Direction::Transposed) {
            self.conv.forward_lanes(lanes, x, epilogues, scratch);
        } else {
            self.adjoint().apply_lanes(lanes, x, epilogues, scratch);
        }
    }
}

impl<T: Real> Linear<T> for Kernel<T> {
    fn forward(&self, lanes: usize, x: &[&[T]], y: &mut [T], scratch: &mut Scratch<T>) {
        let ((from, to), all) = (self.lens(), lanes * self.batch);
        let mut store = |lane: usize, finish: &mut dyn FnMut(Epilogue<'_, T>)| {
            finish(Epilogue::Store { out: &mut y[lane * to..][..to] });
        };
        self.apply_lanes(false, all, &x[0][..all * from], &mut store, scratch);
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
        let ((from, to), all) = (self.lens(), lanes * self.batch);
        let mut write = |lane: usize, finish: &mut dyn FnMut(Epilogue<'_, T>)| {
            let out = &mut mx[lane * from..][..from];
            finish(if accumulate { Epilogue::Add { out } } else { Epilogue::Store { out } });
        };
        self.apply_lanes(true, all, &my[..all * to], &mut write, scratch);
    }

    fn reads(&self, _port: usize, out: &Range<usize>) -> Range<usize> {
        let Some((geometry, axis)) = self.line() else { return 0..usize::MAX };
        let (ins, outs) = (geometry.in_channels, geometry.out_channels);
        let positions = geometry.reads(axis, &(out.start / outs..out.end.div_ceil(outs)));
        positions.start * ins..positions.end * ins
    }

    fn writes(&self, _port: usize, input: &Range<usize>) -> Range<usize> {
        let Some((geometry, axis)) = self.line() else { return 0..usize::MAX };
        let (ins, outs) = (geometry.in_channels, geometry.out_channels);
        let positions = geometry.writes(axis, &(input.start / ins..input.end.div_ceil(ins)));
        positions.start * outs..positions.end * outs
    }

    fn narrowed(&self, out: &Range<usize>) -> Option<Box<dyn Linear<T>>> {
        let outs = self.line()?.0.out_channels;
        let mut conv = self.conv.clone();
        conv.narrow(out.start / outs..out.end.div_ceil(outs));
        let (layer, batch, variants) = (self.layer.clone(), self.batch, self.variants);
        Some(Box::new(Kernel { layer, batch, variants, conv, even: None, adjoint: None, outputs: None }))
    }

    fn narrow(&mut self, out: &Range<usize>, input: &Range<usize>) -> bool {
        let Some((geometry, _)) = self.line() else { return false };
        let (ins, outs) = (geometry.in_channels, geometry.out_channels);
        let outputs = out.start / outs..out.end.div_ceil(outs);
        let inputs = input.start / ins..input.end.div_ceil(ins);
        if let Some(even) = &mut self.even {
            even.narrow(outputs.clone());
        }
        let narrowed = self.conv.narrow(outputs.clone())
            && self.adjoint.as_mut().is_none_or(|adjoint| adjoint.narrow(outputs.clone(), inputs));
        self.outputs = narrowed.then_some(outputs);
        narrowed
    }

    fn reduced(&self, how: Reduced) -> Option<Box<dyn Linear<T>>> {
        let kernel = Kernel::of(self.layer.clone(), self.batch, [Variant::Reduced(how); 2]);
        (kernel.conv.is_reduced() || kernel.adjoint().is_reduced()).then(|| Box::new(kernel) as Box<_>)
    }

    fn is_even(&self) -> bool {
        match self.layer.direction() {
            Direction::Forward => self.conv.is_even(),
            Direction::Transposed => self.adjoint().is_even(),
        }
    }

    fn keep_ties(&mut self, when: Even) {
        if self.is_even() {
            return;
        }
        let plain = self.layer.direction() == Direction::Forward && self.batch == 1 && self.outputs.is_none();
        if when == Even::OnRequest && plain {
            self.even = Some(self.layer.conv(Variant::Direct));
        } else {
            *self = Kernel::of(self.layer.clone(), self.batch, [Variant::Direct, self.variants[1]]);
        }
    }

    fn share(&mut self, layers: &Layers) {
        *self = Kernel::of(layers.share(self.layer.clone()), self.batch, self.variants);
    }

    fn tally(&self, multipliers: bool, holding: &mut Holding) {
        let transposed = self.layer.direction() == Direction::Transposed;
        if multipliers || !transposed {
            self.conv.tally(holding);
        }
        if multipliers || transposed {
            self.adjoint.iter().for_each(|adjoint| adjoint.tally(holding));
        }
        self.even.iter().for_each(|even| even.tally(holding));
    }

    fn reads_letters(&self) -> bool {
        self.layer.direction() == Direction::Forward
            && self.batch == 1
            && OneHotConv::<T>::fits(self.conv.geometry())
    }

    fn parts(&self) -> Parts<T> {
        let part = |sign: Sign| -> Option<Box<dyn Linear<T>>> {
            Some(Box::new(Kernel::of(self.layer.part(sign), self.batch, self.variants)))
        };
        Parts { positive: part(Sign::Positive), negative: part(Sign::Negative) }
    }

    fn kind(&self) -> LinearKind {
        LinearKind::Convolution
    }

    fn flops(&self) -> f64 {
        let g = self.conv.geometry();
        let taps = g.kernel.iter().product::<usize>() * g.in_channels / g.groups;
        2.0 * (self.batch * g.output_len() * taps) as f64
    }

    fn weight_bytes(&self) -> usize {
        self.conv.geometry().weights_len() * size_of::<T>()
    }

    fn work(&self, pass: Pass) -> Work {
        let adjoint = (pass == Pass::Adjoint) != (self.layer.direction() == Direction::Transposed);
        let one = if adjoint { self.adjoint().work() } else { self.conv.work() };
        one.times(self.batch)
    }

    fn fused(&self) -> Option<&dyn FusedLinear<T>> {
        (self.batch == 1).then_some(self)
    }

    fn one_hot(&self) -> Option<Box<dyn OneHotLinear<T>>> {
        if !self.reads_letters() {
            return None;
        }
        let (mut conv, adjoint) = self.layer.one_hot()?;
        let mut adjoint = adjoint.filter(|_| self.adjoint.is_some());
        if let Some(outputs) = &self.outputs {
            conv.narrow(outputs.clone());
            adjoint.iter_mut().for_each(|adjoint| adjoint.narrow(outputs.clone()));
        }
        Some(Box::new(OneHot { conv, adjoint }))
    }
}

/// The kernel of a Conv whose input is a sequence of letters.
struct OneHot<T: Real> {
    conv: OneHotConv<T>,
    adjoint: Option<OneHotAdjoint<T>>,
}

impl<T: Real> OneHotLinear<T> for OneHot<T> {
    fn forward_with(&self, codes: &[u8], epilogue: Epilogue<'_, T>, scratch: &mut Scratch<T>) {
        self.conv.forward(codes, epilogue, scratch);
    }

    fn has_adjoint(&self) -> bool {
        self.adjoint.is_some()
    }

    fn adjoint(&self, my: &[T], x: &[u8], x0: &[u8], mx: &mut [T], scratch: &mut Scratch<T>) {
        let adjoint = self.adjoint.as_ref().expect("only called if there is one");
        adjoint.apply(my, x, x0, mx, scratch);
    }

    fn tally(&self, multipliers: bool, holding: &mut Holding) {
        self.conv.tally(holding);
        self.adjoint.iter().filter(|_| multipliers).for_each(|adjoint| adjoint.tally(holding));
    }

    fn work(&self, pass: Pass) -> Work {
        match (pass, &self.adjoint) {
            (Pass::Adjoint, Some(adjoint)) => adjoint.work(),
            _ => self.conv.work(),
        }
    }
}

impl<T: Real> FusedLinear<T> for Kernel<T> {
    fn forward_with(&self, x: &[T], epilogue: Epilogue<'_, T>, scratch: &mut Scratch<T>) {
        self.apply(false, x, epilogue, scratch);
    }

    fn forward_even(&self, x: &[T], epilogue: Epilogue<'_, T>, scratch: &mut Scratch<T>) {
        match &self.even {
            Some(even) => even.forward(x, epilogue, scratch),
            None => self.apply(false, x, epilogue, scratch),
        }
    }

    fn forward_lanes(&self, lanes: usize, x: &[T], epilogues: Epilogues<'_, T>, scratch: &mut Scratch<T>) {
        self.apply_lanes(false, lanes, x, epilogues, scratch);
    }

    fn adjoint_with(&self, my: &[T], epilogue: Epilogue<'_, T>, scratch: &mut Scratch<T>) {
        self.apply(true, my, epilogue, scratch);
    }

    fn adjoint_lanes(&self, lanes: usize, my: &[T], epilogues: Epilogues<'_, T>, scratch: &mut Scratch<T>) {
        self.apply_lanes(true, lanes, my, epilogues, scratch);
    }
}
