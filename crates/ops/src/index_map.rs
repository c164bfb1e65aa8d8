//! Operators that only move elements: output element `i` is input element `index[i]`, or a constant. Transpose, Slice,
//! Gather, Pad, Expand and Tile differ in the index and nothing else, and share this linear structure.
use std::ops::Range;
use std::sync::Arc;

use deeplift_graph::broadcast::strides;
use deeplift_graph::constant::element_count;
use deeplift_graph::operator::{written, Linear, LinearKind, Parts, Permuted};
use deeplift_graph::{ensure, structures, Build, Constant, Fact, Operator, Result, Structure};
use deeplift_kernels::Scratch;
use deeplift_simd::Real;

/// Marks an output element that no input element reaches.
pub const NOWHERE: u32 = u32::MAX;

/// Most elements that an operator may move: an index is kept for each, and a number in a file must not decide how
/// much memory that takes. The largest published models stay below 2^26.
const MAX_MOVED: usize = 1 << 27;

/// Checks the size of an output before an index is built for it.
pub fn check_size(shape: &[usize]) -> Result<usize> {
    let n = element_count(shape)?;
    ensure!(
        n <= MAX_MOVED,
        UnsupportedModel,
        "an output of shape {shape:?} has more than {MAX_MOVED} elements"
    );
    Ok(n)
}

/// An operator that moves elements.
pub struct Moves {
    /// Shape and type of the output.
    pub fact: Fact,
    /// Elements of one input lane.
    pub input_len: usize,
    /// Input element of each output element, or [`NOWHERE`].
    pub index: Arc<Vec<u32>>,
    /// Value of output elements that are [`NOWHERE`].
    pub fill: f64,
    /// Axes of input and output if the operator can follow a permutation of them.
    pub permutable: Option<Permutable>,
    /// Shape of the input if the axes of the output are those of the input.
    pub along: Option<Vec<usize>>,
}

/// How a moving operator follows a permutation of its input's axes.
pub type Permutable = fn(&Build<'_>, &[usize]) -> Option<Permuted>;

impl Moves {
    /// An operator from its flat index.
    pub fn new(fact: Fact, input_len: usize, index: impl IntoIterator<Item = usize>) -> Self {
        let index = Arc::new(index.into_iter().map(|i| i as u32).collect());
        Moves { fact, input_len, index, fill: 0.0, permutable: None, along: None }
    }

    /// An operator whose output has the axes of its input, from an index with gaps, which are zero.
    pub fn along(from: &Fact, shape: Vec<usize>, index: impl IntoIterator<Item = Option<usize>>) -> Self {
        let index = index.into_iter().map(|i| i.unwrap_or(NOWHERE as usize));
        let moves = Moves::new(Fact::data(shape, from.dtype), from.len(), index);
        Moves { along: Some(from.shape.clone()), ..moves }
    }

    fn structure<T: Real>(&self) -> Result<Structure<T>> {
        Ok(Structure::Linear(Box::new(IndexMap {
            input_len: self.input_len,
            output_len: self.index.len(),
            moves: Move::from_index(&self.index),
            fill: T::from_f64(self.fill),
        })))
    }
}

impl Operator for Moves {
    fn outputs(&self) -> Vec<Fact> {
        vec![self.fact.clone()]
    }

    fn fold(&self, inputs: &[Option<&Constant>]) -> Result<Option<Vec<Constant>>> {
        let Some(x) = inputs[0] else { return Ok(None) };
        if self.index.contains(&NOWHERE) {
            let values: Vec<f64> =
                self.index.iter().map(|&i| if i == NOWHERE { self.fill } else { x.at(i as usize) }).collect();
            let c = Constant::f64(self.fact.shape.clone(), values);
            return Ok(Some(vec![crate::shape::as_dtype(c, x.dtype)]));
        }
        Ok(Some(vec![x.pick(self.fact.shape.clone(), self.index.iter().map(|&i| i as usize))]))
    }

    fn permute(&self, cx: &Build<'_>, perm: &[usize]) -> Option<Permuted> {
        self.permutable?(cx, perm)
    }

    fn mixed_axes(&self) -> Vec<usize> {
        let from = self.along.iter();
        from.flat_map(|from| mixed_axes(&self.index, from, &self.fact.shape)).collect()
    }

    structures!();
}

/// Axes of equal length along which the index is not the same for every slice: output slice `c` does not show
/// input slice `c` as slice 0 shows slice 0.
pub fn mixed_axes(index: &[u32], from: &[usize], to: &[usize]) -> Vec<usize> {
    let (own, new) = (strides(from), strides(to));
    let mixed = |&a: &usize| {
        let apart = |(o, &i): (usize, &u32)| {
            let c = o / new[a] % to[a];
            match index[o - c * new[a]] {
                NOWHERE => i == NOWHERE,
                first => i as usize == first as usize + c * own[a],
            }
        };
        from.len() == to.len() && from[a] == to[a] && !index.iter().enumerate().all(apart)
    };
    (0..from.len().min(to.len())).filter(mixed).collect()
}

/// Contiguous runs, or single elements where runs are short.
#[derive(Clone)]
enum Move {
    /// (first output element, first input element, length)
    Runs(Vec<(u32, u32, u32)>),
    Elements(Vec<(u32, u32)>),
}

impl Move {
    /// Runs pay off from this mean length on.
    const MEAN_RUN: usize = 4;

    fn from_index(index: &[u32]) -> Self {
        let mut runs: Vec<(u32, u32, u32)> = Vec::new();
        for (o, &i) in index.iter().enumerate().filter(|(_, &i)| i != NOWHERE) {
            match runs.last_mut() {
                Some((ro, ri, n)) if *ro + *n == o as u32 && *ri + *n == i => *n += 1,
                _ => runs.push((o as u32, i, 1)),
            }
        }
        if runs.len() * Self::MEAN_RUN <= index.len() {
            return Move::Runs(runs);
        }
        let all = index.iter().enumerate().filter(|(_, &i)| i != NOWHERE);
        Move::Elements(all.map(|(o, &i)| (o as u32, i)).collect())
    }
}

#[derive(Clone)]
struct IndexMap<T> {
    input_len: usize,
    output_len: usize,
    moves: Move,
    fill: T,
}

impl<T: Real> Linear<T> for IndexMap<T> {
    fn forward(&self, _lanes: usize, x: &[&[T]], y: &mut [T], _scratch: &mut Scratch<T>) {
        for (x, y) in x[0].chunks_exact(self.input_len).zip(y.chunks_exact_mut(self.output_len)) {
            y.fill(self.fill);
            match &self.moves {
                Move::Runs(runs) => {
                    for &(o, i, n) in runs {
                        let (o, i, n) = (o as usize, i as usize, n as usize);
                        y[o..o + n].copy_from_slice(&x[i..i + n]);
                    }
                }
                Move::Elements(all) => {
                    for &(o, i) in all {
                        y[o as usize] = x[i as usize];
                    }
                }
            }
        }
    }

    fn adjoint(
        &self,
        _lanes: usize,
        _port: usize,
        my: &[T],
        mx: &mut [T],
        accumulate: bool,
        _scratch: &mut Scratch<T>,
    ) {
        for (my, mx) in my.chunks_exact(self.output_len).zip(mx.chunks_exact_mut(self.input_len)) {
            if !accumulate {
                mx.fill(T::ZERO);
            }
            match &self.moves {
                Move::Runs(runs) => {
                    for &(o, i, n) in runs {
                        let (o, i, n) = (o as usize, i as usize, n as usize);
                        for (mx, &my) in mx[i..i + n].iter_mut().zip(&my[o..o + n]) {
                            *mx += my;
                        }
                    }
                }
                Move::Elements(all) => {
                    for &(o, i) in all {
                        mx[i as usize] += my[o as usize];
                    }
                }
            }
        }
    }

    fn reads(&self, _port: usize, out: &Range<usize>) -> Range<usize> {
        let inside = |o: u32, i: u32, n: u32| {
            let (start, end) = (out.start.max(o as usize), out.end.min((o + n) as usize));
            (start < end).then(|| start - o as usize + i as usize..end - o as usize + i as usize)
        };
        let hull = |a: Range<usize>, b: Range<usize>| a.start.min(b.start)..a.end.max(b.end);
        match &self.moves {
            Move::Runs(runs) => runs.iter().filter_map(|&(o, i, n)| inside(o, i, n)).reduce(hull),
            Move::Elements(all) => all.iter().filter_map(|&(o, i)| inside(o, i, 1)).reduce(hull),
        }
        .unwrap_or(0..0)
    }

    fn writes(&self, _port: usize, input: &Range<usize>) -> Range<usize> {
        match &self.moves {
            Move::Runs(runs) => {
                let inside = |&(o, i, n): &(u32, u32, u32)| {
                    let (o, i, n) = (o as usize, i as usize, n as usize);
                    let (start, end) = (input.start.max(i), input.end.min(i + n));
                    (start < end).then(|| start - i + o..end - i + o)
                };
                let hull = |a: Range<usize>, b: Range<usize>| a.start.min(b.start)..a.end.max(b.end);
                runs.iter().filter_map(inside).reduce(hull).unwrap_or(0..0)
            }
            Move::Elements(all) => written(all.iter().map(|&(o, i)| (o as usize, i)), input),
        }
    }

    fn parts(&self) -> Parts<T> {
        let positive = IndexMap { fill: T::ZERO, ..self.clone() };
        Parts { positive: Some(Box::new(positive)), negative: None }
    }

    fn kind(&self) -> LinearKind {
        LinearKind::Transparent
    }
}
