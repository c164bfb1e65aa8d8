//! ReduceL1, ReduceSumSquare and ReduceLogSum: a sum, and a function of one element before or after it.
use deeplift_graph::wire::Attribute;
use deeplift_graph::{structures, Build, Constant, Expansion, Fact, Operator, Result, Source, Structure};
use deeplift_simd::Real;

use super::{reduced, Axes};
use crate::norm::{attributes, axes, number};

/// Magnitudes summed.
pub fn build_l1(cx: &Build<'_>) -> Result<Box<dyn Operator>> {
    Composed::build(cx, Sum::L1)
}

/// Squares summed.
pub fn build_sum_square(cx: &Build<'_>) -> Result<Box<dyn Operator>> {
    Composed::build(cx, Sum::Square)
}

/// Logarithm of the sum.
pub fn build_log_sum(cx: &Build<'_>) -> Result<Box<dyn Operator>> {
    Composed::build(cx, Sum::Log)
}

#[derive(Clone, Copy)]
enum Sum {
    L1,
    Square,
    Log,
}

struct Composed {
    sum: Sum,
    axes: Axes,
    over: Vec<usize>,
    keep: bool,
    fact: Fact,
}

impl Composed {
    fn build(cx: &Build<'_>, sum: Sum) -> Result<Box<dyn Operator>> {
        let axes = Axes::read(cx)?;
        let fact = Fact::data(axes.output.clone(), cx.input(0)?.dtype);
        let keep = cx.int("keepdims", 1)? != 0;
        Ok(Box::new(Composed { sum, axes, over: reduced(cx)?, keep, fact }))
    }

    fn structure<T: Real>(&self) -> Result<Structure<T>> {
        Ok(Structure::Opaque { advice: "it stands for other nodes".into(), forward: None })
    }
}

impl Operator for Composed {
    fn outputs(&self) -> Vec<Fact> {
        vec![self.fact.clone()]
    }

    fn fold(&self, inputs: &[Option<&Constant>]) -> Result<Option<Vec<Constant>>> {
        let sum = self.sum;
        self.axes.fold(inputs, move |group| match sum {
            Sum::L1 => group.iter().map(|v| v.abs()).sum(),
            Sum::Square => group.iter().map(|v| v * v).sum(),
            Sum::Log => group.iter().sum::<f64>().ln(),
        })
    }

    fn expand(&self) -> Result<Option<Expansion>> {
        let mut e = Expansion::new();
        let over = attributes([
            ("axes", axes(self.over.iter().copied())),
            ("keepdims", Attribute::Int(i64::from(self.keep))),
            ("noop_with_empty_axes", Attribute::Int(1)),
        ]);
        let x = Source::Input(0);
        let terms = match self.sum {
            Sum::L1 => e.add("Abs", attributes([]), [x]),
            Sum::Square => e.add("Pow", attributes([]), [x, number(2.0)]),
            Sum::Log => x,
        };
        let mut y = e.add("ReduceSum", over, [terms]);
        if matches!(self.sum, Sum::Log) {
            y = e.add("Log", attributes([]), [y]);
        }
        Ok(Some(e.done([y])))
    }

    structures!();
}
