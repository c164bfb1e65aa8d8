//! Products in bf16 instead of floats: how floats are split and laid out for the tiles of [`deeplift_simd::amx`].
//!
//! Activations are split once per layer and lane, into planes of bf16 with zeros around them: rows of tiles then lie at
//! a constant distance everywhere, and a step of 32 products is an offset. Weights are split when they are packed.

mod dense;

use crate::lazy::{Holding, LazyWeights};
use crate::Epilogue;
use deeplift_simd::amx::{split, Block, Operand, Products, TileUnit, Tiles, SPAN, STEP};
use deeplift_simd::{AlignedVec, Real};
pub(crate) use dense::ReducedDense;
use std::ops::Range;

/// Rows and columns of a tile: half of a product.
pub(crate) const TILE: usize = SPAN / 2;

/// How often the products of bf16 may outnumber those of floats, with those that fill tiles up. AMX multiplies 14.6
/// times as many bf16 as AVX-512 multiplies floats; splitting and half-filled tiles take their share.
const MOST_PRODUCTS: usize = 10;

/// Products in bf16, and what computes them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reduced {
    pub(crate) products: Products,
    pub(crate) unit: TileUnit,
    always: bool,
}

impl Reduced {
    /// Products that stand for a product of floats, and what multiplies.
    pub fn new(products: Products, unit: TileUnit) -> Self {
        Self { products, unit, always: false }
    }

    /// The same wherever it can be done, whether it is faster or not, for tests and measurements.
    #[doc(hidden)]
    pub fn always(self) -> Self {
        Self { always: true, ..self }
    }

    /// What a plan calls it.
    pub(crate) fn kernel(self) -> String {
        format!("bf16 x{}", self.products.count())
    }

    /// Whether tiles of `steps` steps are worth it for rows of `columns` sums of `depth` products each.
    pub(crate) fn pays(self, steps: usize, depth: usize, columns: usize) -> bool {
        let tiles = (steps * STEP).saturating_mul(columns.next_multiple_of(TILE));
        let most = depth.saturating_mul(columns).saturating_mul(MOST_PRODUCTS);
        self.always || tiles.saturating_mul(self.products.count()) <= most
    }
}

/// Split weights of one product of matrices: `[panel of 32 columns][step][plane][tile]`, and the bias.
#[derive(Clone, Debug)]
pub(crate) struct Panels<T: Real> {
    products: Products,
    steps: usize,
    columns: usize,
    values: LazyWeights<u16>,
    /// One per column of all panels.
    bias: AlignedVec<T>,
}

impl<T: Real> Panels<T> {
    /// For weights that `read` gives as `weight(step, k, column)`, and a bias per column.
    pub fn new<W: Fn(usize, usize, usize) -> T>(
        products: Products,
        steps: usize,
        columns: usize,
        read: impl Fn() -> W + Send + Sync + 'static,
        bias: impl Fn(usize) -> T,
    ) -> Self {
        let width = columns.next_multiple_of(TILE);
        let mut padded_bias = AlignedVec::zeroed(width);
        (0..columns).for_each(|column| padded_bias[column] = bias(column));
        let values = LazyWeights::new(products.panel_len(steps, width), move |values| {
            let weight = read();
            for column in 0..columns {
                let first = column / SPAN * SPAN;
                let panel = &mut values[products.panel_len(steps, first)..];
                for (step, k) in (0..steps).flat_map(|step| (0..STEP).map(move |k| (step, k))) {
                    let parts = split::<3>(weight(step, k, column).to_f64() as f32);
                    for (plane, &part) in parts.iter().enumerate().take(products.planes()) {
                        let at =
                            products.panel_index(SPAN.min(width - first), step, plane, k, column - first);
                        panel[at] = part;
                    }
                }
            }
        });
        Self { products, steps, columns, values, bias: padded_bias }
    }

    /// Bytes of all panels.
    pub fn bytes(&self) -> usize {
        self.values.bytes()
    }

    /// Counts the panels.
    pub fn tally(&self, holding: &mut Holding) {
        self.values.tally(holding);
    }

    /// Steps of every panel.
    pub fn steps(&self) -> usize {
        self.steps
    }

    /// Number of panels.
    pub fn count(&self) -> usize {
        self.columns.div_ceil(SPAN)
    }

    /// A panel of some consecutive steps.
    #[inline(always)]
    pub fn panel(&self, index: usize, steps: Range<usize>) -> Panel<'_, T> {
        let first = index * SPAN;
        let width = SPAN.min(self.bias.len() - first);
        let at = |step| self.products.panel_len(self.steps, first) + self.products.panel_len(step, width);
        Panel {
            products: self.products,
            first,
            valid: width.min(self.columns - first),
            width,
            values: &self.values[at(steps.start)..at(steps.end)],
            bias: &self.bias[first..][..width],
        }
    }
}

/// Weights of up to 32 columns.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Panel<'a, T> {
    products: Products,
    /// The first column, and how many exist.
    pub first: usize,
    pub valid: usize,
    /// Columns of the tiles.
    pub width: usize,
    values: &'a [u16],
    pub bias: &'a [T],
}

impl<T: Real> Panel<'_, T> {
    /// Sums of the products of rows with the panel, without the bias.
    #[inline(always)]
    pub fn multiply(&self, tiles: &mut Tiles, rows: Operand<'_>, steps: &[usize], sums: &mut Block) {
        tiles.multiply(self.products, rows, steps, self.values, self.width, sums);
    }

    /// Adds the bias to one row of sums and hands it to the epilogue; `to` is where the first column belongs.
    #[inline(always)]
    pub fn finish<U: Real>(&self, sums: &[U], to: usize, epilogue: &mut Epilogue<'_, T>) {
        let mut row = [T::ZERO; SPAN];
        for ((row, &sum), &bias) in row.iter_mut().zip(sums).zip(self.bias) {
            *row = T::from_f64(sum.to_f64()) + bias;
        }
        if self.valid == SPAN {
            // With a constant width, so that the loop is unrolled into whole vectors.
            epilogue.apply(to, &row);
        } else {
            epilogue.apply(to, &row[..self.valid]);
        }
    }
}

/// Splits `values` and writes part `p` of each to `planes[p * plane_len + at..]`.
#[inline(always)]
pub(crate) fn split_row<T: Real>(
    products: Products,
    values: &[T],
    planes: &mut [u16],
    plane_len: usize,
    at: usize,
) {
    match products {
        Products::One => split_into::<T, 1>(values, planes, plane_len, at),
        Products::Three => split_into::<T, 2>(values, planes, plane_len, at),
        Products::Six => split_into::<T, 3>(values, planes, plane_len, at),
    }
}

/// Values that are split together: two registers of AVX-512.
const LANES: usize = 32;

#[inline(always)]
fn split_into<T: Real, const PLANES: usize>(
    values: &[T],
    planes: &mut [u16],
    plane_len: usize,
    mut at: usize,
) {
    let (chunks, rest) = values.as_chunks::<LANES>();
    for chunk in chunks {
        let mut parts = [[0; LANES]; PLANES];
        for i in 0..LANES {
            let of_value = split::<PLANES>(chunk[i].to_f64() as f32);
            for p in 0..PLANES {
                parts[p][i] = of_value[p];
            }
        }
        for (p, parts) in parts.iter().enumerate() {
            planes[p * plane_len + at..][..LANES].copy_from_slice(parts);
        }
        at += LANES;
    }
    for &value in rest {
        for (p, part) in split::<PLANES>(value.to_f64() as f32).into_iter().enumerate() {
            planes[p * plane_len + at] = part;
        }
        at += 1;
    }
}
