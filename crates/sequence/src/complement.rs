//! The other strand, read in its own direction.

/// Writes the reverse complement of `codes` to `out`: A and T swap, C and G swap, unknown stays unknown.
///
/// # Panics
/// If the two slices differ in length.
pub fn reverse_complement(codes: &[u8], out: &mut [u8]) {
    assert_eq!(codes.len(), out.len(), "one code per base");
    for (to, &code) in out.iter_mut().zip(codes.iter().rev()) {
        *to = if code < 4 { 3 - code } else { code };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn by_hand() {
        let mut out = [0; 6];
        reverse_complement(&[0, 1, 2, 3, 4, 4], &mut out);
        assert_eq!(out, [4, 4, 0, 1, 2, 3]);
        reverse_complement(&[0, 0, 1, 2, 4, 3], &mut out);
        assert_eq!(out, [0, 4, 1, 2, 3, 3]);
    }

    proptest! {
        #[test]
        fn is_its_own_inverse(codes in prop::collection::vec(0u8..5, 0..200)) {
            let mut once = vec![0; codes.len()];
            let mut twice = vec![0; codes.len()];
            reverse_complement(&codes, &mut once);
            reverse_complement(&once, &mut twice);
            prop_assert_eq!(twice, codes);
        }
    }
}
