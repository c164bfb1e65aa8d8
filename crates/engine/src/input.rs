//! Inputs of a plan: how examples and references become tensors in the order in which the plan wants them.
use deeplift_graph::{bail, ensure, Result};
use deeplift_simd::Real;

use crate::options::{Encoding, References};

/// Where the values of a tensor as the caller sees it lie in the plan.
#[derive(Clone, Debug)]
pub struct Site {
    /// Name in the file.
    pub name: String,
    /// Shape per example, as the caller sees it.
    pub shape: Vec<usize>,
    /// Elements per example.
    pub len: usize,
    /// Axis of the four letters.
    pub letter_axis: Option<usize>,
    /// Whether it lies backwards on the reverse strand: sequences, and tracks along them, whose strands then swap.
    pub turns: bool,
    /// The plan's tensor; none if the targets do not depend on it.
    pub tensor: Option<usize>,
    /// For each element of the plan's tensor, the element of the caller's; none if they are the same.
    pub order: Option<Vec<u32>>,
}

/// One input of the model.
#[derive(Clone, Debug)]
pub struct Input {
    /// Its values.
    pub site: Site,
    /// How examples arrive.
    pub encoding: Encoding,
    /// Where its references come from.
    pub references: References,
}

impl std::ops::Deref for Input {
    type Target = Site;

    fn deref(&self) -> &Site {
        &self.site
    }
}

/// Letters of the alphabet.
pub const LETTERS: usize = 4;

impl Input {
    /// Finds the axis of the letters and checks what depends on it.
    pub fn new(
        name: &str,
        shape: Vec<usize>,
        encoding: Encoding,
        references: References,
        axis: Option<usize>,
    ) -> Result<Self> {
        let len = shape.iter().product();
        let letter_axis = match axis.or_else(|| letter_axis(&shape)) {
            Some(a) if shape.get(a) != Some(&LETTERS) => {
                bail!(InvalidOption, "axis {a} of input '{name}' of shape {shape:?} has not length {LETTERS}")
            }
            found => found,
        };
        let by_letter = encoding == Encoding::Codes
            || matches!(references, References::Background { .. } | References::Dinucleotide { .. });
        ensure!(
            letter_axis.is_some() || !by_letter,
            InvalidOption,
            "input '{name}' of shape {shape:?} has no axis of {LETTERS} letters, which sequences, background and \
             shuffled references need"
        );
        let turns = letter_axis.is_some() || shape.len() > 1;
        let site = Site { name: name.into(), shape, len, letter_axis, turns, tensor: None, order: None };
        Ok(Input { site, encoding, references })
    }

    /// Elements per example as they arrive.
    pub fn encoded_len(&self) -> usize {
        match self.encoding {
            Encoding::Float => self.len,
            Encoding::Codes => self.positions(),
        }
    }
}

impl Site {
    /// Positions of a sequence.
    pub fn positions(&self) -> usize {
        self.len / LETTERS
    }

    /// Caller's element of a letter at a position.
    pub fn element(&self, position: usize, letter: usize) -> usize {
        let axis = self.letter_axis.expect("checked when the input was made");
        let inner: usize = self.shape[axis + 1..].iter().product();
        (position / inner * LETTERS + letter) * inner + position % inner
    }

    /// Writes a tensor given in the caller's order in the plan's.
    pub fn arrange<T: Copy>(&self, values: &[T], out: &mut [T]) {
        match &self.order {
            None => out.copy_from_slice(values),
            Some(order) => {
                for (o, &i) in out.iter_mut().zip(order) {
                    *o = values[i as usize];
                }
            }
        }
    }

    /// Writes a tensor given in the plan's order in the caller's.
    pub fn restore<T: Copy>(&self, values: &[T], out: &mut [T]) {
        match &self.order {
            None => out.copy_from_slice(values),
            Some(order) => {
                for (&v, &i) in values.iter().zip(order) {
                    out[i as usize] = v;
                }
            }
        }
    }

    /// One-hot encodes codes in the caller's order; code 4 is a column of zeros.
    pub fn one_hot<T: Real>(&self, codes: &[u8], out: &mut [T]) {
        out.fill(T::ZERO);
        for (p, &c) in codes.iter().enumerate() {
            if (c as usize) < LETTERS {
                out[self.element(p, c as usize)] = T::ONE;
            }
        }
    }
}

/// The axis of the letters: the first axis of length 4, or else the last, or else the only one.
fn letter_axis(shape: &[usize]) -> Option<usize> {
    let last = shape.len().checked_sub(1)?;
    if shape[0] == LETTERS {
        return Some(0);
    }
    if shape[last] == LETTERS {
        return Some(last);
    }
    let mut all = (0..shape.len()).filter(|&a| shape[a] == LETTERS);
    all.next().filter(|_| all.next().is_none())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn input(shape: &[usize]) -> Input {
        Input::new("x", shape.to_vec(), Encoding::Codes, References::Zeros, None).unwrap()
    }

    #[test]
    fn one_hot_in_both_layouts() {
        let mut out = [9.0; 12];
        input(&[4, 3]).one_hot(&[0, 3, 4], &mut out);
        assert_eq!(out, [1., 0., 0., 0., 0., 0., 0., 0., 0., 0., 1., 0.]);
        input(&[3, 4]).one_hot(&[0, 3, 4], &mut out);
        assert_eq!(out, [1., 0., 0., 0., 0., 0., 0., 1., 0., 0., 0., 0.]);
    }

    #[test]
    fn arrange_and_restore_are_inverse() {
        let mut i = input(&[4, 2]);
        i.site.order = Some(vec![0, 2, 4, 6, 1, 3, 5, 7]);
        let values: Vec<f64> = (0..8).map(f64::from).collect();
        let (mut there, mut back) = (vec![0.0; 8], vec![0.0; 8]);
        i.arrange(&values, &mut there);
        assert_eq!(there, [0., 2., 4., 6., 1., 3., 5., 7.]);
        i.restore(&there, &mut back);
        assert_eq!(back, values);
    }

    #[test]
    fn sequences_need_an_axis_of_letters() {
        assert!(Input::new("x", vec![10], Encoding::Codes, References::Zeros, None).is_err());
        assert!(Input::new("x", vec![10], Encoding::Float, References::Zeros, None).is_ok());
    }
}
