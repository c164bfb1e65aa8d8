//! Sums of products over named axes: `y[b, i, j] = sum_k l[b, i, k] r[b, k, j]`, where each of the four letters stands
//! for any number of axes that lie anywhere in the tensors.
//!
//! Products of matrices, batched, broadcast, transposed or spread over heads are all of this form, and so are the
//! adjoints of each: no operand is ever copied into another order as a whole. The right operand is packed one panel of
//! columns at a time; the left one is read in place where its rows lie at equal distances, else packed batch by batch.

mod run;

use crate::Scratch;
use deeplift_simd::{Isa, Real};

/// Where an axis lies in a tensor: the distance of its elements, or `None` if the tensor does not have it.
pub type Strides<'a> = &'a [Option<usize>];

/// Flat offsets of a matrix per batch: element `(b, i, j)` is at `batch[b] + rows[i] + columns[j]`.
#[derive(Clone, Debug)]
struct Places {
    batch: Vec<u32>,
    rows: Vec<u32>,
    columns: Vec<u32>,
}

/// A sum of products at fixed sizes.
#[derive(Clone, Debug)]
pub struct Contraction {
    isa: Isa,
    /// Whether the operands of [`Contraction::run`] change places, so that the output's last axis is one of columns.
    swapped: bool,
    left: Places,
    right: Places,
    out: Places,
    /// Distance of the left operand's rows, if it can be read in place.
    row_distance: Option<usize>,
    /// Whether every element of the output is written exactly once.
    covers: bool,
}

/// The axes of one letter, last one fastest.
type Group = Vec<usize>;

impl Contraction {
    /// A sum of products of two operands. Axis `a` has `sizes[a]` elements; `lens` are the elements of both operands
    /// and of the output. Axes that the output lacks are summed over; along axes that only the output has, it repeats.
    ///
    /// # Panics
    /// If strides lead out of a tensor, or a tensor has more than 2^32 elements.
    pub fn new(
        sizes: &[usize],
        operands: [Strides<'_>; 2],
        out: Strides<'_>,
        lens: [usize; 3],
        isa: Isa,
    ) -> Self {
        assert!(isa.is_available(), "contraction: this processor has no {isa}");
        for (strides, len) in operands.into_iter().chain([out]).zip(lens) {
            let last: usize =
                strides.iter().zip(sizes).map(|(s, &n)| s.unwrap_or(0) * n.saturating_sub(1)).sum();
            let empty = sizes.contains(&0);
            assert!(empty || last < len, "contraction: element {last} of a tensor of {len}");
            assert!(u32::try_from(len).is_ok(), "contraction: a tensor of {len} elements");
        }
        // Axes of the output, slowest first; those of one element are no axes.
        let mut order: Vec<usize> = (0..sizes.len()).filter(|&a| sizes[a] != 1).collect();
        order.sort_by_key(|&a| std::cmp::Reverse(out[a]));
        let has = |side: usize, a: usize| operands[side][a].is_some();
        let fastest = order.iter().rev().find(|&&a| out[a].is_some());
        let swapped = fastest.is_some_and(|&a| has(0, a) && !has(1, a));
        let (left, right) = if swapped { (1, 0) } else { (0, 1) };
        let of =
            |keep: &dyn Fn(usize) -> bool| -> Group { order.iter().copied().filter(|&a| keep(a)).collect() };
        let batch = of(&|a| out[a].is_some() && has(0, a) && has(1, a));
        let columns = of(&|a| out[a].is_some() && has(right, a) && !has(left, a));
        let rows = of(&|a| out[a].is_some() && !has(right, a));
        let mut depth = of(&|a| out[a].is_none());
        depth.sort_by_key(|&a| std::cmp::Reverse(operands[left][a]));
        let at = |group: &Group, strides: Strides<'_>| offsets(group, sizes, strides);
        let [l, r] = [operands[left], operands[right]];
        let left = Places { batch: at(&batch, l), rows: at(&rows, l), columns: at(&depth, l) };
        let right = Places { batch: at(&batch, r), rows: at(&depth, r), columns: at(&columns, r) };
        let out = Places { batch: at(&batch, out), rows: at(&rows, out), columns: at(&columns, out) };
        let covers = out.batch.len() * out.rows.len() * out.columns.len() == lens[2];
        let row_distance = if is_run(&left.columns) { distance(&left.rows) } else { None };
        Self { isa, swapped, left, right, out, row_distance, covers }
    }

    /// Multiplications of one run.
    pub fn products(&self) -> usize {
        self.out.batch.len() * self.out.rows.len() * self.out.columns.len() * self.right.rows.len()
    }

    /// Computes the output, or adds to it. Elements that no axis reaches become 0.
    ///
    /// # Panics
    /// If a slice is shorter than `new` was told.
    pub fn run<T: Real>(
        &self,
        operands: [&[T]; 2],
        out: &mut [T],
        accumulate: bool,
        scratch: &mut Scratch<T>,
    ) {
        let [a, b] = operands;
        let (left, right) = if self.swapped { (b, a) } else { (a, b) };
        let mut add = accumulate;
        if !self.covers && !accumulate {
            out.fill(T::ZERO);
            add = true;
        }
        self.isa.run(run::Run { contraction: self, left, right, out, add, scratch });
    }
}

/// Offsets of all elements of a group of axes, the last axis fastest.
fn offsets(group: &Group, sizes: &[usize], strides: Strides<'_>) -> Vec<u32> {
    let mut all = vec![0u32];
    for &a in group {
        let stride = strides[a].unwrap_or(0);
        all = all.iter().flat_map(|&o| (0..sizes[a]).map(move |i| o + (i * stride) as u32)).collect();
    }
    all
}

/// Whether offsets are consecutive.
fn is_run(offsets: &[u32]) -> bool {
    offsets.windows(2).all(|w| w[1].wrapping_sub(w[0]) == 1)
}

/// The distance of offsets that lie at equal distances.
fn distance(offsets: &[u32]) -> Option<usize> {
    let [a, b, ..] = offsets else { return Some(0) };
    let step = b.checked_sub(*a)?;
    offsets.windows(2).all(|w| w[1].wrapping_sub(w[0]) == step).then_some(step as usize)
}
