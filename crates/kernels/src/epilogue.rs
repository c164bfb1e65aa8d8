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
    /// `out = base + max(acc, 0)`, and `pre = acc` if asked for.
    Relu {
        /// Written.
        out: &'a mut [T],
        /// The pre-activation, written.
        pre: Option<&'a mut [T]>,
        /// What a residual layer adds to.
        base: Option<&'a [T]>,
    },
    /// The pass of a reference: `out = base + max(acc, 0)` and `ratio` = divided difference of ReLU between `actual`,
    /// the pre-activation of the example, and `acc`, that of the reference. See [`relu_ratio`].
    ReluRatio {
        /// Written.
        out: &'a mut [T],
        /// What a residual layer adds to.
        base: Option<&'a [T]>,
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
    /// `out += acc`, and `scaled = out * ratio`.
    AddThenScale {
        /// Read and written.
        out: &'a mut [T],
        /// Factor of each element.
        ratio: &'a [T],
        /// Written.
        scaled: &'a mut [T],
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
        let optional = |slice: &Option<&[T]>| slice.map_or(len, <[T]>::len);
        let lens = match self {
            Epilogue::Store { out } | Epilogue::Add { out } => [out.len(), len, len, len],
            Epilogue::Relu { out, pre, base } => {
                [out.len(), pre.as_ref().map_or(len, |p| p.len()), optional(base), len]
            }
            Epilogue::ReluRatio { out, base, ratio, actual } => {
                [out.len(), optional(base), ratio.len(), actual.len()]
            }
            Epilogue::Scale { out, ratio } => [out.len(), ratio.len(), len, len],
            Epilogue::AddThenScale { out, ratio, scaled } => [out.len(), ratio.len(), scaled.len(), len],
        };
        for found in lens {
            assert_eq!(found, len, "epilogue: expected slices of {len} elements, found one of {found}");
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

    /// Brings near what [`Epilogue::apply`] will touch in `len` output elements from `at` on. What other layers wrote
    /// lies in the last cache by now, and the products of a tile take long enough to fetch it.
    #[inline(always)]
    pub(crate) fn prefetch<S: Simd>(&self, simd: S, at: usize, len: usize) {
        let near = |slice: &[T]| simd.prefetch(&slice[at..at + len]);
        match self {
            Epilogue::Store { out } | Epilogue::Add { out } => near(out),
            Epilogue::Relu { out, pre, base } => {
                near(out);
                pre.iter().for_each(|pre| near(pre));
                base.iter().for_each(|base| near(base));
            }
            Epilogue::ReluRatio { out, base, ratio, actual } => {
                near(out);
                near(ratio);
                near(actual);
                base.iter().for_each(|base| near(base));
            }
            Epilogue::Scale { out, ratio } => {
                near(out);
                near(ratio);
            }
            Epilogue::AddThenScale { out, ratio, scaled } => {
                near(out);
                near(ratio);
                near(scaled);
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
            Epilogue::Relu { out, pre, base } => {
                if let Some(pre) = pre {
                    pre[range.clone()].copy_from_slice(acc);
                }
                relu(&mut out[range.clone()], acc, base.map(|b| &b[range]));
            }
            Epilogue::ReluRatio { out, base, ratio, actual } => {
                relu(&mut out[range.clone()], acc, base.map(|b| &b[range.clone()]));
                update_row(&mut ratio[range.clone()], acc, &actual[range], |_, a, z| relu_ratio(z, a));
            }
            Epilogue::Scale { out, ratio } => {
                update_row(&mut out[range.clone()], acc, &ratio[range], |_, a, r| a * r);
            }
            Epilogue::AddThenScale { out, ratio, scaled } => {
                let out = &mut out[range.clone()];
                update_row(out, acc, acc, |y, a, _| y + a);
                update_row(&mut scaled[range.clone()], out, &ratio[range], |_, y, r| y * r);
            }
        }
    }
}

/// `out = base + max(acc, 0)`.
#[inline(always)]
fn relu<T: Real>(out: &mut [T], acc: &[T], base: Option<&[T]>) {
    match base {
        Some(base) => update_row(out, acc, base, |_, a, b| b + a.max(T::ZERO)),
        None => update_row(out, acc, acc, |_, a, _| a.max(T::ZERO)),
    }
}
