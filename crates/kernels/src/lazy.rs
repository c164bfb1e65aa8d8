//! Weights in the order in which a kernel reads them, packed when they are first used: what a plan never runs takes no
//! memory, and planning takes no time.
use std::collections::HashSet;
use std::fmt;
use std::ops::Deref;
use std::sync::{Arc, OnceLock};

use deeplift_simd::{AlignedVec, Element};

/// Weights in the order of the file, which are read whenever a kernel packs them.
#[derive(Clone)]
pub struct Source<T> {
    len: usize,
    read: Arc<dyn Fn() -> Vec<T> + Send + Sync>,
}

impl<T> Source<T> {
    /// `len` weights that `read` gives. Where it cannot, it unwinds: who runs a kernel has no other answer to wait for.
    pub fn new(len: usize, read: impl Fn() -> Vec<T> + Send + Sync + 'static) -> Self {
        Source { len, read: Arc::new(read) }
    }

    /// Number of weights.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The weights.
    ///
    /// # Panics
    /// If there are not as many as were promised.
    pub fn read(&self) -> Vec<T> {
        let values = (self.read)();
        assert_eq!(values.len(), self.len, "weights that were promised");
        values
    }
}

impl<T> fmt::Debug for Source<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} weights", self.len)
    }
}

impl<T: Clone + Send + Sync + 'static> From<&[T]> for Source<T> {
    fn from(values: &[T]) -> Self {
        let values = values.to_vec();
        Source::new(values.len(), move || values.clone())
    }
}

impl<T: Clone + Send + Sync + 'static> From<&Vec<T>> for Source<T> {
    fn from(values: &Vec<T>) -> Self {
        values[..].into()
    }
}

impl<T: Clone + Send + Sync + 'static, const N: usize> From<&[T; N]> for Source<T> {
    fn from(values: &[T; N]) -> Self {
        values[..].into()
    }
}

/// Packed weights. Clones share them; whoever reads them first packs them, and others wait for that.
pub(crate) struct LazyWeights<E: Element>(Arc<Form<E>>);

/// Writes weights over zeros.
type Pack<E> = dyn Fn(&mut [E]) + Send + Sync;

struct Form<E: Element> {
    len: usize,
    pack: Box<Pack<E>>,
    packed: OnceLock<AlignedVec<E>>,
}

impl<E: Element> LazyWeights<E> {
    /// `len` weights that `pack` writes over zeros.
    pub fn new(len: usize, pack: impl Fn(&mut [E]) + Send + Sync + 'static) -> Self {
        LazyWeights(Arc::new(Form { len, pack: Box::new(pack), packed: OnceLock::new() }))
    }

    /// Number of weights, packed or not.
    pub fn len(&self) -> usize {
        self.0.len
    }

    /// Bytes of the weights, packed or not.
    pub fn bytes(&self) -> usize {
        self.len() * size_of::<E>()
    }

    /// Counts them once, wherever else they are held.
    pub fn tally(&self, holding: &mut Holding) {
        if !holding.seen.insert(Arc::as_ptr(&self.0).addr()) {
            return;
        }
        match self.0.packed.get() {
            Some(_) => holding.packed += self.bytes(),
            None => holding.unpacked += self.bytes(),
        }
    }
}

impl<E: Element> Clone for LazyWeights<E> {
    fn clone(&self) -> Self {
        LazyWeights(self.0.clone())
    }
}

impl<E: Element> Default for LazyWeights<E> {
    fn default() -> Self {
        Self::new(0, |_| ())
    }
}

impl<E: Element> Deref for LazyWeights<E> {
    type Target = [E];

    #[inline]
    fn deref(&self) -> &[E] {
        let form = &*self.0;
        form.packed.get_or_init(|| {
            let mut weights = AlignedVec::zeroed(form.len);
            (form.pack)(&mut weights);
            weights
        })
    }
}

impl<E: Element> fmt::Debug for LazyWeights<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = if self.0.packed.get().is_some() { "packed" } else { "unpacked" };
        write!(f, "{} {state} weights", self.len())
    }
}

/// Bytes of packed weights, each counted once however many plans and layers share them.
#[derive(Clone, Debug, Default)]
pub struct Holding {
    /// In memory.
    pub packed: usize,
    /// Not used so far.
    pub unpacked: usize,
    /// Addresses of those that were counted.
    seen: HashSet<usize>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    #[test]
    fn weights_are_packed_once_and_only_if_they_are_read() {
        let times = Arc::new(AtomicUsize::new(0));
        let counted = times.clone();
        let weights = LazyWeights::new(3, move |to: &mut [f32]| {
            counted.fetch_add(1, Ordering::Relaxed);
            to[1] = 2.0;
        });
        let bytes = |weights: &[&LazyWeights<f32>]| {
            let mut holding = Holding::default();
            weights.iter().for_each(|weights| weights.tally(&mut holding));
            (holding.packed, holding.unpacked)
        };
        let shared = weights.clone();
        assert_eq!((weights.len(), bytes(&[&weights, &shared])), (3, (0, 12)));
        let both: Vec<Vec<f32>> = std::thread::scope(|scope| {
            [&weights, &shared]
                .map(|weights| scope.spawn(|| weights.to_vec()))
                .map(|t| t.join().unwrap())
                .into()
        });
        assert_eq!(both, [[0.0, 2.0, 0.0], [0.0, 2.0, 0.0]]);
        assert_eq!((times.load(Ordering::Relaxed), bytes(&[&weights, &shared])), (1, (12, 0)));
    }

    #[test]
    fn what_failed_to_be_packed_is_tried_again() {
        let times = Arc::new(AtomicUsize::new(0));
        let counted = times.clone();
        let weights =
            LazyWeights::new(1, move |to: &mut [f64]| match counted.fetch_add(1, Ordering::Relaxed) {
                0 => std::panic::resume_unwind(Box::new("cannot be read")),
                _ => to[0] = 1.0,
            });
        let failed = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| weights.to_vec()));
        assert_eq!(failed.unwrap_err().downcast_ref(), Some(&"cannot be read"));
        assert_eq!(weights[..], [1.0]);
    }
}
