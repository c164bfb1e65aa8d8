//! Products of matrices in bf16 with sums in float32, as Intel's AMX computes them.
//!
//! # Arithmetic
//! A float is split into one to three bf16 of 8 bits each (`hi + mid + lo`, see [`split`]). The product of two floats is
//! then one, three or six products of bf16, which are exact in float32: see [`Products`]. Sums are formed by the
//! instruction `tdpbf16ps`: 32 products at a time, which are added to the sum so far by one rounding.
//!
//! # Who computes
//! [`TileUnit::Amx`] is the processor's, [`TileUnit::Plain`] computes in portable code what Intel's manual says of the
//! instruction; it is slow and serves tests. The loop over the products is written once, over the operations of a
//! [`Registers`](registers::Registers).

#[cfg(all(target_arch = "x86_64", target_os = "linux"))]
mod hardware;
mod plain;
mod product;
mod registers;
mod split;
mod unit;

pub use product::{Block, Operand, Tiles};
pub use split::{split, widen};
pub use unit::TileUnit;

/// Rows and columns of one tile of sums; pairs of products in one step.
pub(crate) const TILE: usize = 16;

/// Most rows, and most columns, of one product: two tiles.
pub const SPAN: usize = 2 * TILE;

/// Products per sum in one step.
pub const STEP: usize = 2 * TILE;

/// Values in one tile of bf16.
pub(crate) const TILE_LEN: usize = TILE * STEP;

/// How many products of bf16 stand for one product of floats.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Products {
    /// `hi hi`: 8 bits of each factor.
    One,
    /// `hi hi + hi lo + lo hi`: 16 bits of each factor.
    Three,
    /// All products of `hi`, `mid` and `lo` down to `2^-16` of the first: the 24 bits of a float.
    Six,
}

impl Products {
    /// All, least exact first.
    pub const ALL: [Products; 3] = [Products::One, Products::Three, Products::Six];

    /// Products of bf16 per product of floats.
    pub const fn count(self) -> usize {
        pairs(self.planes()).len()
    }

    /// Number of bf16 that each float is split into.
    pub const fn planes(self) -> usize {
        match self {
            Products::One => 1,
            Products::Three => 2,
            Products::Six => 3,
        }
    }

    /// Values in the panel of weights of `steps` steps and `columns` columns, 16 or 32.
    pub const fn panel_len(self, steps: usize, columns: usize) -> usize {
        steps * self.planes() * STEP * columns
    }

    /// Where a panel has the bf16 number `plane` of the weight that product `k` of `step` has in `column`.
    ///
    /// A panel is `[step][plane][column tile][k / 2][column][k % 2]`.
    pub const fn panel_index(
        self,
        columns: usize,
        step: usize,
        plane: usize,
        k: usize,
        column: usize,
    ) -> usize {
        let tile = (step * self.planes() + plane) * (columns / TILE) + column / TILE;
        tile * TILE_LEN + (k / 2 * TILE + column % TILE) * 2 + k % 2
    }
}

/// The products of planes that are added, as planes of activations and of weights. Neighbours share an operand, which
/// then stays in its registers.
const fn pairs(planes: usize) -> &'static [(usize, usize)] {
    match planes {
        1 => &[(0, 0)],
        2 => &[(0, 1), (0, 0), (1, 0)],
        _ => &[(2, 0), (1, 0), (1, 1), (0, 1), (0, 2), (0, 0)],
    }
}

#[cfg(test)]
mod tests;
