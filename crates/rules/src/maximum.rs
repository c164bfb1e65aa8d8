//! How the difference of a maximum is shared among the members of its window, beyond the `cross` rule of the engine
//! (SEMANTICS 3.2, rows `path` and `shapley`). A minimum is the maximum of the negated values.
//!
//! Both give multipliers between 0 and 1 that sum to the difference exactly; with `x0 = x` they are a derivative.
use deeplift_graph::{bail, Result};
use deeplift_simd::Real;

/// A rule for maxima and minima.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MaxRule {
    /// The winner of the side whose maximum leads takes the difference: Captum, SHAP and tangermeme on windows that do
    /// not overlap.
    #[default]
    Cross,
    /// Each member by the share of the straight path from reference to example on which it is the largest
    /// (Aumann-Shapley; the maxout rule of arXiv 1605.01713).
    Path,
    /// The Shapley value with each member a player. For two tensors: SHAP for TensorFlow.
    Shapley,
    /// Everything to the winner of the example: the original DeepLIFT code. Does not sum to the difference.
    ArgMax,
}

impl MaxRule {
    /// The name that users write.
    pub fn name(self) -> &'static str {
        match self {
            MaxRule::Cross => "cross",
            MaxRule::Path => "path",
            MaxRule::Shapley => "shapley",
            MaxRule::ArgMax => "argmax",
        }
    }

    /// Reads the name that users write.
    ///
    /// # Errors
    /// `INVALID_OPTION` with the names that exist.
    pub fn parse(option: &str, name: &str) -> Result<Self> {
        let all = [MaxRule::Cross, MaxRule::Path, MaxRule::Shapley, MaxRule::ArgMax];
        match all.into_iter().find(|r| r.name() == name) {
            Some(rule) => Ok(rule),
            None => bail!(InvalidOption, "no {option} '{name}'; there are cross, path, shapley and argmax"),
        }
    }
}

/// Memory that a window needs; it grows once.
#[derive(Default)]
pub struct Work {
    order: Vec<usize>,
    cut: Vec<(f64, usize)>,
}

/// Multipliers of the members of one window by the straight path: for each, the part of the path on which it leads.
///
/// The upper envelope of the lines `x0 + α (x - x0)` over α in [0, 1], in O(k log k).
pub fn path<T: Real>(x: &[T], x0: &[T], largest: bool, m: &mut [T], work: &mut Work) {
    let sign = if largest { 1.0 } else { -1.0 };
    let start = |i: usize| sign * x0[i].to_f64();
    let slope = |i: usize| sign * (x[i].to_f64() - x0[i].to_f64());
    m.fill(T::ZERO);
    // By slope, and among parallel lines the highest, the first of equals before the others.
    let order = &mut work.order;
    order.clear();
    order.extend(0..x.len());
    order.sort_by(|&a, &b| slope(a).total_cmp(&slope(b)).then(start(b).total_cmp(&start(a))).then(a.cmp(&b)));
    order.dedup_by(|b, a| slope(*a) == slope(*b));
    // Lines of the envelope, each with the α from which it leads.
    let cut = &mut work.cut;
    cut.clear();
    for &line in order.iter() {
        let mut from = f64::NEG_INFINITY;
        while let Some(&(since, top)) = cut.last() {
            from = (start(top) - start(line)) / (slope(line) - slope(top));
            if from > since {
                break;
            }
            cut.pop();
            from = f64::NEG_INFINITY;
        }
        cut.push((from, line));
    }
    for (i, &(from, line)) in cut.iter().enumerate() {
        let to = cut.get(i + 1).map_or(f64::INFINITY, |next| next.0);
        let length = to.clamp(0.0, 1.0) - from.clamp(0.0, 1.0);
        m[line] = T::from_f64(length.max(0.0));
    }
}

/// Multipliers of the members of one window by the Shapley value.
///
/// Between two neighbouring levels above what every coalition reaches, the maximum is above the level exactly if a
/// rising member has joined or a falling one has not: a game whose value has a closed form.
pub fn shapley<T: Real>(x: &[T], x0: &[T], largest: bool, m: &mut [T], work: &mut Work) {
    let sign = if largest { 1.0 } else { -1.0 };
    let (value, reference) = (|i: usize| sign * x[i].to_f64(), |i: usize| sign * x0[i].to_f64());
    let n = x.len();
    let floor = (0..n).map(|i| value(i).min(reference(i))).fold(f64::NEG_INFINITY, f64::max);
    let high = |i: usize| value(i).max(reference(i));
    let order = &mut work.order;
    order.clear();
    order.extend((0..n).filter(|&i| high(i) > floor));
    order.sort_by(|&a, &b| high(b).total_cmp(&high(a)));
    m.fill(T::ZERO);
    if order.is_empty() {
        // Nothing moves the maximum: the derivative, shared by ties at the top.
        let ties = (0..n).filter(|&i| value(i) == floor && reference(i) == floor).count();
        for i in (0..n).filter(|&i| value(i) == floor && reference(i) == floor) {
            m[i] = T::from_f64(1.0 / ties as f64);
        }
        return;
    }
    // Segments from the top down: their length, and how many of the members that reach above them rise.
    let mut rising = 0;
    let segments = &mut work.cut;
    segments.clear();
    for (k, &i) in order.iter().enumerate() {
        rising += usize::from(value(i) > reference(i));
        let next = order.get(k + 1).map_or(floor, |&j| high(j));
        segments.push((high(i) - next, rising));
    }
    // A member takes part in its own segment and all below.
    let (mut up, mut down) = (0.0, 0.0);
    for (k, &i) in order.iter().enumerate().rev() {
        let (length, rising) = segments[k];
        let (each_rising, each_falling) = shares(rising, k + 1 - rising);
        up += length * each_rising;
        down += length * each_falling;
        let d = value(i) - reference(i);
        m[i] = T::from_f64(if d > 0.0 { up / d } else { -down / d });
    }
}

/// `n! (p-1)! / (p+n)!` and `(n-1)! p! / (p+n)!` for `p` rising and `n` falling members.
fn shares(p: usize, n: usize) -> (f64, f64) {
    // 1 / (p C(p+n, p)) and 1 / (n C(p+n, p)), by a product that does not overflow.
    let few = p.min(n);
    let choose = (0..few).fold(1.0, |c, i| c * (p + n - i) as f64 / (i + 1) as f64);
    let over = |k: usize| if k == 0 { 0.0 } else { 1.0 / (k as f64 * choose) };
    (over(p), over(n))
}

#[cfg(test)]
mod tests {
    use super::*;

    type Share = fn(&[f64], &[f64], bool, &mut [f64], &mut Work);

    fn contributions(share: Share, x: &[f64], x0: &[f64]) -> Vec<f64> {
        let mut m = vec![0.0; x.len()];
        share(x, x0, true, &mut m, &mut Work::default());
        (0..x.len()).map(|i| m[i] * (x[i] - x0[i])).collect()
    }

    fn close(found: &[f64], expected: &[f64]) {
        assert!(found.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-4), "{found:?} {expected:?}");
    }

    /// SEMANTICS 3.4.
    #[test]
    fn examples() {
        let (x, x0) = ([1.0, 1.0, 1.0, 1.0], [1.0, 2.0, 3.0, 9.0]);
        close(&contributions(path, &x, &x0), &[0.0, 0.0, 0.0, -8.0]);
        close(&contributions(shapley, &x, &x0), &[0.0, -0.3333, -0.8333, -6.8333]);
        let (x, x0) = ([3.0, 2.9, 0.0], [0.0; 3]);
        close(&contributions(path, &x, &x0), &[3.0, 0.0, 0.0]);
        close(&contributions(shapley, &x, &x0), &[1.55, 1.45, 0.0]);
        close(&contributions(shapley, &[1.0; 4], &[0.0; 4]), &[0.25; 4]);
    }

    fn draw(seed: &mut u64) -> f64 {
        *seed = seed.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        // Few values, so that ties occur.
        ((*seed >> 40) % 9) as f64 - 4.0
    }

    /// The Shapley value by its definition, over all orders in which members may join.
    fn by_orders(x: &[f64], x0: &[f64]) -> Vec<f64> {
        fn visit(x: &[f64], now: &mut Vec<f64>, left: &[usize], phi: &mut [f64], weight: f64) {
            let max = |v: &[f64]| v.iter().fold(f64::NEG_INFINITY, |a, &b| a.max(b));
            for &i in left {
                let (before, old) = (max(now), now[i]);
                now[i] = x[i];
                phi[i] += weight * (max(now) - before);
                let rest: Vec<usize> = left.iter().copied().filter(|&j| j != i).collect();
                visit(x, now, &rest, phi, weight / rest.len().max(1) as f64);
                now[i] = old;
            }
        }
        let all: Vec<usize> = (0..x.len()).collect();
        let mut phi = vec![0.0; x.len()];
        visit(x, &mut x0.to_vec(), &all, &mut phi, 1.0 / x.len() as f64);
        phi
    }

    #[test]
    fn random_windows() {
        let mut seed = 1;
        for round in 0..2000 {
            let n = 1 + round % 5;
            let x: Vec<f64> = (0..n).map(|_| draw(&mut seed)).collect();
            let x0: Vec<f64> = (0..n).map(|_| draw(&mut seed)).collect();
            let max = |v: &[f64]| v.iter().fold(f64::NEG_INFINITY, |a, &b| a.max(b));
            for share in [path as Share, shapley as Share] {
                let c = contributions(share, &x, &x0);
                let error = c.iter().sum::<f64>() - (max(&x) - max(&x0));
                assert!(error.abs() < 1e-12, "{x:?} {x0:?} {c:?}");
                let (mut m, mut back) = (vec![0.0; n], vec![0.0; n]);
                share(&x, &x0, true, &mut m, &mut Work::default());
                assert!(m.iter().all(|m| (0.0..=1.0 + 1e-12).contains(m)), "{x:?} {x0:?} {m:?}");
                let negated = |v: &[f64]| v.iter().map(|v| -v).collect::<Vec<_>>();
                share(&negated(&x), &negated(&x0), false, &mut back, &mut Work::default());
                assert_eq!(m, back, "a minimum is the maximum of the negated values");
            }
            close(&contributions(shapley, &x, &x0), &by_orders(&x, &x0));
        }
    }

    #[test]
    fn derivatives() {
        let (mut m, x) = ([0.0; 3], [1.0, 2.0, 2.0]);
        path(&x, &x, true, &mut m, &mut Work::default());
        assert_eq!(m, [0.0, 1.0, 0.0]);
        shapley(&x, &x, true, &mut m, &mut Work::default());
        assert_eq!(m, [0.0, 0.5, 0.5]);
    }
}
