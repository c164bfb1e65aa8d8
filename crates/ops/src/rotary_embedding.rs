//! RotaryEmbedding (opset 23): pairs of elements of each head are turned by an angle per position,
//! `y = x ⊙ cos + partner(x) ⊙ ±sin`. Linear where the angles are constants.
use deeplift_graph::expansion::{Expansion, Source};
use deeplift_graph::operator::Structure;
use deeplift_graph::wire::Attribute;
use deeplift_graph::{bail, ensure, structures, Attributes, Build, Constant, Fact, Operator, Result};
use deeplift_simd::Real;

struct Rotary {
    fact: Fact,
    /// Whether heads lie within the last of three axes.
    folded: bool,
    heads: usize,
    depth: usize,
    /// Elements of a head that are turned.
    turned: usize,
    interleaved: bool,
    positions_given: bool,
}

/// Input, cosines, sines, and optional positions.
pub fn build(cx: &Build<'_>) -> Result<Box<dyn Operator>> {
    let x = cx.input(0)?;
    let folded = x.shape.len() == 3;
    ensure!(
        folded || x.shape.len() == 4,
        InvalidModel,
        "an input of shape {:?}; three or four axes were expected",
        x.shape
    );
    let own = if folded { 0 } else { x.shape[1] as i64 };
    let heads = if folded { cx.int("num_heads", 0)? } else { own };
    let last = x.shape[x.shape.len() - 1];
    let fits = heads > 0 && (!folded || (last as i64) % heads == 0);
    ensure!(fits, InvalidModel, "num_heads {heads} does not fit shape {:?}", x.shape);
    let depth = if folded { last / heads as usize } else { last };
    let turned = match cx.int("rotary_embedding_dim", 0)? {
        0 => depth as i64,
        n => n,
    };
    ensure!(
        turned > 0 && turned % 2 == 0 && turned <= depth as i64,
        InvalidModel,
        "{turned} of the {depth} elements of a head cannot be turned in pairs"
    );
    let (sequence, positions) = (x.shape[if folded { 1 } else { 2 }], cx.optional(3));
    for (i, name) in [(1, "cos_cache"), (2, "sin_cache")] {
        let cache = &cx.input(i)?.shape;
        let rank = if positions.is_some() { 2 } else { 3 };
        let fits = cache.len() == rank
            && cache[rank - 1] == turned as usize / 2
            && (rank == 2 || (cache[1] == sequence && [1, x.shape[0]].contains(&cache[0])));
        ensure!(fits, InvalidModel, "{name} of shape {cache:?} does not fit an input of shape {:?}", x.shape);
    }
    if let Some(p) = positions {
        let fits = p.shape.len() == 2 && p.shape[1] == sequence && [1, x.shape[0]].contains(&p.shape[0]);
        ensure!(
            fits,
            InvalidModel,
            "position_ids of shape {:?} for an input of shape {:?}",
            p.shape,
            x.shape
        );
    }
    Ok(Box::new(Rotary {
        fact: Fact::data(x.shape.clone(), x.dtype),
        folded,
        heads: heads as usize,
        depth,
        turned: turned as usize,
        interleaved: cx.int("interleaved", 0)? != 0,
        positions_given: positions.is_some(),
    }))
}

impl Rotary {
    fn structure<T: Real>(&self) -> Result<Structure<T>> {
        bail!(Internal, "RotaryEmbedding stands for other nodes")
    }

    /// The other element of each element's pair, and whether it is the pair's first.
    fn pair(&self, i: usize) -> (usize, bool) {
        let half = self.turned / 2;
        match (self.interleaved, i < half) {
            (true, _) => (i ^ 1, i.is_multiple_of(2)),
            (false, first) => (if first { i + half } else { i - half }, first),
        }
    }

    /// Cosines or sines at every element of a head.
    fn angles(&self, e: &mut Expansion, input: usize) -> Source {
        let mut cache = Source::Input(input);
        if self.positions_given {
            cache = gather(e, cache, Source::Input(3), 0);
        }
        let each = |i: usize| if self.interleaved { i / 2 } else { i % (self.turned / 2) } as i64;
        let index = Constant::i64(vec![self.turned], (0..self.turned).map(each).collect());
        let spread = gather(e, cache, Source::Constant(index), 2);
        // The axis of heads.
        let axis = list(&[if self.folded { 2 } else { 1 }]);
        e.add("Unsqueeze", Attributes::new(), [spread, axis])
    }
}

impl Operator for Rotary {
    fn outputs(&self) -> Vec<Fact> {
        vec![self.fact.clone()]
    }

    fn expand(&self) -> Result<Option<Expansion>> {
        let mut e = Expansion::new();
        let none = Attributes::new;
        let shape: Vec<i64> = self.fact.shape.iter().map(|&d| d as i64).collect();
        let mut x = Source::Input(0);
        if self.folded {
            let heads = list(&[shape[0], shape[1], self.heads as i64, self.depth as i64]);
            x = e.add("Reshape", none(), [x, heads]);
        }
        let slice = |e: &mut Expansion, x: Source, from: usize, to: usize| {
            e.add("Slice", none(), [x, list(&[from as i64]), list(&[to as i64]), list(&[3])])
        };
        let whole = self.turned == self.depth;
        let near = if whole { x.clone() } else { slice(&mut e, x.clone(), 0, self.turned) };
        let partners = (0..self.turned).map(|i| self.pair(i).0 as i64).collect();
        let partners = Source::Constant(Constant::i64(vec![self.turned], partners));
        let far = gather(&mut e, near.clone(), partners, 3);
        let signs = (0..self.turned).map(|i| if self.pair(i).1 { -1.0 } else { 1.0 }).collect();
        let signs = Source::Constant(Constant::f64(vec![self.turned], signs));
        let (cos, sin) = (self.angles(&mut e, 1), self.angles(&mut e, 2));
        let sin = e.add("Mul", none(), [sin, signs]);
        let a = e.add("Mul", none(), [near, cos]);
        let b = e.add("Mul", none(), [far, sin]);
        let mut y = e.add("Add", none(), [a, b]);
        if !whole {
            let rest = slice(&mut e, x, self.turned, self.depth);
            y = e.add("Concat", Attributes::from([("axis".into(), Attribute::Int(3))]), [y, rest]);
        }
        if self.folded {
            y = e.add("Reshape", none(), [y, list(&shape)]);
        }
        Ok(Some(e.done([y])))
    }

    structures!();
}

fn list(values: &[i64]) -> Source {
    Source::Constant(Constant::i64(vec![values.len()], values.to_vec()))
}

fn gather(e: &mut Expansion, x: Source, index: Source, axis: i64) -> Source {
    e.add("Gather", Attributes::from([("axis".into(), Attribute::Int(axis))]), [x, index])
}
