//! Layers that hold packed weights: one model's plans share them, whatever else sets the plans apart.
use std::any::Any;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError, Weak};

/// A layer that another can stand for.
pub trait Layer: Send + Sync + 'static {
    /// Whether the other computes the same from the same weights, bit for bit.
    fn is(&self, other: &Self) -> bool;
}

/// The layers of a model that some plan still holds.
#[derive(Default)]
pub struct Layers(Mutex<Vec<Weak<dyn Any + Send + Sync>>>);

impl Layers {
    /// A layer that is held already and the same, or else this one.
    pub fn share<L: Layer>(&self, own: Arc<L>) -> Arc<L> {
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        held.retain(|layer| layer.strong_count() > 0);
        let alike = |layer: &Weak<dyn Any + Send + Sync>| {
            layer.upgrade()?.downcast::<L>().ok().filter(|layer| layer.is(&own))
        };
        if let Some(found) = held.iter().find_map(alike) {
            return found;
        }
        let any: Arc<dyn Any + Send + Sync> = own.clone();
        held.push(Arc::downgrade(&any));
        own
    }
}

impl fmt::Debug for Layers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        write!(f, "{} layers", held.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Number(u32);

    impl Layer for Number {
        fn is(&self, other: &Self) -> bool {
            self.0 == other.0
        }
    }

    struct Text(&'static str);

    impl Layer for Text {
        fn is(&self, other: &Self) -> bool {
            self.0 == other.0
        }
    }

    #[test]
    fn what_is_alike_is_shared_while_somebody_holds_it() {
        let layers = Layers::default();
        let (two, three) = (layers.share(Arc::new(Number(2))), layers.share(Arc::new(Number(3))));
        let text = layers.share(Arc::new(Text("2")));
        assert!(Arc::ptr_eq(&two, &layers.share(Arc::new(Number(2)))));
        assert!(Arc::ptr_eq(&text, &layers.share(Arc::new(Text("2")))));
        assert_eq!((three.0, Arc::strong_count(&two)), (3, 1));
        drop(two);
        assert_eq!(Arc::strong_count(&layers.share(Arc::new(Number(2)))), 1);
    }
}
