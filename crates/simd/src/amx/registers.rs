//! What a processor does with tiles.

/// Eight registers of 16 rows of 64 bytes: 32 bf16 or 16 floats per row. `T`, `SUM`, `A` and `B` are below 8.
pub(super) trait Registers {
    /// Makes all sums of a tile 0.
    ///
    /// # Safety
    /// The registers must be configured on this thread.
    unsafe fn zero<const T: usize>(&mut self);

    /// Reads 16 rows of 32 bf16, `stride` values apart.
    ///
    /// # Safety
    /// The registers must be configured on this thread. Each row must lie in one allocation with `from`.
    unsafe fn load<const T: usize>(&mut self, from: *const u16, stride: usize);

    /// Adds the products of 16 rows of 32 values with 32 rows of 16 columns to the sums. In `B`, pairs of rows are
    /// interleaved.
    ///
    /// # Safety
    /// The registers must be configured on this thread.
    unsafe fn dot<const SUM: usize, const A: usize, const B: usize>(&mut self);

    /// Writes 16 rows of 16 sums, `stride` values apart.
    ///
    /// # Safety
    /// The registers must be configured on this thread. Each row must lie in one allocation with `to` and be writable.
    unsafe fn store<const T: usize>(&self, to: *mut f32, stride: usize);
}
