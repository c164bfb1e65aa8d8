//! Sizes of an attention, from the shapes of its inputs and the numbers of heads.
use deeplift_graph::{ensure, Build, Result};

use super::{K, MASK, PAST, Q, V};

/// Sizes of an attention at one batch.
pub struct Sizes {
    pub batch: usize,
    /// Heads of queries, a multiple of those of keys and values.
    pub heads: usize,
    pub kv_heads: usize,
    pub queries: usize,
    /// Keys and values that are given, and those that are cached before them.
    pub kv: usize,
    pub past: usize,
    /// Elements of a query or key, and of a value.
    pub depth: usize,
    pub v_depth: usize,
    /// Whether heads lie within the last of three axes.
    pub folded: bool,
    /// Axes of the mask.
    pub mask_rank: usize,
}

impl Sizes {
    /// Reads three axes, `[batch, positions, heads * depth]`, or four, `[batch, heads, positions, depth]`.
    pub fn read(cx: &Build<'_>) -> Result<Self> {
        let shapes = [Q, K, V].map(|i| cx.input(i).map(|f| &f.shape[..]));
        let [q, k, v] = shapes;
        let (q, k, v) = (q?, k?, v?);
        let folded = q.len() == 3;
        ensure!(
            (folded || q.len() == 4) && k.len() == q.len() && v.len() == q.len(),
            InvalidModel,
            "queries, keys and values of shapes {q:?}, {k:?} and {v:?}; all three must have three or four axes"
        );
        let heads = |name: &str, shape: &[usize]| -> Result<usize> {
            let own = if folded { 0 } else { shape[1] as i64 };
            let n = cx.int(name, own)?;
            let fits = n > 0 && if folded { (shape[2] as i64) % n == 0 } else { n == own };
            ensure!(fits, InvalidModel, "{name} {n} does not fit shape {shape:?}");
            Ok(n as usize)
        };
        let (q_heads, kv_heads) = (heads("q_num_heads", q)?, heads("kv_num_heads", k)?);
        let v_heads = heads("kv_num_heads", v)?;
        let split = |shape: &[usize], heads: usize| match folded {
            true => [shape[0], shape[1], shape[2] / heads],
            false => [shape[0], shape[2], shape[3]],
        };
        let ([batch, queries, depth], [kb, kv, kd], [vb, vp, v_depth]) =
            (split(q, q_heads), split(k, kv_heads), split(v, v_heads));
        ensure!(
            q_heads.is_multiple_of(kv_heads) && v_heads == kv_heads && kd == depth && kv == vp,
            InvalidModel,
            "{q_heads} heads of queries of shape {q:?} do not fit {kv_heads} of keys of shape {k:?} and {v_heads} of \
             values of shape {v:?}"
        );
        ensure!(
            kb == batch && vb == batch,
            InvalidModel,
            "shapes {q:?}, {k:?} and {v:?} are of different batches"
        );
        let past = match PAST.map(|i| cx.optional(i)) {
            [None, None] => 0,
            [Some(pk), Some(pv)] => {
                let positions = pk.shape.get(2).copied().unwrap_or(0);
                let fits = pk.shape == [batch, kv_heads, positions, depth]
                    && pv.shape == [batch, kv_heads, positions, v_depth];
                ensure!(
                    fits,
                    InvalidModel,
                    "cached keys and values of shapes {:?} and {:?} do not fit {kv_heads} heads of {depth} and \
                     {v_depth} elements",
                    pk.shape,
                    pv.shape
                );
                positions
            }
            _ => deeplift_graph::bail!(InvalidModel, "past_key and past_value must be given together"),
        };
        let mask_rank = cx.optional(MASK).map_or(0, |f| f.shape.len());
        Ok(Sizes { batch, heads: q_heads, kv_heads, queries, kv, past, depth, v_depth, folded, mask_rank })
    }

    /// All keys.
    pub fn total(&self) -> usize {
        self.past + self.kv
    }

    /// Shape of the scores of queries and keys.
    pub fn scores(&self) -> Vec<usize> {
        vec![self.batch, self.heads, self.queries, self.total()]
    }

    /// Shape of the first output.
    pub fn output(&self) -> Vec<usize> {
        match self.folded {
            true => vec![self.batch, self.queries, self.heads * self.v_depth],
            false => vec![self.batch, self.heads, self.queries, self.v_depth],
        }
    }
}
