//! What masks the scores of an attention.
use deeplift_graph::broadcast::{broadcast_index, broadcast_shape};
use deeplift_graph::{ensure, Build, Constant, DType, Result};

use super::shapes::Sizes;
use super::{MASK, NONPAD};

/// Everything that is added to the scores and known at plan time.
pub struct Bias {
    pub added: Constant,
    /// 0 for queries that may attend to nothing, 1 for the others; absent where all are 1.
    pub kept: Option<Constant>,
}

/// A mask whose values depend on the input.
pub enum Computed {
    /// Numbers to add, to be followed by so many columns of −inf.
    Added { missing: usize },
    /// Which keys to attend to.
    Chosen,
}

/// Reads mask, causality, windows and padding.
pub fn read(cx: &Build<'_>, s: &Sizes) -> Result<(Option<Bias>, Option<Computed>)> {
    let window = |name: &str| -> Result<Option<i64>> {
        let v = cx.int(name, -1)?;
        ensure!(v >= -1, InvalidModel, "{name} {v} is no number of positions");
        Ok((v >= 0).then_some(v))
    };
    let (left, mut right) = (window("left_window_size")?, window("right_window_size")?);
    if cx.int("is_causal", 0)? != 0 {
        right = Some(0);
    }
    let valid = valid_keys(cx, s)?;
    let mask = cx.optional(MASK);
    if let Some(f) = mask {
        let mut shape = f.shape.clone();
        let columns = shape.last_mut().filter(|n| **n <= s.total());
        ensure!(
            columns.is_some(),
            InvalidModel,
            "a mask of shape {:?} does not fit {} keys",
            f.shape,
            s.total()
        );
        columns.into_iter().for_each(|n| *n = s.total());
        let fits = broadcast_shape(&shape, &s.scores()).is_ok_and(|b| b == s.scores());
        ensure!(
            fits,
            InvalidModel,
            "a mask of shape {:?} does not fit scores of shape {:?}",
            f.shape,
            s.scores()
        );
    }
    let given = mask.and_then(|f| f.constant.as_ref());
    let computed = match mask.filter(|f| f.constant.is_none()) {
        None => None,
        Some(f) => {
            let missing = s.total() - f.shape[f.shape.len() - 1];
            ensure!(
                f.dtype.is_float() || (f.dtype == DType::Bool && missing == 0),
                UnsupportedOp,
                "a mask of {:?} and shape {:?} that depends on the input has no rule; use one of {} columns, or of floats",
                f.dtype,
                f.shape,
                s.total()
            );
            Some(if f.dtype.is_float() { Computed::Added { missing } } else { Computed::Chosen })
        }
    };
    if given.is_none() && left.is_none() && right.is_none() && valid.is_none() {
        return Ok((None, computed));
    }
    // Queries follow the cached keys; without a cache, the last query meets the last valid key.
    let offset = match valid {
        Some(n) if s.past == 0 => n as i64 - s.queries as i64,
        _ => s.past as i64,
    };
    let allowed = |q: usize, k: usize| {
        let behind = q as i64 + offset - k as i64;
        left.is_none_or(|n| behind <= n) && right.is_none_or(|n| -behind <= n) && valid.is_none_or(|n| k < n)
    };
    let lead: Vec<usize> = given.map_or(vec![], |c| c.shape[..c.shape.len().saturating_sub(2)].to_vec());
    let shape = [lead, vec![s.queries, s.total()]].concat();
    let mut added = match given {
        Some(c) => spread(c, &shape),
        None => vec![0.0; shape.iter().product()],
    };
    for (i, v) in added.iter_mut().enumerate() {
        if !allowed(i / s.total() % s.queries, i % s.total()) {
            *v = f64::NEG_INFINITY;
        }
    }
    let mut kept = vec![1.0; added.len() / s.total()];
    for (row, kept) in added.chunks_exact_mut(s.total()).zip(&mut kept) {
        if row.iter().all(|&v| v == f64::NEG_INFINITY) {
            row.fill(0.0);
            *kept = 0.0;
        }
    }
    let mut rows = shape.clone();
    rows[shape.len() - 1] = 1;
    let kept = kept.contains(&0.0).then(|| Constant::f64(rows, kept));
    Ok((Some(Bias { added: Constant::f64(shape, added), kept }), computed))
}

/// A constant mask as numbers to add, its missing columns −inf.
fn spread(mask: &Constant, shape: &[usize]) -> Vec<f64> {
    let value = |i: usize| match (mask.dtype, mask.at(i)) {
        (DType::Bool, 0.0) => f64::NEG_INFINITY,
        (DType::Bool, _) => 0.0,
        (_, v) => v,
    };
    let (total, columns) = (shape[shape.len() - 1], mask.shape[mask.shape.len() - 1]);
    // The rows broadcast; the columns are those that are there.
    let mut narrow = shape.to_vec();
    narrow[shape.len() - 1] = columns;
    let mut all = vec![f64::NEG_INFINITY; shape.iter().product()];
    for (at, from) in broadcast_index(&mask.shape, &narrow).into_iter().enumerate() {
        all[at / columns * total + at % columns] = value(from);
    }
    all
}

/// How many keys are no padding, if the node says so.
fn valid_keys(cx: &Build<'_>, s: &Sizes) -> Result<Option<usize>> {
    let Some(c) = cx.optional_constant(NONPAD, "nonpad_kv_seqlen")? else { return Ok(None) };
    let lengths = c.to_i64()?;
    ensure!(
        lengths.len() == s.batch && s.past == 0,
        InvalidModel,
        "nonpad_kv_seqlen of {} lengths for a batch of {} with {} cached keys",
        lengths.len(),
        s.batch,
        s.past
    );
    let same = lengths.windows(2).all(|w| w[0] == w[1]);
    ensure!(same, UnsupportedOp, "examples of different lengths have no rule in one batch");
    Ok(Some(lengths.first().map_or(0, |&n| n.clamp(0, s.total() as i64) as usize)))
}
