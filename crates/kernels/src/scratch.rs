//! Working memory of one thread.

use crate::conv::correlate::TileJob;
use deeplift_simd::{AlignedVec, Real, Segment, Strips};

/// Reusable working memory of one thread. It grows to what the largest kernel needs, once.
#[derive(Debug)]
pub struct Scratch<T: Real> {
    /// Zero-padded copies of the activations at the border.
    pub(crate) padded: AlignedVec<T>,
    /// Transformed activations of one row block.
    pub(crate) transformed: AlignedVec<T>,
    /// Products with the weights of each point.
    pub(crate) products: AlignedVec<T>,
    /// Sums over the blocks of a long sum so far.
    pub(crate) sums: AlignedVec<T>,
    /// Activations split into bf16.
    pub(crate) planes: AlignedVec<u16>,
    /// Where the steps of a product of bf16 lie.
    pub(crate) steps: Vec<usize>,
    /// Left operand of a contraction, in rows.
    pub(crate) left: AlignedVec<T>,
    /// Some columns of the right operand of a contraction, or the multipliers of a dense layer in rows of its width.
    pub(crate) panel: AlignedVec<T>,
    /// Products of the tiles of one row block.
    pub(crate) segments: Vec<Segment>,
    /// Where the first output of each row of one row block lies.
    pub(crate) outputs: Vec<usize>,
    /// Terms of the rows of a line.
    pub(crate) strips: Vec<Strips>,
    /// Tiles of one row block.
    pub(crate) jobs: Vec<TileJob>,
    /// Letters of a sequence between its padding, and the words that they start.
    pub(crate) letters: Vec<u8>,
    pub(crate) words: Vec<u8>,
    /// Positions in the order of their letters.
    pub(crate) positions: Vec<u32>,
}

impl<T: Real> Default for Scratch<T> {
    fn default() -> Self {
        Self {
            padded: AlignedVec::default(),
            transformed: AlignedVec::default(),
            products: AlignedVec::default(),
            sums: AlignedVec::default(),
            planes: AlignedVec::default(),
            steps: Vec::new(),
            left: AlignedVec::default(),
            panel: AlignedVec::default(),
            segments: Vec::new(),
            outputs: Vec::new(),
            strips: Vec::new(),
            jobs: Vec::new(),
            letters: Vec::new(),
            words: Vec::new(),
            positions: Vec::new(),
        }
    }
}
