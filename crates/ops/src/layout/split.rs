//! Split: one Slice per output.
use deeplift_graph::broadcast::axis_index;
use deeplift_graph::{
    ensure, structures, Build, Constant, Expansion, Fact, Operator, Result, Source, Structure,
};
use deeplift_simd::Real;

struct Split {
    axis: usize,
    /// First element and length of each part.
    parts: Vec<(usize, usize)>,
    facts: Vec<Fact>,
}

/// Lengths are given (attribute up to opset 12, input from 13 on) or equal; `num_outputs` from opset 18 on.
pub fn build(cx: &Build<'_>) -> Result<Box<dyn Operator>> {
    let x = cx.input(0)?;
    let axis = axis_index(cx.int("axis", 0)?, x.shape.len())?;
    let n = x.shape[axis];
    let lengths: Vec<usize> = match cx.ints_from("split", 1)? {
        Some(s) => s.iter().map(|&l| l.max(0) as usize).collect(),
        None => {
            let outputs = cx.int("num_outputs", cx.int("outputs", 2)?)?;
            ensure!(outputs > 0 && outputs as usize <= n, InvalidModel, "cannot split {n} into {outputs}");
            let each = n.div_ceil(outputs as usize);
            (0..outputs as usize).map(|i| each.min(n.saturating_sub(i * each))).collect()
        }
    };
    let read = cx.int("outputs", 0)?;
    ensure!(read <= lengths.len() as i64, InvalidModel, "has {read} outputs for {} parts", lengths.len());
    let total = lengths.iter().try_fold(0usize, |sum, &l| sum.checked_add(l));
    ensure!(total == Some(n), InvalidModel, "parts {lengths:?} do not add up to {n}");
    let mut start = 0;
    let mut parts = Vec::new();
    for &l in &lengths {
        parts.push((start, l));
        start += l;
    }
    let facts = lengths
        .iter()
        .map(|&l| {
            let mut shape = x.shape.clone();
            shape[axis] = l;
            Fact::data(shape, x.dtype)
        })
        .collect();
    Ok(Box::new(Split { axis, parts, facts }))
}

impl Split {
    fn structure<T: Real>(&self) -> Result<Structure<T>> {
        Ok(Structure::Opaque { advice: "it is expanded to slices before".into(), forward: None })
    }
}

impl Operator for Split {
    fn outputs(&self) -> Vec<Fact> {
        self.facts.clone()
    }

    fn fold(&self, inputs: &[Option<&Constant>]) -> Result<Option<Vec<Constant>>> {
        let Some(x) = inputs[0] else { return Ok(None) };
        let (outer, n, inner) = deeplift_graph::broadcast::around(&x.shape, self.axis);
        let part = |(&(start, len), fact): (&(usize, usize), &Fact)| {
            let index = (0..outer).flat_map(move |o| {
                (start..start + len).flat_map(move |a| (0..inner).map(move |i| (o * n + a) * inner + i))
            });
            x.pick(fact.shape.clone(), index)
        };
        Ok(Some(self.parts.iter().zip(&self.facts).map(part).collect()))
    }

    fn expand(&self) -> Result<Option<Expansion>> {
        let mut e = Expansion::new();
        let one = |v: usize| Source::Constant(Constant::i64(vec![1], vec![v as i64]));
        let mut slice = |&(start, len): &(usize, usize)| {
            e.add(
                "Slice",
                Default::default(),
                [Source::Input(0), one(start), one(start + len), one(self.axis)],
            )
        };
        let outputs: Vec<Source> = self.parts.iter().map(&mut slice).collect();
        Ok(Some(e.done(outputs)))
    }

    structures!();
}
