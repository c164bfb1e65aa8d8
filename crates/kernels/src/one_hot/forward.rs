//! Forward: sums of table rows.
//!
//! The taps are cut into words of one to three neighbours. For each word there is a table with one row per sequence
//! of so many letters (absent ones count as a fifth letter): the sum of the weights that it meets, for every output
//! channel. An output is the bias plus one row of each table, in the order of the taps. Padding needs no care: it is
//! letters that are absent.
//!
//! Output channels are taken in panels, the panels outermost, so that the tables of a panel stay close while the
//! positions pass by.

use super::{weight_at, Line, LETTERS, NO_LETTER};
use crate::lazy::{Holding, LazyWeights, Source};
use crate::{ConvGeometry, Epilogue, Scratch, Work};
use deeplift_simd::{AlignedVec, Isa, Kernel, Real, Simd};
use std::ops::Range;

/// Letters, and the absent one.
const SYMBOLS: usize = LETTERS + 1;

/// Columns of a full panel; the last one may have fewer quarters.
const PANEL: usize = 64;
const QUARTER: usize = PANEL / 4;

/// Bytes that the tables of a panel may take: half of the smallest L2 in use (1 MiB).
const TABLE_BYTES: usize = 512 * 1024;

/// A convolution over letters with its tables.
#[derive(Clone, Debug)]
pub struct OneHotConv<T: Real> {
    isa: Isa,
    line: Line,
    channels: usize,
    /// Taps per word.
    taps: usize,
    /// Words per kernel.
    tables: usize,
    /// Rows per table.
    words: usize,
    /// `[panel][table][word][column]`.
    rows: LazyWeights<T>,
    /// `[column]`, of all panels.
    bias: AlignedVec<T>,
}

impl<T: Real> OneHotConv<T> {
    /// For `weights`, `[out_channels][4][taps]`, and `bias`, one per output channel or empty. `None` if the convolution is not one over four channels, along one axis, with neighbouring taps.
    ///
    /// # Panics
    /// If shapes do not agree or the instruction set is not available.
    pub fn new(geometry: &ConvGeometry, weights: impl Into<Source<T>>, bias: &[T], isa: Isa) -> Option<Self> {
        let (line, weights) = (Line::of(geometry)?, weights.into());
        assert!(isa.is_available(), "one-hot convolution: this processor has no {isa}");
        let channels = geometry.out_channels;
        assert_eq!(weights.len(), geometry.weights_len(), "one-hot convolution: weights of {geometry:?}");
        assert!(bias.is_empty() || bias.len() == channels, "one-hot convolution: biases of {geometry:?}");
        let taps = best_word::<T>(line.kernel);
        let (tables, words) = (line.kernel.div_ceil(taps), SYMBOLS.pow(taps as u32));
        let width = channels.next_multiple_of(QUARTER);
        let mut packed = AlignedVec::zeroed(width);
        packed[..bias.len()].copy_from_slice(bias);
        let rows = LazyWeights::default();
        let mut packed = Self { isa, line, channels, taps, tables, words, rows, bias: packed };
        let shape = packed.clone();
        packed.rows =
            LazyWeights::new(width * tables * words, move |rows| shape.add_up(&weights.read(), rows));
        Some(packed)
    }

    /// Adds up tables of zeros.
    fn add_up(&self, weights: &[T], rows: &mut [T]) {
        let Self { taps, words, .. } = *self;
        let (width, per_column) = (self.bias.len(), self.tables * words);
        for first in (0..width).step_by(PANEL) {
            let columns = PANEL.min(width - first);
            let panel = &mut rows[first * per_column..][..columns * per_column];
            for (row, table_and_word) in panel.chunks_exact_mut(columns).zip(0..) {
                let (table, word) = (table_and_word / words, table_and_word % words);
                for (value, channel) in row.iter_mut().zip(first..self.channels) {
                    for at in 0..taps {
                        let letter = word / SYMBOLS.pow((taps - 1 - at) as u32) % SYMBOLS;
                        let tap = table * taps + at;
                        if letter < LETTERS && tap < self.line.kernel {
                            *value += weights[weight_at(&self.line, channel, letter, tap)];
                        }
                    }
                }
            }
        }
    }

    /// Counts the tables.
    pub fn tally(&self, holding: &mut Holding) {
        self.rows.tally(holding);
    }

    /// Whether [`OneHotConv::new`] accepts such a convolution.
    pub fn fits(geometry: &ConvGeometry) -> bool {
        Line::of(geometry).is_some()
    }

    /// From now on only the output positions in `outputs` are computed; others are not touched.
    pub fn narrow(&mut self, outputs: Range<usize>) {
        self.line.narrow(outputs);
    }

    /// Counted work of one lane: one addition per column and table, however many products it stands for.
    pub fn work(&self) -> Work {
        let additions = self.line.live.len() * self.tables * self.bias.len();
        Work {
            kernel: format!("{} tables of {} letters", self.tables, self.taps),
            flops: additions as f64,
            weight_bytes: self.rows.bytes(),
        }
    }

    /// Convolves one lane of codes to `[output, out_channels]`.
    ///
    /// # Panics
    /// If there is not one code of at most 4 per input position, or a slice of the epilogue has another length.
    pub fn forward(&self, codes: &[u8], mut epilogue: Epilogue<'_, T>, scratch: &mut Scratch<T>) {
        assert_eq!(codes.len(), self.line.input, "one-hot convolution: codes");
        epilogue.check(self.line.output * self.channels);
        self.isa.run(Run { packed: self, codes, epilogue: &mut epilogue, scratch });
    }
}

/// Taps per word: the fewest rows per output, as long as the tables stay in cache. Words of four letters never pay, for
/// each row is then used too seldom.
fn best_word<T>(kernel: usize) -> usize {
    let tables = |taps: &usize| kernel.div_ceil(*taps);
    let bytes = |taps: &usize| tables(taps) * LETTERS.pow(*taps as u32) * PANEL * size_of::<T>();
    (1..=3).filter(|taps| *taps == 1 || bytes(taps) <= TABLE_BYTES).min_by_key(tables).unwrap_or(1)
}

struct Run<'r, 'e, T: Real> {
    packed: &'r OneHotConv<T>,
    codes: &'r [u8],
    epilogue: &'r mut Epilogue<'e, T>,
    scratch: &'r mut Scratch<T>,
}

impl<T: Real> Kernel for Run<'_, '_, T> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        let Run { packed, codes, epilogue, scratch } = self;
        packed.spell(codes, scratch);
        let width = packed.bias.len();
        for first in (0..width).step_by(PANEL) {
            match (width - first) / QUARTER {
                1 => packed.panel::<QUARTER, 0>(first, scratch, epilogue),
                2 => packed.panel::<{ 2 * QUARTER }, 0>(first, scratch, epilogue),
                3 => packed.panel::<{ 2 * QUARTER }, QUARTER>(first, scratch, epilogue),
                _ => packed.panel::<{ 2 * QUARTER }, { 2 * QUARTER }>(first, scratch, epilogue),
            }
        }
    }
}

impl<T: Real> OneHotConv<T> {
    /// Writes the number of the word that starts at each position, padding included.
    #[inline(always)]
    fn spell(&self, codes: &[u8], scratch: &mut Scratch<T>) {
        let line = &self.line;
        let reach = (line.output.max(1) - 1) * line.stride + self.tables * self.taps;
        let (letters, words) = (&mut scratch.letters, &mut scratch.words);
        letters.clear();
        letters.resize(line.pad, NO_LETTER);
        letters.extend(codes.iter().map(|&code| code.min(NO_LETTER)));
        letters.resize((reach + self.taps).max(letters.len()), NO_LETTER);
        words.clear();
        let join = |letters: &[u8]| letters.iter().fold(0, |word, letter| word * SYMBOLS as u8 + letter);
        match self.taps {
            1 => words.extend_from_slice(letters),
            2 => words.extend(letters.windows(2).map(join)),
            _ => words.extend(letters.windows(3).map(join)),
        }
    }

    /// All positions of the panel that starts with channel `first` and has `A + B` columns. Two short arrays become
    /// registers where a long one would not.
    #[inline(always)]
    fn panel<const A: usize, const B: usize>(
        &self,
        first: usize,
        scratch: &Scratch<T>,
        epilogue: &mut Epilogue<'_, T>,
    ) {
        let width = A + B;
        let rows = &self.rows[first * self.tables * self.words..][..width * self.tables * self.words];
        let bias = &self.bias[first..][..width];
        let valid = width.min(self.channels - first);
        let mut sums = [T::ZERO; PANEL];
        for o in self.line.live.clone() {
            let (mut a, mut b) = halves::<T, A, B>(bias);
            let own = scratch.words[o * self.line.stride..].iter().step_by(self.taps);
            for (table, &word) in rows.chunks_exact(self.words * width).zip(own) {
                let (c, d) = halves::<T, A, B>(&table[usize::from(word) * width..][..width]);
                a = std::array::from_fn(|i| a[i] + c[i]);
                b = std::array::from_fn(|i| b[i] + d[i]);
            }
            sums[..A].copy_from_slice(&a);
            sums[A..width].copy_from_slice(&b);
            let at = o * self.channels + first;
            if valid == width {
                // A constant width, so that the epilogue is unrolled into whole vectors.
                epilogue.apply(at, &sums[..width]);
            } else {
                epilogue.apply(at, &sums[..valid]);
            }
        }
    }
}

/// The two halves of a row.
#[inline(always)]
fn halves<T: Real, const A: usize, const B: usize>(row: &[T]) -> ([T; A], [T; B]) {
    let (a, b) = row.split_at(A);
    (std::array::from_fn(|i| a[i]), std::array::from_fn(|i| b[i]))
}
