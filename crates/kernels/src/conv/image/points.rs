//! Transforms of one axis over the points 0, 1, infinity and -1, in this order.
//!
//! `N` inputs and `R` taps give `M = N - R + 1` outputs: `y = A' ((G w) * (B' x))`, as in
//! [`winograd::points`](super::super::winograd), and the adjoint `x = B ((G w) * (A y))`. A tile of three inputs takes the
//! first three points, of which the one at 1 is scaled so that both tiles multiply with the same `G w`. Everything but `G`
//! is sums of inputs.

use deeplift_simd::{Real, Vector};

/// Points of the larger tile, and of the smaller one.
pub(super) const LARGE: usize = 4;
pub(super) const SMALL: usize = 3;

/// `B' x`.
#[inline(always)]
pub(super) fn inputs<T: Real, V: Vector<T>, const N: usize>(x: [V; N]) -> [V; N] {
    let mut v = x;
    if N == LARGE {
        v[0] = x[2] - x[0];
        v[1] = x[2] + x[1];
        v[2] = x[N - 1] - x[1];
        v[N - 1] = x[2] - x[1];
    } else {
        v[0] = x[1] - x[0];
        v[1] = x[1] + x[1];
        v[2] = x[2] - x[1];
    }
    v
}

/// `B v`.
#[inline(always)]
pub(super) fn inputs_adjoint<T: Real, V: Vector<T>, const N: usize>(v: [V; N]) -> [V; N] {
    let mut x = v;
    x[0] = v[0].scale(T::from_f64(-1.0));
    if N == LARGE {
        x[1] = v[1] - v[N - 1] - v[2];
        x[2] = v[0] + v[1] + v[N - 1];
        x[N - 1] = v[2];
    } else {
        x[1] = v[0] + (v[1] + v[1]) - v[2];
    }
    x
}

/// `A' v`, of which the first `M` are outputs.
#[inline(always)]
pub(super) fn outputs<T: Real, V: Vector<T>, const N: usize, const TAPS: usize>(v: [V; N]) -> [V; N] {
    let mut y = v;
    let last = N - TAPS;
    for (m, y) in y.iter_mut().enumerate().take(last + 1) {
        let mut sum = v[1];
        if N == LARGE {
            sum = if m % 2 == 0 { sum + v[N - 1] } else { sum - v[N - 1] };
        }
        if m == 0 {
            sum = sum + v[0];
        }
        if m == last {
            sum = sum + v[2];
        }
        *y = sum;
    }
    y
}

/// `A y` of the first `M` elements.
#[inline(always)]
pub(super) fn outputs_adjoint<T: Real, V: Vector<T>, const N: usize, const TAPS: usize>(y: [V; N]) -> [V; N] {
    let last = N - TAPS;
    let (mut all, mut alternating) = (y[0], y[0]);
    for (m, &y) in y.iter().enumerate().take(last + 1).skip(1) {
        all = all + y;
        alternating = if m % 2 == 0 { alternating + y } else { alternating - y };
    }
    let mut v = y;
    v[1] = all;
    v[2] = y[last];
    if N == LARGE {
        v[N - 1] = alternating;
    }
    v
}

/// `G`, `[point][tap]`.
pub(super) fn filters(taps: usize) -> [Vec<f64>; LARGE] {
    let one = |at: usize, value: f64| (0..taps).map(|tap| if tap == at { value } else { 0.0 }).collect();
    let powers = |point: f64| (0..taps).map(|tap| 0.5 * point.powi(tap as i32)).collect();
    [one(0, -1.0), powers(1.0), one(taps - 1, 1.0), powers(-1.0)]
}

#[cfg(test)]
mod tests {
    use super::*;
    use deeplift_simd::Lanes;
    use std::array::from_fn;

    fn check<const N: usize, const TAPS: usize>() {
        let taps = TAPS;
        let x: [f64; N] = from_fn(|i| (i as f64 * 1.7 + 0.3).sin());
        let m: [f64; N] = from_fn(|i| (i as f64 * 2.9 + 0.1).cos());
        let w: Vec<f64> = (0..taps).map(|i| (i as f64 * 2.3 + 0.9).cos()).collect();
        let g = filters(taps);
        let u: [f64; N] = from_fn(|q| g[q].iter().zip(&w).map(|(g, w)| g * w).sum());
        let outs = N - taps + 1;

        let v = inputs(x.map(|x| Lanes([x])));
        let y = outputs::<_, _, N, TAPS>(from_fn(|q| v[q].scale(u[q])));
        for (i, Lanes([y])) in y.into_iter().enumerate().take(outs) {
            let expected: f64 = w.iter().zip(&x[i..]).map(|(w, x)| w * x).sum();
            assert!((y - expected).abs() < 1e-14, "{N} points, {taps} taps: {i} is {y}, not {expected}");
        }

        let v = outputs_adjoint::<_, _, N, TAPS>(m.map(|m| Lanes([m])));
        let back = inputs_adjoint(from_fn::<_, N, _>(|q| v[q].scale(u[q])));
        for (j, Lanes([found])) in back.into_iter().enumerate() {
            let taps = (0..taps).filter(|&tap| tap <= j && j - tap < outs);
            let expected: f64 = taps.map(|tap| w[tap] * m[j - tap]).sum();
            assert!((found - expected).abs() < 1e-14, "{N} points: {j} is {found}, not {expected}");
        }
    }

    #[test]
    fn transforms_multiply_to_a_convolution_and_its_adjoint() {
        check::<LARGE, 2>();
        check::<LARGE, 3>();
        check::<SMALL, 2>();
        check::<SMALL, 3>();
    }
}
