//! Where with a condition that depends on the input: `c a + (1 - c) b` with `c` 0 or 1, so that `M_a = c̄ M`,
//! `M_b = (1 - c̄) M` and `M_c = (ā - b̄) M` (SEMANTICS 3.2, row Where). Values are chosen, never multiplied: the branch
//! that neither the example nor the reference takes may be infinite.
use super::Joint;

#[derive(Clone)]
pub(crate) struct Select;

impl Joint<3> for Select {
    fn value(&self, [c, a, b]: [f64; 3]) -> f64 {
        if c != 0.0 {
            a
        } else {
            b
        }
    }

    fn multipliers(&self, [c, a, b]: [f64; 3], [c0, a0, b0]: [f64; 3]) -> [f64; 3] {
        let taken = 0.5 * (c + c0);
        let gap = 0.5 * ((a - b) + (a0 - b0));
        [if gap.is_finite() { gap } else { 0.0 }, taken, 1.0 - taken]
    }
}

#[cfg(test)]
mod tests {
    use super::super::laws;
    use super::*;

    #[test]
    fn laws() {
        laws::check(&Select, [1.0, 2.0, -1.0], [0.0, 0.5, 3.0]);
        laws::check(&Select, [1.0, 2.0, -1.0], [1.0, 0.5, 3.0]);
        assert_eq!(Select.multipliers([0.0, 2.0, -1.0], [0.0, 0.5, 3.0]), [0.25, 0.0, 1.0]);
    }

    #[test]
    fn an_infinite_branch_that_is_not_taken_has_no_say() {
        let m = Select.multipliers([1.0, 2.0, f64::NEG_INFINITY], [1.0, 0.5, f64::NEG_INFINITY]);
        assert_eq!(m, [0.0, 1.0, 0.0]);
    }
}
