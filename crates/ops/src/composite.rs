//! Composite: a function of one element that the file spells out in several nodes (see the rewrite that makes it).
//! Values and derivatives are computed in double precision, the derivative by forward differentiation.
use std::sync::Arc;

use deeplift_graph::operator::{Elementwise, Expression, Permuted, Pointwise};
use deeplift_graph::wire::Attribute;
use deeplift_graph::{bail, structures, Build, Fact, Operator, Result, Structure};
use deeplift_simd::Real;

use crate::unary::divided_difference_of_sums;

struct Composite {
    fact: Fact,
    expression: Expression,
}

/// Most arguments of one step.
const MAX_ARGUMENTS: usize = 4;

/// The expression is an attribute that only rewrites can write.
pub fn build(cx: &Build<'_>) -> Result<Box<dyn Operator>> {
    let Some(Attribute::Expression(expression)) = cx.attrs.get("expression") else {
        bail!(UnsupportedOp, "operator Composite is internal")
    };
    let x = cx.input(0)?;
    Ok(Box::new(Composite { fact: Fact::data(x.shape.clone(), x.dtype), expression: expression.clone() }))
}

impl Composite {
    fn structure<T: Real>(&self) -> Result<Structure<T>> {
        Ok(Structure::Elementwise(Box::new(Map(self.expression.clone()))))
    }
}

impl Operator for Composite {
    fn outputs(&self) -> Vec<Fact> {
        vec![self.fact.clone()]
    }

    fn permute(&self, cx: &Build<'_>, perm: &[usize]) -> Option<Permuted> {
        Some(Permuted { attrs: cx.attrs.clone(), constants: vec![], perm: perm.to_vec() })
    }

    fn pointwise(&self) -> Option<Arc<dyn Pointwise>> {
        Some(Arc::new(Map(self.expression.clone())))
    }

    structures!();
}

struct Map(Expression);

/// A step's value, its derivative by the variable, and the size of the values whose rounding it carries.
#[derive(Clone, Copy)]
struct Value {
    y: f64,
    dy: f64,
    rounded: f64,
}

impl Map {
    /// The value at `x`, with room for the values of all steps.
    fn run(&self, x: f64, stack: &mut Vec<Value>) -> Value {
        stack.clear();
        stack.push(Value { y: x, dy: 1.0, rounded: 0.0 });
        for (f, arguments) in &self.0.steps {
            let (mut args, mut partials) = ([0.0; MAX_ARGUMENTS], [0.0; MAX_ARGUMENTS]);
            let n = arguments.len();
            for (slot, &a) in args.iter_mut().zip(arguments) {
                *slot = stack[a].y;
            }
            let y = f.eval(&args[..n], &mut partials[..n]);
            let mut value = Value { y, dy: 0.0, rounded: y.abs() };
            // A branch that is not taken may have an infinite derivative; its weight 0 must win.
            for i in (0..n).filter(|&i| partials[i] != 0.0) {
                value.dy += partials[i] * stack[arguments[i]].dy;
                value.rounded += partials[i].abs() * stack[arguments[i]].rounded;
            }
            stack.push(value);
        }
        *stack.last().expect("an expression has steps")
    }
}

impl<T: Real> Elementwise<T> for Map {
    fn apply(&self, x: &[T], y: &mut [T]) {
        let mut stack = Vec::new();
        for (y, &x) in y.iter_mut().zip(x) {
            *y = T::from_f64(self.run(x.to_f64(), &mut stack).y);
        }
    }

    fn divided_difference(&self, x: &[T], x0: &[T], d: &mut [T]) {
        let stack = std::cell::RefCell::new(Vec::new());
        let run = |x: f64| self.run(x, &mut stack.borrow_mut());
        let f = |x: f64| {
            let value = run(x);
            (value.y, value.rounded)
        };
        let df = |x: f64| run(x).dy;
        for ((d, &x), &x0) in d.iter_mut().zip(x).zip(x0) {
            *d = T::from_f64(divided_difference_of_sums(x.to_f64(), x0.to_f64(), f, df));
        }
    }
}

impl Pointwise for Map {
    fn eval(&self, args: &[f64], d: &mut [f64]) -> f64 {
        let value = self.run(args[0], &mut Vec::new());
        d[0] = value.dy;
        value.y
    }
}
