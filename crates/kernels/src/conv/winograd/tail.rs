//! The last channels of the destination where they are too few to fill a vector: their sums are dot products of the
//! transformed inputs, so that vectors lie along the terms.

use super::run::stride;
use crate::lazy::{Holding, LazyWeights};
use deeplift_simd::{Factors, Isa, Real, Simd, StripRows, StripTile, Strips, STRIP_FACTORS, STRIP_ROWS};

/// Most channels for which dot products take less time than a vector that they would not fill.
const MOST_CHANNELS: usize = 3;

/// Weights of the last channels.
#[derive(Clone, Debug)]
pub(super) struct Tail<T: Real> {
    /// Number of channels.
    pub channels: usize,
    points: usize,
    segments: usize,
    /// Terms of a segment: the channels of the source, up to a whole vector.
    pub terms: usize,
    /// `[point][channel][segment][term]`.
    weights: LazyWeights<T>,
    /// Per channel.
    pub bias: [T; STRIP_FACTORS],
}

/// Sums `[row][channel]` of a tile.
pub(super) type Sums<T> = [[T; STRIP_FACTORS]; MOST_ROWS];

/// Most rows of a tile, of any instruction set.
pub(super) const MOST_ROWS: usize = Isa::Avx512.tile_rows();

impl<T: Real> Tail<T> {
    /// How many of `outs` channels are left to dot products.
    pub fn channels(outs: usize, ins: usize, isa: Isa) -> usize {
        let vector = isa.tile_columns::<T>() / 2;
        let left = outs % vector;
        // The values of a point have to reach to the end of the last vector.
        let whole = ins.next_multiple_of(vector) <= stride::<T>(ins);
        if outs > vector && left <= MOST_CHANNELS.min(vector / 4) && whole {
            left
        } else {
            0
        }
    }

    /// For weights that `transform` hands out with their point, channel, segment and channel of the source.
    pub fn new(
        channels: usize,
        points: usize,
        segments: usize,
        ins: usize,
        bias: &[T],
        isa: Isa,
        transform: impl Fn(&mut dyn FnMut([usize; 4], T)) + Send + Sync + 'static,
    ) -> Self {
        let terms = ins.next_multiple_of(isa.tile_columns::<T>() / 2);
        let weights = LazyWeights::new(points * channels * segments * terms, move |weights| {
            transform(&mut |[point, channel, segment, source], value| {
                let at = (point * channels + channel) * segments + segment;
                weights[at * terms + source] = value;
            });
        });
        let mut own = [T::ZERO; STRIP_FACTORS];
        own[..bias.len()].copy_from_slice(bias);
        Self { channels, points, segments, terms, weights, bias: own }
    }

    /// Counts the weights.
    pub fn tally(&self, holding: &mut Holding) {
        self.weights.tally(holding);
    }

    /// Number of weights, which is that of products per row.
    pub fn len(&self) -> usize {
        self.weights.len()
    }

    /// The sums of `rows` rows at one point. Row 0 starts at `at` in the transformed inputs; segments are `shift` rows apart.
    #[inline(always)]
    pub fn multiply<S: Simd>(
        &self,
        simd: S,
        point: usize,
        rows: usize,
        at: usize,
        [row_len, shift]: [usize; 2],
        transformed: &[T],
        strips: &mut Vec<Strips>,
        sums: &mut Sums<T>,
    ) {
        let full = S::ISA.tile_columns::<T>();
        let len = if self.terms.is_multiple_of(full) { full } else { full / 2 };
        let per_point = self.weights.len() / self.points;
        let factors = Factors {
            values: &self.weights[point * per_point..][..per_point],
            len: self.segments * self.terms,
        };
        let mut tile: StripTile<T> = [[T::ZERO; STRIP_FACTORS]; STRIP_ROWS];
        for first in (0..rows).step_by(S::ISA.strip_rows()) {
            let rows = S::ISA.strip_rows().min(rows - first);
            strips.clear();
            strips.extend((0..self.segments).map(|segment| Strips {
                start: at + (first + segment * shift) * row_len,
                stride: row_len,
                step: len,
                count: self.terms / len,
                len,
            }));
            simd.strips(StripRows { source: transformed, strips, rows, ahead: false }, factors, &mut tile);
            sums[first..first + rows].copy_from_slice(&tile[..rows]);
        }
    }
}
