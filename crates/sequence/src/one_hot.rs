//! Base codes to one-hot columns, and back where a tensor really is one-hot.

use crate::encode::UNKNOWN;

/// Channels of a one-hot sequence: A, C, G, T.
const BASES: usize = 4;

/// Where the four channels of a one-hot sequence of length L lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// `[4][L]`: PyTorch's order.
    ChannelsFirst,
    /// `[L][4]`: TensorFlow's order, and the one the kernels use.
    ChannelsLast,
}

/// Writes `codes` as one-hot columns to `out`; an unknown base (any code above 3) is a column of zeros.
///
/// # Panics
/// If `out` does not hold four values per base.
pub fn one_hot_into<T: Copy + From<u8>>(codes: &[u8], layout: Layout, out: &mut [T]) {
    let length = codes.len();
    assert_eq!(out.len(), BASES * length, "four values per base");
    let (zero, one) = (T::from(0), T::from(1));
    match layout {
        Layout::ChannelsFirst if length > 0 => {
            for (base, channel) in out.chunks_exact_mut(length).enumerate() {
                for (value, &code) in channel.iter_mut().zip(codes) {
                    *value = if code == base as u8 { one } else { zero };
                }
            }
        }
        Layout::ChannelsFirst => {}
        Layout::ChannelsLast => {
            for (column, &code) in out.chunks_exact_mut(BASES).zip(codes) {
                for (base, value) in column.iter_mut().enumerate() {
                    *value = if code == base as u8 { one } else { zero };
                }
            }
        }
    }
}

/// `codes` as one-hot columns in a new vector of `4 * codes.len()` values.
pub fn one_hot<T: Copy + From<u8>>(codes: &[u8], layout: Layout) -> Vec<T> {
    let mut out = vec![T::from(0); BASES * codes.len()];
    one_hot_into(codes, layout, &mut out);
    out
}

/// Writes the codes of a one-hot sequence to `codes`, or returns the first position that is not one-hot.
///
/// A column with a single 1 and three zeros is that base, a column of zeros is unknown. Anything else, such
/// as 0.25 in each channel or NaN, is not a base: such a tensor has to stay a tensor.
///
/// # Panics
/// If `values` does not hold four values per code.
pub fn codes_from_one_hot<T>(values: &[T], layout: Layout, codes: &mut [u8]) -> Result<(), usize>
where
    T: Copy + PartialEq + From<u8>,
{
    let length = codes.len();
    assert_eq!(values.len(), BASES * length, "four values per base");
    let (zero, one) = (T::from(0), T::from(1));
    for (position, code) in codes.iter_mut().enumerate() {
        *code = UNKNOWN;
        for base in 0..BASES {
            let value = match layout {
                Layout::ChannelsFirst => values[base * length + position],
                Layout::ChannelsLast => values[position * BASES + base],
            };
            if value == one && *code == UNKNOWN {
                *code = base as u8;
            } else if value != zero {
                return Err(position);
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn both_layouts_by_hand() {
        let codes = [0, 3, 4, 1];
        #[rustfmt::skip]
        let first = [
            1., 0., 0., 0.,
            0., 0., 0., 1.,
            0., 0., 0., 0.,
            0., 1., 0., 0.,
        ];
        #[rustfmt::skip]
        let last = [
            1., 0., 0., 0.,
            0., 0., 0., 1.,
            0., 0., 0., 0.,
            0., 1., 0., 0.,
        ];
        assert_eq!(one_hot::<f32>(&codes, Layout::ChannelsFirst), first);
        assert_eq!(one_hot::<f64>(&codes, Layout::ChannelsLast), last);
        assert_eq!(one_hot::<u8>(&[2, 1], Layout::ChannelsFirst), [0, 0, 0, 1, 1, 0, 0, 0]);
        assert_eq!(one_hot::<u8>(&[2, 1], Layout::ChannelsLast), [0, 0, 1, 0, 0, 1, 0, 0]);
    }

    #[test]
    fn a_column_that_is_no_base_is_named() {
        let position = |values: &[f32]| {
            let mut codes = vec![0; values.len() / 4];
            codes_from_one_hot(values, Layout::ChannelsLast, &mut codes).unwrap_err()
        };
        assert_eq!(position(&[1., 0., 0., 0., 0.25, 0.25, 0.25, 0.25]), 1);
        assert_eq!(position(&[1., 0., 0., 1.]), 0);
        assert_eq!(position(&[0., 0., f32::NAN, 0.]), 0);
        assert_eq!(position(&[-1., 0., 0., 0.]), 0);
    }

    #[test]
    fn negative_zero_is_zero() {
        let mut codes = [9];
        assert_eq!(codes_from_one_hot(&[-0.0f32, 1., 0., -0.0], Layout::ChannelsLast, &mut codes), Ok(()));
        assert_eq!(codes, [1]);
    }

    proptest! {
        #[test]
        fn back_and_forth(codes in prop::collection::vec(0u8..5, 0..100), first in any::<bool>()) {
            let layout = if first { Layout::ChannelsFirst } else { Layout::ChannelsLast };
            let mut back = vec![9; codes.len()];
            prop_assert_eq!(codes_from_one_hot(&one_hot::<f32>(&codes, layout), layout, &mut back), Ok(()));
            prop_assert_eq!(back, codes);
        }
    }
}
