//! Mod: the remainder with the sign of the divisor (integers) or, with `fmod`, of the dividend.
use deeplift_graph::{ensure, Build, Operator, Result};

use super::{joint, telescope, Joint};

#[derive(Clone)]
struct Mod {
    fmod: bool,
}

impl Mod {
    fn quotient(&self, a: f64, b: f64) -> f64 {
        if self.fmod {
            (a / b).trunc()
        } else {
            (a / b).floor()
        }
    }
}

impl Joint<2> for Mod {
    fn value(&self, [a, b]: [f64; 2]) -> f64 {
        let r = a % b;
        if !self.fmod && r != 0.0 && (r < 0.0) != (b < 0.0) {
            r + b
        } else {
            r
        }
    }

    fn multipliers(&self, a: [f64; 2], a0: [f64; 2]) -> [f64; 2] {
        telescope(a, a0, |a, b| self.value([a, b]), |_, _| 1.0, |a, b| -self.quotient(a, b))
    }
}

/// A divisor that is known at plan time is not 0, and neither are integers that depend on the input and divide.
pub fn build(cx: &Build<'_>) -> Result<Box<dyn Operator>> {
    if let Some(divisor) = &cx.input(1)?.constant {
        ensure!((0..divisor.len()).all(|i| divisor.at(i) != 0.0), InvalidModel, "a divisor is 0");
    }
    let dtype = cx.input(0)?.dtype;
    let fmod = cx.int("fmod", 0)? != 0;
    ensure!(fmod || !dtype.is_float(), InvalidModel, "floats need fmod = 1");
    joint(cx, Mod { fmod }, dtype)
}

#[cfg(test)]
mod tests {
    use super::super::laws;
    use super::*;

    #[test]
    fn the_sign_is_that_of_the_divisor_or_of_the_dividend() {
        let pairs = [[-4.0, 3.0], [7.0, 3.0], [5.0, -8.0], [-7.0, -3.0]];
        assert_eq!(pairs.map(|p| Mod { fmod: false }.value(p)), [2.0, 1.0, -3.0, -1.0]);
        assert_eq!(pairs.map(|p| Mod { fmod: true }.value(p)), [-1.0, 1.0, 5.0, -1.0]);
    }

    #[test]
    fn laws() {
        let f = Mod { fmod: true };
        laws::check(&f, [7.25, 3.0], [1.5, 2.0]);
        laws::check(&f, [7.25, 3.0], [-1.5, 3.0]);
        laws::check_gradient(&f, [7.25, 3.1]);
        laws::check_gradient(&f, [-7.25, 3.1]);
    }
}
