//! Groups of elements that are reduced together, over any set of axes, and loops over them that vectorise.
//!
//! Elements are visited in memory order, in runs of equal length. Either a run belongs to one group (the innermost
//! axis is reduced) or its elements belong to consecutive groups (it is kept); both are contiguous loops.

use deeplift_simd::Real;

/// Independent accumulators of a run that belongs to one group.
const LANES: usize = 16;

/// Which elements of a tensor meet. Groups are numbered in row-major order of the axes that are kept.
#[derive(Clone, Debug)]
pub struct Groups {
    /// Group of the first element of each run.
    first: Vec<u32>,
    /// Elements of a run.
    run: usize,
    /// Whether the elements of a run belong to one group.
    together: bool,
    count: usize,
    size: usize,
}

impl Groups {
    /// Groups of a tensor of this shape, of which the axes marked `inside` are reduced.
    ///
    /// # Panics
    /// If there is not one mark per axis.
    pub fn new(shape: &[usize], inside: &[bool]) -> Self {
        assert_eq!(shape.len(), inside.len(), "groups: one mark per axis");
        let mut axes: Vec<(usize, bool)> = Vec::new();
        for (&extent, &inside) in shape.iter().zip(inside).filter(|(&extent, _)| extent != 1) {
            match axes.last_mut() {
                Some((last, kind)) if *kind == inside => *last *= extent,
                _ => axes.push((extent, inside)),
            }
        }
        let product =
            |of: bool| -> usize { axes.iter().filter(|(_, kind)| *kind == of).map(|(n, _)| n).product() };
        let (count, size) = (product(false), product(true));
        let (run, together) = axes.pop().unwrap_or((1, true));
        let mut stride = count;
        let mut first = vec![0u32];
        for (extent, inside) in axes {
            let step = if inside {
                0
            } else {
                stride /= extent.max(1);
                stride as u32
            };
            first = first.iter().flat_map(|g| (0..extent as u32).map(move |i| g + i * step)).collect();
        }
        Groups { first, run, together, count, size }
    }

    /// Number of groups.
    pub fn count(&self) -> usize {
        self.count
    }

    /// Elements of a group.
    pub fn size(&self) -> usize {
        self.size
    }

    /// Elements of all groups.
    pub fn elements(&self) -> usize {
        self.first.len() * self.run
    }

    /// `out[g] = sum f(a, b, level[g])` over the elements of each group, in float64.
    #[inline(always)]
    pub(crate) fn sum<T: Real>(
        &self,
        a: &[T],
        b: &[T],
        level: &[f64],
        out: &mut [f64],
        f: impl Fn(f64, f64, f64) -> f64,
    ) {
        out.fill(0.0);
        let runs = a.chunks_exact(self.run).zip(b.chunks_exact(self.run));
        for (&group, (a, b)) in self.first.iter().zip(runs) {
            let group = group as usize;
            if self.together {
                let level = level[group];
                let ((a, a_rest), (b, b_rest)) = (a.as_chunks::<LANES>(), b.as_chunks::<LANES>());
                let mut sums = [0.0f64; LANES];
                for (a, b) in a.iter().zip(b) {
                    for i in 0..LANES {
                        sums[i] += f(a[i].to_f64(), b[i].to_f64(), level);
                    }
                }
                let mut total: f64 = sums.iter().sum();
                for (a, b) in a_rest.iter().zip(b_rest) {
                    total += f(a.to_f64(), b.to_f64(), level);
                }
                out[group] += total;
            } else {
                let (out, level) = (&mut out[group..][..self.run], &level[group..][..self.run]);
                for (((out, level), a), b) in out.iter_mut().zip(level).zip(a).zip(b) {
                    *out += f(a.to_f64(), b.to_f64(), *level);
                }
            }
        }
    }

    /// `y = f(y, a, b, p[g], q[g], r[g])` for every element and its group, in float64.
    #[inline(always)]
    pub(crate) fn apply<T: Real>(
        &self,
        y: &mut [T],
        [a, b]: [&[T]; 2],
        [p, q, r]: [&[f64]; 3],
        f: impl Fn(f64, f64, f64, [f64; 3]) -> f64,
    ) {
        let runs = y.chunks_exact_mut(self.run).zip(a.chunks_exact(self.run)).zip(b.chunks_exact(self.run));
        for (&group, ((y, a), b)) in self.first.iter().zip(runs) {
            let group = group as usize;
            if self.together {
                let of = [p[group], q[group], r[group]];
                for ((y, a), b) in y.iter_mut().zip(a).zip(b) {
                    *y = T::from_f64(f(y.to_f64(), a.to_f64(), b.to_f64(), of));
                }
            } else {
                let [p, q, r] = [p, q, r].map(|v| &v[group..][..self.run]);
                for (((((y, a), b), p), q), r) in y.iter_mut().zip(a).zip(b).zip(p).zip(q).zip(r) {
                    *y = T::from_f64(f(y.to_f64(), a.to_f64(), b.to_f64(), [*p, *q, *r]));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The group of every element, one by one.
    fn plain(shape: &[usize], inside: &[bool]) -> Vec<usize> {
        let total: usize = shape.iter().product();
        let group = |mut flat: usize| {
            let (mut group, mut stride) = (0, 1);
            for (&extent, &inside) in shape.iter().zip(inside).rev() {
                if !inside {
                    group += flat % extent * stride;
                    stride *= extent;
                }
                flat /= extent;
            }
            group
        };
        (0..total).map(group).collect()
    }

    #[test]
    fn every_element_is_in_its_group() {
        let shapes: [&[usize]; 6] = [&[], &[1, 1], &[40], &[2, 3, 4], &[3, 1, 5, 2], &[2, 2, 3, 2, 3]];
        for shape in shapes {
            for marks in 0..1usize << shape.len() {
                let inside: Vec<bool> = (0..shape.len()).map(|a| marks >> a & 1 == 1).collect();
                let groups = Groups::new(shape, &inside);
                let expected = plain(shape, &inside);
                assert_eq!(groups.elements(), expected.len());
                assert_eq!(groups.count() * groups.size(), expected.len());
                let x: Vec<f64> = (0..expected.len()).map(|i| (i * i) as f64).collect();
                let mut sums = vec![f64::NAN; groups.count()];
                groups.sum(&x, &x, &vec![0.5; groups.count()], &mut sums, |a, b, l| a + b + l);
                let mut plain_sums = vec![0.0; groups.count()];
                expected.iter().zip(&x).for_each(|(&g, v)| plain_sums[g] += 2.0 * v + 0.5);
                assert_eq!(sums, plain_sums, "{shape:?} {inside:?}");
                let names: Vec<f64> = (0..groups.count()).map(|g| g as f64).collect();
                let mut y = vec![0.0; x.len()];
                groups.apply(&mut y, [&x, &x], [&names, &names, &names], |_, _, _, [p, ..]| p);
                assert_eq!(y, expected.iter().map(|&g| g as f64).collect::<Vec<_>>(), "{shape:?} {inside:?}");
            }
        }
    }
}
