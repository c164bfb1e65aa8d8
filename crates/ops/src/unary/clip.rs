//! `x` limited to `[low, high]`. Bounds that are tensors, or depend on the input, make it a minimum of a maximum.
use deeplift_graph::{
    ensure, structures, Build, Constant, Expansion, Fact, Operator, Result, Source, Structure,
};
use deeplift_simd::Real;

use super::{unary, Function};

#[derive(Clone)]
struct Clip {
    low: f64,
    high: f64,
}

impl Function for Clip {
    fn value(&self, x: f64) -> f64 {
        x.max(self.low).min(self.high)
    }

    fn derivative(&self, x: f64) -> f64 {
        if x > self.low && x < self.high {
            1.0
        } else {
            0.0
        }
    }
}

/// Bounds are attributes up to opset 10 and inputs from 11 on.
pub fn build(cx: &Build<'_>) -> Result<Box<dyn Operator>> {
    let x = cx.input(0)?;
    let mut tensors = vec![];
    for (i, op) in [(1, "Max"), (2, "Min")] {
        let Some(bound) = cx.optional(i) else { continue };
        ensure!(
            bound.shape.iter().all(|&d| d == 1) && bound.shape.len() <= x.shape.len(),
            InvalidModel,
            "a bound of shape {:?} is not a scalar",
            bound.shape
        );
        tensors.push((op, i, bound.constant.as_ref().and_then(Constant::scalar)));
    }
    if tensors.iter().any(|(.., number)| number.is_none()) {
        let bounds = tensors.into_iter().map(|(op, i, _)| (op, i)).collect();
        return Ok(Box::new(Computed { fact: Fact::data(x.shape.clone(), x.dtype), bounds }));
    }
    let number = |i: usize| tensors.iter().find(|t| t.1 == i).and_then(|t| t.2);
    unary(
        cx,
        Clip {
            low: number(1).map_or_else(|| cx.float("min", f64::NEG_INFINITY), Ok)?,
            high: number(2).map_or_else(|| cx.float("max", f64::INFINITY), Ok)?,
        },
    )
}

/// A bound that is no number while planning.
struct Computed {
    fact: Fact,
    /// Which extremum applies which input.
    bounds: Vec<(&'static str, usize)>,
}

impl Computed {
    fn structure<T: Real>(&self) -> Result<Structure<T>> {
        Ok(Structure::Opaque { advice: "it is expanded to Max and Min before".into(), forward: None })
    }
}

impl Operator for Computed {
    fn outputs(&self) -> Vec<Fact> {
        vec![self.fact.clone()]
    }

    fn expand(&self) -> Result<Option<Expansion>> {
        let mut e = Expansion::new();
        let mut x = Source::Input(0);
        for &(op, i) in &self.bounds {
            x = e.add(op, Default::default(), [x, Source::Input(i)]);
        }
        Ok(Some(e.done([x])))
    }

    structures!();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn laws() {
        super::super::laws::check(&Clip { low: -1.0, high: 6.0 }, -0.9..5.9);
    }
}
