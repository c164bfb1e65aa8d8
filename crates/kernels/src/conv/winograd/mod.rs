//! Convolutions of one dimension in fewer products (Winograd, Toom-Cook), at a small loss of accuracy.
//!
//! Rows of [`Tiling`] are `M` outputs each. Their `N` inputs per channel are transformed ([`points`]), multiplied with
//! transformed weights, one matrix product over the channels for each of the `N` points, and the sums are
//! transformed to the `M` outputs. Kernels longer than the `R` taps of a scheme are cut into segments of `R` taps. As `R` is a
//! multiple of `M` there, segment `s` reads what another row has transformed, and the matrix products run over
//! segments and channels.
//!
//! # Promises
//! An output depends on all inputs of its row, also on those that its own taps do not reach, with a weight that is 0 up to
//! rounding: infinite or huge values spread further than in the direct sum.

mod points;
mod run;
mod scheme;
mod tail;
mod tiling;

use super::axis::Axis;
use super::correlate::{simplify, Correlation};
use super::weights::MapWeights;
use super::Variant;
use crate::lazy::{Holding, LazyWeights};
use crate::{Epilogue, Scratch, Work};
use deeplift_simd::{AlignedVec, Isa, Real};
use scheme::Scheme;
use std::ops::Range;
use std::sync::Arc;
use tail::Tail;
use tiling::Tiling;

/// A map along one axis, packed for one instruction set.
#[derive(Clone, Debug)]
pub(super) struct Winograd<T: Real> {
    isa: Isa,
    axis: Axis,
    scheme: Scheme,
    /// Fewest outputs of a row.
    least: usize,
    tiling: Tiling,
    /// Channels of the source and of the destination.
    ins: usize,
    outs: usize,
    /// Transformed weights, `[panel][point][k][columns]`, `k` over segments and source channels; the last panel may
    /// be half as wide. Shared by maps that differ in the outputs they compute.
    panels: LazyWeights<T>,
    /// One value per column of all panels.
    bias: AlignedVec<T>,
    /// The last channels of the destination, if they are too few for a panel.
    tail: Option<Arc<Tail<T>>>,
    /// What positions in the padding hold, one value per source channel.
    zeros: AlignedVec<T>,
    /// The same map by direct sums, if the tiling leaves anything over.
    direct: Option<Correlation<T>>,
    /// The direct map, narrowed to the outputs that are left over.
    rest: Vec<Correlation<T>>,
}

impl<T: Real> Winograd<T> {
    /// Like [`Correlation::new`] where the map has the shape for it and `variant` asks for it or, but for
    /// [`Variant::Winograd`], allows it and it is expected to be faster.
    pub fn new(
        axes: &[Axis; 3],
        weights: &MapWeights<T>,
        bias: &[T],
        isa: Isa,
        variant: Variant,
    ) -> Option<Self> {
        let sizes = weights.sizes();
        let ([first, second, axis], order) = simplify(axes.clone());
        if !(first.is_trivial() && second.is_trivial()) {
            return None;
        }
        let (scheme, least) = scheme::choose::<T>(&axis, sizes, isa, variant)?;
        let [_, ins, outs] = sizes;
        let tail = Tail::<T>::channels(outs, ins, isa);
        let width = (outs - tail).next_multiple_of(isa.tile_columns::<T>() / 2);
        let mut packed = Self {
            isa,
            scheme,
            least,
            tiling: scheme.tiling(&axis, least),
            ins,
            outs,
            panels: LazyWeights::default(),
            bias: AlignedVec::zeroed(width),
            tail: None,
            zeros: AlignedVec::zeroed(ins),
            direct: None,
            rest: Vec::new(),
            axis,
        };
        let full = bias.len().min(outs - tail);
        packed.bias[..full].copy_from_slice(&bias[..full]);
        let segments = scheme.segments(packed.axis.taps.len());
        let (shape, own, axis) = (packed.clone(), weights.clone(), order[2]);
        packed.panels = LazyWeights::new(width * scheme.points * packed.depth(), move |panels| {
            shape.transform_weights(&own, axis, 0..outs - tail, |out, point, k, value| {
                panels[shape.panel_index(out, point, k)] = value;
            });
        });
        if tail > 0 {
            let (shape, own) = (packed.clone(), weights.clone());
            let transform = move |put: &mut dyn FnMut([usize; 4], T)| {
                shape.transform_weights(&own, axis, outs - tail..outs, |out, point, k, value| {
                    put([point, out + tail - outs, k / ins, k % ins], value);
                });
            };
            let tail = Tail::new(tail, scheme.points, segments, ins, &bias[full..], isa, transform);
            packed.tail = Some(Arc::new(tail));
        }
        if !packed.tiling.rest.is_empty() {
            packed.direct = Some(Correlation::new(axes.clone(), weights, bias, isa));
            packed.divide();
        }
        Some(packed)
    }

    /// Calls `put` with output channel, point, `k` and the transformed weight of each; the map runs along axis `axis` of the
    /// convolution.
    fn transform_weights(
        &self,
        weights: &MapWeights<T>,
        axis: usize,
        outs: Range<usize>,
        mut put: impl FnMut(usize, usize, usize, T),
    ) {
        let (weight, scheme) = (weights.read(), self.scheme);
        let tap = |t: usize| {
            let mut kernel = [0; 3];
            kernel[axis] = self.axis.taps[t];
            kernel
        };
        let transform = points::filters(scheme.points, scheme.taps());
        let mut taps = vec![0.0; scheme.taps()];
        for out in outs {
            for k in 0..self.depth() {
                let (segment, channel) = (k / self.ins, k % self.ins);
                for (u, value) in taps.iter_mut().enumerate() {
                    let t = segment * scheme.taps() + u;
                    let inside = t < self.axis.taps.len();
                    *value = if inside { weight(0, channel, out, tap(t)).to_f64() } else { 0.0 };
                }
                for (point, row) in transform.iter().enumerate() {
                    let value: f64 = row.iter().zip(&taps).map(|(g, tap)| g * tap).sum();
                    put(out, point, k, T::from_f64(value));
                }
            }
        }
    }

    /// Counts the transformed weights, and those of direct sums for what is left over.
    pub fn tally(&self, holding: &mut Holding) {
        self.panels.tally(holding);
        self.tail.iter().for_each(|tail| tail.tally(holding));
        self.direct.iter().for_each(|direct| direct.tally(holding));
    }

    /// Changes which outputs are computed or which positions exist.
    pub fn narrow(&mut self, narrow: impl Fn(&mut Axis)) {
        narrow(&mut self.axis);
        if let Some(direct) = &mut self.direct {
            narrow(direct.last_axis());
        }
        self.divide();
    }

    /// Divides the outputs into tiles and a rest.
    fn divide(&mut self) {
        let least = if self.direct.is_some() { self.least } else { 1 };
        self.tiling = self.scheme.tiling(&self.axis, least);
        let first = self.axis.to_first;
        let rest = self.tiling.rest.iter().zip(self.direct.iter().cycle()).map(|(outputs, direct)| {
            let mut direct = direct.clone();
            direct.last_axis().narrow(&(first + outputs.start..first + outputs.end));
            direct
        });
        self.rest = rest.collect();
    }

    /// Counted work of one lane.
    pub fn work(&self) -> Work {
        let Scheme { points, outputs } = self.scheme;
        let tail = self.tail.as_ref().map_or(0, |tail| tail.len());
        let products = self.tiling.rows * (points * self.depth() * self.bias.len() + tail);
        let tiles = Work {
            kernel: format!("winograd F({outputs}, {})", self.scheme.taps()),
            flops: 2.0 * products as f64,
            weight_bytes: (self.panels.len() + tail) * size_of::<T>(),
        };
        // Direct weights are shared.
        let rest = self.rest.iter().map(Correlation::work);
        rest.reduce(|all, next| Work { flops: all.flops + next.flops, ..all })
            .map_or(tiles.clone(), |rest| tiles + rest)
    }

    /// Bound on the growth of rounding errors over those of the direct sum.
    pub fn amplification(&self) -> f64 {
        self.scheme.amplification(self.axis.taps.len())
    }

    /// Terms of one sum of products.
    fn depth(&self) -> usize {
        self.scheme.segments(self.axis.taps.len()) * self.ins
    }

    /// Index of a transformed weight in `panels`.
    fn panel_index(&self, column: usize, point: usize, k: usize) -> usize {
        let full = self.isa.tile_columns::<T>();
        let first = column / full * full;
        let columns = full.min(self.bias.len() - first);
        (first * self.scheme.points + point * columns) * self.depth() + k * columns + column - first
    }

    /// Computes one lane.
    pub fn apply(&self, x: &[T], epilogue: &mut Epilogue<'_, T>, scratch: &mut Scratch<T>) {
        run::run(self, x, epilogue, scratch);
        for direct in &self.rest {
            direct.apply(x, epilogue, scratch);
        }
    }
}
