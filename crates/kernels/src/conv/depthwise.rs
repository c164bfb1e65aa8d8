//! Convolution with one channel per group: each channel with its own taps, vectorised over the channels.

use super::axis::Axis;
use super::weights::MapWeights;
use crate::lazy::{Holding, LazyWeights};
use crate::{Epilogue, Work};
use deeplift_simd::{AlignedVec, Isa, Kernel, Real, Simd};

/// Channels summed at a time: four AVX-512 registers of `f32` hide the latency of the additions, and one.
const WIDE: usize = 64;
const NARROW: usize = 16;

/// A depthwise convolution, or one phase of its adjoint.
#[derive(Clone, Debug)]
pub(super) struct Depthwise<T: Real> {
    isa: Isa,
    axes: [Axis; 3],
    channels: usize,
    /// `[taps][channels]`.
    weights: LazyWeights<T>,
    /// One per channel, or empty.
    bias: AlignedVec<T>,
}

impl<T: Real> Depthwise<T> {
    /// `bias` has one value per channel or is empty.
    pub fn new(axes: [Axis; 3], weights: &MapWeights<T>, bias: &[T], isa: Isa) -> Self {
        let [channels, ..] = weights.sizes();
        let taps = axes.each_ref().map(|axis| axis.taps.clone());
        let [n0, n1, n2] = [0, 1, 2].map(|a: usize| taps[a].len());
        let own = weights.clone();
        let weights = LazyWeights::new(n0 * n1 * n2 * channels, move |weights| {
            let weight = own.read();
            for (i, value) in weights.iter_mut().enumerate() {
                let tap = i / channels;
                let at = [tap / (n1 * n2), tap / n2 % n1, tap % n2];
                *value = weight(i % channels, 0, 0, [0, 1, 2].map(|a: usize| taps[a][at[a]]));
            }
        });
        Self { isa, axes, channels, weights, bias: bias.into() }
    }

    /// Counts the weights.
    pub fn tally(&self, holding: &mut Holding) {
        self.weights.tally(holding);
    }

    /// The map along one axis.
    pub fn axis(&mut self, axis: usize) -> &mut Axis {
        &mut self.axes[axis]
    }

    /// Counted work of one lane.
    pub fn work(&self) -> Work {
        let inside = |axis: &Axis| (0..axis.count).map(|j| axis.taps_inside(j).len()).sum::<usize>();
        let products: usize = self.axes.iter().map(inside).product::<usize>() * self.channels;
        let weight_bytes = self.weights.bytes();
        Work { kernel: "depthwise".into(), flops: 2.0 * products as f64, weight_bytes }
    }

    /// Computes one lane.
    pub fn apply(&self, x: &[T], epilogue: &mut Epilogue<'_, T>) {
        self.isa.run(Run { packed: self, x, epilogue });
    }

    /// Calls `visit(position in the destination, j)` for every output, row-major.
    #[inline(always)]
    fn for_each_output(&self, mut visit: impl FnMut(usize, [usize; 3])) {
        let to = |a: usize, j: usize| self.axes[a].to_first + j * self.axes[a].to_step;
        for j0 in 0..self.axes[0].count {
            for j1 in 0..self.axes[1].count {
                let line = (to(0, j0) * self.axes[1].to_len + to(1, j1)) * self.axes[2].to_len;
                for j2 in 0..self.axes[2].count {
                    visit(line + to(2, j2), [j0, j1, j2]);
                }
            }
        }
    }

    /// Sums of `N` channels of output `j`, from channel `first` on, tap by tap.
    #[inline(always)]
    fn sums<S: Simd, const N: usize>(
        &self,
        simd: S,
        x: &[T],
        weights: &[T],
        j: [usize; 3],
        first: usize,
    ) -> [T; N] {
        let axes = &self.axes;
        let mut sums = [T::ZERO; N];
        let position = |a: usize, t: usize| axes[a].position(j[a], t) as usize;
        for t0 in axes[0].taps_inside(j[0]) {
            for t1 in axes[1].taps_inside(j[1]) {
                let line = (position(0, t0) * axes[1].from_len + position(1, t1)) * axes[2].from_len;
                let tap = (t0 * axes[1].taps.len() + t1) * axes[2].taps.len();
                for t2 in axes[2].taps_inside(j[2]) {
                    let from = (line + position(2, t2)) * self.channels + first;
                    let x: [T; N] = array(&x[from..]);
                    let w: [T; N] = array(&weights[(tap + t2) * self.channels + first..]);
                    for c in 0..N {
                        sums[c] = simd.fma(x[c], w[c], sums[c]);
                    }
                }
            }
        }
        if !self.bias.is_empty() {
            let bias: [T; N] = array(&self.bias[first..]);
            for c in 0..N {
                sums[c] += bias[c];
            }
        }
        sums
    }
}

/// The first `N` values.
#[inline(always)]
fn array<T: Real, const N: usize>(values: &[T]) -> [T; N] {
    *values.first_chunk().expect("channels are counted by the caller")
}

struct Run<'r, 'e, T: Real> {
    packed: &'r Depthwise<T>,
    x: &'r [T],
    epilogue: &'r mut Epilogue<'e, T>,
}

impl<T: Real> Kernel for Run<'_, '_, T> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Run { packed, x, epilogue } = self;
        let (channels, weights) = (packed.channels, &packed.weights[..]);
        packed.for_each_output(
            #[inline(always)]
            |to, j| {
                let mut first = 0;
                // Wide steps keep several sums in flight; narrow ones finish the channels. The chain of operations
                // of one channel is the same in all.
                while first + WIDE <= channels {
                    let sums: [T; WIDE] = packed.sums(simd, x, weights, j, first);
                    epilogue.apply(to * channels + first, &sums);
                    first += WIDE;
                }
                while first + NARROW <= channels {
                    let sums: [T; NARROW] = packed.sums(simd, x, weights, j, first);
                    epilogue.apply(to * channels + first, &sums);
                    first += NARROW;
                }
                while first < channels {
                    let sums: [T; 1] = packed.sums(simd, x, weights, j, first);
                    epilogue.apply(to * channels + first, &sums);
                    first += 1;
                }
            },
        );
    }
}
