//! How outputs and inputs of a convolution, or of its adjoint, meet along one axis.
//!
//! Both are the same map: output `j` is written at `to_first + j * to_step` and reads, for tap `t`, the position
//! `from_first + j * from_step + t * tap_step`. Forward, outputs are dense and inputs strided. The adjoint of
//! stride `s` falls apart into `s` such maps, one per residue of the input position modulo `s` (polyphase): the
//! outputs are strided, the sources dense, and each map has the taps that reach its residue. Nothing is scattered
//! and no zeros are multiplied.

use super::ConvGeometry;
use std::ops::Range;

/// The map along one axis.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Axis {
    /// Number of outputs.
    pub count: usize,
    pub to_first: usize,
    pub to_step: usize,
    /// Positions of the destination.
    pub to_len: usize,
    pub from_first: isize,
    pub from_step: usize,
    /// Positions of the source; beyond them it is zero.
    pub from_len: usize,
    pub tap_step: usize,
    /// Index into the kernel of each tap, in ascending order of the positions they read.
    pub taps: Vec<usize>,
}

impl Axis {
    /// The map of the forward pass.
    pub fn forward(g: &ConvGeometry, axis: usize) -> Self {
        Self {
            count: g.output[axis],
            to_first: 0,
            to_step: 1,
            to_len: g.output[axis],
            from_first: -(g.pad[axis] as isize),
            from_step: g.stride[axis],
            from_len: g.input[axis],
            tap_step: g.dilation[axis],
            taps: (0..g.kernel[axis]).collect(),
        }
    }

    /// The maps of the adjoint, one per residue that has positions.
    ///
    /// Input `i` received from output `o` through tap `k` where `i + pad = o * stride + k * dilation`. With
    /// `i = first + j * stride` that leaves the taps with `k * dilation = first + pad` modulo `stride`, which are
    /// `stride / gcd(stride, dilation)` apart, and `o = (first + pad - k * dilation) / stride + j`.
    pub fn adjoint(g: &ConvGeometry, axis: usize) -> Vec<Self> {
        let (stride, dilation, pad) = (g.stride[axis], g.dilation[axis], g.pad[axis]);
        let common = gcd(stride, dilation);
        let (tap_stride, tap_step) = (stride / common, dilation / common);
        (0..stride.min(g.input[axis]))
            .map(|first| {
                let reached = |k: &usize| (first + pad) as isize - (k * dilation) as isize;
                let start =
                    (0..tap_stride.min(g.kernel[axis])).find(|k| reached(k).rem_euclid(stride as isize) == 0);
                let taps: Vec<usize> = match start {
                    Some(start) => (start..g.kernel[axis]).step_by(tap_stride).rev().collect(),
                    None => Vec::new(),
                };
                Self {
                    count: (g.input[axis] - first).div_ceil(stride),
                    to_first: first,
                    to_step: stride,
                    to_len: g.input[axis],
                    from_first: taps.first().map_or(0, |k| reached(k).div_euclid(stride as isize)),
                    from_step: 1,
                    from_len: g.output[axis],
                    tap_step,
                    taps,
                }
            })
            .collect()
    }

    /// Leaves out the outputs that are written outside of `to`.
    pub fn narrow(&mut self, to: &Range<usize>) {
        let before = |end: usize| end.saturating_sub(self.to_first).div_ceil(self.to_step).min(self.count);
        let (first, end) = (before(to.start), before(to.end));
        self.count = end.saturating_sub(first);
        self.to_first += first * self.to_step;
        self.from_first += (first * self.from_step) as isize;
    }

    /// From now on the source begins at position `from.start` of what it was, and ends at `from.end`.
    pub fn narrow_source(&mut self, from: &Range<usize>) {
        self.from_first -= from.start as isize;
        self.from_len = from.len();
    }

    /// Position that tap `tap` of output `j` reads; outside `0..from_len` it is zero.
    pub fn position(&self, j: usize, tap: usize) -> isize {
        self.from_first + (j * self.from_step + tap * self.tap_step) as isize
    }

    /// The taps of output `j` that read inside the source.
    pub fn taps_inside(&self, j: usize) -> Range<usize> {
        let first = self.position(j, 0);
        let steps = |distance: isize| (distance.max(0) as usize).div_ceil(self.tap_step).min(self.taps.len());
        let end = steps(self.from_len as isize - first);
        steps(-first).min(end)..end
    }

    /// Positions from the first to the last that is read.
    pub fn extent(&self) -> usize {
        let steps = |count: usize, step: usize| count.saturating_sub(1).saturating_mul(step);
        let read = steps(self.count, self.from_step).saturating_add(steps(self.taps.len(), self.tap_step));
        if self.count == 0 || self.taps.is_empty() {
            0
        } else {
            read.saturating_add(1)
        }
    }

    /// End of the positions of the source that an output reads. What lies behind may be left over from other layers: kernels
    /// that compute more outputs than there are, for whole tiles, take it for zeros.
    pub fn source_end(&self) -> isize {
        (self.from_len as isize).min(self.from_first.saturating_add_unsigned(self.extent()))
    }

    /// Which of the positions of [`Axis::extent`] lie inside the source.
    pub fn inside(&self) -> Range<usize> {
        let end = (self.from_len as isize - self.from_first).clamp(0, self.extent() as isize) as usize;
        ((-self.from_first).max(0) as usize).min(end)..end
    }

    /// One position, one tap, nothing else: the axis is not there.
    pub fn is_trivial(&self) -> bool {
        self.is_identity() && self.to_len == 1
    }

    /// Every output reads the position of the same index.
    pub fn is_identity(&self) -> bool {
        self.taps.len() == 1
            && (self.from_first, self.from_step, self.to_first, self.to_step) == (0, 1, 0, 1)
            && self.from_len == self.to_len
            && self.count == self.to_len
    }
}

fn gcd(a: usize, b: usize) -> usize {
    if b == 0 {
        a
    } else {
        gcd(b, a % b)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn the_maps_cover_every_product_of_the_convolution_once(
            input in 1usize..12, output in 1usize..12, kernel in 1usize..6, stride in 1usize..6,
            dilation in 1usize..5, pad in 0usize..8,
        ) {
            let g = ConvGeometry {
                input: [1, 1, input], output: [1, 1, output], kernel: [1, 1, kernel],
                stride: [1, 1, stride], dilation: [1, 1, dilation], pad: [0, 0, pad],
                in_channels: 1, out_channels: 1, groups: 1,
            };
            let mut expected = Vec::new();
            for o in 0..output {
                for k in 0..kernel {
                    let i = (o * stride + k * dilation) as isize - pad as isize;
                    if (0..input as isize).contains(&i) {
                        expected.push((i as usize, o, k));
                    }
                }
            }
            let products = |axis: &Axis, forward: bool| {
                let mut found = Vec::new();
                for j in 0..axis.count {
                    let inside = axis.taps_inside(j);
                    for t in 0..axis.taps.len() {
                        let position = axis.position(j, t);
                        assert_eq!(inside.contains(&t), (0..axis.from_len as isize).contains(&position));
                        if inside.contains(&t) {
                            let (to, from) = (axis.to_first + j * axis.to_step, position as usize);
                            let (i, o) = if forward { (from, to) } else { (to, from) };
                            found.push((i, o, axis.taps[t]));
                        }
                    }
                }
                found
            };
            prop_assert_eq!(&products(&Axis::forward(&g, 2), true), &expected);
            let mut adjoint: Vec<_> =
                Axis::adjoint(&g, 2).iter().flat_map(|axis| products(axis, false)).collect();
            adjoint.sort_by_key(|&(i, o, k)| (o, k, i));
            prop_assert_eq!(adjoint, expected);
        }
    }
}
