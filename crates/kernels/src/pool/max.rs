//! Max-pooling: the maxima, who takes the difference of a pair, and the way back.

use super::{PoolGeometry, Window};
use crate::chunks::{update, vectorised};
use deeplift_simd::Real;

/// Channels whose winners are found together: one AVX-512 register of `f32`.
const CHUNK: usize = 16;

/// Most cells of a window that [`max_pool_cross`] compares.
pub const MOST_CELLS: usize = 16;

/// Maximum of each window: `x`, `[input.., channels]`, to `y`, `[output.., channels]`.
///
/// A window without a real cell gives negative infinity.
///
/// # Panics
/// If a length disagrees with the geometry.
pub fn max_pool<T: Real>(g: &PoolGeometry, x: &[T], y: &mut [T]) {
    g.check(x.len(), y.len());
    let c = g.channels;
    vectorised(
        #[inline(always)]
        || {
            g.for_each_window(
                #[inline(always)]
                |to, window| {
                    let y = &mut y[to * c..][..c];
                    y.fill(T::NEG_INFINITY);
                    g.for_each_cell(
                        &window,
                        #[inline(always)]
                        |cell| {
                            let x = &x[cell * c..][..c];
                            update(y, x, x, |y, x, _| x.max(y));
                        },
                    );
                },
            );
        },
    );
}

/// Like [`max_pool`], but gives the index into `x` of the first maximum of each window, in row-major order.
///
/// `x` must be free of NaN. A window without a real cell gives `u32::MAX`.
///
/// # Panics
/// If a length disagrees with the geometry or `x` has more than `u32::MAX` elements.
pub fn max_pool_winners<T: Real>(g: &PoolGeometry, x: &[T], winners: &mut [u32]) {
    g.check(x.len(), winners.len());
    assert!(u32::try_from(x.len()).is_ok(), "pooling: a lane of {} elements has no 32-bit index", x.len());
    vectorised(
        #[inline(always)]
        || {
            g.for_each_window(
                #[inline(always)]
                |to, window| {
                    let winners = &mut winners[to * g.channels..][..g.channels];
                    let (chunks, rest) = winners.as_chunks_mut::<CHUNK>();
                    let done = chunks.len() * CHUNK;
                    for (i, chunk) in chunks.iter_mut().enumerate() {
                        *chunk = g.winners(&window, x, i * CHUNK, CHUNK);
                    }
                    rest.copy_from_slice(&g.winners(&window, x, done, rest.len())[..rest.len()]);
                },
            );
        },
    );
}

/// The rule `cross` for the pair of an example `x` and its reference `x0`: `y0` becomes the maxima of the reference;
/// `taken`, per window, the index of the input element that takes the difference of the maxima, and `m` its multiplier.
///
/// That element is the first maximum of the side whose maximum is larger (of the example, if both are equal). The
/// multiplier, the difference of the maxima over that of the element, is within 0 and 1, and 1 where both sides have
/// the same first maximum. Inputs must be free of NaN.
///
/// # Panics
/// If a length disagrees with the geometry, `x` has more than `u32::MAX` elements, or a window has no real cell or more
/// than [`MOST_CELLS`].
pub fn max_pool_cross<T: Real>(
    g: &PoolGeometry,
    x: &[T],
    x0: &[T],
    y0: &mut [T],
    taken: &mut [u32],
    m: &mut [T],
) {
    g.check(x.len(), y0.len());
    g.check(x0.len(), taken.len());
    g.check(x0.len(), m.len());
    assert!(u32::try_from(x.len()).is_ok(), "pooling: a lane of {} elements has no 32-bit index", x.len());
    let c = g.channels;
    vectorised(
        #[inline(always)]
        || {
            g.for_each_window(
                #[inline(always)]
                |to, window| {
                    let (mut cells, mut count) = ([0; MOST_CELLS], 0);
                    g.for_each_cell(
                        &window,
                        #[inline(always)]
                        |cell| {
                            cells[count] = cell * c;
                            count += 1;
                        },
                    );
                    // A cell that comes again never wins: the next larger number of cells that there is code for.
                    let last = cells[count - 1];
                    cells[count..].fill(last);
                    let row = to * c..(to + 1) * c;
                    let to = (&mut y0[row.clone()], &mut taken[row.clone()], &mut m[row]);
                    match count {
                        0..=2 => cross::<T, 2>(cells, x, x0, to),
                        3 => cross::<T, 3>(cells, x, x0, to),
                        4 => cross::<T, 4>(cells, x, x0, to),
                        5..=8 => cross::<T, 8>(cells, x, x0, to),
                        _ => cross::<T, MOST_CELLS>(cells, x, x0, to),
                    }
                },
            );
        },
    );
}

/// The way back: `mx[taken[o]] = m[o] my[o]`, summed over the windows `o` that share an element, times `scale`; added
/// if `accumulate`. Every `taken[o]` must be an element of window `o`, counted from `origin` on.
///
/// # Panics
/// If a length disagrees with the geometry.
pub fn max_pool_route<T: Real>(
    g: &PoolGeometry,
    origin: u32,
    taken: &[u32],
    m: &[T],
    my: &[T],
    scale: Option<&[T]>,
    mx: &mut [T],
    accumulate: bool,
) {
    g.check(mx.len(), taken.len());
    g.check(mx.len(), m.len());
    g.check(scale.map_or(mx.len(), <[T]>::len), my.len());
    let c = g.channels;
    let tiles = g.windows_tile();
    let add = accumulate || !tiles;
    if !accumulate {
        g.clear_uncovered(mx, tiles);
    }
    vectorised(
        #[inline(always)]
        || {
            g.for_each_window(
                #[inline(always)]
                |to, window| {
                    let row = to * c..(to + 1) * c;
                    let (taken, m, my) = (&taken[row.clone()], &m[row.clone()], &my[row]);
                    g.for_each_cell(
                        &window,
                        #[inline(always)]
                        |cell| {
                            let at = cell * c..(cell + 1) * c;
                            let mx = &mut mx[at.clone()];
                            let here = Here { first: origin + at.start as u32, taken, m, my };
                            match (scale.map(|s| &s[at]), add) {
                                (None, false) => here.each(mx, my, |_, p, _| p),
                                (None, true) => here.each(mx, my, |old, p, _| old + p),
                                (Some(s), false) => here.each(mx, s, |_, p, s| p * s),
                                (Some(s), true) => here.each(mx, s, |old, p, s| old + p * s),
                            }
                        },
                    );
                },
            );
        },
    );
}

/// What arrives at a window, seen from one of its cells.
struct Here<'a, T> {
    /// Index of the cell's first channel.
    first: u32,
    taken: &'a [u32],
    m: &'a [T],
    my: &'a [T],
}

impl<T: Real> Here<'_, T> {
    /// `mx = write(mx, p, s)` for every channel, where `p` is what arrives, 0 at other cells.
    #[inline(always)]
    fn each(&self, mx: &mut [T], s: &[T], write: impl Fn(T, T, T) -> T) {
        let arrives = self.taken.iter().zip(self.m).zip(self.my);
        for (i, ((mx, &s), ((&taken, &m), &my))) in mx.iter_mut().zip(s).zip(arrives).enumerate() {
            let p = if taken == self.first + i as u32 { m * my } else { T::ZERO };
            *mx = write(*mx, p, s);
        }
    }
}

/// One window of [`max_pool_cross`], whose `K` cells start at `cells`; writes `y0`, `taken` and `m` of its channels. All
/// cells of a channel are compared at once, so that the loop over channels has no state and becomes vectors.
#[inline(always)]
fn cross<T: Real, const K: usize>(
    cells: [usize; MOST_CELLS],
    x: &[T],
    x0: &[T],
    (y0, taken, m): (&mut [T], &mut [u32], &mut [T]),
) {
    let channels = y0.len();
    let at: [usize; K] = *cells.first_chunk().expect("at most all cells");
    let (x, x0) = (at.map(|at| &x[at..][..channels]), at.map(|at| &x0[at..][..channels]));
    let outputs = y0.iter_mut().zip(taken).zip(m);
    for (i, ((y0, taken), m)) in outputs.enumerate().take(channels) {
        // On each side the first maximum, the other side's value there, and the cell.
        let (mut top, mut other, mut cell) = (x[0][i], x0[0][i], at[0] as u32);
        let (mut top0, mut other0, mut cell0) = (x0[0][i], x[0][i], at[0] as u32);
        for k in 1..K {
            let (own, reference, here) = (x[k][i], x0[k][i], at[k] as u32);
            let wins = own > top;
            top = if wins { own } else { top };
            other = if wins { reference } else { other };
            cell = if wins { here } else { cell };
            let wins = reference > top0;
            top0 = if wins { reference } else { top0 };
            other0 = if wins { own } else { other0 };
            cell0 = if wins { here } else { cell0 };
        }
        let ahead = top >= top0;
        let d = if ahead { top - other } else { other0 - top0 };
        let ratio = (top - top0) / d;
        let whole = if d == T::ZERO { T::ONE } else { ratio };
        *m = if cell == cell0 { T::ONE } else { whole };
        *taken = if ahead { cell } else { cell0 } + i as u32;
        *y0 = top0;
    }
}

impl PoolGeometry {
    /// First maxima of `count` channels of a window, from channel `first` on.
    #[inline(always)]
    fn winners<T: Real>(&self, window: &Window, x: &[T], first: usize, count: usize) -> [u32; CHUNK] {
        let (mut best, mut winners) = ([T::NEG_INFINITY; CHUNK], [u32::MAX; CHUNK]);
        let mut is_first = true;
        self.for_each_cell(
            window,
            #[inline(always)]
            |cell| {
                let start = cell * self.channels + first;
                for (i, value) in x[start..][..count].iter().enumerate() {
                    let wins = is_first || *value > best[i];
                    best[i] = if wins { *value } else { best[i] };
                    winners[i] = if wins { (start + i) as u32 } else { winners[i] };
                }
                is_first = false;
            },
        );
        winners
    }

    /// Most cells of a window.
    pub fn cells(&self) -> usize {
        self.kernel.iter().product()
    }

    /// Whether windows lie side by side from the first element on: no element is in two.
    fn windows_tile(&self) -> bool {
        (0..3).all(|a| {
            let single = self.output[a] == 1 && self.kernel[a] <= self.input[a];
            let side_by_side = self.kernel[a] == self.stride[a] || single;
            let dense = self.dilation[a] == 1 || self.kernel[a] == 1;
            self.pad[a] == 0 && side_by_side && dense && self.covered(a) <= self.input[a]
        })
    }

    /// Positions of an axis that lie in windows that tile.
    fn covered(&self, axis: usize) -> usize {
        self.output[axis].saturating_sub(1) * self.stride[axis] + self.kernel[axis]
    }

    /// Zeros the elements that windows which tile leave out, or all where they do not.
    fn clear_uncovered<T: Real>(&self, mx: &mut [T], tiles: bool) {
        if !tiles {
            return mx.fill(T::ZERO);
        }
        let line = self.input[2] * self.channels;
        let covered = [0, 1, 2].map(|axis| self.covered(axis));
        for (i, mx) in mx.chunks_exact_mut(line.max(1)).enumerate() {
            let inside = i / self.input[1] < covered[0] && i % self.input[1] < covered[1];
            mx[if inside { covered[2] * self.channels } else { 0 }..].fill(T::ZERO);
        }
    }
}
