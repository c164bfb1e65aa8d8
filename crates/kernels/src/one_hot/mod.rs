//! Convolution of sequences of letters, whose values are one code per position instead of four numbers.
//!
//! Code `c` below [`LETTERS`] stands for a one in channel `c` and zeros in the others, [`NO_LETTER`] for zeros in all of
//! them. Sums then have one term per tap instead of four, the terms are weights as they are, and neighbouring taps
//! can be added up beforehand (`forward`). Backward, the letters say which multipliers can matter (`adjoint`).

mod adjoint;
mod forward;

pub use adjoint::OneHotAdjoint;
pub use forward::OneHotConv;

use crate::ConvGeometry;
use std::ops::Range;

/// Letters of the alphabet, and channels of the input.
pub const LETTERS: usize = 4;

/// Code of a position without a letter.
pub const NO_LETTER: u8 = LETTERS as u8;

/// The one axis of a convolution over letters.
#[derive(Clone, Debug)]
struct Line {
    input: usize,
    output: usize,
    /// Outputs that are computed.
    live: Range<usize>,
    kernel: usize,
    stride: usize,
    /// Positions without a letter before the first.
    pad: usize,
}

impl Line {
    /// The axis, if the convolution has one, of dilation 1, over four channels in one group.
    fn of(g: &ConvGeometry) -> Option<Self> {
        let trivial = |a: &usize| (g.input[*a], g.output[*a], g.kernel[*a], g.pad[*a]) == (1, 1, 1, 0);
        let axes: Vec<usize> = (0..3).filter(|a| !trivial(a)).collect();
        let [a] = axes[..] else { return None };
        let line = Line {
            input: g.input[a],
            output: g.output[a],
            live: 0..g.output[a],
            kernel: g.kernel[a],
            stride: g.stride[a],
            pad: g.pad[a],
        };
        (g.in_channels == LETTERS && g.groups == 1 && g.dilation[a] == 1 && line.kernel > 0).then_some(line)
    }
}

impl Line {
    fn narrow(&mut self, outputs: Range<usize>) {
        let end = outputs.end.min(self.output);
        self.live = outputs.start.min(end)..end;
    }
}

/// Index of a weight for an output channel, a letter and a tap in `[out_channels][letters][taps]`.
fn weight_at(line: &Line, out: usize, letter: usize, tap: usize) -> usize {
    (out * LETTERS + letter) * line.kernel + tap
}

/// Writes the code of each position of `[positions][letters]`; false if a position holds neither a single one nor
/// zeros only, and then `codes` is of no use.
///
/// # Panics
/// If there are not four values per code.
pub fn read_codes<T: deeplift_simd::Real>(values: &[T], codes: &mut [u8]) -> bool {
    assert_eq!(values.len(), codes.len() * LETTERS, "one-hot: four values per position");
    let mut sound = true;
    for (code, at) in codes.iter_mut().zip(values.as_chunks::<LETTERS>().0) {
        let [a, c, g, t] = at.map(|v| u8::from(v == T::ONE));
        let zeros: u8 = at.iter().map(|&v| u8::from(v == T::ZERO)).sum();
        let ones = a + c + g + t;
        sound &= ones <= 1 && ones + zeros == NO_LETTER;
        *code = (c + 2 * g + 3 * t) | ((1 - ones.min(1)) << 2);
    }
    sound
}
