//! Transforms of the Toom-Cook algorithm F(M, R): `M` outputs of a convolution with `R` taps from `N = M + R - 1`
//! products instead of `M * R`.
//!
//! A convolution is a product of polynomials, evaluated at `N` points, multiplied there and interpolated. As a
//! correlation (the transposed problem) that is `y = A' ((G w) * (B' x))`, elementwise in the middle. The points are 0, pairs
//! `+-p`, and infinity where `N` is even. Symmetric points halve the work: what a pair shares is an even and an odd part.
//!
//! # Rounding
//! The points were chosen from multiples of 1/16 and 1/8 by the amplification
//! `sum_i sum_q A[i, q]^2 |G[q]|^2 |B[q]|^2`, and all entries of the input's and output's transforms are exact in float32.
//! Small fractions off the integers lose far less than 0, ±1, ±2: relative L2 error over 64 channels with k = 3, in
//! float32, F(4, 3) 2.8e-7 against 3.9e-7, and 1.8e-7 of the direct sum.

use deeplift_simd::{Real, Vector};

/// Most pairs of points.
const MOST_PAIRS: usize = 3;

/// The positive points of `n` points; unused entries are 0.
const fn pairs(n: usize) -> [f64; MOST_PAIRS] {
    match n {
        4 => [1.0, 0.0, 0.0],
        5 => [0.75, 2.5, 0.0],
        6 => [0.625, 1.5, 0.0],
        7 => [0.5, 1.25, 2.875],
        _ => panic!("points are chosen for four to seven"),
    }
}

/// Number of pairs among `n` points.
const fn pair_count(n: usize) -> usize {
    (n - 1) / 2
}

/// Coefficients of `prod (s - p^2)` over the pairs except that of index `skip`, constant first.
const fn polynomial(n: usize, skip: usize) -> [f64; MOST_PAIRS + 1] {
    let (points, mut product, mut i) = (pairs(n), [0.0; MOST_PAIRS + 1], 0);
    product[0] = 1.0;
    while i < pair_count(n) {
        if i != skip {
            let mut k = MOST_PAIRS;
            while k > 0 {
                product[k] = product[k - 1] - points[i] * points[i] * product[k];
                k -= 1;
            }
            product[0] *= -points[i] * points[i];
        }
        i += 1;
    }
    product
}

/// `polynomial` without each of the pairs, and with all as the last.
const fn polynomials(n: usize) -> [[f64; MOST_PAIRS + 1]; MOST_PAIRS + 1] {
    [polynomial(n, 0), polynomial(n, 1), polynomial(n, 2), polynomial(n, MOST_PAIRS)]
}

/// `sum_k coefficients[k] * x[first + 2 k]` for `k` in `0..=degree`, of which the last coefficient is 1.
#[inline(always)]
fn every_other<T: Real, V: Vector<T>, const N: usize>(
    coefficients: &[f64; MOST_PAIRS + 1],
    degree: usize,
    x: &[V; N],
    first: usize,
) -> V {
    let mut sum = x[first + 2 * degree];
    for k in (0..degree).rev() {
        sum = x[first + 2 * k].mul_add(T::from_f64(coefficients[k]), sum);
    }
    sum
}

/// `B' x`: the row of a point is the product of `(s - other point)` over the others, that of infinity over all.
#[inline(always)]
pub(super) fn input<T: Real, V: Vector<T>, const N: usize>(x: [V; N]) -> [V; N] {
    let (pairs, count) = const { (pairs(N), pair_count(N)) };
    let polynomials = const { polynomials(N) };
    let mut v = x;
    v[0] = every_other(&polynomials[MOST_PAIRS], count, &x, 0);
    for i in 0..count {
        let even = every_other(&polynomials[i], count - 1, &x, 2);
        let odd = every_other(&polynomials[i], count - 1, &x, 1);
        v[1 + 2 * i] = odd.mul_add(T::from_f64(pairs[i]), even);
        v[2 + 2 * i] = odd.mul_add(T::from_f64(-pairs[i]), even);
    }
    if N.is_multiple_of(2) {
        v[N - 1] = every_other(&polynomials[MOST_PAIRS], count, &x, 1);
    }
    v
}

/// `A' y`: output `i` is `sum_q point[q]^i * y[q]`, and infinity belongs to the last.
#[inline(always)]
pub(super) fn output<T: Real, V: Vector<T>, const N: usize, const M: usize>(y: [V; N]) -> [V; M] {
    let (pairs, count) = const { (pairs(N), pair_count(N)) };
    let (mut even, mut odd) = ([y[0]; MOST_PAIRS], [y[0]; MOST_PAIRS]);
    for i in 0..count {
        even[i] = y[1 + 2 * i] + y[2 + 2 * i];
        odd[i] = y[1 + 2 * i] - y[2 + 2 * i];
    }
    let mut powers = [1.0; MOST_PAIRS];
    let mut outputs = [y[0]; M];
    for (m, output) in outputs.iter_mut().enumerate() {
        let part = if m % 2 == 0 { &even } else { &odd };
        let mut sum = if m == 0 { y[0] + part[0] } else { part[0].scale(T::from_f64(powers[0])) };
        for i in 1..count {
            sum = part[i].mul_add(T::from_f64(powers[i]), sum);
        }
        if m == M - 1 && N.is_multiple_of(2) {
            sum = sum + y[N - 1];
        }
        *output = sum;
        for i in 0..count {
            powers[i] *= pairs[i];
        }
    }
    outputs
}

/// The finite points among `n`, in the order of `input`.
fn finite(n: usize) -> Vec<f64> {
    let mut points = vec![0.0];
    for &pair in &pairs(n)[..pair_count(n)] {
        points.extend([pair, -pair]);
    }
    points
}

/// `G` of `n` points and so many taps, `[point][tap]`, in float64: `point^tap / prod (point - other point)`, and of infinity
/// the last tap.
pub(super) fn filters(n: usize, taps: usize) -> Vec<Vec<f64>> {
    let points = finite(n);
    let row = |(q, point): (usize, &f64)| {
        let others = points.iter().enumerate().filter(|&(i, _)| i != q);
        let scale: f64 = others.map(|(_, other)| point - other).product();
        (0..taps).map(|tap| point.powi(tap as i32) / scale).collect()
    };
    let mut rows: Vec<Vec<f64>> = points.iter().enumerate().map(row).collect();
    if n.is_multiple_of(2) {
        rows.push((0..taps).map(|tap| if tap == taps - 1 { 1.0 } else { 0.0 }).collect());
    }
    rows
}

/// How much larger than `R`, the sum of the magnitudes of the products of a direct output, the same sum in `A' ((G w) * (B' x))` is, for
/// taps and inputs of magnitude 1. The rounding error grows by this factor at most.
pub(super) fn amplification(n: usize, m: usize) -> f64 {
    let (points, taps) = (finite(n), n - m + 1);
    let magnitude = |polynomial: [f64; MOST_PAIRS + 1]| polynomial.iter().map(|c| c.abs()).sum::<f64>();
    let all = magnitude(polynomial(n, MOST_PAIRS));
    let inputs = points.iter().enumerate().map(|(q, point)| match q {
        0 => all,
        _ => magnitude(polynomial(n, (q - 1) / 2)) * (1.0 + point.abs()),
    });
    let weights = filters(n, taps);
    let products: Vec<f64> = inputs
        .chain([all])
        .enumerate()
        .take(n)
        .map(|(q, b)| b * weights[q].iter().map(|g| g.abs()).sum::<f64>())
        .collect();
    let output = |i: usize| {
        let finite: f64 =
            points.iter().zip(&products).map(|(point, product)| point.abs().powi(i as i32) * product).sum();
        if i == m - 1 && n.is_multiple_of(2) {
            finite + products[n - 1]
        } else {
            finite
        }
    };
    (0..m).map(output).fold(0.0, f64::max) / taps as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use deeplift_simd::Lanes;
    use std::array::from_fn;

    /// Compares `M` outputs of random taps and inputs in float64 with what they should be.
    fn check<const N: usize, const M: usize>() {
        let x: [f64; N] = from_fn(|i| (i as f64 * 1.7 + 0.3).sin());
        let w: Vec<f64> = (0..=N - M).map(|i| (i as f64 * 2.3 + 0.9).cos()).collect();
        let v = input(x.map(|x| Lanes([x])));
        let transform = filters(N, w.len());
        let u: Vec<f64> = transform.iter().map(|row| row.iter().zip(&w).map(|(g, w)| g * w).sum()).collect();
        let y: [Lanes<f64, 1>; M] = output(from_fn::<_, N, _>(|q| v[q].scale(u[q])));
        for (i, Lanes([y])) in y.into_iter().enumerate() {
            let expected: f64 = w.iter().zip(&x[i..]).map(|(w, x)| w * x).sum();
            let name = format!("F({M}, {})", N - M + 1);
            assert!((y - expected).abs() < 1e-13, "{name}: output {i} is {y}, not {expected}");
        }
    }

    #[test]
    fn transforms_multiply_to_a_convolution() {
        check::<4, 2>();
        check::<5, 3>();
        check::<6, 4>();
        check::<7, 4>();
    }

    #[test]
    fn the_points_amplify_less_than_small_integers() {
        // F(2, 3) by hand: |B| has rows of 2 and |G| of 1, 1, 1, 1 over 0, 1, -1 and infinity.
        assert_eq!(amplification(4, 2), 8.0 / 3.0);
        // Over 0, 1, -1, 2, -2 and infinity it is 16, and with 1/2 added 18.4.
        assert!(amplification(6, 4) < 8.0);
        assert!(amplification(7, 4) < 12.2);
    }
}
