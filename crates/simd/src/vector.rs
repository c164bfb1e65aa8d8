//! One register of elements, for transforms whose arithmetic the optimiser would otherwise arrange in vectors of its
//! own choice, half as wide or half empty.

use crate::tile::portable_fma;
use crate::Real;
use std::array::from_fn;
use std::ops::{Add, Sub};

/// A register of elements, half a [`Tile`](crate::Tile) wide. All operations are element-wise.
///
/// Whoever holds one has a processor with its instruction set: only [`Simd`](crate::Simd) makes the first.
pub trait Vector<T>: Copy + Add<Output = Self> + Sub<Output = Self> {
    /// Number of elements.
    const LANES: usize;

    /// The same value in each element.
    ///
    /// # Safety
    /// The processor must have the instruction set.
    unsafe fn splat(value: T) -> Self;

    /// The first elements of a slice.
    ///
    /// # Safety
    /// The processor must have the instruction set.
    ///
    /// # Panics
    /// If there are fewer than [`Vector::LANES`].
    unsafe fn load(from: &[T]) -> Self;

    /// Writes the first elements of a slice.
    ///
    /// # Panics
    /// If there are fewer than [`Vector::LANES`].
    fn store(self, to: &mut [T]);

    /// `self * factor + other`, fused where the set has it.
    fn mul_add(self, factor: T, other: Self) -> Self;

    /// `self * factor`.
    fn scale(self, factor: T) -> Self;
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

impl<T: Real, const N: usize> Add for Lanes<T, N> {
    type Output = Self;

    #[inline(always)]
    fn add(self, other: Self) -> Self {
        Self(from_fn(|i| self.0[i] + other.0[i]))
    }
}

impl<T: Real, const N: usize> Sub for Lanes<T, N> {
    type Output = Self;

    #[inline(always)]
    fn sub(self, other: Self) -> Self {
        Self(from_fn(|i| self.0[i] - other.0[i]))
    }
}

impl<T: Real, const N: usize> Vector<T> for Lanes<T, N> {
    const LANES: usize = N;

    #[inline(always)]
    unsafe fn splat(value: T) -> Self {
        Self([value; N])
    }

    #[inline(always)]
    unsafe fn load(from: &[T]) -> Self {
        Self(*from.first_chunk().expect("a slice as long as a vector"))
    }

    #[inline(always)]
    fn store(self, to: &mut [T]) {
        to[..N].copy_from_slice(&self.0);
    }

    #[inline(always)]
    fn mul_add(self, factor: T, other: Self) -> Self {
        Self(from_fn(|i| portable_fma(self.0[i], factor, other.0[i])))
    }

    #[inline(always)]
    fn scale(self, factor: T) -> Self {
        Self(from_fn(|i| self.0[i] * factor))
    }
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use super::{Add, Sub, Vector};
    use std::arch::x86_64::*;

    macro_rules! vector {
        ($name:ident, $raw:ty, $type:ty, $lanes:literal, $doc:literal,
         $splat:ident, $load:ident, $store:ident, $add:ident, $sub:ident, $mul:ident, $fma:ident) => {
            #[doc = $doc]
            #[derive(Clone, Copy, Debug)]
            pub struct $name($raw);

            impl Add for $name {
                type Output = Self;

                #[inline(always)]
                fn add(self, other: Self) -> Self {
                    // SAFETY: the operands exist, so the processor has the instruction set.
                    Self(unsafe { $add(self.0, other.0) })
                }
            }

            impl Sub for $name {
                type Output = Self;

                #[inline(always)]
                fn sub(self, other: Self) -> Self {
                    // SAFETY: the operands exist, so the processor has the instruction set.
                    Self(unsafe { $sub(self.0, other.0) })
                }
            }

            impl Vector<$type> for $name {
                const LANES: usize = $lanes;

                #[inline(always)]
                unsafe fn splat(value: $type) -> Self {
                    // SAFETY: the caller promises the instruction set.
                    Self(unsafe { $splat(value) })
                }

                #[inline(always)]
                unsafe fn load(from: &[$type]) -> Self {
                    assert!(from.len() >= $lanes, "a slice shorter than a vector");
                    // SAFETY: the slice is long enough, and the caller promises the instruction set.
                    Self(unsafe { $load(from.as_ptr()) })
                }

                #[inline(always)]
                fn store(self, to: &mut [$type]) {
                    assert!(to.len() >= $lanes, "a slice shorter than a vector");
                    // SAFETY: the slice is long enough, and the operand exists, so the processor has the instruction set.
                    unsafe { $store(to.as_mut_ptr(), self.0) }
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
        _mm256_add_ps,
        _mm256_sub_ps,
        _mm256_mul_ps,
        _mm256_fmadd_ps
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
        _mm256_add_pd,
        _mm256_sub_pd,
        _mm256_mul_pd,
        _mm256_fmadd_pd
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
        _mm512_add_ps,
        _mm512_sub_ps,
        _mm512_mul_ps,
        _mm512_fmadd_ps
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
        _mm512_add_pd,
        _mm512_sub_pd,
        _mm512_mul_pd,
        _mm512_fmadd_pd
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

    /// All operations on `values`, as `[sum, difference, multiply-add, product]`.
    struct All<'a, T>(&'a [T]);

    impl<T: Real> Kernel for All<'_, T> {
        type Output = (usize, [Vec<T>; 4]);

        #[inline(always)]
        fn run<S: Simd>(self, simd: S) -> Self::Output {
            let lanes = S::Vector::<T>::LANES;
            let (a, b) = (simd.load(&self.0[1..]), simd.load(&self.0[lanes..]));
            let c = simd.splat(self.0[0]);
            let results = [a + b, a - b, a.mul_add(self.0[0], b), b.scale(self.0[0]) + c].map(|v| {
                let mut stored = vec![T::ZERO; lanes + 1];
                v.store(&mut stored[1..]);
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
                assert_eq!(
                    results.each_ref().map(|r| r[i]),
                    [a[i] + b[i], a[i] - b[i], a[i] * c + b[i], b[i] * c + c,]
                );
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
