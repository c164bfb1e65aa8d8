//! The weights of a convolution as one of its maps sees them.
use super::ConvGeometry;
use crate::lazy::Source;
use deeplift_simd::Real;

/// Weights of a convolution or of its adjoint, read when a kernel packs them.
#[derive(Clone, Debug)]
pub(super) struct MapWeights<T: Real> {
    geometry: ConvGeometry,
    source: Source<T>,
    adjoint: bool,
}

impl<T: Real> MapWeights<T> {
    /// `source` is `[out_channels][in_channels / groups][k0][k1][k2]`.
    pub fn new(geometry: &ConvGeometry, source: Source<T>, adjoint: bool) -> Self {
        Self { geometry: geometry.clone(), source, adjoint }
    }

    /// Groups, and channels of the source and of the destination in one of them.
    pub fn sizes(&self) -> [usize; 3] {
        let g = &self.geometry;
        let (ins, outs) = (g.in_channels / g.groups, g.out_channels / g.groups);
        if self.adjoint {
            [g.groups, outs, ins]
        } else {
            [g.groups, ins, outs]
        }
    }

    /// One channel in, one channel out per group.
    pub fn is_depthwise(&self) -> bool {
        self.geometry.is_depthwise()
    }

    /// The weight of a group, source channel, destination channel and kernel taps.
    pub fn read(&self) -> impl Fn(usize, usize, usize, [usize; 3]) -> T + 'static {
        let (g, values, adjoint) = (self.geometry.clone(), self.source.read(), self.adjoint);
        let outs = g.out_channels / g.groups;
        move |group, from, to, taps| {
            let (input, out) = if adjoint { (to, from) } else { (from, to) };
            values[g.weight_at(group * outs + out, input, taps)]
        }
    }
}
