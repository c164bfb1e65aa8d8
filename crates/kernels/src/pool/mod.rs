//! Max and average pooling of channels-last lanes.

use crate::chunks::{update, vectorised};
use crate::conv::windows_over;
use deeplift_simd::Real;
use std::ops::Range;

mod max;

pub use max::{max_pool, max_pool_cross, max_pool_route, max_pool_winners, MOST_CELLS};

/// Shapes of a pooling over three spatial axes (leading ones for fewer), channels-last.
#[derive(Clone, Debug, PartialEq)]
pub struct PoolGeometry {
    /// Input positions per axis.
    pub input: [usize; 3],
    /// Output positions per axis.
    pub output: [usize; 3],
    /// Window size per axis.
    pub kernel: [usize; 3],
    /// Input positions between two windows.
    pub stride: [usize; 3],
    /// Input positions between two cells of a window.
    pub dilation: [usize; 3],
    /// Padding before the first input position.
    pub pad: [usize; 3],
    /// Channels, each pooled on its own.
    pub channels: usize,
}

impl PoolGeometry {
    /// Elements of one input lane.
    pub fn input_len(&self) -> usize {
        self.input.iter().product::<usize>() * self.channels
    }

    /// Elements of one output lane.
    pub fn output_len(&self) -> usize {
        self.output.iter().product::<usize>() * self.channels
    }

    /// Output positions that see any of the inputs `positions`, if there is one axis only.
    pub fn writes(&self, positions: &Range<usize>) -> Option<Range<usize>> {
        let a = self.line()?;
        let reach = (self.kernel[a].max(1) - 1) * self.dilation[a];
        Some(windows_over(positions, self.stride[a], self.pad[a], reach, self.output[a]))
    }

    /// The pooling of the output positions `outputs` alone, and which inputs it reads, if there is one axis only.
    pub fn part(&self, outputs: &Range<usize>) -> Option<(Self, Range<usize>)> {
        let a = self.line()?;
        let reach = (self.kernel[a].max(1) - 1) * self.dilation[a];
        let first = outputs.start * self.stride[a];
        let last = outputs.end.saturating_sub(1) * self.stride[a] + reach + 1;
        let start = first.saturating_sub(self.pad[a]).min(self.input[a]);
        let end = last.saturating_sub(self.pad[a]).clamp(start, self.input[a]);
        let mut part = self.clone();
        (part.input[a], part.output[a]) = (end - start, outputs.len());
        part.pad[a] = (start + self.pad[a]).saturating_sub(first);
        Some((part, start..end))
    }

    /// The only axis with more than one position, if there is no other.
    fn line(&self) -> Option<usize> {
        let mut long = (0..3).filter(|&a| self.input[a] > 1 || self.output[a] > 1 || self.kernel[a] > 1);
        let axis = long.next().unwrap_or(2);
        long.next().is_none().then_some(axis)
    }

    /// Taps of window `at` along `axis` that lie inside `[-before, input + after)`.
    fn taps(&self, axis: usize, at: usize, before: usize, after: usize) -> Range<usize> {
        let (step, start) = (self.dilation[axis], at * self.stride[axis]);
        let first = (self.pad[axis].saturating_sub(start + before)).div_ceil(step);
        let end = (self.pad[axis] + self.input[axis] + after).saturating_sub(start).div_ceil(step);
        first.min(self.kernel[axis])..end.min(self.kernel[axis])
    }

    /// Visits every window, row-major: its index, and the taps along each axis that meet a real cell.
    #[inline(always)]
    fn for_each_window(&self, mut visit: impl FnMut(usize, Window)) {
        let mut index = 0;
        for o0 in 0..self.output[0] {
            for o1 in 0..self.output[1] {
                for o2 in 0..self.output[2] {
                    let at = [o0, o1, o2];
                    let taps = [0, 1, 2].map(|axis: usize| self.taps(axis, at[axis], 0, 0));
                    visit(index, Window { at, taps });
                    index += 1;
                }
            }
        }
    }

    /// Visits the real cells of a window, row-major: their index in the input, in positions.
    #[inline(always)]
    fn for_each_cell(&self, window: &Window, mut visit: impl FnMut(usize)) {
        let cell =
            |a: usize, tap: usize| window.at[a] * self.stride[a] + tap * self.dilation[a] - self.pad[a];
        for k0 in window.taps[0].clone() {
            for k1 in window.taps[1].clone() {
                let line = (cell(0, k0) * self.input[1] + cell(1, k1)) * self.input[2];
                for k2 in window.taps[2].clone() {
                    visit(line + cell(2, k2));
                }
            }
        }
    }

    /// The cells of every window in row-major order: output element `o` (channels-last) covers the input elements
    /// `index[start[o]..start[o + 1]]`.
    pub fn members(&self) -> (Vec<u32>, Vec<u32>) {
        let (mut start, mut index) = (vec![0], vec![]);
        self.for_each_window(|_, window| {
            let mut cells = vec![];
            self.for_each_cell(&window, |cell| cells.push(cell));
            for channel in 0..self.channels {
                index.extend(cells.iter().map(|cell| (cell * self.channels + channel) as u32));
                start.push(index.len() as u32);
            }
        });
        (start, index)
    }

    fn check(&self, x: usize, y: usize) {
        assert_eq!(x, self.input_len(), "pooling: input of {self:?}");
        assert_eq!(y, self.output_len(), "pooling: output of {self:?}");
    }
}

/// One window of a pooling.
struct Window {
    at: [usize; 3],
    taps: [Range<usize>; 3],
}

/// Average pooling with the divisor of every window worked out once.
///
/// With `count_include_pad` a window also counts its cells in the padding, but not those beyond the end padding
/// that `ceil_mode` reaches (PyTorch's rule); without it only real cells are counted.
#[derive(Clone, Debug)]
pub struct AveragePool<T> {
    geometry: PoolGeometry,
    /// `1 / divisor` of each window, row-major.
    weights: Vec<T>,
}

impl<T: Real> AveragePool<T> {
    /// Works out the divisors. `pad_end` is the declared padding behind the last input position.
    pub fn new(geometry: PoolGeometry, count_include_pad: bool, pad_end: [usize; 3]) -> Self {
        let mut weights = Vec::with_capacity(geometry.output.iter().product());
        geometry.for_each_window(|_, Window { at, .. }| {
            let counted = (0..3).map(|axis| {
                let (before, after) =
                    if count_include_pad { (geometry.pad[axis], pad_end[axis]) } else { (0, 0) };
                geometry.taps(axis, at[axis], before, after).len()
            });
            weights.push(T::from_f64(1.0 / counted.product::<usize>().max(1) as f64));
        });
        Self { geometry, weights }
    }

    /// The same without divisors: sums over windows.
    pub fn sum(geometry: PoolGeometry) -> Self {
        let weights = vec![T::ONE; geometry.output.iter().product()];
        Self { geometry, weights }
    }

    /// The same of the output positions `outputs` alone, and which inputs it reads, if there is one axis only.
    pub fn part(&self, outputs: &Range<usize>) -> Option<(Self, Range<usize>)> {
        let (geometry, inputs) = self.geometry.part(outputs)?;
        Some((Self { geometry, weights: self.weights[outputs.clone()].to_vec() }, inputs))
    }

    /// The shapes given to [`AveragePool::new`].
    pub fn geometry(&self) -> &PoolGeometry {
        &self.geometry
    }

    /// Averages one lane, `[input.., channels]` to `[output.., channels]`.
    ///
    /// # Panics
    /// If a length disagrees with the geometry.
    pub fn forward(&self, x: &[T], y: &mut [T]) {
        self.geometry.check(x.len(), y.len());
        let (g, c) = (&self.geometry, self.geometry.channels);
        vectorised(
            #[inline(always)]
            || {
                g.for_each_window(
                    #[inline(always)]
                    |to, window| {
                        let y = &mut y[to * c..][..c];
                        y.fill(T::ZERO);
                        g.for_each_cell(
                            &window,
                            #[inline(always)]
                            |cell| {
                                let x = &x[cell * c..][..c];
                                update(y, x, x, |y, x, _| y + x);
                            },
                        );
                        y.iter_mut().for_each(|y| *y *= self.weights[to]);
                    },
                );
            },
        );
    }

    /// Maps one lane of multipliers `[output.., channels]` to `[input.., channels]`, added if `accumulate`.
    ///
    /// # Panics
    /// If a length disagrees with the geometry.
    pub fn adjoint(&self, my: &[T], mx: &mut [T], accumulate: bool) {
        self.geometry.check(mx.len(), my.len());
        if !accumulate {
            mx.fill(T::ZERO);
        }
        let (g, c) = (&self.geometry, self.geometry.channels);
        vectorised(
            #[inline(always)]
            || {
                g.for_each_window(
                    #[inline(always)]
                    |to, window| {
                        let (my, weight) = (&my[to * c..][..c], self.weights[to]);
                        g.for_each_cell(
                            &window,
                            #[inline(always)]
                            |cell| {
                                update(&mut mx[cell * c..][..c], my, my, |mx, my, _| mx + my * weight);
                            },
                        );
                    },
                );
            },
        );
    }
}
