//! One register of elements, for transforms and epilogues whose arithmetic the optimiser would otherwise arrange in
//! vectors of its own choice, half as wide or half empty, and check element by element.

use crate::tile::portable_fma;
use crate::Real;
use std::array::from_fn;
use std::ops::{Add, Div, Mul, Sub};

/// A register of elements, half a [`Tile`](crate::Tile) wide. All operations are element-wise.
///
/// Whoever holds one has a processor with its instruction set: only [`Simd`](crate::Simd) makes the first.
pub trait Vector<T>:
    Copy + Add<Output = Self> + Sub<Output = Self> + Mul<Output = Self> + Div<Output = Self>
{
    /// Number of elements.
    const LANES: usize;

    /// The same value in each element.
    ///
    /// # Safety
    /// The processor must have the instruction set.
    unsafe fn splat(value: T) -> Self;

    /// The elements from an address on, which need not be aligned.
    ///
    /// # Safety
    /// The processor must have the instruction set, and [`Vector::LANES`] elements must be readable there.
    unsafe fn read(from: *const T) -> Self;

    /// Writes the elements from an address on, which need not be aligned.
    ///
    /// # Safety
    /// [`Vector::LANES`] elements must be writable there.
    unsafe fn write(self, to: *mut T);

    /// Writes the elements of a slice from `at` on.
    ///
    /// # Panics
    /// If there are fewer than [`Vector::LANES`].
    #[inline(always)]
    fn store(self, to: &mut [T], at: usize) {
        check(to.len(), at, Self::LANES);
        // SAFETY: the elements from `at` on were checked to lie in the slice.
        unsafe { self.write(to.as_mut_ptr().add(at)) }
    }

    /// `self * factor + other`, fused where the set has it.
    fn mul_add(self, factor: T, other: Self) -> Self;

    /// `self * factor`.
    fn scale(self, factor: T) -> Self;

    /// The larger element; as [`Real::max`] where one is NaN.
    fn max(self, other: Self) -> Self;

    /// 1 where an element is above 0, and 0 elsewhere.
    fn positive(self) -> Self;

    /// The elements of `then` where those of `self` are not 0, and of `otherwise` elsewhere.
    fn nonzero(self, then: Self, otherwise: Self) -> Self;
}

/// Panics unless `lanes` elements from `at` on lie in a slice of `len`.
#[inline(always)]
pub(crate) fn check(len: usize, at: usize, lanes: usize) {
    assert!(len >= lanes && at <= len - lanes, "a slice shorter than a vector");
}

/// The registers of one element type.
pub trait Vectors: Sized {
    /// Of [`Isa::Scalar`](crate::Isa::Scalar).
    type Portable: Vector<Self>;
    /// Of [`Isa::Avx2`](crate::Isa::Avx2).
    #[cfg(target_arch = "x86_64")]
    type Avx2: Vector<Self>;
    /// Of [`Isa::Avx512`](crate::Isa::Avx512).
    #[cfg(target_arch = "x86_64")]
    type Avx512: Vector<Self>;
}

/// A few elements, on any processor.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Lanes<T, const N: usize>(pub [T; N]);

macro_rules! lanes_operator {
    ($trait:ident, $function:ident, $operator:tt) => {
        impl<T: Real, const N: usize> $trait for Lanes<T, N> {
            type Output = Self;

            #[inline(always)]
            fn $function(self, other: Self) -> Self {
                Self(from_fn(|i| self.0[i] $operator other.0[i]))
            }
        }
    };
}

lanes_operator!(Add, add, +);
lanes_operator!(Sub, sub, -);
lanes_operator!(Mul, mul, *);
lanes_operator!(Div, div, /);

impl<T: Real, const N: usize> Vector<T> for Lanes<T, N> {
    const LANES: usize = N;

    #[inline(always)]
    unsafe fn splat(value: T) -> Self {
        Self([value; N])
    }

    #[inline(always)]
    unsafe fn read(from: *const T) -> Self {
        // SAFETY: the caller promises that so many elements are readable.
        Self(unsafe { from.cast::<[T; N]>().read_unaligned() })
    }

    #[inline(always)]
    unsafe fn write(self, to: *mut T) {
        // SAFETY: the caller promises that so many elements are writable.
        unsafe { to.cast::<[T; N]>().write_unaligned(self.0) }
    }

    #[inline(always)]
    fn mul_add(self, factor: T, other: Self) -> Self {
        Self(from_fn(|i| portable_fma(self.0[i], factor, other.0[i])))
    }

    #[inline(always)]
    fn scale(self, factor: T) -> Self {
        Self(from_fn(|i| self.0[i] * factor))
    }

    #[inline(always)]
    fn max(self, other: Self) -> Self {
        Self(from_fn(|i| Real::max(self.0[i], other.0[i])))
    }

    #[inline(always)]
    fn positive(self) -> Self {
        Self(from_fn(|i| if self.0[i] > T::ZERO { T::ONE } else { T::ZERO }))
    }

    #[inline(always)]
    fn nonzero(self, then: Self, otherwise: Self) -> Self {
        Self(from_fn(|i| if self.0[i] != T::ZERO { then.0[i] } else { otherwise.0[i] }))
    }
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use super::{Add, Div, Mul, Sub, Vector};
    use std::arch::x86_64::*;

    macro_rules! operator {
        ($name:ident, $trait:ident, $function:ident, $intrinsic:ident) => {
            impl $trait for $name {
                type Output = Self;

                #[inline(always)]
                fn $function(self, other: Self) -> Self {
                    // SAFETY: the operands exist, so the processor has the instruction set.
                    Self(unsafe { $intrinsic(self.0, other.0) })
                }
            }
        };
    }

    macro_rules! vector {
        ($name:ident, $raw:ty, $type:ty, $lanes:literal, $doc:literal,
         $splat:ident, $load:ident, $store:ident, $fma:ident,
         $add:ident, $sub:ident, $mul:ident, $div:ident, $max:ident,
         positive: |$z:ident| $positive:expr, nonzero: |$c:ident, $a:ident, $b:ident| $nonzero:expr) => {
            #[doc = $doc]
            #[derive(Clone, Copy, Debug)]
            pub struct $name($raw);

            operator!($name, Add, add, $add);
            operator!($name, Sub, sub, $sub);
            operator!($name, Mul, mul, $mul);
            operator!($name, Div, div, $div);

            impl Vector<$type> for $name {
                const LANES: usize = $lanes;

                #[inline(always)]
                unsafe fn splat(value: $type) -> Self {
                    // SAFETY: the caller promises the instruction set.
                    Self(unsafe { $splat(value) })
                }

                #[inline(always)]
                unsafe fn read(from: *const $type) -> Self {
                    // SAFETY: the caller promises the elements and the instruction set.
                    Self(unsafe { $load(from) })
                }

                #[inline(always)]
                unsafe fn write(self, to: *mut $type) {
                    // SAFETY: the caller promises the elements, and the operand exists, so the processor has the set.
                    unsafe { $store(to, self.0) }
                }

                #[inline(always)]
                fn mul_add(self, factor: $type, other: Self) -> Self {
                    // SAFETY: the operands exist, so the processor has the instruction set.
                    Self(unsafe { $fma(self.0, $splat(factor), other.0) })
                }

                #[inline(always)]
                fn scale(self, factor: $type) -> Self {
                    // SAFETY: the operand exists, so the processor has the instruction set.
                    Self(unsafe { $mul(self.0, $splat(factor)) })
                }

                #[inline(always)]
                fn max(self, other: Self) -> Self {
                    // SAFETY: the operands exist, so the processor has the instruction set.
                    Self(unsafe { $max(self.0, other.0) })
                }

                #[inline(always)]
                fn positive(self) -> Self {
                    // SAFETY: the operand exists, so the processor has the instruction set.
                    Self(unsafe {
                        let $z = self.0;
                        $positive
                    })
                }

                #[inline(always)]
                fn nonzero(self, then: Self, otherwise: Self) -> Self {
                    // SAFETY: the operands exist, so the processor has the instruction set.
                    Self(unsafe {
                        let ($c, $a, $b) = (self.0, then.0, otherwise.0);
                        $nonzero
                    })
                }
            }
        };
    }

    vector!(
        Avx2F32,
        __m256,
        f32,
        8,
        "Eight `f32`.",
        _mm256_set1_ps,
        _mm256_loadu_ps,
        _mm256_storeu_ps,
        _mm256_fmadd_ps,
        _mm256_add_ps,
        _mm256_sub_ps,
        _mm256_mul_ps,
        _mm256_div_ps,
        _mm256_max_ps,
        positive: |z| _mm256_and_ps(_mm256_cmp_ps::<_CMP_GT_OQ>(z, _mm256_setzero_ps()), _mm256_set1_ps(1.0)),
        nonzero: |c, a, b| _mm256_blendv_ps(b, a, _mm256_cmp_ps::<_CMP_NEQ_UQ>(c, _mm256_setzero_ps()))
    );
    vector!(
        Avx2F64,
        __m256d,
        f64,
        4,
        "Four `f64`.",
        _mm256_set1_pd,
        _mm256_loadu_pd,
        _mm256_storeu_pd,
        _mm256_fmadd_pd,
        _mm256_add_pd,
        _mm256_sub_pd,
        _mm256_mul_pd,
        _mm256_div_pd,
        _mm256_max_pd,
        positive: |z| _mm256_and_pd(_mm256_cmp_pd::<_CMP_GT_OQ>(z, _mm256_setzero_pd()), _mm256_set1_pd(1.0)),
        nonzero: |c, a, b| _mm256_blendv_pd(b, a, _mm256_cmp_pd::<_CMP_NEQ_UQ>(c, _mm256_setzero_pd()))
    );
    vector!(
        Avx512F32,
        __m512,
        f32,
        16,
        "Sixteen `f32`.",
        _mm512_set1_ps,
        _mm512_loadu_ps,
        _mm512_storeu_ps,
        _mm512_fmadd_ps,
        _mm512_add_ps,
        _mm512_sub_ps,
        _mm512_mul_ps,
        _mm512_div_ps,
        _mm512_max_ps,
        positive: |z| _mm512_maskz_mov_ps(_mm512_cmp_ps_mask::<_CMP_GT_OQ>(z, _mm512_setzero_ps()), _mm512_set1_ps(1.0)),
        nonzero: |c, a, b| _mm512_mask_blend_ps(_mm512_cmp_ps_mask::<_CMP_NEQ_UQ>(c, _mm512_setzero_ps()), b, a)
    );
    vector!(
        Avx512F64,
        __m512d,
        f64,
        8,
        "Eight `f64`.",
        _mm512_set1_pd,
        _mm512_loadu_pd,
        _mm512_storeu_pd,
        _mm512_fmadd_pd,
        _mm512_add_pd,
        _mm512_sub_pd,
        _mm512_mul_pd,
        _mm512_div_pd,
        _mm512_max_pd,
        positive: |z| _mm512_maskz_mov_pd(_mm512_cmp_pd_mask::<_CMP_GT_OQ>(z, _mm512_setzero_pd()), _mm512_set1_pd(1.0)),
        nonzero: |c, a, b| _mm512_mask_blend_pd(_mm512_cmp_pd_mask::<_CMP_NEQ_UQ>(c, _mm512_setzero_pd()), b, a)
    );
}

macro_rules! vectors {
    ($type:ty, $lanes:literal, $avx2:ident, $avx512:ident) => {
        impl Vectors for $type {
            type Portable = Lanes<$type, $lanes>;
            #[cfg(target_arch = "x86_64")]
            type Avx2 = x86::$avx2;
            #[cfg(target_arch = "x86_64")]
            type Avx512 = x86::$avx512;
        }
    };
}

vectors!(f32, 4, Avx2F32, Avx512F32);
vectors!(f64, 2, Avx2F64, Avx512F64);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Isa, Kernel, Simd};

    /// All operations on `values`, in the order of the test.
    struct All<'a, T>(&'a [T]);

    impl<T: Real> Kernel for All<'_, T> {
        type Output = (usize, [Vec<T>; 9]);

        #[inline(always)]
        fn run<S: Simd>(self, simd: S) -> Self::Output {
            let lanes = S::Vector::<T>::LANES;
            let (a, b) = (simd.load(self.0, 1), simd.load(self.0, lanes));
            let c = simd.splat(self.0[0]);
            let results = [
                a + b,
                a - b,
                a * b,
                a / b,
                a.mul_add(self.0[0], b),
                b.scale(self.0[0]) + c,
                a.max(b),
                (a - b).positive(),
                (a - b).nonzero(a, c),
            ]
            .map(|v| {
                let mut stored = vec![T::ZERO; lanes + 1];
                v.store(&mut stored, 1);
                assert!(stored[0] == T::ZERO);
                stored[1..].to_vec()
            });
            (lanes, results)
        }
    }

    fn check<T: Real>() {
        // Small integers: exact, fused or not.
        let values: Vec<T> = (0..40).map(|i| T::from_f64(f64::from(3 + i * i % 11))).collect();
        for isa in Isa::available() {
            let (lanes, results) = isa.run(All(&values));
            assert_eq!(2 * lanes, isa.tile_columns::<T>(), "{isa}");
            let (a, b, c) = (&values[1..], &values[lanes..], values[0]);
            for i in 0..lanes {
                let (a, b) = (a[i], b[i]);
                let expected = [
                    a + b,
                    a - b,
                    a * b,
                    a / b,
                    a * c + b,
                    b * c + c,
                    Real::max(a, b),
                    if a > b { T::ONE } else { T::ZERO },
                    if a != b { a } else { c },
                ];
                assert_eq!(results.each_ref().map(|r| r[i]), expected, "{isa}, element {i}");
            }
        }
    }

    #[test]
    fn operations_are_element_wise() {
        check::<f32>();
        check::<f64>();
    }

    #[test]
    #[should_panic(expected = "vector")]
    fn a_slice_that_is_too_short_is_refused() {
        Isa::active().run(All(&[1.0f32; 3]));
    }
}
