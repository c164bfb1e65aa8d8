//! The loops of a contraction: batches, panels of columns, tiles of rows.

use super::{is_run, Contraction};
use crate::chunks::update_row;
use crate::Scratch;
use deeplift_simd::{Kernel, Real, Segment, Simd, Tile, Weights};

/// Products of a batch below which packing costs more than it saves.
const FEW: usize = 64;

/// Rows and columns that are transposed together: values of a cache line.
const BLOCK: usize = 16;

pub(super) struct Run<'r, T: Real> {
    pub contraction: &'r Contraction,
    pub left: &'r [T],
    pub right: &'r [T],
    pub out: &'r mut [T],
    pub add: bool,
    pub scratch: &'r mut Scratch<T>,
}

impl<T: Real> Kernel for Run<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(mut self, simd: S) {
        let c = self.contraction;
        let few = c.out.rows.len() * c.out.columns.len() * c.right.rows.len() < FEW;
        for b in 0..c.out.batch.len() {
            if few {
                self.plain(simd, b);
            } else {
                self.tiles(simd, b);
            }
        }
    }
}

impl<T: Real> Run<'_, T> {
    /// One batch, element by element.
    #[inline(always)]
    fn plain<S: Simd>(&mut self, simd: S, b: usize) {
        let Contraction { left, right, out, .. } = self.contraction;
        let [l, r, y] = [left.batch[b], right.batch[b], out.batch[b]].map(|o| o as usize);
        for (&lr, &yr) in left.rows.iter().zip(&out.rows) {
            for (&rc, &yc) in right.columns.iter().zip(&out.columns) {
                let mut sum = T::ZERO;
                for (&lc, &rr) in left.columns.iter().zip(&right.rows) {
                    let a = self.left[l + lr as usize + lc as usize];
                    sum = simd.fma(a, self.right[r + rr as usize + rc as usize], sum);
                }
                let y = &mut self.out[y + yr as usize + yc as usize];
                *y = if self.add { *y + sum } else { sum };
            }
        }
    }

    /// One batch in register tiles.
    #[inline(always)]
    fn tiles<S: Simd>(&mut self, simd: S, b: usize) {
        let c = self.contraction;
        let (rows, depth, width) = (c.out.rows.len(), c.right.rows.len(), c.out.columns.len());
        let base = c.left.batch[b] as usize;
        let Scratch { left: packed, panel, .. } = &mut *self.scratch;
        let (source, start, stride) = match c.row_distance {
            Some(distance) => {
                (self.left, base + c.left.rows[0] as usize + c.left.columns[0] as usize, distance)
            }
            None => {
                packed.resize_at_least(rows * depth);
                pack(&self.left[base..], &c.left.rows, &c.left.columns, depth, &mut packed[..rows * depth]);
                (&packed[..], 0, depth)
            }
        };
        let full = S::ISA.tile_columns::<T>();
        let mut tile = Tile::default();
        for first in (0..width).step_by(full) {
            let valid = full.min(width - first);
            let columns = if valid > full / 2 { full } else { full / 2 };
            panel.resize_at_least(depth * columns);
            let panel = &mut panel[..depth * columns];
            if valid < columns {
                panel.fill(T::ZERO);
            }
            let places = &c.right.columns[first..][..valid];
            pack(&self.right[c.right.batch[b] as usize..], &c.right.rows, places, columns, panel);
            let out = Out {
                base: c.out.batch[b] as usize,
                columns: &c.out.columns[first..][..valid],
                run: is_run(&c.out.columns[first..][..valid]),
                add: self.add,
            };
            let tiles = rows.div_ceil(S::ISA.tile_rows());
            for t in 0..tiles {
                let (from, to) = (t * rows / tiles, (t + 1) * rows / tiles);
                let segment =
                    Segment { source: 0, start: start + from * stride, stride, len: depth, weight: 0 };
                let weights = Weights { panel, bias: &[], columns };
                simd.tile(to - from, &[segment], [source, &[]], &weights, &mut tile);
                for (&row, sums) in c.out.rows[from..to].iter().zip(tile.values().chunks_exact(columns)) {
                    out.write(row as usize, &sums[..valid], self.out);
                }
            }
        }
    }
}

/// Where a panel's sums go.
struct Out<'o> {
    base: usize,
    columns: &'o [u32],
    /// Whether the columns are consecutive.
    run: bool,
    add: bool,
}

impl Out<'_> {
    #[inline(always)]
    fn write<T: Real>(&self, row: usize, sums: &[T], out: &mut [T]) {
        let at = self.base + row;
        if self.run {
            let y = &mut out[at + self.columns[0] as usize..][..sums.len()];
            if self.add {
                update_row(y, sums, sums, |y, sum, _| y + sum);
            } else {
                y.copy_from_slice(sums);
            }
            return;
        }
        for (&column, &sum) in self.columns.iter().zip(sums) {
            let y = &mut out[at + column as usize];
            *y = if self.add { *y + sum } else { sum };
        }
    }
}

/// Copies the elements at `rows[i] + columns[j]` to `to[i * width + j]`.
#[inline(always)]
fn pack<T: Real>(from: &[T], rows: &[u32], columns: &[u32], width: usize, to: &mut [T]) {
    if is_run(columns) {
        let first = columns[0] as usize;
        for (&row, to) in rows.iter().zip(to.chunks_exact_mut(width)) {
            to[..columns.len()].copy_from_slice(&from[row as usize + first..][..columns.len()]);
        }
        return;
    }
    // Where columns are far apart rows are close, or nothing is: both within a block stay in the cache.
    for (block, rows) in rows.chunks(BLOCK).enumerate() {
        for (j, &column) in columns.iter().enumerate() {
            for (i, &row) in rows.iter().enumerate() {
                to[(block * BLOCK + i) * width + j] = from[row as usize + column as usize];
            }
        }
    }
}
