//! The product of two tensors over named axes, to which MatMul and Einsum come down. With one operand constant it is
//! linear; of two activations it is bilinear, so averages are exact: `M_A = M B̄ᵀ` and `M_B = Āᵀ M` for matrices, and
//! the same sum of products with other letters summed over in general (SEMANTICS 3.2).
use deeplift_graph::constant::element_count;
use deeplift_graph::operator::{ClosedForm, Linear, LinearKind, Parts, Pass};
use deeplift_graph::{bail, ensure, structures, Build, Constant, Fact, Operator, Result, Structure};
use deeplift_kernels::{map, Contraction, Scratch, Work};
use deeplift_simd::{Isa, Real};

use super::equation::Equation;

/// A product of inputs 0 and 1.
pub struct Product {
    fact: Fact,
    /// Elements along each letter.
    sizes: Vec<usize>,
    /// Where the letters lie in both operands and in the output.
    strides: [Vec<Option<usize>>; 3],
    lens: [usize; 3],
    constants: [Option<Constant>; 2],
    /// Axes of the first data input that are summed over.
    summed: Vec<usize>,
}

impl Product {
    /// Axes of one element repeat along their letter.
    pub fn new(cx: &Build<'_>, equation: &Equation) -> Result<Self> {
        let operands = [cx.input(0)?, cx.input(1)?];
        let letters = equation.letters();
        let shapes = operands.map(|f| &f.shape[..]);
        let sizes = extents(equation, &shapes)?;
        let size = |c: &char| sizes[letters.iter().position(|l| l == c).expect("a letter of a term")];
        let shape: Vec<usize> = equation.output.iter().map(size).collect();
        let lens = [operands[0].len(), operands[1].len(), element_count(&shape)?];
        let strides = |axes: &[char], shape: &[usize]| -> Vec<Option<usize>> {
            let own = deeplift_graph::broadcast::strides(shape);
            let along = |c: &char| {
                let mine = axes.iter().enumerate().filter(|(a, l)| *l == c && shape[*a] == size(c));
                mine.map(|(a, _)| own[a]).reduce(|a, b| a + b)
            };
            letters.iter().map(along).collect()
        };
        let first = usize::from(operands[0].constant.is_some());
        let axes = equation.terms[first].iter().enumerate();
        let summed = axes.filter(|(_, c)| !equation.output.contains(c)).map(|(a, _)| a).collect();
        Ok(Product {
            strides: [
                strides(&equation.terms[0], shapes[0]),
                strides(&equation.terms[1], shapes[1]),
                strides(&equation.output, &shape),
            ],
            fact: Fact::data(shape, operands[0].dtype),
            sizes,
            lens,
            constants: operands.map(|f| f.constant.clone()),
            summed,
        })
    }

    /// The sum of products of two of the three tensors that gives the third.
    fn contraction(&self, a: usize, b: usize, out: usize) -> Contraction {
        let [sa, sb, so] = [a, b, out].map(|t| &self.strides[t][..]);
        let lens = [a, b, out].map(|t| self.lens[t]);
        Contraction::new(&self.sizes, [sa, sb], so, lens, Isa::active())
    }

    fn structure<T: Real>(&self) -> Result<Structure<T>> {
        let linear = |data: usize, constant: &Constant| {
            let other = 1 - data;
            // Operands stand in the order that the contraction was made for: data first.
            Structure::Linear(Box::new(Weighted {
                lens: [self.lens[data], self.lens[2]],
                forward: self.contraction(data, other, 2),
                adjoint: self.contraction(2, other, data),
                values: constant.to_real::<T>(),
            }))
        };
        Ok(match &self.constants {
            [_, Some(c)] => linear(0, c),
            [Some(c), None] => linear(1, c),
            [None, None] => Structure::ClosedForm(Box::new(Bilinear {
                lens: self.lens,
                forward: self.contraction(0, 1, 2),
                adjoints: [self.contraction(2, 1, 0), self.contraction(2, 0, 1)],
            })),
        })
    }
}

/// Elements along each letter; axes of 1 broadcast.
pub fn extents(equation: &Equation, shapes: &[&[usize]]) -> Result<Vec<usize>> {
    let letters = equation.letters();
    let mut sizes = vec![1; letters.len()];
    for (term, shape) in equation.terms.iter().zip(shapes) {
        for (c, &n) in term.iter().zip(*shape) {
            let size = &mut sizes[letters.iter().position(|l| l == c).expect("a letter of a term")];
            match (*size, n) {
                (a, b) if a == b || b == 1 => {}
                (1, b) => *size = b,
                (a, b) => bail!(
                    InvalidModel,
                    "an axis of {a} elements does not fit one of {b} in shapes {shapes:?}"
                ),
            }
        }
    }
    Ok(sizes)
}

impl Operator for Product {
    fn outputs(&self) -> Vec<Fact> {
        vec![self.fact.clone()]
    }

    fn fold(&self, inputs: &[Option<&Constant>]) -> Result<Option<Vec<Constant>>> {
        let [Some(a), Some(b)] = inputs[..] else {
            bail!(Internal, "a product of {} constants", inputs.len())
        };
        let mut y = vec![0.0; self.lens[2]];
        let values = [&a.to_f64()[..], &b.to_f64()];
        self.contraction(0, 1, 2).run(values, &mut y, false, &mut Scratch::default());
        let value = Constant::f64(self.fact.shape.clone(), y);
        Ok(Some(vec![crate::shape::as_dtype(value, self.fact.dtype)]))
    }

    fn mixed_axes(&self) -> Vec<usize> {
        self.summed.clone()
    }

    structures!();
}

/// Data times a constant.
#[derive(Clone)]
struct Weighted<T> {
    /// Elements of the data and of the output.
    lens: [usize; 2],
    /// Data and constant to output.
    forward: Contraction,
    /// Output and constant to data.
    adjoint: Contraction,
    values: Vec<T>,
}

impl<T: Real> Linear<T> for Weighted<T> {
    fn forward(&self, lanes: usize, x: &[&[T]], y: &mut [T], scratch: &mut Scratch<T>) {
        let [n, m] = self.lens;
        for (x, y) in x[0].chunks_exact(n).zip(y.chunks_exact_mut(m)).take(lanes) {
            self.forward.run([x, &self.values], y, false, scratch);
        }
    }

    fn adjoint(
        &self,
        lanes: usize,
        _port: usize,
        my: &[T],
        mx: &mut [T],
        accumulate: bool,
        scratch: &mut Scratch<T>,
    ) {
        let [n, m] = self.lens;
        for (my, mx) in my.chunks_exact(m).zip(mx.chunks_exact_mut(n)).take(lanes) {
            self.adjoint.run([my, &self.values], mx, accumulate, scratch);
        }
    }

    fn parts(&self) -> Parts<T> {
        let part = |keep: fn(T) -> T| -> Option<Box<dyn Linear<T>>> {
            let values: Vec<T> = self.values.iter().map(|&v| keep(v)).collect();
            let any = values.iter().any(|&v| v != T::ZERO);
            any.then(|| Box::new(Weighted { values, ..self.clone() }) as Box<dyn Linear<T>>)
        };
        Parts { positive: part(|v| v.max(T::ZERO)), negative: part(|v| v.min(T::ZERO)) }
    }

    /// One factor for all is a sum, not a layer.
    fn kind(&self) -> LinearKind {
        if self.values.len() == 1 {
            LinearKind::Aggregate
        } else {
            LinearKind::Dense
        }
    }

    fn flops(&self) -> f64 {
        2.0 * self.forward.products() as f64
    }

    fn work(&self, pass: Pass) -> Work {
        match pass {
            Pass::Forward => products(&[&self.forward]),
            Pass::Adjoint => products(&[&self.adjoint]),
        }
    }
}

/// The product of two activations. A record holds both operands' averages over example and reference.
struct Bilinear {
    /// Elements of both operands and of the output.
    lens: [usize; 3],
    forward: Contraction,
    /// Output and the other operand to each operand.
    adjoints: [Contraction; 2],
}

impl<T: Real> ClosedForm<T> for Bilinear {
    fn forward(&self, x: &[&[T]], y: &mut [T]) {
        self.forward_lanes(1, x, y, &mut Scratch::default());
    }

    fn record_len(&self) -> usize {
        self.lens[0] + self.lens[1]
    }

    fn record(&self, x: &[&[T]], x0: &[&[T]], record: &mut [T]) {
        let (a, b) = record.split_at_mut(self.lens[0]);
        for (mean, (x, x0)) in [a, b].into_iter().zip(x.iter().zip(x0)) {
            map::add(x, x0, mean);
            map::scale(T::from_f64(0.5), mean);
        }
    }

    fn adjoint(&self, port: usize, record: &[T], my: &[T], mx: &mut [T], accumulate: bool) {
        self.adjoint_lanes(1, port, record, my, mx, accumulate, &mut Scratch::default());
    }

    fn forward_lanes(&self, lanes: usize, x: &[&[T]], y: &mut [T], scratch: &mut Scratch<T>) {
        let [a, b] = [0, 1].map(|i| x[i].chunks_exact(self.lens[i]));
        for ((a, b), y) in a.zip(b).zip(y.chunks_exact_mut(self.lens[2])).take(lanes) {
            self.forward.run([a, b], y, false, scratch);
        }
    }

    fn adjoint_lanes(
        &self,
        lanes: usize,
        port: usize,
        record: &[T],
        my: &[T],
        mx: &mut [T],
        accumulate: bool,
        scratch: &mut Scratch<T>,
    ) {
        let records = record.chunks_exact(self.lens[0] + self.lens[1]);
        let outs = my.chunks_exact(self.lens[2]).zip(mx.chunks_exact_mut(self.lens[port]));
        for (record, (my, mx)) in records.zip(outs).take(lanes) {
            let (a, b) = record.split_at(self.lens[0]);
            let other = if port == 0 { b } else { a };
            self.adjoints[port].run([my, other], mx, accumulate, scratch);
        }
    }

    fn flops(&self) -> f64 {
        2.0 * self.forward.products() as f64
    }

    fn work(&self, pass: Pass) -> Work {
        match pass {
            Pass::Forward => products(&[&self.forward]),
            Pass::Adjoint => products(&self.adjoints.each_ref()),
        }
    }
}

/// Counted work of contractions.
fn products(all: &[&Contraction]) -> Work {
    let products: usize = all.iter().map(|c| c.products()).sum();
    Work { kernel: "contraction".into(), flops: 2.0 * products as f64, weight_bytes: 0 }
}

/// Checks that a product has as many operands as its equation.
pub fn build(cx: &Build<'_>) -> Result<Box<dyn Operator>> {
    let ranks = [cx.input(0)?.shape.len(), cx.input(1)?.shape.len()];
    ensure!(cx.inputs.len() == 2, InvalidModel, "has {} operands", cx.inputs.len());
    Ok(Box::new(Product::new(cx, &Equation::parse(&cx.string("equation", "")?, &ranks)?)?))
}
