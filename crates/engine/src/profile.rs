//! Profile heads (SEMANTICS 2.3): `Σ p_i z_i` with `z = l - mean(l)` the centred logits and `p = softmax(z)`, over all
//! positions and strands. It says how much of a profile is where, whatever its total.
//!
//! The published tools take this number, but not the same contributions of it; see [`ProfileWeights`].
use deeplift_simd::Real;

use crate::options::ProfileWeights;

/// Centred logits and their probabilities.
struct Profile {
    z: Vec<f64>,
    p: Vec<f64>,
}

impl Profile {
    fn new<T: Real>(logits: &[T]) -> Self {
        let n = logits.len() as f64;
        let mean = logits.iter().map(|l| l.to_f64()).sum::<f64>() / n;
        let z: Vec<f64> = logits.iter().map(|l| l.to_f64() - mean).collect();
        let top = z.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let e: Vec<f64> = z.iter().map(|z| (z - top).exp()).collect();
        let sum: f64 = e.iter().sum();
        Profile { z, p: e.into_iter().map(|e| e / sum).collect() }
    }
}

/// The head's value.
pub fn value<T: Real>(logits: &[T]) -> f64 {
    let Profile { z, p } = Profile::new(logits);
    z.iter().zip(&p).map(|(z, p)| z * p).sum()
}

/// Multipliers of the logits for a pair.
pub fn multipliers<T: Real>(weights: ProfileWeights, l: &[T], l0: &[T], out: &mut [T]) {
    let m = centred(weights, &Profile::new(l), &Profile::new(l0));
    // What centring passes on: multipliers without their mean.
    let mean = m.iter().sum::<f64>() / m.len() as f64;
    for (o, m) in out.iter_mut().zip(m) {
        *o = T::from_f64(m - mean);
    }
}

/// What contributions sum to: the difference of the value where the head is explained as a function, the weighted
/// difference of the centred logits where its weights count as constants.
pub fn delta<T: Real>(weights: ProfileWeights, l: &[T], l0: &[T]) -> f64 {
    match weights {
        ProfileWeights::Full | ProfileWeights::BpnetLite => value(l) - value(l0),
        ProfileWeights::Mean | ProfileWeights::Input | ProfileWeights::Reference => {
            let (a, b) = (Profile::new(l), Profile::new(l0));
            let m = centred(weights, &a, &b);
            m.iter().zip(a.z.iter().zip(&b.z)).map(|(m, (z, z0))| m * (z - z0)).sum()
        }
    }
}

/// Multipliers of the centred logits.
fn centred(weights: ProfileWeights, a: &Profile, b: &Profile) -> Vec<f64> {
    let pairs = || a.p.iter().zip(&b.p);
    match weights {
        ProfileWeights::Mean => pairs().map(|(p, q)| 0.5 * (p + q)).collect(),
        ProfileWeights::Input => a.p.clone(),
        ProfileWeights::Reference => b.p.clone(),
        ProfileWeights::Full => full(a, b),
        ProfileWeights::BpnetLite => elementwise(a, b),
    }
}

/// The product rule on `p z`, then the softmax rule on its share of `p` (SEMANTICS 3.2).
fn full(a: &Profile, b: &Profile) -> Vec<f64> {
    let means: Vec<f64> = a.p.iter().zip(&b.p).map(|(&p, &q)| logarithmic_mean(p, q)).collect();
    let incoming: Vec<f64> = a.z.iter().zip(&b.z).map(|(z, z0)| 0.5 * (z + z0)).collect();
    let total: f64 = means.iter().sum();
    let flow = means.iter().zip(&incoming).map(|(l, m)| l * m).sum::<f64>() / total;
    (0..a.p.len()).map(|i| 0.5 * (a.p[i] + b.p[i]) + means[i] * (incoming[i] - flow)).collect()
}

/// `(p - q) / (log p - log q)`.
fn logarithmic_mean(p: f64, q: f64) -> f64 {
    if p <= 0.0 || q <= 0.0 {
        return 0.0;
    }
    let d = p.ln() - q.ln();
    if d.abs() < 1e-3 {
        (p * q).sqrt() * (1.0 + d * d / 24.0)
    } else {
        (p - q) / d
    }
}

/// `p z` of each position by Rescale, as if it were a function of `z` there.
fn elementwise(a: &Profile, b: &Profile) -> Vec<f64> {
    let multiplier = |i: usize| {
        let d = a.z[i] - b.z[i];
        if d.abs() < 1e-9 {
            a.p[i] * (1.0 + a.z[i] * (1.0 - a.p[i]))
        } else {
            (a.p[i] * a.z[i] - b.p[i] * b.z[i]) / d
        }
    };
    (0..a.p.len()).map(multiplier).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const L: [f64; 4] = [1.0, -0.5, 2.0, 0.25];
    const L0: [f64; 4] = [0.0, 0.5, 1.0, 1.5];

    /// Contributions sum to what each form promises, and a shift of all logits changes nothing.
    #[test]
    fn forms_are_complete_and_invariant() {
        use ProfileWeights::*;
        for weights in [Mean, Input, Reference, Full, BpnetLite] {
            let mut m = [0.0; 4];
            multipliers(weights, &L, &L0, &mut m);
            let sum: f64 = (0..4).map(|i| m[i] * (L[i] - L0[i])).sum();
            assert!((sum - delta(weights, &L, &L0)).abs() < 1e-14, "{weights:?}");
            assert!(m.iter().sum::<f64>().abs() < 1e-14, "{weights:?}: a shift has no multiplier");
            let mut shifted = [0.0; 4];
            multipliers(weights, &L.map(|l| l + 3.0), &L0, &mut shifted);
            assert!((0..4).all(|i| (m[i] - shifted[i]).abs() < 1e-14), "{weights:?}");
        }
    }

    #[test]
    fn value_by_hand() {
        // z = (-1/2, 1/2): p = (1, e) / (1 + e).
        let e = 1f64.exp();
        assert!((value(&[3.0, 4.0]) - 0.5 * (e - 1.0) / (e + 1.0)).abs() < 1e-15);
    }

    /// In the limit, the head as a function has the gradient of the head.
    #[test]
    fn full_is_the_gradient_in_the_limit() {
        let mut m = [0.0; 4];
        multipliers(ProfileWeights::Full, &L, &L, &mut m);
        for i in 0..4 {
            let (mut up, mut down) = (L, L);
            up[i] += 1e-6;
            down[i] -= 1e-6;
            assert!((m[i] - (value(&up) - value(&down)) / 2e-6).abs() < 1e-8);
        }
    }
}
