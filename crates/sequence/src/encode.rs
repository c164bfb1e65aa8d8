//! Letters of a sequence file to base codes.
//!
//! ACGT become 0 to 3. The other IUPAC nucleotide letters (N and the ambiguity codes RYSWKMBDHV) become
//! [`UNKNOWN`]: a model has no input for "A or G", and the all-zero column says so. Everything else (gaps,
//! digits, protein letters) is refused with its position, because a wrong file must not be scored.

/// The code of a base that is not known to be one of A, C, G, T.
pub const UNKNOWN: u8 = 4;

const REFUSED: u8 = u8::MAX;

/// Which letters are read, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Alphabet {
    /// Read a lower-case (soft-masked) letter as its upper case; refused if false.
    pub lower_case: bool,
    /// Read N and the ambiguity codes as [`UNKNOWN`]; refused if false.
    pub ambiguous: bool,
    /// Read U as T, for RNA; refused if false.
    pub uracil: bool,
}

impl Default for Alphabet {
    /// DNA as genomes are distributed: soft-masked letters and Ns are read, U is not.
    fn default() -> Self {
        Self { lower_case: true, ambiguous: true, uracil: false }
    }
}

impl Alphabet {
    fn table(self) -> [u8; 256] {
        let mut table = [REFUSED; 256];
        let mut read = |letter: u8, code: u8| {
            table[letter as usize] = code;
            if self.lower_case {
                table[letter.to_ascii_lowercase() as usize] = code;
            }
        };
        for (code, letter) in b"ACGT".iter().enumerate() {
            read(*letter, code as u8);
        }
        if self.uracil {
            read(b'U', 3);
        }
        if self.ambiguous {
            for letter in b"NRYSWKMBDHV" {
                read(*letter, UNKNOWN);
            }
        }
        table
    }
}

/// A letter that is not read as a base under the chosen [`Alphabet`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("position {position} holds the byte 0x{byte:02x}, which is not read as a base")]
pub struct LetterError {
    /// 0-based position in the bytes given.
    pub position: usize,
    /// The byte found there.
    pub byte: u8,
}

/// Writes the code of each letter of `letters` to `codes`.
///
/// On error the part of `codes` before the position named has been written, the rest is unspecified.
///
/// # Panics
/// If the two slices differ in length.
pub fn encode(letters: &[u8], codes: &mut [u8], alphabet: Alphabet) -> Result<(), LetterError> {
    assert_eq!(letters.len(), codes.len(), "one code per letter");
    let table = alphabet.table();
    let mut any_refused = false;
    for (code, letter) in codes.iter_mut().zip(letters) {
        *code = table[*letter as usize];
        any_refused |= *code == REFUSED;
    }
    if !any_refused {
        return Ok(());
    }
    let position = codes.iter().position(|code| *code == REFUSED).unwrap_or_default();
    Err(LetterError { position, byte: letters[position] })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn codes(letters: &[u8], alphabet: Alphabet) -> Result<Vec<u8>, LetterError> {
        let mut out = vec![9; letters.len()];
        encode(letters, &mut out, alphabet).map(|()| out)
    }

    #[test]
    fn bases_in_either_case_and_every_ambiguity_letter() {
        let all = Alphabet::default();
        assert_eq!(codes(b"ACGTacgt", all), Ok(vec![0, 1, 2, 3, 0, 1, 2, 3]));
        assert_eq!(codes(b"NRYSWKMBDHVnryswkmbdhv", all), Ok(vec![UNKNOWN; 22]));
        assert_eq!(codes(b"", all), Ok(vec![]));
    }

    #[test]
    fn each_policy_refuses_what_it_names() {
        let all = Alphabet::default();
        let refused = |letters: &[u8], alphabet| codes(letters, alphabet).unwrap_err();
        assert_eq!(
            refused(b"ACgT", Alphabet { lower_case: false, ..all }),
            LetterError { position: 2, byte: b'g' }
        );
        assert_eq!(
            refused(b"ACGN", Alphabet { ambiguous: false, ..all }),
            LetterError { position: 3, byte: b'N' }
        );
        assert_eq!(refused(b"AUG", all), LetterError { position: 1, byte: b'U' });
        assert_eq!(codes(b"AuG", Alphabet { uracil: true, ..all }), Ok(vec![0, 3, 2]));
    }

    #[test]
    fn only_the_letters_of_the_alphabet_are_read() {
        let all = Alphabet { uracil: true, ..Alphabet::default() };
        for byte in 0..=u8::MAX {
            let known = b"ACGTUNRYSWKMBDHV".contains(&byte.to_ascii_uppercase());
            assert_eq!(codes(&[b'A', byte], all).is_ok(), known, "byte {byte}");
        }
    }

    #[test]
    fn the_first_refused_letter_is_named() {
        let error = codes(b"ACG-T*", Alphabet::default()).unwrap_err();
        assert_eq!(error, LetterError { position: 3, byte: b'-' });
        assert_eq!(error.to_string(), "position 3 holds the byte 0x2d, which is not read as a base");
    }
}
