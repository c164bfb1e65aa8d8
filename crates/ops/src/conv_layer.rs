//! The weights of a convolution or its transpose, and the maps that are packed from them.
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use deeplift_graph::{Constant, Layer};
use deeplift_kernels::{
    ConvGeometry, OneHotAdjoint, OneHotConv, PackedConv, PackedConvAdjoint, Source, Variant,
};
use deeplift_simd::{Isa, Real};

/// Which of the two maps the operator is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Direction {
    /// Conv.
    Forward,
    /// ConvTranspose: from the output positions and channels of the geometry to its input's.
    Transposed,
}

/// Which weights a layer has; all others are 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sign {
    Any,
    Positive,
    Negative,
}

/// A layer. Its maps are made once, and packed when they are first used.
pub(crate) struct ConvLayer<T: Real> {
    direction: Direction,
    geometry: ConvGeometry,
    /// The file's own values, shared.
    weights: Constant,
    sign: Sign,
    /// One value per channel of the output, or none.
    bias: Vec<T>,
    convs: Mutex<Vec<(Variant, PackedConv<T>)>>,
    adjoints: Mutex<Vec<(Variant, PackedConvAdjoint<T>)>>,
    one_hot: OnceLock<Option<OneHot<T>>>,
    /// Positive and negative part.
    parts: OnceLock<[Arc<ConvLayer<T>>; 2]>,
}

/// The maps from a sequence of letters, and back where that has a kernel.
pub(crate) type OneHot<T> = (OneHotConv<T>, Option<OneHotAdjoint<T>>);

impl<T: Real> ConvLayer<T> {
    /// As [`Kernel::new`](crate::conv_kernel::Kernel::new).
    pub fn new(direction: Direction, geometry: &ConvGeometry, weights: &Constant, bias: Vec<T>) -> Arc<Self> {
        Self::signed(direction, geometry, weights, Sign::Any, bias)
    }

    fn signed(
        direction: Direction,
        geometry: &ConvGeometry,
        weights: &Constant,
        sign: Sign,
        bias: Vec<T>,
    ) -> Arc<Self> {
        let (geometry, weights) = (geometry.clone(), weights.clone());
        let (convs, adjoints) = (Mutex::default(), Mutex::default());
        let (one_hot, parts) = (OnceLock::new(), OnceLock::new());
        Arc::new(ConvLayer { direction, geometry, weights, sign, bias, convs, adjoints, one_hot, parts })
    }

    pub fn direction(&self) -> Direction {
        self.direction
    }

    fn source(&self) -> Source<T> {
        let (weights, sign) = (self.weights.clone(), self.sign);
        Source::new(weights.len(), move || {
            let mut values = weights.to_real::<T>();
            match sign {
                Sign::Any => {}
                Sign::Positive => values.iter_mut().for_each(|w| *w = w.max(T::ZERO)),
                Sign::Negative => values.iter_mut().for_each(|w| *w = w.min(T::ZERO)),
            }
            values
        })
    }

    /// The bias of the map in a direction.
    fn bias(&self, direction: Direction) -> &[T] {
        if direction == self.direction {
            &self.bias
        } else {
            &[]
        }
    }

    /// The convolution of the geometry, which is the adjoint of a transposed one.
    pub fn conv(&self, variant: Variant) -> PackedConv<T> {
        let (geometry, bias) = (self.geometry.clone(), self.bias(Direction::Forward));
        made(&self.convs, variant, || {
            PackedConv::with_variant(geometry, self.source(), bias, Isa::active(), variant)
        })
    }

    /// Its adjoint.
    pub fn adjoint(&self, variant: Variant) -> PackedConvAdjoint<T> {
        let (geometry, bias) = (self.geometry.clone(), self.bias(Direction::Transposed));
        made(&self.adjoints, variant, || {
            PackedConvAdjoint::with_variant(geometry, self.source(), bias, Isa::active(), variant)
        })
    }

    /// The kernels for letters, if there are any.
    pub fn one_hot(&self) -> Option<OneHot<T>> {
        let make = || {
            let (g, isa) = (&self.geometry, Isa::active());
            let conv = OneHotConv::new(g, self.source(), &self.bias, isa)?;
            Some((conv, OneHotAdjoint::new(g, self.source(), isa)))
        };
        self.one_hot.get_or_init(make).clone()
    }

    /// The layer without bias and without weights of the other sign.
    pub fn part(&self, sign: Sign) -> Arc<Self> {
        let part = |sign| Self::signed(self.direction, &self.geometry, &self.weights, sign, vec![]);
        let [positive, negative] = self.parts.get_or_init(|| [part(Sign::Positive), part(Sign::Negative)]);
        if sign == Sign::Positive {
            positive.clone()
        } else {
            negative.clone()
        }
    }
}

/// The map of this variant, which is made if it is not there yet.
fn made<M: Clone>(maps: &Mutex<Vec<(Variant, M)>>, variant: Variant, make: impl FnOnce() -> M) -> M {
    let mut maps = maps.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((_, map)) = maps.iter().find(|(own, _)| *own == variant) {
        return map.clone();
    }
    let map = make();
    maps.push((variant, map.clone()));
    map
}

impl<T: Real> Layer for ConvLayer<T> {
    fn is(&self, other: &Self) -> bool {
        let bias = |layer: &Self| layer.bias.iter().map(|b| b.to_f64().to_bits()).collect::<Vec<_>>();
        (self.direction, self.sign) == (other.direction, other.sign)
            && self.geometry == other.geometry
            && bias(self) == bias(other)
            && self.weights.same(&other.weights)
    }
}
