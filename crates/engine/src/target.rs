//! What is explained: a weighted sum of the values of a tensor, or a profile head.
use deeplift_graph::broadcast::strided_index;
use deeplift_graph::rewrites::Peeled;
use deeplift_graph::{bail, ensure, Result};
use deeplift_simd::Real;

use crate::options::{Place, ProfileWeights, Select, Target};
use crate::profile;

/// A target of a plan.
pub struct PlanTarget {
    /// The plan's tensor.
    pub tensor: usize,
    /// Its name in the file; that of the node that was peeled off it, if there was one.
    pub name: String,
    /// Its shape per example, as the file has it.
    pub shape: Vec<usize>,
    /// What of it is explained, and what of it on the reverse strand where that is another thing.
    pub weights: [Weights; 2],
}

/// How the values of a tensor become one number.
#[derive(Clone, Debug)]
pub enum Weights {
    /// Their sum with these weights.
    Fixed(Vec<f64>),
    /// A profile head over their logits.
    Profile(ProfileWeights),
}

impl Weights {
    /// Reads a target over a tensor of `shape` (one example).
    ///
    /// # Errors
    /// `INVALID_OPTION` naming the tensor, its shape and what does not fit.
    pub fn resolve(target: &Target, shape: &[usize], peeled: Option<&Peeled>) -> Result<Self> {
        let len: usize = shape.iter().product();
        let name = &target.tensor;
        let given = [target.index.is_some(), target.seed.is_some(), target.profile.is_some()];
        ensure!(
            given.iter().filter(|&&g| g).count() <= 1,
            InvalidOption,
            "target '{name}': give one of index, seed and profile"
        );
        if let Some(p) = target.profile {
            ensure!(
                len > 1,
                InvalidOption,
                "target '{name}' has {len} values per example, which are no profile"
            );
            return Ok(Weights::Profile(p));
        }
        let mut weights = vec![0.0; len];
        match (&target.seed, &target.index) {
            (Some(seed), _) => {
                ensure!(
                    seed.len() == len,
                    InvalidOption,
                    "the seed of target '{name}' has {} values, the tensor has {len} per example",
                    seed.len()
                );
                weights.copy_from_slice(seed);
            }
            (None, Some(index)) => add(&mut weights, 1.0, index, shape, name)?,
            (None, None) if len == 1 => weights[0] = 1.0,
            (None, None) => {
                bail!(InvalidOption, "target '{name}' has {len} values per example; give an index or a seed")
            }
        }
        if let Some(minus) = &target.minus {
            add(&mut weights, -1.0, minus, shape, name)?;
        }
        if target.centred {
            centre(&mut weights, [1, len, 1]);
        }
        if let Some(extents) = peeled.and_then(|p| p.softmax) {
            centre(&mut weights, extents);
        }
        Ok(Weights::Fixed(weights))
    }

    /// The number.
    pub fn value<T: Real>(&self, y: &[T]) -> f64 {
        match self {
            Weights::Fixed(seed) => seed.iter().zip(y).map(|(s, v)| s * v.to_f64()).sum(),
            Weights::Profile(_) => profile::value(y),
        }
    }

    /// Multipliers of the tensor for a pair of its values.
    pub fn seed<T: Real>(&self, y: &[T], y0: &[T], out: &mut [T]) {
        match self {
            Weights::Fixed(seed) => {
                for (o, &s) in out.iter_mut().zip(seed) {
                    *o = T::from_f64(s);
                }
            }
            Weights::Profile(weights) => profile::multipliers(*weights, y, y0, out),
        }
    }

    /// What contributions of a pair sum to.
    pub fn delta<T: Real>(&self, y: &[T], y0: &[T]) -> f64 {
        match self {
            Weights::Fixed(_) => self.value(y) - self.value(y0),
            Weights::Profile(weights) => profile::delta(*weights, y, y0),
        }
    }
}

/// Adds `weight` at the values that `place` names.
fn add(weights: &mut [f64], weight: f64, place: &Place, shape: &[usize], name: &str) -> Result<()> {
    let axes = match place {
        Place::Flat(i) => {
            let len = weights.len();
            ensure!(
                *i < len,
                InvalidOption,
                "index {i} of target '{name}' is out of range: it has {len} values per example"
            );
            weights[*i] += weight;
            return Ok(());
        }
        Place::Axes(axes) => axes,
    };
    ensure!(
        axes.len() == shape.len(),
        InvalidOption,
        "the index of target '{name}' has {} numbers; one example of it has the shape {shape:?}",
        axes.len()
    );
    let (mut extents, mut strides, mut first, mut stride) = (vec![], vec![], 0, 1);
    for (axis, (&length, select)) in shape.iter().zip(axes).enumerate().rev() {
        let (from, to) = match select {
            None => (0, length),
            Some(Select::Index(i)) => (*i, i.saturating_add(1)),
            Some(Select::Range(from, to)) => (*from, *to),
        };
        ensure!(
            from < to && to <= length,
            InvalidOption,
            "the index of target '{name}' asks for positions {from} to {to} of axis {axis}, which has {length} (one \
             example has the shape {shape:?})"
        );
        extents.insert(0, to - from);
        strides.insert(0, stride as isize);
        first += from * stride;
        stride *= length;
    }
    for i in strided_index(&extents, &strides) {
        weights[first + i] += weight;
    }
    Ok(())
}

/// Takes off the mean along the middle axis.
fn centre(weights: &mut [f64], [outer, n, inner]: [usize; 3]) {
    for o in 0..outer {
        for i in 0..inner {
            let at = |k: usize| (o * n + k) * inner + i;
            let mean = (0..n).map(|k| weights[at(k)]).sum::<f64>() / n as f64;
            (0..n).for_each(|k| weights[at(k)] -= mean);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fixed(target: Target, shape: &[usize]) -> Vec<f64> {
        match Weights::resolve(&target, shape, None).unwrap() {
            Weights::Fixed(w) => w,
            Weights::Profile(_) => panic!("a profile"),
        }
    }

    fn at(index: &str) -> Target {
        Target { index: Some(serde_json::from_str(index).unwrap()), ..Target::default() }
    }

    #[test]
    fn places() {
        assert_eq!(fixed(at("3"), &[2, 2]), [0.0, 0.0, 0.0, 1.0]);
        assert_eq!(fixed(at("[null, 1]"), &[2, 2]), [0.0, 1.0, 0.0, 1.0]);
        assert_eq!(fixed(at("[1, [0, 2]]"), &[2, 3]), [0.0, 0.0, 0.0, 1.0, 1.0, 0.0]);
        let difference = Target { minus: Some(Place::Flat(0)), ..at("[1]") };
        assert_eq!(fixed(difference, &[3]), [-1.0, 1.0, 0.0]);
        assert_eq!(fixed(Target { centred: true, ..at("1") }, &[4]), [-0.25, 0.75, -0.25, -0.25]);
        assert_eq!(fixed(Target::default(), &[1]), [1.0]);
    }

    #[test]
    fn refusals() {
        for (target, shape) in [
            (at("4"), vec![2, 2]),
            (at("[1]"), vec![2, 2]),
            (at("[0, [1, 3]]"), vec![2, 2]),
            (at("[0, [1, 1]]"), vec![2, 2]),
            (Target::default(), vec![2]),
            (Target { seed: Some(vec![1.0]), ..Target::default() }, vec![2]),
            (Target { profile: Some(ProfileWeights::Mean), ..at("0") }, vec![2]),
            (Target { profile: Some(ProfileWeights::Mean), ..Target::default() }, vec![1]),
        ] {
            assert!(Weights::resolve(&target, &shape, None).is_err(), "{target:?}");
        }
    }

    /// Paper section 3.6: weights over the logits of a softmax are taken without their mean.
    #[test]
    fn softmax_is_centred_along_its_axis() {
        let peeled = Peeled { node: "p".into(), op: "Softmax".into(), softmax: Some([1, 2, 2]) };
        let w = Weights::resolve(&at("[0, 1]"), &[2, 2], Some(&peeled)).unwrap();
        assert!(matches!(w, Weights::Fixed(w) if w == [0.0, 0.5, 0.0, -0.5]));
    }
}
