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
use super::Variant;
use crate::{Epilogue, Scratch, Work};
use deeplift_simd::{AlignedVec, Isa, Real};
use scheme::Scheme;
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
    panels: Arc<AlignedVec<T>>,
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
    /// Packs the weights like [`Correlation::new`] where the map has the shape for it and `variant` asks for it or, but for
    /// [`Variant::Winograd`], allows it and it is expected to be faster.
    pub fn new(
        axes: &[Axis; 3],
        sizes: [usize; 3],
        weight: impl Fn(usize, usize, usize, [usize; 3]) -> T,
        bias: &[T],
        isa: Isa,
        variant: Variant,
    ) -> Option<Self> {
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
            panels: Arc::default(),
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
        let mut last = (tail > 0).then(|| Tail::new(tail, scheme.points, segments, ins, &bias[full..], isa));
        let mut panels = AlignedVec::zeroed(width * scheme.points * packed.depth());
        let tap = |t: usize| {
            let mut kernel = [0; 3];
            kernel[order[2]] = packed.axis.taps[t];
            kernel
        };
        let transform = points::filters(scheme.points, scheme.taps());
        let mut taps = vec![0.0; scheme.taps()];
        for out in 0..outs {
            for k in 0..packed.depth() {
                let (segment, channel) = (k / ins, k % ins);
                for (u, value) in taps.iter_mut().enumerate() {
                    let t = segment * scheme.taps() + u;
                    let inside = t < packed.axis.taps.len();
                    *value = if inside { weight(0, channel, out, tap(t)).to_f64() } else { 0.0 };
                }
                for (point, row) in transform.iter().enumerate() {
                    let value: f64 = row.iter().zip(&taps).map(|(g, tap)| g * tap).sum();
                    if let (Some(last), true) = (&mut last, out >= outs - tail) {
                        last.set(point, out + tail - outs, segment, channel, T::from_f64(value));
                    } else {
                        let at = packed.panel_index(out, point, k);
                        panels[at] = T::from_f64(value);
                    }
                }
            }
        }
        (packed.panels, packed.tail) = (panels.into(), last.map(Arc::new));
        if !packed.tiling.rest.is_empty() {
            packed.direct = Some(Correlation::new(axes.clone(), sizes, weight, bias, isa));
            packed.divide();
        }
        Some(packed)
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
