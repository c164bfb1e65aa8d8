//! What happens to a finished accumulator while it is still in cache.

use crate::chunks::update_row;
use deeplift_simd::{Real, Rows, Simd, Vector};

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

    /// Applies the epilogue to rows of a tile, `VECTORS` registers at each of `M` places. Row `r` belongs at `places(r)`, if
    /// anywhere, and `values(r, v)` are the registers `v` of its places. The same as [`Epilogue::apply`] of each, bit by bit.
    ///
    /// Closures must be `#[inline(always)]`: one that stays a function loses the set's features.
    #[inline(always)]
    pub(crate) fn apply_rows<S: Simd, const M: usize, const VECTORS: usize>(
        &mut self,
        simd: S,
        rows: usize,
        places: impl Fn(usize) -> Option<Rows<M>>,
        values: impl Fn(usize, usize) -> [S::Vector<T>; M],
    ) {
        // Slices by value: their addresses and lengths stay in registers. All is read before anything is written: profiles
        // showed waits at reads behind a write at the same place of another buffer.
        macro_rules! each {
            (|$place:ident, $at:ident, $acc:ident| $body:block) => {
                for r in 0..rows {
                    let Some($place) = &places(r) else { continue };
                    for v in 0..VECTORS {
                        let ($at, $acc) = (v * S::Vector::<T>::LANES, values(r, v));
                        $body
                    }
                }
            };
        }
        macro_rules! each_place {
            (|$m:ident| $value:expr) => {{
                let mut vectors = [simd.splat(T::ZERO); M];
                for $m in 0..M {
                    vectors[$m] = $value;
                }
                vectors
            }};
        }
        let zero = simd.splat(T::ZERO);
        match self {
            Epilogue::Store { out } => {
                let out = &mut out[..];
                each!(|place, at, acc| { simd.store_rows(acc, out, place, at) });
            }
            Epilogue::Add { out } => {
                let out = &mut out[..];
                each!(|place, at, acc| {
                    let own = simd.load_rows(out, place, at);
                    simd.store_rows(each_place!(|m| own[m] + acc[m]), out, place, at);
                });
            }
            Epilogue::Relu { out, pre, base } => {
                let (out, mut pre, base) = (&mut out[..], pre.as_deref_mut(), *base);
                each!(|place, at, acc| {
                    let sums = match base {
                        Some(base) => {
                            let base = simd.load_rows(base, place, at);
                            each_place!(|m| base[m] + acc[m].max(zero))
                        }
                        None => each_place!(|m| acc[m].max(zero)),
                    };
                    if let Some(pre) = &mut pre {
                        simd.store_rows(acc, pre, place, at);
                    }
                    simd.store_rows(sums, out, place, at);
                });
            }
            Epilogue::ReluRatio { out, base: Some(base), ratio, actual } => {
                let (out, base, ratio, actual) = (&mut out[..], &base[..], &mut ratio[..], &actual[..]);
                each!(|place, at, acc| {
                    let (base, actual) = (simd.load_rows(base, place, at), simd.load_rows(actual, place, at));
                    let ratios = each_place!(|m| relu_ratios(simd, acc[m], actual[m]));
                    simd.store_rows(each_place!(|m| base[m] + acc[m].max(zero)), out, place, at);
                    simd.store_rows(ratios, ratio, place, at);
                });
            }
            Epilogue::ReluRatio { out, base: None, ratio, actual } => {
                let (out, ratio, actual) = (&mut out[..], &mut ratio[..], &actual[..]);
                each!(|place, at, acc| {
                    let actual = simd.load_rows(actual, place, at);
                    let ratios = each_place!(|m| relu_ratios(simd, acc[m], actual[m]));
                    simd.store_rows(each_place!(|m| acc[m].max(zero)), out, place, at);
                    simd.store_rows(ratios, ratio, place, at);
                });
            }
            Epilogue::Scale { out, ratio } => {
                let (out, ratio) = (&mut out[..], &ratio[..]);
                each!(|place, at, acc| {
                    let ratio = simd.load_rows(ratio, place, at);
                    simd.store_rows(each_place!(|m| acc[m] * ratio[m]), out, place, at);
                });
            }
            Epilogue::AddThenScale { out, ratio, scaled } => {
                let (out, ratio, scaled) = (&mut out[..], &ratio[..], &mut scaled[..]);
                each!(|place, at, acc| {
                    let (own, ratio) = (simd.load_rows(out, place, at), simd.load_rows(ratio, place, at));
                    let sums = each_place!(|m| own[m] + acc[m]);
                    simd.store_rows(sums, out, place, at);
                    simd.store_rows(each_place!(|m| sums[m] * ratio[m]), scaled, place, at);
                });
            }
        }
    }

    /// [`Epilogue::apply_rows`] of the results of a tile, of which the first `valid` columns exist. Row `r` belongs at
    /// `first + r * step`.
    #[inline(always)]
    pub(crate) fn apply_tile<S: Simd, const VECTORS: usize>(
        &mut self,
        simd: S,
        rows: usize,
        (first, step): (usize, usize),
        valid: usize,
        values: &[T],
    ) {
        let lanes = S::Vector::<T>::LANES;
        let columns = VECTORS * lanes;
        if valid < columns {
            for (r, values) in values.chunks_exact(columns).take(rows).enumerate() {
                self.apply(first + r * step, &values[..valid]);
            }
            return;
        }
        self.apply_rows::<S, 1, VECTORS>(
            simd,
            rows,
            #[inline(always)]
            |r| Some(Rows::new([first + r * step], columns)),
            #[inline(always)]
            |r, v| [simd.load(values, (r * VECTORS + v) * lanes)],
        );
    }

    /// Brings near what [`Epilogue::apply_rows`] will touch at some places, `columns` elements at each. What other layers
    /// wrote lies in the last cache by now, and the products of a tile take long enough to fetch it.
    #[inline(always)]
    pub(crate) fn prefetch<S: Simd>(&self, simd: S, places: impl Iterator<Item = usize>, columns: usize) {
        macro_rules! each {
            ($($slice:expr),*) => {
                for at in places {
                    $(simd.prefetch($slice, at, columns);)*
                }
            };
        }
        match self {
            Epilogue::Store { out } | Epilogue::Add { out } => each!(out),
            Epilogue::Relu { out, pre, base } => match (pre, base) {
                (None, None) => each!(out),
                (Some(slice), None) => each!(out, slice),
                (None, Some(slice)) => each!(out, slice),
                (Some(pre), Some(base)) => each!(out, pre, base),
            },
            Epilogue::ReluRatio { out, base: None, ratio, actual } => each!(out, ratio, actual),
            Epilogue::ReluRatio { out, base: Some(base), ratio, actual } => each!(out, ratio, actual, base),
            Epilogue::Scale { out, ratio } => each!(out, ratio),
            Epilogue::AddThenScale { out, ratio, scaled } => each!(out, ratio, scaled),
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
