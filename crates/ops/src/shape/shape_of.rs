//! Shape and Size. The batch axis is 1 in every plan, so batches of any size run the same plan.
use deeplift_graph::{Build, Constant, DType, Fact, Operator, Result};

use super::PlanTime;

/// `start` and `end` of Shape (opset 15) count from the end if negative and are clamped.
pub fn build(cx: &Build<'_>) -> Result<Box<dyn Operator>> {
    let x = cx.input(0)?;
    let rank = x.shape.len() as i64;
    let value = if cx.op == "Size" {
        Constant::i64(vec![], vec![x.len() as i64])
    } else {
        let clamp = |v: i64| if v < 0 { v.saturating_add(rank) } else { v }.clamp(0, rank) as usize;
        let (start, end) = (clamp(cx.int("start", 0)?), clamp(cx.int("end", rank)?));
        let dims: Vec<i64> = x.shape[start..end.max(start)].iter().map(|&d| d as i64).collect();
        Constant::i64(vec![dims.len()], dims)
    };
    Ok(Box::new(PlanTime {
        fact: Fact::data(value.shape.clone(), DType::I64),
        evaluate: Box::new(move |_| Ok(value.clone())),
        from_shapes: true,
        pointwise: None,
    }))
}
