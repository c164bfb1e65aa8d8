//! Which buffer each tensor lives in: tensors whose lives do not overlap share one.
use deeplift_simd::{AlignedVec, Real};

/// A tensor's need: first and last step that touch it, and elements per lane.
#[derive(Clone, Copy, Debug)]
pub struct Life {
    /// First step.
    pub start: usize,
    /// Last step; `usize::MAX` for tensors that outlive the pass.
    pub end: usize,
    /// Elements of one lane.
    pub len: usize,
}

/// Buffers by number, and the elements per lane of each.
#[derive(Clone, Debug, Default)]
pub struct Assignment {
    /// Buffer of each tensor.
    pub slot: Vec<Option<usize>>,
    /// Elements per lane of each buffer.
    pub lens: Vec<usize>,
}

impl Assignment {
    /// Assigns buffers greedily in order of first use, the best fitting free one first.
    pub fn new(lives: &[Option<Life>]) -> Self {
        let mut order: Vec<usize> = (0..lives.len()).filter(|&t| lives[t].is_some()).collect();
        order.sort_by_key(|&t| (lives[t].map(|l| l.start), t));
        let mut out = Assignment { slot: vec![None; lives.len()], lens: vec![] };
        let mut busy_until: Vec<usize> = vec![];
        for t in order {
            let Some(life) = lives[t] else { continue };
            let free = (0..out.lens.len()).filter(|&s| busy_until[s] < life.start);
            // Growing a buffer costs less the closer it already is; a larger one costs nothing.
            let cost = |&s: &usize| (life.len.saturating_sub(out.lens[s]), out.lens[s]);
            let s = free.min_by_key(cost).unwrap_or_else(|| {
                out.lens.push(0);
                busy_until.push(0);
                out.lens.len() - 1
            });
            out.lens[s] = out.lens[s].max(life.len);
            busy_until[s] = life.end;
            out.slot[t] = Some(s);
        }
        out
    }

    /// The same where tensor `t` lives in the buffer of tensor `of[t]`, which may live in another's.
    pub fn shared(lives: &[Option<Life>], of: &[usize]) -> Self {
        let mut united = lives.to_vec();
        for (t, &owner) in of.iter().enumerate().filter(|&(t, &owner)| t != owner) {
            if let (Some(own), Some(life)) = (united[t].take(), &mut united[owner]) {
                life.start = life.start.min(own.start);
                life.end = life.end.max(own.end);
                life.len = life.len.max(own.len);
            }
        }
        let mut out = Self::new(&united);
        for (t, &owner) in of.iter().enumerate() {
            out.slot[t] = out.slot[owner];
        }
        out
    }

    /// Elements per lane of all buffers together.
    pub fn total(&self) -> usize {
        self.lens.iter().sum()
    }

    /// The buffers themselves, for so many lanes.
    pub fn allocate<T: Real>(&self, lanes: usize) -> Vec<AlignedVec<T>> {
        self.lens.iter().map(|&n| AlignedVec::zeroed(n * lanes)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn overlapping_lives_never_share() {
        let life = |start, end, len| Some(Life { start, end, len });
        let lives =
            [life(0, 2, 10), life(1, 3, 5), life(3, 4, 8), None, life(4, usize::MAX, 4), life(5, 6, 9)];
        let a = Assignment::new(&lives);
        for i in 0..lives.len() {
            for j in 0..i {
                let (Some(x), Some(y)) = (lives[i], lives[j]) else { continue };
                if x.start <= y.end && y.start <= x.end {
                    assert_ne!(a.slot[i], a.slot[j], "{i} and {j}");
                }
            }
        }
        assert!(a.lens.len() <= 3 && a.total() <= 10 + 5 + 9);
    }
}
