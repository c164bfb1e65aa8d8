//! Mean of several tensors: their sum divided by their number.
use deeplift_graph::{structures, Build, Constant, Expansion, Fact, Operator, Result, Source, Structure};
use deeplift_simd::Real;

use crate::shape::common_shape;

struct Mean {
    fact: Fact,
    operands: usize,
}

/// Any number of broadcast operands.
pub fn build(cx: &Build<'_>) -> Result<Box<dyn Operator>> {
    let fact = Fact::data(common_shape(cx)?, cx.input(0)?.dtype);
    Ok(Box::new(Mean { fact, operands: cx.inputs.len() }))
}

impl Mean {
    fn structure<T: Real>(&self) -> Result<Structure<T>> {
        Ok(Structure::Opaque { advice: "it is expanded to Sum and Mul before".into(), forward: None })
    }
}

impl Operator for Mean {
    fn outputs(&self) -> Vec<Fact> {
        vec![self.fact.clone()]
    }

    fn expand(&self) -> Result<Option<Expansion>> {
        let mut e = Expansion::new();
        let all = (0..self.operands).map(|i| Some(Source::Input(i))).collect();
        let sum = e.add_some("Sum", Default::default(), all);
        let share = Source::Constant(Constant::f64(vec![], vec![1.0 / self.operands as f64]));
        let mean = e.add("Mul", Default::default(), [sum, share]);
        Ok(Some(e.done([mean])))
    }

    structures!();
}
