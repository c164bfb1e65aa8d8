//! The weights of a dense layer, and the forms that they are packed in.
use std::panic::resume_unwind;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use deeplift_graph::{Constant, Layer};
use deeplift_kernels::{PackedDense, Packing, Reduced};
use deeplift_simd::{Isa, Real};

use crate::conv_layer::Sign;

/// A layer. Its forms are made once, and packed when they are first used.
pub(crate) struct DenseLayer<T: Real> {
    weights: Weights,
    sign: Sign,
    /// One value per output.
    bias: Vec<T>,
    packed: PackedDense<T>,
    reduced: Mutex<Vec<(Reduced, Option<PackedDense<T>>)>>,
    /// Positive and negative part.
    parts: OnceLock<[Arc<DenseLayer<T>>; 2]>,
}

impl<T: Real> DenseLayer<T> {
    /// Weights are `[inputs, outputs]`.
    pub fn new(weights: Constant, bias: Vec<T>) -> Arc<Self> {
        let [inputs, outputs] = [0, 1].map(|axis| weights.shape[axis]);
        let weights = Weights(Arc::new(Mutex::new(Some(weights))));
        let source = weights.clone();
        let pack = move |packing: &mut Packing<'_, T>| source.pack(packing);
        let packed = PackedDense::filled(inputs, outputs, &bias, Isa::active(), pack).with_adjoint();
        Self::of(weights, Sign::Any, bias, packed)
    }

    fn of(weights: Weights, sign: Sign, bias: Vec<T>, packed: PackedDense<T>) -> Arc<Self> {
        let (reduced, parts) = (Mutex::default(), OnceLock::new());
        Arc::new(DenseLayer { weights, sign, bias, packed, reduced, parts })
    }

    /// In products of the element type.
    pub fn packed(&self) -> PackedDense<T> {
        self.packed.clone()
    }

    /// In products of bf16, as [`PackedDense::reduced`].
    pub fn reduced(&self, how: Reduced) -> Option<PackedDense<T>> {
        let mut forms = self.reduced.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, form)) = forms.iter().find(|(own, _)| *own == how) {
            return form.clone();
        }
        let form = self.packed.reduced(how);
        forms.push((how, form.clone()));
        form
    }

    /// The layer without bias and without weights of the other sign.
    pub fn part(&self, sign: Sign) -> Arc<Self> {
        let part = |sign, packed| Self::of(self.weights.clone(), sign, vec![], packed);
        let [positive, negative] = self.parts.get_or_init(|| {
            let positive = self.packed.part(|w| w.max(T::ZERO));
            let negative = self.packed.part(|w| w.min(T::ZERO));
            [part(Sign::Positive, positive), part(Sign::Negative, negative)]
        });
        if sign == Sign::Positive {
            positive.clone()
        } else {
            negative.clone()
        }
    }
}

impl<T: Real> Layer for DenseLayer<T> {
    fn is(&self, other: &Self) -> bool {
        let shape = |layer: &Self| (layer.packed.inputs(), layer.packed.outputs(), layer.sign);
        let bias = |layer: &Self| layer.bias.iter().map(|b| b.to_f64().to_bits()).collect::<Vec<_>>();
        shape(self) == shape(other)
            && bias(self) == bias(other)
            && self.weights.are(&self.packed, &other.weights)
    }
}

/// Weights until they are packed; after that only if it costs no memory.
#[derive(Clone)]
struct Weights(Arc<Mutex<Option<Constant>>>);

impl Weights {
    fn lock(&self) -> MutexGuard<'_, Option<Constant>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn pack<T: Real>(&self, packing: &mut Packing<'_, T>) {
        let mut weights = self.lock();
        let own = weights.as_ref().expect("weights are dropped once they are packed");
        // A kernel that misses its weights cannot return an error; who runs it catches this one.
        own.runs(|k, n, run| packing.set_run(k, n, run))
            .unwrap_or_else(|error| resume_unwind(Box::new(error)));
        if !own.is_held_elsewhere() {
            *weights = None;
        }
    }

    /// Whether these, of which `packed` was made, are the others.
    fn are<T: Real>(&self, packed: &PackedDense<T>, others: &Weights) -> bool {
        let (own, other) = (self.lock(), others.lock());
        let (own, Some(other)) = (&*own, &*other) else { return false };
        if let Some(own) = own {
            return own.same(other);
        }
        let mut same = true;
        let bits = |w: T| w.to_f64().to_bits();
        let compared = other.runs(|k, first, run| {
            let alike = |(n, &w)| bits(packed.weight(k, n)) == bits(w);
            same = same && (first..).zip(run).all(alike);
        });
        same && compared.is_ok()
    }
}
