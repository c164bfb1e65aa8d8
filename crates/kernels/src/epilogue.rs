//! What happens to a finished accumulator while it is still in cache.

use deeplift_simd::Real;

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

    /// Applies the epilogue to the consecutive output elements that start at `at`.
    #[inline(always)]
    pub(crate) fn apply(&mut self, at: usize, acc: &[T]) {
        let range = at..at + acc.len();
        match self {
            Epilogue::Store { out } => out[range].copy_from_slice(acc),
            Epilogue::Add { out } => {
                for (y, a) in out[range].iter_mut().zip(acc) {
                    *y += *a;
                }
            }
            Epilogue::Relu { out, pre } => {
                for (y, a) in out[range.clone()].iter_mut().zip(acc) {
                    *y = a.max(T::ZERO);
                }
                if let Some(pre) = pre {
                    pre[range].copy_from_slice(acc);
                }
            }
            Epilogue::ReluRatio { out, ratio, actual } => {
                let outputs = out[range.clone()].iter_mut().zip(&mut ratio[range.clone()]);
                for ((y, r), (z, a)) in outputs.zip(actual[range].iter().zip(acc)) {
                    *y = a.max(T::ZERO);
                    *r = relu_ratio(*z, *a);
                }
            }
            Epilogue::Scale { out, ratio } => {
                for ((y, r), a) in out[range.clone()].iter_mut().zip(&ratio[range]).zip(acc) {
                    *y = *a * *r;
                }
            }
            Epilogue::AddScale { out, ratio } => {
                for ((y, r), a) in out[range.clone()].iter_mut().zip(&ratio[range]).zip(acc) {
                    *y = (*y + *a) * *r;
                }
            }
        }
    }
}
