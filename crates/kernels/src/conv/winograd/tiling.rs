//! Which outputs of an axis are computed together.
//!
//! Outputs that are `step` apart, the dilation, see inputs that are `step` apart: they form `step` phases, each an
//! ordinary convolution. Every `outputs` neighbours of a phase are one row of the products. Rows of neighbouring phases
//! follow each other, so that what they read and write is contiguous.

use std::ops::Range;

/// Rows of `outputs` outputs each, and the outputs that are left over.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Tiling {
    /// Outputs of one row.
    pub outputs: usize,
    /// Distance between outputs of a row.
    pub step: usize,
    pub rows: usize,
    /// Outputs that belong to no row.
    pub rest: Vec<Range<usize>>,
}

impl Tiling {
    /// Tiles `count` outputs. The last rows may lack outputs, but none has fewer than `least`.
    pub fn new(count: usize, step: usize, outputs: usize, least: usize) -> Self {
        let full = count / (outputs * step);
        let first = full * outputs * step;
        // Of the phases, `longer` have one output more than the others.
        let (shorter, longer) = ((count - first) / step, (count - first) % step);
        let (more, rest) = if shorter >= least {
            (step, Vec::new())
        } else if shorter + 1 >= least {
            let rest = |i: usize| first + i * step + longer..first + (i + 1) * step;
            (longer, (0..shorter).map(rest).collect())
        } else {
            (0, Vec::from_iter((first < count).then_some(first..count)))
        };
        Self { outputs, step, rows: full * step + more, rest }
    }

    /// The first output of each row from `row` on, without end.
    #[inline(always)]
    pub fn first_outputs(&self, row: usize) -> impl Iterator<Item = usize> {
        let (step, skip) = (self.step, (self.outputs - 1) * self.step);
        let (mut phase, mut output) = (row % step, row + row / step * skip);
        std::iter::repeat_with(
            #[inline(always)]
            move || {
                let first = output;
                (phase, output) = (phase + 1, output + 1);
                if phase == step {
                    (phase, output) = (0, output + skip);
                }
                first
            },
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_output_is_computed_once(
            count in 1usize..90, step in 1usize..30, outputs in 1usize..6, least in 1usize..6,
        ) {
            let tiling = Tiling::new(count, step, outputs, least.min(outputs));
            let mut seen = vec![0; count];
            for row in 0..tiling.rows {
                let first = tiling.first_outputs(row).next().unwrap();
                prop_assert_eq!(tiling.first_outputs(0).nth(row).unwrap(), first);
                let inside = (0..outputs).map(|i| first + i * step).filter(|&j| j < count);
                let mut found = 0;
                inside.for_each(|j| (seen[j], found) = (seen[j] + 1, found + 1));
                prop_assert!(found >= least.min(outputs), "row {} has {} outputs", row, found);
            }
            tiling.rest.iter().cloned().flatten().for_each(|j| seen[j] += 1);
            prop_assert!(seen.iter().all(|&times| times == 1), "{:?}", seen);
        }
    }
}
