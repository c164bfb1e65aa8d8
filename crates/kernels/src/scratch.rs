//! Working memory of one thread.

use deeplift_simd::{AlignedVec, Real};

/// Reusable working memory of one thread. It grows to what the largest kernel needs, once.
#[derive(Debug)]
pub struct Scratch<T: Real> {
    pub(crate) buffer: AlignedVec<T>,
}

impl<T: Real> Default for Scratch<T> {
    fn default() -> Self {
        Self { buffer: AlignedVec::default() }
    }
}
