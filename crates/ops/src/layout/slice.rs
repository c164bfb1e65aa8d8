//! Slice: ranges with steps, negative ones included, and the sentinels that mean "to the end".
use deeplift_graph::broadcast::{axis_index, axis_indices, strides};
use deeplift_graph::operator::Permuted;
use deeplift_graph::wire::Attribute;
use deeplift_graph::{bail, ensure, Build, Constant, Operator, Result};

/// The selected range of one axis: first element, step, number of elements.
struct Range {
    axis: usize,
    start: isize,
    step: isize,
    len: usize,
}

/// Bounds are attributes up to opset 9, inputs from 10 on.
pub fn build(cx: &Build<'_>) -> Result<Box<dyn Operator>> {
    let x = cx.input(0)?;
    let own = strides(&x.shape);
    let (mut shape, mut steps, mut start) = (x.shape.clone(), vec![1isize; x.shape.len()], 0isize);
    let mut reversed = false;
    for r in ranges(cx)? {
        reversed |= r.step < 0;
        shape[r.axis] = r.len;
        steps[r.axis] = r.step;
        start += r.start * own[r.axis] as isize;
    }
    let mut moves = super::walk(cx, shape, start, &steps)?;
    moves.permutable = Some(permute);
    moves.along = reversed.then(|| x.shape.clone());
    Ok(Box::new(moves))
}

fn ranges(cx: &Build<'_>) -> Result<Vec<Range>> {
    let x = cx.input(0)?;
    let (Some(starts), Some(ends)) = (cx.ints_from("starts", 1)?, cx.ints_from("ends", 2)?) else {
        bail!(InvalidModel, "starts or ends are missing")
    };
    let axes = cx.ints_from("axes", 3)?.unwrap_or((0..starts.len() as i64).collect());
    let steps = cx.ints_from("steps", 4)?.unwrap_or(vec![1; starts.len()]);
    ensure!(
        ends.len() == starts.len() && axes.len() == starts.len() && steps.len() == starts.len(),
        InvalidModel,
        "starts, ends, axes and steps differ in length"
    );
    axis_indices(&axes, x.shape.len())?;
    let mut out = Vec::new();
    for i in 0..starts.len() {
        let axis = axis_index(axes[i], x.shape.len())?;
        let (n, step) = (x.shape[axis] as i64, steps[i]);
        ensure!(step != 0, InvalidModel, "a step of 0");
        let from_end = |v: i64| if v < 0 { v.saturating_add(n) } else { v };
        let (low, high) = if step > 0 { (0, n) } else { (-1, n - 1) };
        let start = from_end(starts[i]).clamp(low.max(0), high.max(0));
        // INT64_MIN as the end of a negative step means "past the first element".
        let end = from_end(ends[i]).clamp(low, high);
        // A step beyond the axis takes one element, as a step of the axis' length does.
        let step = step.clamp(-n.max(1), n.max(1));
        let len = if step > 0 { (end - start + step - 1) / step } else { (start - end - step - 1) / -step };
        let len = if n == 0 { 0 } else { len };
        out.push(Range { axis, start: start as isize, step: step as isize, len: len.max(0) as usize });
    }
    Ok(out)
}

fn permute(cx: &Build<'_>, perm: &[usize]) -> Option<Permuted> {
    let ranges = ranges(cx).ok()?;
    let mut attrs = cx.attrs.clone();
    let column = |f: &dyn Fn(&Range) -> i64| ranges.iter().map(f).collect::<Vec<_>>();
    let starts = column(&|r| r.start as i64);
    let ends = column(&|r| {
        let past = r.start as i64 + r.step as i64 * r.len as i64;
        if past < 0 {
            i64::MIN
        } else {
            past
        }
    });
    let axes = column(&|r| perm[r.axis] as i64);
    let steps = column(&|r| r.step as i64);
    let list = |v: Vec<i64>| Constant::i64(vec![v.len()], v);
    let columns = [("starts", starts), ("ends", ends), ("axes", axes), ("steps", steps)];
    if cx.attrs.contains_key("starts") {
        attrs.extend(columns.map(|(name, v)| (name.to_string(), Attribute::Ints(v))));
        return Some(Permuted { attrs, constants: vec![], perm: perm.to_vec() });
    }
    let given = cx.inputs.len();
    if given < 4 {
        attrs.insert("axes".into(), Attribute::Ints(columns[2].1.clone()));
    }
    let constants = columns.into_iter().enumerate().map(|(i, (_, v))| (i + 1, list(v))).filter(|&(i, _)| {
        // Steps that were not given are 1 and stay so.
        i < given
    });
    Some(Permuted { attrs, constants: constants.collect(), perm: perm.to_vec() })
}
