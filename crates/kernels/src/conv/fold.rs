//! The adjoint of a convolution in several dimensions: every position's multipliers times the weights of all taps at once,
//! whose products are then added where the taps lie.
//!
//! Taps and channels of the convolution's input fill the columns of the products. That suits first layers over images, whose
//! few channels would leave a vector all but empty, and small maps, in which windows reach into the padding as often as not
//! and are multiplied with zeros there.

use super::weights::MapWeights;
use super::ConvGeometry;
use crate::lazy::{Holding, LazyWeights};
use crate::{Epilogue, Scratch, Work};
use deeplift_simd::{Isa, Kernel, Real, Segment, Simd, Tile, Vector, Weights};

/// Multiply-adds of vectors that adding a run of products takes as long as: for the run, and for each vector of it.
const RUN_COST: f64 = 8.0;
const ADD_COST: f64 = 2.0;

/// Most rows of a tile.
const MOST_ROWS: usize = Isa::Avx512.tile_rows();

/// How many times as large as the convolution's input the space may be that its taps reach.
const MOST_PADDING: usize = 4;

/// The adjoint of a convolution.
#[derive(Clone, Debug)]
pub(super) struct Fold<T: Real> {
    isa: Isa,
    geometry: ConvGeometry,
    /// Positions per axis that taps reach, from the padding before the input on.
    lens: [usize; 3],
    /// `[panel][out channel][columns]`, columns over taps and channels of the input; the last panel may be half as wide.
    panels: LazyWeights<T>,
    /// Columns of all panels.
    width: usize,
    /// One per channel of the input, or empty.
    bias: Vec<T>,
    cost: f64,
}

impl<T: Real> Fold<T> {
    /// `None` if products of all taps do not suit the shapes, or take longer than `other` multiply-adds of a vector.
    pub fn new(
        geometry: &ConvGeometry,
        weights: &MapWeights<T>,
        bias: &[T],
        isa: Isa,
        other: f64,
    ) -> Option<Self> {
        let g = geometry;
        let vector = isa.tile_columns::<T>() / 2;
        let (lines, run) = (g.kernel[0] * g.kernel[1], g.kernel[2] * g.in_channels);
        let positions: usize = g.output.iter().product();
        let sized = positions > 0 && lines * run > 0 && g.out_channels > 0 && g.input_len() > 0;
        if !sized || g.groups != 1 || g.line().is_some() || (g.dilation[2] != 1 && g.kernel[2] != 1) {
            return None;
        }
        let width = (lines * run).next_multiple_of(vector);
        let adding = lines as f64 * (RUN_COST + ADD_COST * run.div_ceil(vector) as f64);
        let cost = positions as f64 * ((g.out_channels * width / vector) as f64 + adding);
        let reach = |a: usize| {
            let last = (g.output[a] - 1).checked_mul(g.stride[a])?;
            let taps = (g.kernel[a] - 1).checked_mul(g.dilation[a])?;
            Some(last.checked_add(taps)?.checked_add(1)?.max(g.input[a].checked_add(g.pad[a])?))
        };
        let lens = [reach(0)?, reach(1)?, reach(2)?];
        let reached = lens.iter().try_fold(g.in_channels, |all, &n| all.checked_mul(n))?;
        if cost >= other || reached > g.input_len().saturating_mul(MOST_PADDING) {
            return None;
        }
        let (own, [ins, k1, channels]) = (weights.clone(), [g.out_channels, g.kernel[1], g.in_channels]);
        let panels = LazyWeights::new(width * ins, move |panels| {
            let weight = own.read();
            for column in 0..lines * run {
                let (line, at) = (column / run, column % run);
                let tap = [line / k1, line % k1, at / channels];
                let first = column / (2 * vector) * (2 * vector);
                let columns = (2 * vector).min(width - first);
                for k in 0..ins {
                    let at_column = first * ins + k * columns + column - first;
                    panels[at_column] = weight(0, k, at % channels, tap);
                }
            }
        });
        Some(Self { isa, geometry: g.clone(), lens, panels, width, bias: bias.to_vec(), cost })
    }

    /// Multiply-adds of a vector that it takes as long as.
    pub fn cost(&self) -> f64 {
        self.cost
    }

    /// Counts the weights.
    pub fn tally(&self, holding: &mut Holding) {
        self.panels.tally(holding);
    }

    /// Counted work of one lane.
    pub fn work(&self) -> Work {
        let positions: usize = self.geometry.output.iter().product();
        Work {
            kernel: format!("products {}x2, added", self.isa.tile_rows()),
            flops: 2.0 * (positions * self.panels.len()) as f64,
            weight_bytes: self.panels.bytes(),
        }
    }

    /// Computes one lane.
    pub fn apply(&self, my: &[T], epilogue: &mut Epilogue<'_, T>, scratch: &mut Scratch<T>) {
        self.isa.run(Run { packed: self, my, epilogue, scratch });
    }
}

struct Run<'r, 'e, T: Real> {
    packed: &'r Fold<T>,
    my: &'r [T],
    epilogue: &'r mut Epilogue<'e, T>,
    scratch: &'r mut Scratch<T>,
}

impl<T: Real> Kernel for Run<'_, '_, T> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Run { packed, my, epilogue, scratch: Scratch { sums, panel: products, .. } } = self;
        let (g, [_, n1, n2]) = (&packed.geometry, packed.lens);
        let len = packed.lens.iter().product::<usize>() * g.in_channels;
        sums.resize_at_least(len);
        products.resize_at_least(S::ISA.tile_rows() * packed.width);
        let sums = &mut sums[..len];
        sums.fill(T::ZERO);
        let positions: usize = g.output.iter().product();
        let mut places = Places { position: [0; 3] };
        let mut at = [0; MOST_ROWS];
        for first in (0..positions).step_by(S::ISA.tile_rows()) {
            let rows = S::ISA.tile_rows().min(positions - first);
            packed.multiply(simd, first, rows, my, products);
            at[..rows].fill_with(|| places.next(packed));
            match packed.run_len() {
                run if run.is_multiple_of(S::Vector::<T>::LANES) => {
                    packed.add_vectors(simd, &at[..rows], products, sums);
                }
                4 => packed.add::<4>(&at[..rows], products, sums),
                _ => packed.add::<1>(&at[..rows], products, sums),
            }
        }
        // Whole lines of the input, of which the padding is left out.
        let line = g.input[2] * g.in_channels;
        for i in 0..g.input[0] * g.input[1] {
            let [i0, i1] = [i / g.input[1] + g.pad[0], i % g.input[1] + g.pad[1]];
            let sums = &mut sums[((i0 * n1 + i1) * n2 + g.pad[2]) * g.in_channels..][..line];
            if !packed.bias.is_empty() {
                for sums in sums.chunks_exact_mut(g.in_channels) {
                    sums.iter_mut().zip(&packed.bias).for_each(|(sum, &bias)| *sum += bias);
                }
            }
            epilogue.apply(i * line, sums);
        }
    }
}

impl<T: Real> Fold<T> {
    /// Products `[row][column]` of `rows` positions from `first` on.
    #[inline(always)]
    fn multiply<S: Simd>(&self, simd: S, first: usize, rows: usize, my: &[T], products: &mut [T]) {
        let (ins, full) = (self.geometry.out_channels, S::ISA.tile_columns::<T>());
        let segment = Segment { source: 0, start: first * ins, stride: ins, len: ins, weight: 0 };
        let mut tile = Tile::default();
        for column in (0..self.width).step_by(full) {
            let columns = full.min(self.width - column);
            let weights =
                Weights { panel: &self.panels[column * ins..][..columns * ins], bias: &[], columns };
            simd.tile(rows, &[segment], [my, &[]], &weights, &mut tile);
            for (r, values) in tile.values().chunks_exact(columns).take(rows).enumerate() {
                products[r * self.width + column..][..columns].copy_from_slice(values);
            }
        }
    }

    /// Neighbouring products of a position whose taps are neighbours.
    fn run_len(&self) -> usize {
        self.geometry.kernel[2] * self.geometry.in_channels
    }

    /// Where each line of taps lies behind the first tap of a position.
    #[inline(always)]
    fn lines(&self) -> impl Iterator<Item = usize> {
        let (g, [_, n1, n2]) = (&self.geometry, self.lens);
        let [step0, step1] = [n1 * g.dilation[0], g.dilation[1]].map(|step| step * n2 * g.in_channels);
        let k1s = g.kernel[1];
        (0..g.kernel[0]).flat_map(move |k0| (0..k1s).map(move |k1| k0 * step0 + k1 * step1))
    }

    /// Adds the products of positions where their taps lie, of which the first is `at`, in whole vectors.
    #[inline(always)]
    fn add_vectors<S: Simd>(&self, simd: S, at: &[usize], products: &[T], sums: &mut [T]) {
        let run = self.run_len();
        for (&at, products) in at.iter().zip(products.chunks_exact(self.width)) {
            for (line, products) in self.lines().zip(products.chunks_exact(run)) {
                let sums = &mut sums[at + line..][..run];
                for i in (0..run).step_by(S::Vector::<T>::LANES) {
                    (simd.load(sums, i) + simd.load(products, i)).store(sums, i);
                }
            }
        }
    }

    /// The same in pieces of `N`, every other position first: short runs of neighbours overlap, and what was just written
    /// cannot be read at another offset before it has left the processor's store buffer.
    #[inline(always)]
    fn add<const N: usize>(&self, at: &[usize], products: &[T], sums: &mut [T]) {
        let run = self.run_len();
        for parity in 0..2 {
            for r in (parity..at.len()).step_by(2) {
                let products = &products[r * self.width..][..self.width];
                for (line, products) in self.lines().zip(products.chunks_exact(run)) {
                    let sums = &mut sums[at[r] + line..][..run];
                    let pieces = sums.as_chunks_mut::<N>().0.iter_mut().zip(products.as_chunks::<N>().0);
                    for (sums, products) in pieces {
                        let (old, mut new) = (*sums, *products);
                        for i in 0..N {
                            new[i] += old[i];
                        }
                        *sums = new;
                    }
                }
            }
        }
    }
}

/// The positions of a lane, one after the other.
struct Places {
    position: [usize; 3],
}

impl Places {
    /// Where the first tap of the next position lies.
    #[inline(always)]
    fn next<T: Real>(&mut self, packed: &Fold<T>) -> usize {
        let (g, [_, n1, n2]) = (&packed.geometry, packed.lens);
        let [o0, o1, o2] = &mut self.position;
        let at = ((*o0 * g.stride[0] * n1 + *o1 * g.stride[1]) * n2 + *o2 * g.stride[2]) * g.in_channels;
        *o2 += 1;
        if *o2 == g.output[2] {
            (*o1, *o2) = (*o1 + 1, 0);
        }
        if *o1 == g.output[1] {
            (*o0, *o1) = (*o0 + 1, 0);
        }
        at
    }
}
