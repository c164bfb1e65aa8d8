//! What the tests of several kernels share.
#![allow(dead_code, reason = "each test binary uses a part")]

use deeplift_simd::Real;

/// Values in -1..1 without a pattern (SplitMix64).
pub fn noise<T: Real>(len: usize, seed: u64) -> Vec<T> {
    let mut state = seed;
    let mut next = || {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        T::from_f64((z >> 40) as f64 / (1 << 23) as f64 - 1.0)
    };
    (0..len).map(|_| next()).collect()
}

/// Widens to the type of the oracle.
pub fn wide<T: Real>(values: &[T]) -> Vec<f64> {
    values.iter().map(|v| v.to_f64()).collect()
}

/// Panics unless both agree up to the rounding of a sum of `terms` values of magnitude 1.
#[track_caller]
pub fn assert_close<T: Real>(found: &[T], expected: &[f64], terms: usize, context: &str) {
    assert_eq!(found.len(), expected.len(), "{context}");
    let bound = T::EPSILON.to_f64() * (terms as f64 + 4.0);
    for (i, (found, expected)) in found.iter().zip(expected).enumerate() {
        let error = (found.to_f64() - expected).abs();
        assert!(error <= bound, "{context}: element {i} is {found}, expected {expected}");
    }
}

/// `sum a b`.
pub fn inner(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}
