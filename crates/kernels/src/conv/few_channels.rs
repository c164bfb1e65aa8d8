//! Convolution to very few channels, such as the adjoint of a first layer over images: a vector of output channels would
//! be all but empty, so vectors lie along the terms of the sums instead.
//!
//! Terms of neighbouring taps and all channels are contiguous in the channels-last source, so an output is a dot product of
//! a few strips of it, one per line of taps, with weights in the same order. Where taps reach into the padding, the source
//! is copied between its zeros first.

use super::axis::Axis;
use super::correlate::simplify;
use super::weights::MapWeights;
use crate::lazy::{Holding, LazyWeights};
use crate::{Epilogue, Scratch, Work};
use deeplift_simd::{
    AlignedVec, Factors, Isa, Kernel, Real, Simd, StripRows, StripTile, Strips, STRIP_FACTORS, STRIP_ROWS,
};

/// Multiply-adds of vectors that adding up the elements of a vector takes as long as.
const SUM_COST: f64 = 8.0;

/// How many times as large as the source its copy between zeros may be.
const MOST_PADDING: usize = 4;

/// A convolution to few channels, or one phase of an adjoint.
#[derive(Clone, Debug)]
pub(super) struct FewChannels<T: Real> {
    isa: Isa,
    axes: [Axis; 3],
    /// Channels of the source and of the destination.
    ins: usize,
    outs: usize,
    /// `[destination channel][taps][source channel]`.
    weights: LazyWeights<T>,
    /// Per destination channel.
    bias: [T; STRIP_FACTORS],
}

impl<T: Real> FewChannels<T> {
    /// Multiply-adds of a vector that a position takes, if sums over vectors suit the shapes.
    pub fn vectors_per_position(axes: &[Axis; 3], [groups, ins, outs]: [usize; 3], isa: Isa) -> Option<f64> {
        let (axes, _) = simplify(axes.clone());
        let run = axes[2].taps.len() * ins;
        let vector = isa.tile_columns::<T>() / 2;
        let contiguous = axes[2].tap_step == 1 || axes[2].taps.len() == 1;
        let few = (1..=STRIP_FACTORS).contains(&outs);
        if groups != 1 || !few || !contiguous || run == 0 || run % vector != 0 {
            return None;
        }
        let product = |of: fn(&Axis) -> usize| {
            axes.iter().map(of).try_fold(1usize, |all, n| all.checked_mul(n)).filter(|&n| n > 0)
        };
        let (source, reached) = (product(|a| a.from_len)?, product(Axis::extent)?);
        let lines = axes[0].taps.len() * axes[1].taps.len();
        let fits = lines > 0 && reached <= source.saturating_mul(MOST_PADDING);
        fits.then_some(outs as f64 * ((lines * run / vector) as f64 + SUM_COST))
    }

    /// For shapes that [`FewChannels::vectors_per_position`] accepts.
    pub fn new(axes: [Axis; 3], weights: &MapWeights<T>, bias: &[T], isa: Isa) -> Self {
        let ([_, ins, outs], (axes, order)) = (weights.sizes(), simplify(axes));
        let (lines, run) = (axes[0].taps.len() * axes[1].taps.len(), axes[2].taps.len() * ins);
        let (own, all) = (weights.clone(), axes.each_ref().map(|axis| axis.taps.clone()));
        let weights = LazyWeights::new(outs * lines * run, move |weights| {
            let weight = own.read();
            for (at, value) in weights.iter_mut().enumerate() {
                let (out, line, k) = (at / (lines * run), at / run % lines, at % run);
                let per_line = all[1].len();
                let taps = [line / per_line, line % per_line, k / ins];
                let mut kernel = [0; 3];
                for (axis, &original) in order.iter().enumerate() {
                    kernel[original] = all[axis][taps[axis]];
                }
                *value = weight(0, k % ins, out, kernel);
            }
        });
        let mut own = [T::ZERO; STRIP_FACTORS];
        own[..bias.len()].copy_from_slice(bias);
        Self { isa, axes, ins, outs, weights, bias: own }
    }

    /// Counts the weights.
    pub fn tally(&self, holding: &mut Holding) {
        self.weights.tally(holding);
    }

    /// The map along the axis that rows run along. No other has more than one position where the convolution is a line.
    pub fn last_axis(&mut self) -> &mut Axis {
        &mut self.axes[2]
    }

    /// Counted work of one lane.
    pub fn work(&self) -> Work {
        let positions: usize = self.axes.iter().map(|axis| axis.count).product();
        Work {
            kernel: format!("dots {}x{}", self.isa.strip_rows(), self.outs),
            flops: 2.0 * (positions * self.weights.len()) as f64,
            weight_bytes: self.weights.bytes(),
        }
    }

    /// Computes one lane.
    pub fn apply(&self, x: &[T], epilogue: &mut Epilogue<'_, T>, scratch: &mut Scratch<T>) {
        let Scratch { padded, strips, .. } = scratch;
        let inside = |axis: &Axis| axis.from_first >= 0 && axis.inside().end == axis.extent();
        let source = if self.axes.iter().all(inside) {
            Source {
                values: x,
                first: self.axes.each_ref().map(|a| a.from_first as usize),
                lens: self.lens(),
            }
        } else {
            self.pad(x, padded)
        };
        self.isa.run(Run { packed: self, source, epilogue, strips });
    }

    fn lens(&self) -> [usize; 3] {
        self.axes.each_ref().map(|axis| axis.from_len)
    }

    /// Copies what is read of the source, with the zeros around it.
    fn pad<'s>(&self, x: &[T], padded: &'s mut AlignedVec<T>) -> Source<'s, T> {
        let (axes, ins) = (&self.axes, self.ins);
        let lens = axes.each_ref().map(Axis::extent);
        let len = lens.iter().product::<usize>() * ins;
        padded.resize_at_least(len);
        let inside = axes[2].inside();
        let from = (inside.start as isize + axes[2].from_first) as usize;
        for (line, to) in padded[..len].chunks_exact_mut(lens[2] * ins).enumerate() {
            let at = [line / lens[1], line % lens[1]];
            let source = if (0..2).all(|a| axes[a].inside().contains(&at[a])) && !inside.is_empty() {
                let [p0, p1] = [0, 1].map(|a: usize| (at[a] as isize + axes[a].from_first) as usize);
                &x[((p0 * axes[1].from_len + p1) * axes[2].from_len + from) * ins..][..inside.len() * ins]
            } else {
                &[]
            };
            let (before, rest) = to.split_at_mut(inside.start.min(lens[2]) * ins);
            before.fill(T::ZERO);
            rest[..source.len()].copy_from_slice(source);
            rest[source.len()..].fill(T::ZERO);
        }
        Source { values: &padded[..len], first: [0; 3], lens }
    }
}

/// What outputs read, wholly inside.
struct Source<'s, T> {
    values: &'s [T],
    /// Position of the first tap of the first output, per axis.
    first: [usize; 3],
    /// Positions per axis.
    lens: [usize; 3],
}

struct Run<'r, 'e, T: Real> {
    packed: &'r FewChannels<T>,
    source: Source<'r, T>,
    epilogue: &'r mut Epilogue<'e, T>,
    strips: &'r mut Vec<Strips>,
}

impl<T: Real> Kernel for Run<'_, '_, T> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Run { packed, source, epilogue, strips } = self;
        let (axes, outs) = (&packed.axes, packed.outs);
        let factors = Factors { values: &packed.weights, len: packed.weights.len() / outs };
        let stride = axes[2].from_step * packed.ins;
        let mut tile: StripTile<T> = [[T::ZERO; STRIP_FACTORS]; STRIP_ROWS];
        for line in 0..axes[0].count * axes[1].count {
            let at = [line / axes[1].count, line % axes[1].count];
            packed.strips(S::ISA, &source, at, stride, strips);
            let to = [0, 1].map(|a: usize| axes[a].to_first + at[a] * axes[a].to_step);
            let to = (to[0] * axes[1].to_len + to[1]) * axes[2].to_len + axes[2].to_first;
            for first in (0..axes[2].count).step_by(S::ISA.strip_rows()) {
                let rows = S::ISA.strip_rows().min(axes[2].count - first);
                simd.strips(
                    StripRows { source: source.values, strips, rows, ahead: false },
                    factors,
                    &mut tile,
                );
                for (row, sums) in tile[..rows].iter_mut().enumerate() {
                    sums.iter_mut().zip(&packed.bias).for_each(|(sum, &bias)| *sum += bias);
                    epilogue.apply((to + (first + row) * axes[2].to_step) * outs, &sums[..outs]);
                }
                strips.iter_mut().for_each(|strip| strip.start += rows * stride);
            }
        }
    }
}

impl<T: Real> FewChannels<T> {
    /// Where the terms of the first output of a line lie, and of those that follow.
    fn strips(
        &self,
        isa: Isa,
        source: &Source<'_, T>,
        at: [usize; 2],
        stride: usize,
        strips: &mut Vec<Strips>,
    ) {
        let (axes, full) = (&self.axes, isa.tile_columns::<T>());
        let run = axes[2].taps.len() * self.ins;
        let len = if run.is_multiple_of(full) { full } else { full / 2 };
        strips.clear();
        for t0 in 0..axes[0].taps.len() {
            for t1 in 0..axes[1].taps.len() {
                let [p0, p1] = [(0, t0), (1, t1)].map(|(a, t): (usize, usize)| {
                    source.first[a] + at[a] * axes[a].from_step + t * axes[a].tap_step
                });
                let start = ((p0 * source.lens[1] + p1) * source.lens[2] + source.first[2]) * self.ins;
                strips.push(Strips { start, stride, step: len, count: run / len, len });
            }
        }
    }
}
