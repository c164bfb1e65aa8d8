//! What happens to a finished accumulator while it is still in cache.

use crate::chunks::update_row;
use deeplift_simd::{Real, Simd, Vector};
use std::ops::Range;

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
    /// Applies the epilogue to rows of `VECTORS` registers each, of which the first `valid` columns exist. Row `r` of
    /// `values` belongs at `at(r)`, if anywhere. The same as [`Epilogue::apply`] of each, bit by bit.
    #[inline(always)]
    pub(crate) fn apply_rows<S: Simd, const VECTORS: usize>(
        &mut self,
        simd: S,
        rows: usize,
        at: impl Fn(usize) -> Option<usize>,
        valid: usize,
        values: &[T],
    ) {
        let lanes = S::Vector::<T>::LANES;
        let columns = VECTORS * lanes;
        // Macros, as a closure might stay a function and lose the set's features.
        macro_rules! each_row {
            (|$place:ident, $acc:ident| $body:block) => {
                for (r, $acc) in values.chunks_exact(columns).take(rows).enumerate() {
                    let Some(first) = at(r) else { continue };
                    let $place = first..first + columns;
                    $body
                }
            };
        }
        macro_rules! each_vector {
            (|$at:ident| $body:block) => {
                for v in 0..VECTORS {
                    let $at = v * lanes;
                    $body
                }
            };
        }
        if valid < columns {
            return each_row!(|place, acc| { self.apply(place.start, &acc[..valid]) });
        }
        let zero = simd.splat(T::ZERO);
        // Slices by value: their addresses and lengths stay in registers. One of a row is checked once. All is read before
        // anything is written: profiles showed waits at reads behind a write at the same place of another buffer.
        match self {
            Epilogue::Store { out } => {
                let out = &mut out[..];
                each_row!(|place, acc| { out[place].copy_from_slice(acc) });
            }
            Epilogue::Add { out } => {
                let out = &mut out[..];
                each_row!(|place, acc| {
                    let out = &mut out[place];
                    each_vector!(|at| { (simd.load(out, at) + simd.load(acc, at)).store(out, at) });
                });
            }
            Epilogue::Relu { out, pre, base } => {
                let (out, base) = (&mut out[..], *base);
                if let Some(pre) = pre {
                    let pre = &mut pre[..];
                    each_row!(|place, acc| { pre[place].copy_from_slice(acc) });
                }
                if let Some(base) = base {
                    each_row!(|place, acc| {
                        let (out, base) = (&mut out[place.clone()], &base[place]);
                        each_vector!(|at| {
                            let value = simd.load(acc, at).max(zero);
                            (simd.load(base, at) + value).store(out, at);
                        });
                    });
                } else {
                    each_row!(|place, acc| {
                        let out = &mut out[place];
                        each_vector!(|at| { simd.load(acc, at).max(zero).store(out, at) });
                    });
                }
            }
            Epilogue::ReluRatio { out, base, ratio, actual } => {
                let (out, base, ratio, actual) = (&mut out[..], *base, &mut ratio[..], &actual[..]);
                if let Some(base) = base {
                    each_row!(|place, acc| {
                        let (out, base) = (&mut out[place.clone()], &base[place.clone()]);
                        let (ratio, actual) = (&mut ratio[place.clone()], &actual[place]);
                        each_vector!(|at| {
                            let (acc, actual) = (simd.load(acc, at), simd.load(actual, at));
                            (simd.load(base, at) + acc.max(zero)).store(out, at);
                            relu_ratios(simd, acc, actual).store(ratio, at);
                        });
                    });
                } else {
                    each_row!(|place, acc| {
                        let out = &mut out[place.clone()];
                        let (ratio, actual) = (&mut ratio[place.clone()], &actual[place]);
                        each_vector!(|at| {
                            let (acc, actual) = (simd.load(acc, at), simd.load(actual, at));
                            acc.max(zero).store(out, at);
                            relu_ratios(simd, acc, actual).store(ratio, at);
                        });
                    });
                }
            }
            Epilogue::Scale { out, ratio } => {
                let (out, ratio) = (&mut out[..], &ratio[..]);
                each_row!(|place, acc| {
                    let (out, ratio) = (&mut out[place.clone()], &ratio[place]);
                    each_vector!(|at| { (simd.load(acc, at) * simd.load(ratio, at)).store(out, at) });
                });
            }
            Epilogue::AddThenScale { out, ratio, scaled } => {
                let (out, ratio, scaled) = (&mut out[..], &ratio[..], &mut scaled[..]);
                each_row!(|place, acc| {
                    let (out, ratio) = (&mut out[place.clone()], &ratio[place.clone()]);
                    let scaled = &mut scaled[place];
                    each_vector!(|at| {
                        let (sum, ratio) = (simd.load(out, at) + simd.load(acc, at), simd.load(ratio, at));
                        sum.store(out, at);
                        (sum * ratio).store(scaled, at);
                    });
                });
            }
        }
    }

    /// Brings near what [`Epilogue::apply_rows`] will touch for some rows of `columns` elements. What other layers wrote
    /// lies in the last cache by now, and the products of a tile take long enough to fetch it.
    #[inline(always)]
    pub(crate) fn prefetch_rows<S: Simd>(
        &self,
        simd: S,
        rows: Range<usize>,
        at: impl Fn(usize) -> Option<usize>,
        columns: usize,
    ) {
        macro_rules! each_row {
            ($($slice:expr),*) => {{
                let slices: &[&[T]] = &[$($slice),*];
                for r in rows {
                    let Some(at) = at(r) else { continue };
                    for slice in slices {
                        simd.prefetch(slice, at, columns);
                    }
                }
            }};
        }
        match self {
            Epilogue::Store { out } | Epilogue::Add { out } => each_row!(out),
            Epilogue::Relu { out, pre, base } => {
                let out = &out[..];
                each_row!(out, pre.as_deref().unwrap_or(out), base.unwrap_or(out))
            }
            Epilogue::ReluRatio { out, base, ratio, actual } => {
                each_row!(out, ratio, actual, base.unwrap_or(out))
            }
            Epilogue::Scale { out, ratio } => each_row!(out, ratio),
            Epilogue::AddThenScale { out, ratio, scaled } => each_row!(out, ratio, scaled),
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

/// [`relu_ratio`] of each element.
#[inline(always)]
fn relu_ratios<T: Real, S: Simd>(simd: S, z: S::Vector<T>, z0: S::Vector<T>) -> S::Vector<T> {
    let (zero, denominator) = (simd.splat(T::ZERO), z - z0);
    let quotient = (z.max(zero) - z0.max(zero)) / denominator;
    denominator.nonzero(quotient, z.positive())
}

/// `out = base + max(acc, 0)`.
#[inline(always)]
fn relu<T: Real>(out: &mut [T], acc: &[T], base: Option<&[T]>) {
    match base {
        Some(base) => update_row(out, acc, base, |_, a, b| b + a.max(T::ZERO)),
        None => update_row(out, acc, acc, |_, a, _| a.max(T::ZERO)),
    }
}
