//! Einsum. Of two operands it is one product; of more it is taken pair by pair from the left; of one it is a sum and a
//! transpose. SEMANTICS 3.2, row MatMul.
use deeplift_graph::expansion::{Expansion, Source};
use deeplift_graph::graph::Attributes;
use deeplift_graph::operator::Structure;
use deeplift_graph::wire::Attribute;
use deeplift_graph::{bail, structures, Build, Constant, Fact, Operator, Result};
use deeplift_simd::Real;

pub mod equation;
pub mod product;

use equation::Equation;

/// An Einsum of any number of operands; that of two with nothing implicit is a [`product::Product`].
pub fn build(cx: &Build<'_>) -> Result<Box<dyn Operator>> {
    let text = cx.string("equation", "")?;
    let shapes = (0..cx.inputs.len()).map(|i| Ok(&cx.input(i)?.shape[..])).collect::<Result<Vec<_>>>()?;
    let ranks: Vec<usize> = shapes.iter().map(|s| s.len()).collect();
    let equation = Equation::parse(&text, &ranks)?;
    if shapes.len() == 2 && equation.text() == text {
        return product::build(cx);
    }
    let sizes = product::extents(&equation, &shapes)?;
    let letters = equation.letters();
    let size = |c: &char| sizes[letters.iter().position(|l| l == c).expect("a letter of a term")];
    let shape = equation.output.iter().map(size).collect();
    Ok(Box::new(Einsum { fact: Fact::data(shape, cx.input(0)?.dtype), equation }))
}

/// An Einsum that stands for others.
struct Einsum {
    fact: Fact,
    equation: Equation,
}

impl Einsum {
    fn structure<T: Real>(&self) -> Result<Structure<T>> {
        bail!(Internal, "Einsum stands for other nodes")
    }

    /// Sums over what the output lacks and orders the rest; a letter that stands twice is a diagonal.
    fn of_one(&self) -> Expansion {
        let mut e = Expansion::new();
        let (term, output) = (&self.equation.terms[0], &self.equation.output);
        let twice = (1..term.len()).any(|i| term[..i].contains(&term[i]));
        if twice {
            let text = format!("{},->{}", term.iter().collect::<String>(), output.iter().collect::<String>());
            let one = Source::Constant(Constant::f64(vec![], vec![1.0]));
            let y = e.add("Einsum", equation(text), [Source::Input(0), one]);
            return e.done([y]);
        }
        let gone: Vec<i64> =
            (0..term.len()).filter(|&a| !output.contains(&term[a])).map(|a| a as i64).collect();
        let kept: Vec<char> = term.iter().copied().filter(|c| output.contains(c)).collect();
        let mut y = Source::Input(0);
        if !gone.is_empty() {
            let axes = Source::Constant(Constant::i64(vec![gone.len()], gone));
            let keep = Attributes::from([("keepdims".into(), Attribute::Int(0))]);
            y = e.add("ReduceSum", keep, [y, axes]);
        }
        let order: Vec<i64> =
            output.iter().map(|c| kept.iter().position(|k| k == c).expect("kept") as i64).collect();
        let y = e.add("Transpose", Attributes::from([("perm".into(), Attribute::Ints(order))]), [y]);
        e.done([y])
    }

    /// Pair by pair from the left; a letter is kept while a later operand or the output needs it.
    fn of_pairs(&self) -> Expansion {
        let mut e = Expansion::new();
        let Equation { terms, output } = &self.equation;
        let (mut y, mut letters) = (Source::Input(0), terms[0].clone());
        for (i, term) in terms.iter().enumerate().skip(1) {
            let last = i + 1 == terms.len();
            let needed = |c: &char| output.contains(c) || terms[i + 1..].iter().any(|t| t.contains(c));
            let mut kept: Vec<char> = vec![];
            for c in letters.iter().chain(term) {
                if needed(c) && !kept.contains(c) {
                    kept.push(*c);
                }
            }
            let to = if last { output.clone() } else { kept };
            let pair = Equation { terms: vec![letters, term.clone()], output: to.clone() };
            y = e.add("Einsum", equation(pair.text()), [y, Source::Input(i)]);
            letters = to;
        }
        e.done([y])
    }
}

fn equation(text: String) -> Attributes {
    Attributes::from([("equation".into(), Attribute::String(text))])
}

impl Operator for Einsum {
    fn outputs(&self) -> Vec<Fact> {
        vec![self.fact.clone()]
    }

    fn expand(&self) -> Result<Option<Expansion>> {
        Ok(Some(if self.equation.terms.len() == 1 { self.of_one() } else { self.of_pairs() }))
    }

    structures!();
}
