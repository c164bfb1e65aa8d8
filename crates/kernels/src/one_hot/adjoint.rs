//! Backward: multipliers only where two sequences differ.
//!
//! The contribution of an element is its multiplier times its difference. Between two sequences of letters at most two
//! of the four differences at a position are not zero, and none where both have the same letter (at a quarter of the
//! positions of a shuffle). The multiplier of a letter at a position is one dot product: of the output's multipliers
//! around the position, which are contiguous, with the letter's weights, last tap first.
//!
//! Positions are sorted by their pair of letters, so that a few of them share the weights of both.

use super::{weight_at, Line, LETTERS};
use crate::lazy::{Holding, LazyWeights, Source};
use crate::{ConvGeometry, Scratch, Work};
use deeplift_simd::{Isa, Kernel, Real, Simd, DOT_BLOCK, DOT_ROWS};
use std::ops::Range;

/// Letters, and the absent one.
const SYMBOLS: usize = LETTERS + 1;

/// The adjoint of a convolution over letters, for contributions.
#[derive(Clone, Debug)]
pub struct OneHotAdjoint<T: Real> {
    isa: Isa,
    line: Line,
    channels: usize,
    /// Terms of a dot product, padded with weights of zero to whole vectors.
    depth: usize,
    /// `[letter][tap, last first][channel]`, each letter padded to `depth`; zeros for the absent one.
    weights: LazyWeights<T>,
}

impl<T: Real> OneHotAdjoint<T> {
    /// For `weights`, `[out_channels][4][taps]`. `None` if the convolution is not one over four channels, along one
    /// axis, with neighbouring taps and stride 1.
    ///
    /// # Panics
    /// If shapes do not agree or the instruction set is not available.
    pub fn new(geometry: &ConvGeometry, weights: impl Into<Source<T>>, isa: Isa) -> Option<Self> {
        let line = Line::of(geometry).filter(|line| line.stride == 1)?;
        let source = weights.into();
        assert!(isa.is_available(), "one-hot adjoint: this processor has no {isa}");
        assert_eq!(source.len(), geometry.weights_len(), "one-hot adjoint: weights of {geometry:?}");
        let channels = geometry.out_channels;
        let depth = (line.kernel * channels).next_multiple_of(DOT_BLOCK);
        let shape = line.clone();
        let weights = LazyWeights::new(SYMBOLS * depth, move |packed| {
            let weights = source.read();
            for letter in 0..LETTERS {
                for tap in 0..shape.kernel {
                    for channel in 0..channels {
                        packed[letter * depth + (shape.kernel - 1 - tap) * channels + channel] =
                            weights[weight_at(&shape, channel, letter, tap)];
                    }
                }
            }
        });
        Some(Self { isa, line, channels, depth, weights })
    }

    /// Counts the weights.
    pub fn tally(&self, holding: &mut Holding) {
        self.weights.tally(holding);
    }

    /// From now on multipliers of outputs outside of `outputs` count as zero and are not read.
    pub fn narrow(&mut self, outputs: Range<usize>) {
        self.line.narrow(outputs);
    }

    /// Counted work of one lane if letters differ everywhere: two dot products per position.
    pub fn work(&self) -> Work {
        Work {
            kernel: "dots where letters differ".into(),
            flops: 4.0 * (self.line.input * self.depth) as f64,
            weight_bytes: self.weights.bytes(),
        }
    }

    /// Maps one lane `[output, out_channels]` to `[input, 4]` where the letters of `x` and `x0` differ; everything else
    /// is set to zero.
    ///
    /// # Panics
    /// If a slice has another length or a code is above 4.
    pub fn apply(&self, my: &[T], x: &[u8], x0: &[u8], mx: &mut [T], scratch: &mut Scratch<T>) {
        let line = &self.line;
        assert_eq!(my.len(), line.output * self.channels, "one-hot adjoint: multipliers");
        assert_eq!([x.len(), x0.len()], [line.input; 2], "one-hot adjoint: codes");
        assert_eq!(mx.len(), line.input * LETTERS, "one-hot adjoint: multipliers of the input");
        let counts = sort(x, x0, &mut scratch.positions);
        scratch.padded.resize_at_least(DOT_ROWS * self.depth);
        let (positions, border) = (&scratch.positions[..], &mut scratch.padded[..DOT_ROWS * self.depth]);
        self.isa.run(Run { packed: self, my, counts, positions, border, mx });
    }
}

/// Sorts the positions where two sequences differ by their pair of letters; returns how many each pair has.
fn sort(x: &[u8], x0: &[u8], positions: &mut Vec<u32>) -> [usize; SYMBOLS * SYMBOLS] {
    let pair = |(&a, &b): (&u8, &u8)| usize::from(a) * SYMBOLS + usize::from(b);
    let mut counts = [0; SYMBOLS * SYMBOLS];
    x.iter().zip(x0).for_each(|both| counts[pair(both)] += 1);
    (0..SYMBOLS).for_each(|same| counts[same * SYMBOLS + same] = 0);
    let mut next = [0; SYMBOLS * SYMBOLS];
    for i in 1..next.len() {
        next[i] = next[i - 1] + counts[i - 1];
    }
    positions.resize(x.len(), 0);
    for (position, (a, b)) in x.iter().zip(x0).enumerate().filter(|(_, (a, b))| a != b) {
        let at = &mut next[pair((a, b))];
        positions[*at] = position as u32;
        *at += 1;
    }
    counts
}

struct Run<'r, T: Real> {
    packed: &'r OneHotAdjoint<T>,
    my: &'r [T],
    counts: [usize; SYMBOLS * SYMBOLS],
    positions: &'r [u32],
    /// Copies of the windows that reach beyond the outputs.
    border: &'r mut [T],
    mx: &'r mut [T],
}

impl<T: Real> Kernel for Run<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Run { packed, my, counts, positions, border, mx } = self;
        let depth = packed.depth;
        mx.fill(T::ZERO);
        let mut first = 0;
        for (pair, &count) in counts.iter().enumerate() {
            let letters = [pair / SYMBOLS, pair % SYMBOLS];
            let weights = letters.map(|letter| &packed.weights[letter * depth..][..depth]);
            for group in positions[first..first + count].chunks(DOT_ROWS) {
                // A group that is not full repeats its last position.
                let at: [usize; DOT_ROWS] = std::array::from_fn(|i| group[i.min(group.len() - 1)] as usize);
                for (&p, copy) in at.iter().zip(border.chunks_exact_mut(depth)) {
                    if packed.inner(p).is_none() {
                        packed.copy_window(p, my, copy);
                    }
                }
                let windows = std::array::from_fn(|i| match packed.inner(at[i]) {
                    Some(start) => &my[start..][..depth],
                    None => &border[i * depth..][..depth],
                });
                let dots = simd.dots(windows, weights);
                for (p, dots) in at.into_iter().zip(dots) {
                    for (letter, dot) in letters.into_iter().zip(dots).filter(|d| d.0 < LETTERS) {
                        mx[p * LETTERS + letter] = dot;
                    }
                }
            }
            first += count;
        }
    }
}

impl<T: Real> OneHotAdjoint<T> {
    /// The first output that a position was read by, which may lie before all outputs.
    fn first_output(&self, position: usize) -> isize {
        (position + self.line.pad + 1) as isize - self.line.kernel as isize
    }

    /// Where the terms of a position start in the multipliers, if all of them, padding included, can be read there.
    fn inner(&self, position: usize) -> Option<usize> {
        let live = &self.line.live;
        let first = usize::try_from(self.first_output(position)).ok().filter(|&first| first >= live.start)?;
        let start = first * self.channels;
        (start + self.depth <= live.end * self.channels).then_some(start)
    }

    /// Copies the terms of a position, with zeros for outputs that are not there.
    fn copy_window(&self, position: usize, my: &[T], copy: &mut [T]) {
        let (line, channels) = (&self.line, self.channels);
        copy.fill(T::ZERO);
        for (tap, to) in copy.chunks_exact_mut(channels).take(line.kernel).enumerate() {
            let output = usize::try_from(self.first_output(position) + tap as isize);
            if let Some(o) = output.ok().filter(|o| line.live.contains(o)) {
                to.copy_from_slice(&my[o * channels..][..channels]);
            }
        }
    }
}
