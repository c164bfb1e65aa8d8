//! Convolution with one channel per group: each channel with its own taps, vectorised over the channels.

use super::axis::Axis;
use crate::Epilogue;
use deeplift_simd::{AlignedVec, Isa, Kernel, Real, Simd};

/// Channels accumulated at a time: four AVX-512 registers of `f32`, to hide the latency of the additions.
const CHANNELS: usize = 64;

/// A depthwise convolution, or one phase of its adjoint.
#[derive(Clone, Debug)]
pub(super) struct Depthwise<T: Real> {
    isa: Isa,
    axes: [Axis; 3],
    channels: usize,
    /// `[taps][channels]`.
    weights: AlignedVec<T>,
    /// One per channel, or empty.
    bias: AlignedVec<T>,
}

impl<T: Real> Depthwise<T> {
    /// Packs the weights, given as `weight(channel, kernel taps)`.
    pub fn new(
        axes: [Axis; 3],
        channels: usize,
        weight: impl Fn(usize, [usize; 3]) -> T,
        bias: &[T],
        isa: Isa,
    ) -> Self {
        let [n0, n1, n2] = [0, 1, 2].map(|a: usize| axes[a].taps.len());
        let mut weights = AlignedVec::zeroed(n0 * n1 * n2 * channels);
        for (i, value) in weights.iter_mut().enumerate() {
            let tap = i / channels;
            let taps = [tap / (n1 * n2), tap / n2 % n1, tap % n2];
            *value = weight(i % channels, [0, 1, 2].map(|a| axes[a].taps[taps[a]]));
        }
        Self { isa, axes, channels, weights, bias: bias.into() }
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

    /// Adds the products of channels `first..first + acc.len()` of output `j` to `acc`, tap by tap.
    #[inline(always)]
    fn accumulate<S: Simd>(&self, simd: S, x: &[T], j: [usize; 3], first: usize, acc: &mut [T]) {
        let axes = &self.axes;
        let position = |a: usize, t: usize| axes[a].position(j[a], t) as usize;
        for t0 in axes[0].taps_inside(j[0]) {
            for t1 in axes[1].taps_inside(j[1]) {
                let line = (position(0, t0) * axes[1].from_len + position(1, t1)) * axes[2].from_len;
                for t2 in axes[2].taps_inside(j[2]) {
                    let tap = (t0 * axes[1].taps.len() + t1) * axes[2].taps.len() + t2;
                    let x = &x[(line + position(2, t2)) * self.channels + first..][..acc.len()];
                    let w = &self.weights[tap * self.channels + first..][..acc.len()];
                    for ((sum, x), w) in acc.iter_mut().zip(x).zip(w) {
                        *sum = simd.fma(*x, *w, *sum);
                    }
                }
            }
        }
    }
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
        let channels = packed.channels;
        packed.for_each_output(|to, j| {
            for first in (0..channels).step_by(CHANNELS) {
                let mut acc = [T::ZERO; CHANNELS];
                let count = CHANNELS.min(channels - first);
                if count == CHANNELS {
                    // The same loop with a constant width, so that the sums stay in registers.
                    packed.accumulate(simd, x, j, first, &mut acc);
                } else {
                    packed.accumulate(simd, x, j, first, &mut acc[..count]);
                }
                if !packed.bias.is_empty() {
                    let bias = &packed.bias[first..][..count];
                    acc.iter_mut().zip(bias).for_each(|(sum, bias)| *sum += *bias);
                }
                epilogue.apply(to * channels + first, &acc[..count]);
            }
        });
    }
}
