//! Attention (opset 23 to 25), as the products, sums and softmax that define it: `softmax(cap(Q Kᵀ scale) + bias) V`
//! per head, each with its exact rule (SEMANTICS 3.2, row Attention). Heads are axes of the products, so nothing is
//! transposed or repeated, not even where several query heads share a key head.
//!
//! Masks, causal or by window, padding included, are one constant bias of 0 and −inf where they are known at plan
//! time. A query that may attend to nothing gives 0, as the standard says; where a computed mask makes it so, NaN.
use deeplift_graph::expansion::{Expansion, Source};
use deeplift_graph::operator::Structure;
use deeplift_graph::wire::Attribute;
use deeplift_graph::{bail, ensure, structures, Attributes, Build, Constant, DType, Fact, Operator, Result};
use deeplift_simd::Real;

mod mask;
mod shapes;

use mask::{Bias, Computed};
use shapes::Sizes;

const Q: usize = 0;
const K: usize = 1;
const V: usize = 2;
const MASK: usize = 3;
const PAST: [usize; 2] = [4, 5];
const NONPAD: usize = 6;

struct Attention {
    sizes: Sizes,
    dtype: DType,
    scale: f64,
    softcap: f64,
    /// Which stage of the scores the fourth output shows.
    shown: i64,
    bias: Option<Bias>,
    computed: Option<Computed>,
}

/// Queries, keys and values, with three or four axes.
pub fn build(cx: &Build<'_>) -> Result<Box<dyn Operator>> {
    let sizes = Sizes::read(cx)?;
    crate::index_map::check_size(&sizes.scores())?;
    let scale = cx.float("scale", 1.0 / (sizes.depth as f64).sqrt())?;
    let softcap = cx.float("softcap", 0.0)?;
    let shown = cx.int("qk_matmul_output_mode", 0)?;
    ensure!((0..=3).contains(&shown), InvalidModel, "qk_matmul_output_mode {shown} is unknown");
    ensure!(
        scale.is_finite() && softcap >= 0.0,
        InvalidModel,
        "scale {scale} and softcap {softcap} are not usable"
    );
    let (bias, computed) = mask::read(cx, &sizes)?;
    Ok(Box::new(Attention { dtype: cx.input(Q)?.dtype, sizes, scale, softcap, shown, bias, computed }))
}

impl Attention {
    fn structure<T: Real>(&self) -> Result<Structure<T>> {
        bail!(Internal, "Attention stands for other nodes")
    }

    /// Keys or values with all positions, in the order of axes that the returned letters say; and as the standard's
    /// fourth and fifth outputs have them, `[batch, heads, positions, depth]`.
    fn cached(&self, e: &mut Expansion, input: usize, depth: usize) -> (Source, &'static str, Source) {
        let Sizes { batch, kv_heads, kv, past, folded, .. } = self.sizes;
        let x = Source::Input(input);
        if !folded {
            let all = match past {
                0 => x,
                _ => concat(e, [Source::Input(PAST[input - K]), x]),
            };
            return (all.clone(), "bgtd", all);
        }
        let heads = reshape(e, x, &[batch, kv, kv_heads, depth]);
        let perm = Attributes::from([("perm".into(), Attribute::Ints(vec![0, 2, 1, 3]))]);
        let own = e.add("Transpose", perm, [heads.clone()]);
        if past == 0 {
            return (heads, "btgd", own);
        }
        let all = concat(e, [Source::Input(PAST[input - K]), own]);
        (all.clone(), "bgtd", all)
    }

    /// The sum of scores and everything that masks them.
    fn masked(&self, e: &mut Expansion, mut scores: Source) -> Source {
        match self.computed {
            Some(Computed::Added { missing }) => {
                let mut mask = Source::Input(MASK);
                if missing > 0 {
                    let mut pads = vec![0; 2 * self.sizes.mask_rank];
                    pads[2 * self.sizes.mask_rank - 1] = missing as i64;
                    let pads = Source::Constant(Constant::i64(vec![pads.len()], pads));
                    mask = e.add("Pad", Attributes::new(), [mask, pads, number(f64::NEG_INFINITY)]);
                }
                scores = e.add("Add", Attributes::new(), [scores, mask]);
            }
            Some(Computed::Chosen) => {
                let inputs = [Source::Input(MASK), scores, number(f64::NEG_INFINITY)];
                scores = e.add("Where", Attributes::new(), inputs);
            }
            None => {}
        }
        match &self.bias {
            Some(bias) => e.add("Add", Attributes::new(), [scores, Source::Constant(bias.added.clone())]),
            None => scores,
        }
    }
}

impl Operator for Attention {
    fn outputs(&self) -> Vec<Fact> {
        let s = &self.sizes;
        let fact = |shape: Vec<usize>| Fact::data(shape, self.dtype);
        let cache = |depth: usize| fact(vec![s.batch, s.kv_heads, s.total(), depth]);
        vec![fact(s.output()), cache(s.depth), cache(s.v_depth), fact(s.scores())]
    }

    fn expand(&self) -> Result<Option<Expansion>> {
        let s = &self.sizes;
        let mut e = Expansion::new();
        let (groups, repeats) = (s.kv_heads, s.heads / s.kv_heads);
        let scaled = e.add("Mul", Attributes::new(), [Source::Input(Q), number(self.scale)]);
        let (shape, letters) = match s.folded {
            true => ([s.batch, s.queries, groups, repeats, s.depth], "bqgrd"),
            false => ([s.batch, groups, repeats, s.queries, s.depth], "bgrqd"),
        };
        let q = reshape(&mut e, scaled, &shape);
        let (k, k_letters, present_k) = self.cached(&mut e, K, s.depth);
        let (v, v_letters, present_v) = self.cached(&mut e, V, s.v_depth);
        let scores = einsum(&mut e, format!("{letters},{k_letters}->bgrqt"), [q, k]);
        let raw = reshape(&mut e, scores, &s.scores());
        let mut capped = raw.clone();
        if self.softcap > 0.0 {
            let inner = e.add("Div", Attributes::new(), [capped, number(self.softcap)]);
            let bounded = e.add("Tanh", Attributes::new(), [inner]);
            capped = e.add("Mul", Attributes::new(), [bounded, number(self.softcap)]);
        }
        let masked = self.masked(&mut e, capped.clone());
        let last = Attributes::from([("axis".into(), Attribute::Int(3))]);
        let mut p = e.add("Softmax", last, [masked.clone()]);
        if let Some(kept) = self.bias.as_ref().and_then(|b| b.kept.clone()) {
            p = e.add("Mul", Attributes::new(), [p, Source::Constant(kept)]);
        }
        let shown = [raw, capped, masked, p.clone()][self.shown as usize].clone();
        let weights = reshape(&mut e, p, &[s.batch, groups, repeats, s.queries, s.total()]);
        let y = einsum(&mut e, format!("bgrqt,{v_letters}->{letters}"), [weights, v]);
        let y = reshape(&mut e, y, &s.output());
        Ok(Some(e.done([y, present_k, present_v, shown])))
    }

    structures!();
}

fn number(v: f64) -> Source {
    Source::Constant(Constant::f64(vec![], vec![v]))
}

fn reshape(e: &mut Expansion, x: Source, shape: &[usize]) -> Source {
    let to = Constant::i64(vec![shape.len()], shape.iter().map(|&d| d as i64).collect());
    e.add("Reshape", Attributes::new(), [x, Source::Constant(to)])
}

/// Joins along positions.
fn concat(e: &mut Expansion, parts: [Source; 2]) -> Source {
    e.add("Concat", Attributes::from([("axis".into(), Attribute::Int(2))]), parts)
}

fn einsum(e: &mut Expansion, equation: String, operands: [Source; 2]) -> Source {
    e.add("Einsum", Attributes::from([("equation".into(), Attribute::String(equation))]), operands)
}
