//! Tile registers in portable code: what Intel's manual says of the instructions (Software Developer's Manual, volume 2,
//! TDPBF16PS).

use super::registers::Registers;
use super::{widen, TILE};

/// Registers as rows of 32-bit words: two bf16, the first one in the lower half, or a float.
pub(super) struct Plain([[[u32; TILE]; TILE]; 8]);

impl Plain {
    pub(super) fn new() -> Self {
        Plain([[[0; TILE]; TILE]; 8])
    }
}

impl Registers for Plain {
    unsafe fn zero<const T: usize>(&mut self) {
        self.0[T] = [[0; TILE]; TILE];
    }

    unsafe fn load<const T: usize>(&mut self, from: *const u16, stride: usize) {
        for (r, row) in self.0[T].iter_mut().enumerate() {
            for (k, word) in row.iter_mut().enumerate() {
                // SAFETY: row `r` of 32 values may be read: the contract of `load`.
                let [even, odd] = [0, 1].map(|i| unsafe { *from.add(r * stride + 2 * k + i) });
                *word = u32::from(even) | u32::from(odd) << 16;
            }
        }
    }

    unsafe fn dot<const SUM: usize, const A: usize, const B: usize>(&mut self) {
        let (a, b) = (self.0[A], self.0[B]);
        for (sums, a) in self.0[SUM].iter_mut().zip(&a) {
            dot_row(sums, a, &b);
        }
    }

    unsafe fn store<const T: usize>(&self, to: *mut f32, stride: usize) {
        for (r, row) in self.0[T].iter().enumerate() {
            for (n, &word) in row.iter().enumerate() {
                // SAFETY: row `r` of 16 values may be written: the contract of `store`.
                unsafe { *to.add(r * stride + n) = f32::from_bits(word) };
            }
        }
    }
}

/// One row of sums: products of even and of odd index are added apart, in order, and then to each other and to the sum.
fn dot_row(sums: &mut [u32; TILE], a: &[u32; TILE], b: &[[u32; TILE]; TILE]) {
    let (mut even, mut odd) = ([0.0; TILE], [0.0; TILE]);
    for (&a, b) in a.iter().zip(b) {
        for n in 0..TILE {
            even[n] = fma(widen(a as u16), widen(b[n] as u16), even[n]);
            odd[n] = fma(widen((a >> 16) as u16), widen((b[n] >> 16) as u16), odd[n]);
        }
    }
    for n in 0..TILE {
        sums[n] = flush(f32::from_bits(sums[n]) + flush(even[n] + odd[n])).to_bits();
    }
}

/// `a b + c`, rounded once; denormal operands and results are 0. In double precision the product of two bf16 is exact,
/// and rounding the sum twice, to 53 and then to 24 bits, is rounding it once.
#[inline(always)]
fn fma(a: f32, b: f32, c: f32) -> f32 {
    flush((f64::from(flush(a)) * f64::from(flush(b)) + f64::from(c)) as f32)
}

/// Denormals to zero, with their sign.
#[inline(always)]
fn flush(value: f32) -> f32 {
    if value.abs() < f32::MIN_POSITIVE {
        0.0f32.copysign(value)
    } else {
        value
    }
}
