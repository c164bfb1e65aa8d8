//! The product of up to 32 rows of activations with a panel of 16 or 32 columns of weights.

#[cfg(all(target_arch = "x86_64", target_os = "linux"))]
use super::hardware::Hardware;
use super::plain::Plain;
use super::registers::Registers;
use super::{pairs, Products, TileUnit, SPAN, STEP, TILE, TILE_LEN};
use std::cell::Cell;
use std::marker::PhantomData;

/// Rows of activations, split into planes.
#[derive(Clone, Copy, Debug)]
pub struct Operand<'a> {
    /// `[plane][plane_len]` bits of bf16.
    pub planes: &'a [u16],
    /// Values of one plane.
    pub plane_len: usize,
    /// Where row 0 starts in a plane.
    pub start: usize,
    /// Values between the starts of two rows.
    pub stride: usize,
    /// Number of rows, 1 to [`SPAN`]. They are read in sixteens: the plane must have as many.
    pub rows: usize,
}

/// The results of one product, `[32 rows][32 columns]`.
#[derive(Clone, Debug)]
#[repr(C, align(64))]
pub struct Block([f32; SPAN * SPAN]);

impl Default for Block {
    fn default() -> Self {
        Block([0.0; SPAN * SPAN])
    }
}

impl Block {
    /// The results, row by row, [`SPAN`] columns each. What lies beyond the rows and columns of the last product is
    /// unspecified.
    #[inline(always)]
    pub fn rows(&self) -> impl Iterator<Item = &[f32]> {
        self.0.chunks_exact(SPAN)
    }
}

#[allow(
    clippy::large_enum_variant,
    reason = "one value at a time, on the stack; boxing would allocate per layer"
)]
enum Unit {
    #[cfg(all(target_arch = "x86_64", target_os = "linux"))]
    Amx(Hardware),
    Plain(Plain),
}

/// Tile registers, configured on this thread until dropped.
pub struct Tiles {
    unit: Unit,
    _of_this_thread: PhantomData<*const ()>,
}

thread_local! {
    static CONFIGURED: Cell<bool> = const { Cell::new(false) };
}

impl Tiles {
    /// Configures the registers of a unit.
    ///
    /// # Panics
    /// If the unit is not available, or this thread already has a value of this type.
    pub fn new(unit: TileUnit) -> Self {
        let missing = unit.missing();
        assert!(missing.is_none(), "tiles: {}", missing.unwrap_or_default());
        // SAFETY: checked above.
        unsafe { Self::new_unchecked(unit) }
    }

    /// # Safety
    /// Processor and operating system must have allowed the unit.
    ///
    /// # Panics
    /// If this thread already has a value of this type.
    pub(super) unsafe fn new_unchecked(unit: TileUnit) -> Self {
        assert!(!CONFIGURED.replace(true), "tiles: they are in use on this thread");
        let unit = match unit {
            TileUnit::Plain => Unit::Plain(Plain::new()),
            #[cfg(all(target_arch = "x86_64", target_os = "linux"))]
            // SAFETY: the unit is allowed (contract), and CONFIGURED says that this is the only value on the thread.
            TileUnit::Amx => Unit::Amx(unsafe { Hardware::new() }),
            #[cfg(not(all(target_arch = "x86_64", target_os = "linux")))]
            TileUnit::Amx => unreachable!("never allowed here"),
        };
        Tiles { unit, _of_this_thread: PhantomData }
    }

    /// Multiplies rows of activations with a panel of weights of 16 or 32 columns.
    ///
    /// Row `r`, column `n` of the result is `sum over steps s and k < 32 of a[k] w[s, k, n]`, where `a` starts at
    /// `steps[s]` behind the start of row `r` in each plane, and the panel is that of [`Products::panel_index`]. Sums
    /// are formed in the order of the steps, starting from 0.
    ///
    /// # Panics
    /// If a row leaves its plane, or the panel has another size.
    #[inline]
    pub fn multiply(
        &mut self,
        products: Products,
        a: Operand<'_>,
        steps: &[usize],
        panel: &[u16],
        columns: usize,
        block: &mut Block,
    ) {
        check(products, a, steps, panel, columns);
        let out = block.0.as_mut_ptr();
        // SAFETY: `check` accepted the arguments, `self` is configured, and a block has 32 rows of 32 values.
        unsafe {
            match &mut self.unit {
                #[cfg(all(target_arch = "x86_64", target_os = "linux"))]
                Unit::Amx(registers) => multiply(registers, products, a, steps, panel, columns, out),
                Unit::Plain(registers) => multiply(registers, products, a, steps, panel, columns, out),
            }
        }
    }
}

impl Drop for Tiles {
    fn drop(&mut self) {
        CONFIGURED.set(false);
    }
}

/// Everything that the product relies on.
#[inline(always)]
fn check(products: Products, a: Operand<'_>, steps: &[usize], panel: &[u16], columns: usize) {
    assert!((1..=SPAN).contains(&a.rows), "tiles: {} rows", a.rows);
    assert!(columns == TILE || columns == SPAN, "tiles: {columns} columns");
    assert_eq!(
        panel.len(),
        products.panel_len(steps.len(), columns),
        "tiles: weights of {} steps",
        steps.len()
    );
    let planes = a.plane_len.checked_mul(products.planes());
    assert_eq!(planes, Some(a.planes.len()), "tiles: planes of {} values", a.plane_len);
    let Some(furthest) = steps.iter().max() else { return };
    let rows = (a.rows.next_multiple_of(TILE) - 1).checked_mul(a.stride);
    let end = rows.and_then(|rows| rows.checked_add(a.start)).and_then(|at| at.checked_add(furthest + STEP));
    assert!(end.is_some_and(|end| end <= a.plane_len), "tiles: rows leave their plane of {}", a.plane_len);
}

/// Picks the instantiation for the number of products and tiles.
///
/// # Safety
/// The registers must be configured, [`check`] must have accepted the arguments, and `out` must have 32 rows of 32
/// values.
#[inline(always)]
unsafe fn multiply<R: Registers>(
    registers: &mut R,
    products: Products,
    a: Operand<'_>,
    steps: &[usize],
    panel: &[u16],
    columns: usize,
    out: *mut f32,
) {
    // SAFETY: the contract is passed on, with the planes, rows and columns that were asked for.
    unsafe {
        match (products, a.rows > TILE, columns > TILE) {
            (Products::One, false, false) => tiles::<R, 1, false, false>(registers, a, steps, panel, out),
            (Products::One, false, true) => tiles::<R, 1, false, true>(registers, a, steps, panel, out),
            (Products::One, true, false) => tiles::<R, 1, true, false>(registers, a, steps, panel, out),
            (Products::One, true, true) => tiles::<R, 1, true, true>(registers, a, steps, panel, out),
            (Products::Three, false, false) => tiles::<R, 2, false, false>(registers, a, steps, panel, out),
            (Products::Three, false, true) => tiles::<R, 2, false, true>(registers, a, steps, panel, out),
            (Products::Three, true, false) => tiles::<R, 2, true, false>(registers, a, steps, panel, out),
            (Products::Three, true, true) => tiles::<R, 2, true, true>(registers, a, steps, panel, out),
            (Products::Six, false, false) => tiles::<R, 3, false, false>(registers, a, steps, panel, out),
            (Products::Six, false, true) => tiles::<R, 3, false, true>(registers, a, steps, panel, out),
            (Products::Six, true, false) => tiles::<R, 3, true, false>(registers, a, steps, panel, out),
            (Products::Six, true, true) => tiles::<R, 3, true, true>(registers, a, steps, panel, out),
        }
    }
}

/// Up to two by two tiles of sums, in registers 0 to 3: rows 0 to 15 in 0 and 1, rows 16 to 31 in 2 and 3. Activations
/// are in 4 and 5, weights in 6 and 7.
///
/// # Safety
/// Of [`multiply`]; `PLANES` are those of the products, `TALL` and `WIDE` mean more than 16 rows and columns.
unsafe fn tiles<R: Registers, const PLANES: usize, const TALL: bool, const WIDE: bool>(
    registers: &mut R,
    a: Operand<'_>,
    steps: &[usize],
    panel: &[u16],
    out: *mut f32,
) {
    let pairs = const { pairs(PLANES) };
    let weights = if WIDE { 2 * TILE_LEN } else { TILE_LEN };
    let mut panel = panel.as_ptr();
    // SAFETY: the registers are configured (contract).
    unsafe { zero::<R, TALL, WIDE>(registers) };
    for step in steps {
        let rows = a.planes.as_ptr().wrapping_add(a.start + step);
        for (i, &(of_a, of_b)) in pairs.iter().enumerate() {
            // SAFETY: `check`: every plane has 16 or 32 rows of 32 values here, the panel `PLANES` times `weights`
            // values for each step. The registers are configured (contract).
            unsafe {
                if i == 0 || pairs[i - 1].0 != of_a {
                    let rows = rows.wrapping_add(of_a * a.plane_len);
                    registers.load::<4>(rows, a.stride);
                    if TALL {
                        registers.load::<5>(rows.wrapping_add(TILE * a.stride), a.stride);
                    }
                }
                if i == 0 || pairs[i - 1].1 != of_b {
                    let panel = panel.wrapping_add(of_b * weights);
                    registers.load::<6>(panel, STEP);
                    if WIDE {
                        registers.load::<7>(panel.wrapping_add(TILE_LEN), STEP);
                    }
                }
                dot::<R, TALL, WIDE>(registers);
            }
        }
        panel = panel.wrapping_add(PLANES * weights);
    }
    // SAFETY: the registers are configured and `out` has 32 rows of 32 values (contract).
    unsafe { store::<R, TALL, WIDE>(registers, out) };
}

/// # Safety
/// The registers must be configured.
#[inline(always)]
unsafe fn zero<R: Registers, const TALL: bool, const WIDE: bool>(registers: &mut R) {
    // SAFETY: the contract is passed on.
    unsafe {
        registers.zero::<0>();
        if WIDE {
            registers.zero::<1>();
        }
        if TALL {
            registers.zero::<2>();
        }
        if TALL && WIDE {
            registers.zero::<3>();
        }
    }
}

/// # Safety
/// The registers must be configured.
#[inline(always)]
unsafe fn dot<R: Registers, const TALL: bool, const WIDE: bool>(registers: &mut R) {
    // SAFETY: the contract is passed on.
    unsafe {
        registers.dot::<0, 4, 6>();
        if WIDE {
            registers.dot::<1, 4, 7>();
        }
        if TALL {
            registers.dot::<2, 5, 6>();
        }
        if TALL && WIDE {
            registers.dot::<3, 5, 7>();
        }
    }
}

/// # Safety
/// The registers must be configured, and `out` must have 32 rows of 32 values.
#[inline(always)]
unsafe fn store<R: Registers, const TALL: bool, const WIDE: bool>(registers: &R, out: *mut f32) {
    // SAFETY: the contract is passed on: each tile is a quarter of the 32 rows of 32 values.
    unsafe {
        registers.store::<0>(out, SPAN);
        if WIDE {
            registers.store::<1>(out.add(TILE), SPAN);
        }
        if TALL {
            registers.store::<2>(out.add(TILE * SPAN), SPAN);
        }
        if TALL && WIDE {
            registers.store::<3>(out.add(TILE * SPAN + TILE), SPAN);
        }
    }
}
