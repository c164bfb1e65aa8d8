//! LRN: `x (bias + alpha / size · Σ x²)^-beta`, the sum over neighbouring channels. A product, a function of one element
//! and sums of squares, each of which has an exact rule (SEMANTICS 3.2).
use deeplift_graph::wire::Attribute;
use deeplift_graph::{ensure, Build, Expansion, Fact, Operator, Result, Source};

use super::{attributes, number, Expanded};

/// Over `size` channels, the longer half behind.
pub fn build(cx: &Build<'_>) -> Result<Box<dyn Operator>> {
    let x = cx.input(0)?;
    ensure!(x.shape.len() >= 2, InvalidModel, "shape {:?} has no channel axis", x.shape);
    let size = cx.int("size", 0)?;
    ensure!(size > 0, InvalidModel, "size is {size}; expected at least 1");
    let (alpha, beta) = (cx.float("alpha", 1e-4)?, cx.float("beta", 0.75)?);
    let bias = cx.float("bias", 1.0)?;
    Expanded::one(Fact::data(x.shape.clone(), x.dtype), move || {
        let mut e = Expansion::new();
        let window = attributes([
            ("axis", Attribute::Int(1)),
            ("before", Attribute::Int((size - 1) / 2)),
            ("after", Attribute::Int(size / 2)),
        ]);
        let square = e.add("Pow", attributes([]), [Source::Input(0), number(2.0)]);
        let sum = e.add("MovingSum", window, [square]);
        let scaled = e.add("Mul", attributes([]), [sum, number(alpha / size as f64)]);
        let base = e.add("Add", attributes([]), [scaled, number(bias)]);
        let factor = e.add("Pow", attributes([]), [base, number(-beta)]);
        let y = e.add("Mul", attributes([]), [Source::Input(0), factor]);
        e.done([y])
    })
}
