//! Softmax and its logarithm over the middle axis of `[outer, axis, inner]`.
//!
//! The maximum of each line is subtracted first, so nothing overflows, and `-inf` entries get probability 0. A line
//! of only `-inf` has no softmax and gives NaN. All panic if a length disagrees with the shape.

use crate::chunks::vectorised;
use crate::{map, reduce};
use deeplift_simd::Real;

/// Values that are worked on together, so that what is in between stays in the cache.
const CHUNK: usize = 1 << 13;

/// Independent sums along a line.
const LANES: usize = 16;

/// `out = exp(x - max) / sum exp(x - max)` along the axis.
pub fn softmax<T: Real>(x: &[T], shape: [usize; 3], out: &mut [T]) {
    for (shape, x, out) in pieces(shape, x, out) {
        let (_, sum) = normalisers(x, shape, out);
        for_each_value(shape, out, |y, line| *y /= sum[line]);
    }
}

/// `out = x - max - ln sum exp(x - max)` along the axis.
pub fn log_softmax<T: Real>(x: &[T], shape: [usize; 3], out: &mut [T]) {
    for (shape, x, out) in pieces(shape, x, out) {
        let (top, mut sum) = normalisers(x, shape, out);
        sum.iter_mut().for_each(|s| *s = s.ln());
        out.copy_from_slice(x);
        for_each_value(shape, out, |y, line| *y = (*y - top[line]) - sum[line]);
    }
}

/// Logarithmic means of the probabilities of two inputs: `(p - q) / (ln p - ln q)`, `p` where both are equal. 0 where
/// one is 0, and along lines of only `-inf`.
pub fn log_means<T: Real>(x: &[T], x0: &[T], shape: [usize; 3], out: &mut [T]) {
    assert_eq!(x.len(), x0.len(), "softmax: slices of different lengths");
    let (mut p, mut q) = (vec![], vec![]);
    let mut rest = x0;
    for (shape, x, out) in pieces(shape, x, out) {
        let (x0, after) = rest.split_at(x.len());
        rest = after;
        p.resize(x.len(), T::ZERO);
        q.resize(x.len(), T::ZERO);
        log_softmax(x, shape, &mut p);
        log_softmax(x0, shape, &mut q);
        map::log_mean(&p, &q, out);
    }
}

/// Multipliers of the input from those of the output, given the logarithmic means `l` of a pair: `mx = l (my - level)`
/// with `level = sum l my / sum l` along each line, added to `mx` if `accumulate`. 0 along lines whose means are all 0.
pub fn adjoint<T: Real>(means: &[T], my: &[T], shape: [usize; 3], mx: &mut [T], accumulate: bool) {
    let [outer, axis, inner] = shape;
    let n = outer * axis * inner;
    assert!(means.len() == n && my.len() == n && mx.len() == n, "softmax: multipliers of shape {shape:?}");
    // `[sum l, sum l my]`, then the levels, of one block.
    let (mut sums, mut levels) = (vec![[0.0f64; 2]; inner], vec![0.0f64; inner]);
    vectorised(
        #[inline(always)]
        || {
            let blocks =
                means.chunks_exact((axis * inner).max(1)).zip(my.chunks_exact((axis * inner).max(1)));
            for ((means, my), mx) in blocks.zip(mx.chunks_exact_mut((axis * inner).max(1))) {
                if inner == 1 {
                    sums[0] = line_sums(means, my);
                } else {
                    sums.fill([0.0; 2]);
                    for (l, m) in means.chunks_exact(inner).zip(my.chunks_exact(inner)) {
                        for ((sum, l), m) in sums.iter_mut().zip(l).zip(m) {
                            let l = l.to_f64();
                            *sum = [sum[0] + l, sum[1] + l * m.to_f64()];
                        }
                    }
                }
                for (level, [total, flow]) in levels.iter_mut().zip(&sums) {
                    *level = if *total == 0.0 { 0.0 } else { flow / total };
                }
                if inner == 1 {
                    along(means, my, std::iter::repeat(levels[0]), mx, accumulate);
                    continue;
                }
                let rows = means.chunks_exact(inner).zip(my.chunks_exact(inner));
                for ((l, m), mx) in rows.zip(mx.chunks_exact_mut(inner)) {
                    along(l, m, levels.iter().copied(), mx, accumulate);
                }
            }
        },
    );
}

/// `sum l` and `sum l m` of one contiguous line.
#[inline(always)]
fn line_sums<T: Real>(l: &[T], m: &[T]) -> [f64; 2] {
    let (mut total, mut flow) = ([0.0f64; LANES], [0.0f64; LANES]);
    let ((ls, l), (ms, m)) = (l.as_chunks::<LANES>(), m.as_chunks::<LANES>());
    for (l, m) in ls.iter().zip(ms) {
        for i in 0..LANES {
            total[i] += l[i].to_f64();
            flow[i] += l[i].to_f64() * m[i].to_f64();
        }
    }
    for (i, (l, m)) in l.iter().zip(m).enumerate() {
        total[i] += l.to_f64();
        flow[i] += l.to_f64() * m.to_f64();
    }
    [total.iter().sum(), flow.iter().sum()]
}

/// `mx = l (m - level)`, or added to it.
#[inline(always)]
fn along<T: Real>(l: &[T], m: &[T], levels: impl Iterator<Item = f64>, mx: &mut [T], accumulate: bool) {
    let values = l.iter().zip(m).zip(levels).map(
        #[inline(always)]
        |((l, m), level)| T::from_f64(l.to_f64() * (m.to_f64() - level)),
    );
    if accumulate {
        mx.iter_mut().zip(values).for_each(|(mx, v)| *mx += v);
    } else {
        mx.iter_mut().zip(values).for_each(|(mx, v)| *mx = v);
    }
}

/// Whole blocks of a few values, with their shape.
fn pieces<'a, T>(
    [outer, axis, inner]: [usize; 3],
    x: &'a [T],
    out: &'a mut [T],
) -> impl Iterator<Item = ([usize; 3], &'a [T], &'a mut [T])> {
    assert!(
        x.len() == out.len() && x.len() == outer * axis * inner,
        "softmax: slices of {} and {} elements of shape {:?}",
        x.len(),
        out.len(),
        [outer, axis, inner]
    );
    let block = (axis * inner).max(1);
    let blocks = (CHUNK / block).max(1);
    let chunks = x.chunks(blocks * block).zip(out.chunks_mut(blocks * block));
    chunks.map(move |(x, out)| ([x.len() / block, axis, inner], x, out))
}

/// Maximum, and sum of exponentials after its subtraction, of each line; leaves the exponentials in `out`.
fn normalisers<T: Real>(x: &[T], shape: [usize; 3], out: &mut [T]) -> (Vec<T>, Vec<T>) {
    let mut top = vec![T::ZERO; shape[0] * shape[2]];
    let mut sum = top.clone();
    reduce::max(x, shape, &mut top);
    shifted_exp(x, shape, &top, out);
    reduce::sum(out, shape, &mut sum);
    (top, sum)
}

/// `out = exp(x - top)`, with one `top` per line.
pub(crate) fn shifted_exp<T: Real>(x: &[T], shape: [usize; 3], top: &[T], out: &mut [T]) {
    assert_eq!(x.len(), out.len(), "softmax: slices of different lengths");
    let mut shifted = x.to_vec();
    for_each_value(shape, &mut shifted, |y, line| *y -= top[line]);
    map::exp(&shifted, out);
}

/// Calls `f(value, its line)` for every value.
fn for_each_value<T>(shape: [usize; 3], values: &mut [T], f: impl Fn(&mut T, usize)) {
    let [_, axis, inner] = shape;
    if inner == 1 {
        for (line, row) in values.chunks_exact_mut(axis.max(1)).enumerate() {
            row.iter_mut().for_each(|y| f(y, line));
        }
    } else {
        for (i, row) in values.chunks_exact_mut(inner.max(1)).enumerate() {
            row.iter_mut().enumerate().for_each(|(j, y)| f(y, i / axis * inner + j));
        }
    }
}
