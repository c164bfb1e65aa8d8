//! What happens to a finished accumulator while it is still in cache.

use crate::chunks::update_row;
use deeplift_simd::{Real, Simd};

/// What to do with the finished accumulators `acc` (bias included) of one lane, or of all rows.
///
/// All slices have the shape of the kernel's output.
#[derive(Debug)]
pub enum Epilogue<'a, T> {
    /// `out = acc`.
    Store {
        /// Written.
        out: &'a mut [T],
    },
    /// `out += acc`.
    Add {
        /// Read and written.
        out: &'a mut [T],
    },
    /// `out = max(acc, 0)`, and `pre = acc` if asked for.
    Relu {
        /// Written.
        out: &'a mut [T],
        /// The pre-activation, written.
        pre: Option<&'a mut [T]>,
    },
    /// The pass of a reference: `out = max(acc, 0)` and `ratio` = divided difference of ReLU between `actual`,
    /// the pre-activation of the example, and `acc`, that of the reference. See [`relu_ratio`].
    ReluRatio {
        /// Written.
        out: &'a mut [T],
        /// Written.
        ratio: &'a mut [T],
        /// Pre-activation of the example.
        actual: &'a [T],
    },
    /// `out = acc * ratio`.
    Scale {
        /// Written.
        out: &'a mut [T],
        /// Factor of each element.
        ratio: &'a [T],
    },
    /// `out = (out + acc) * ratio`.
    AddScale {
        /// Read and written.
        out: &'a mut [T],
        /// Factor of each element.
        ratio: &'a [T],
    },
}

/// Divided difference of ReLU, `(max(z, 0) - max(z0, 0)) / (z - z0)`; where `z = z0`, the derivative (0 at 0).
#[inline(always)]
pub fn relu_ratio<T: Real>(z: T, z0: T) -> T {
    let numerator = z.max(T::ZERO) - z0.max(T::ZERO);
    let denominator = z - z0;
    let derivative = if z > T::ZERO { T::ONE } else { T::ZERO };
    let quotient = numerator / denominator;
    if denominator != T::ZERO {
        quotient
    } else {
        derivative
    }
}

impl<T: Real> Epilogue<'_, T> {
    /// Panics unless every slice has `len` elements.
    pub(crate) fn check(&self, len: usize) {
        let (lens, count) = match self {
            Epilogue::Store { out } | Epilogue::Add { out } => ([out.len(), 0, 0], 1),
            Epilogue::Relu { out, pre: None } => ([out.len(), 0, 0], 1),
            Epilogue::Relu { out, pre: Some(pre) } => ([out.len(), pre.len(), 0], 2),
            Epilogue::ReluRatio { out, ratio, actual } => ([out.len(), ratio.len(), actual.len()], 3),
            Epilogue::Scale { out, ratio } | Epilogue::AddScale { out, ratio } => {
                ([out.len(), ratio.len(), 0], 2)
            }
        };
        for found in &lens[..count] {
            assert_eq!(*found, len, "epilogue: expected slices of {len} elements, found one of {found}");
        }
    }

    /// Applies the epilogue to `rows` rows of a tile that is `columns` wide, of which the first `valid` exist.
    /// Row `r` belongs at `first + r * step` of the output.
    #[inline(always)]
    pub(crate) fn apply_rows<S: Simd>(
        &mut self,
        first: usize,
        step: usize,
        rows: usize,
        valid: usize,
        columns: usize,
        values: &[T],
    ) {
        let full = S::ISA.tile_columns::<T>();
        if valid == full {
            // The same loop with a constant width, so that it is unrolled into whole vectors.
            for (r, acc) in values.chunks_exact(full).take(rows).enumerate() {
                self.apply(first + r * step, acc);
            }
        } else {
            for (r, acc) in values.chunks_exact(columns).take(rows).enumerate() {
                self.apply(first + r * step, &acc[..valid]);
            }
        }
    }

    /// Applies the epilogue to the consecutive output elements that start at `at`.
    #[inline(always)]
    pub(crate) fn apply(&mut self, at: usize, acc: &[T]) {
        let range = at..at + acc.len();
        match self {
            Epilogue::Store { out } => out[range].copy_from_slice(acc),
            Epilogue::Add { out } => update_row(&mut out[range], acc, acc, |y, a, _| y + a),
            Epilogue::Relu { out, pre } => {
                if let Some(pre) = pre {
                    pre[range.clone()].copy_from_slice(acc);
                }
                update_row(&mut out[range], acc, acc, |_, a, _| a.max(T::ZERO));
            }
            Epilogue::ReluRatio { out, ratio, actual } => {
                update_row(&mut out[range.clone()], acc, acc, |_, a, _| a.max(T::ZERO));
                update_row(&mut ratio[range.clone()], acc, &actual[range], |_, a, z| relu_ratio(z, a));
            }
            Epilogue::Scale { out, ratio } => {
                update_row(&mut out[range.clone()], acc, &ratio[range], |_, a, r| a * r);
            }
            Epilogue::AddScale { out, ratio } => {
                update_row(&mut out[range.clone()], acc, &ratio[range], |y, a, r| (y + a) * r);
            }
        }
    }
}
