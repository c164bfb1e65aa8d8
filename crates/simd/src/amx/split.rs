//! Floats as sums of bf16, which are the upper halves of floats.

/// The bf16 nearest to `value`, ties to even.
#[inline(always)]
fn round(value: f32) -> u16 {
    let bits = value.to_bits();
    let rounded = (bits.wrapping_add(0x7fff + (bits >> 16 & 1)) >> 16) as u16;
    if value.is_nan() {
        0x7fc0
    } else {
        rounded
    }
}

/// The float that has the value of a bf16.
#[inline(always)]
pub fn widen(bits: u16) -> f32 {
    f32::from_bits(u32::from(bits) << 16)
}

/// Bits of `PLANES` bf16 whose sum is nearest to `value`, largest first: each is what the ones before leave over,
/// rounded. The sum of two differs from `value` by at most `2^-17 |value|`; three are exact.
///
/// Both hold as long as no part is below `2^-126`, which tiles take for 0. What is not finite has one part.
#[inline(always)]
pub fn split<const PLANES: usize>(value: f32) -> [u16; PLANES] {
    let (mut planes, mut rest) = ([0; PLANES], value);
    for plane in &mut planes {
        *plane = round(rest);
        let rounded = widen(*plane);
        rest = if rounded.is_finite() { rest - rounded } else { 0.0 };
    }
    planes
}
