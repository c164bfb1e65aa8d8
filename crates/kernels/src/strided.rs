//! Copies between strided views: transposes, slices, concatenations, broadcasts, and their adjoints.

use deeplift_simd::Real;

/// Most axes a view may have.
pub const MAX_AXES: usize = 8;

/// Side of the squares in which a transpose is copied: the lines that a square touches stay in L1.
const SQUARE: usize = 16;

/// Where the elements of an array lie in a slice: element `i` is at `offset + sum_a i[a] * strides[a]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StridedView {
    /// Index of the first element.
    pub offset: usize,
    /// Distance between neighbours along each axis, in elements; 0 repeats, negative walks backwards.
    pub strides: Vec<isize>,
}

impl StridedView {
    /// The row-major view of a whole array.
    pub fn contiguous(shape: &[usize]) -> Self {
        let mut strides = vec![1; shape.len()];
        for axis in (1..shape.len()).rev() {
            strides[axis - 1] = strides[axis] * shape[axis] as isize;
        }
        Self { offset: 0, strides }
    }

    /// Panics unless every element lies inside a slice of `len`.
    fn check(&self, shape: &[usize], len: usize) {
        assert_eq!(self.strides.len(), shape.len(), "strided view: strides of another rank than {shape:?}");
        let (mut low, mut high) = (self.offset as i128, self.offset as i128);
        for (&extent, &stride) in shape.iter().zip(&self.strides) {
            let reach = (extent as i128 - 1) * stride as i128;
            low += reach.min(0);
            high += reach.max(0);
        }
        assert!(
            low >= 0 && high < len as i128,
            "strided view: {self:?} of shape {shape:?} leaves a slice of {len}"
        );
    }
}

/// One loop over both views.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Axis {
    extent: usize,
    src: isize,
    dst: isize,
}

/// The loops that are left after dropping axes of one and joining axes that are contiguous in both views.
struct Loops {
    axes: [Axis; MAX_AXES],
    len: usize,
}

impl Loops {
    /// Checks both views; `None` if there is nothing to do.
    fn new(
        shape: &[usize],
        src_len: usize,
        src: &StridedView,
        dst_len: usize,
        dst: &StridedView,
    ) -> Option<Self> {
        assert!(
            shape.len() <= MAX_AXES,
            "strided view: {} axes, at most {MAX_AXES} are supported",
            shape.len()
        );
        if shape.contains(&0) {
            return None;
        }
        src.check(shape, src_len);
        dst.check(shape, dst_len);
        let mut loops = Self { axes: [Axis { extent: 1, src: 1, dst: 1 }; MAX_AXES], len: 0 };
        for (a, &extent) in shape.iter().enumerate().filter(|(_, extent)| **extent != 1) {
            let axis = Axis { extent, src: src.strides[a], dst: dst.strides[a] };
            let steps = extent as isize;
            match loops.axes[..loops.len].last_mut() {
                Some(outer) if outer.src == axis.src * steps && outer.dst == axis.dst * steps => {
                    *outer = Axis { extent: outer.extent * extent, ..axis };
                }
                _ => {
                    loops.axes[loops.len] = axis;
                    loops.len += 1;
                }
            }
        }
        Some(loops)
    }

    /// Moves the first axis for which `wanted` holds to the place `from_end` places before the last.
    fn bring(&mut self, from_end: usize, wanted: impl Fn(&Axis) -> bool) -> bool {
        let Some(target) = self.len.checked_sub(from_end + 1) else { return false };
        let Some(found) = self.axes[..=target].iter().position(wanted) else { return false };
        self.axes[found..=target].rotate_left(1);
        true
    }

    /// The outer loops, and the `N` innermost ones (padded with loops of one).
    fn split<const N: usize>(&self) -> (&[Axis], [Axis; N]) {
        let outer = self.len.saturating_sub(N);
        let mut inner = [Axis { extent: 1, src: 1, dst: 1 }; N];
        inner[N - (self.len - outer)..].copy_from_slice(&self.axes[outer..self.len]);
        (&self.axes[..outer], inner)
    }
}

/// Calls `visit(source start, destination start)` for every position of `axes`, row-major.
fn for_each(axes: &[Axis], src: isize, dst: isize, visit: &mut impl FnMut(isize, isize)) {
    match axes {
        [] => visit(src, dst),
        [axis, inner @ ..] => {
            for i in 0..axis.extent as isize {
                for_each(inner, src + i * axis.src, dst + i * axis.dst, visit);
            }
        }
    }
}

/// `dst[view i] = src[view i]` for every index `i` of `shape`.
///
/// No two indices may share a cell of `dst`; if they do, any of them may win.
///
/// # Panics
/// If a view leaves its slice or has more than [`MAX_AXES`] axes.
pub fn copy<E: Copy>(
    shape: &[usize],
    src: &[E],
    src_view: &StridedView,
    dst: &mut [E],
    dst_view: &StridedView,
) {
    let Some(mut loops) = Loops::new(shape, src.len(), src_view, dst.len(), dst_view) else { return };
    let (from, to) = (src_view.offset as isize, dst_view.offset as isize);
    // Runs that are contiguous in both, else rows that are contiguous in the destination.
    if !loops.bring(0, |axis| axis.src == 1 && axis.dst == 1) {
        loops.bring(0, |axis| axis.dst == 1);
    }
    let (_, [row]) = loops.split();
    if (row.dst, row.src) == (1, 1) || (row.dst, row.src) == (1, 0) {
        let (outer, _) = loops.split::<1>();
        for_each(outer, from, to, &mut |s, d| {
            let to = &mut dst[d as usize..][..row.extent];
            match row.src {
                1 => to.copy_from_slice(&src[s as usize..][..row.extent]),
                _ => to.fill(src[s as usize]),
            }
        });
        return;
    }
    loops.bring(1, |axis| axis.src == 1);
    let (outer, [column, row]) = loops.split();
    let squares = |axis: Axis| (0..axis.extent).step_by(SQUARE).map(move |i| i..axis.extent.min(i + SQUARE));
    for_each(outer, from, to, &mut |s, d| {
        for columns in squares(column) {
            for rows in squares(row) {
                for i in columns.clone() {
                    let (s, d) = (s + i as isize * column.src, d + i as isize * column.dst);
                    for j in rows.clone() {
                        dst[(d + j as isize * row.dst) as usize] = src[(s + j as isize * row.src) as usize];
                    }
                }
            }
        }
    });
}

/// `dst[view i] += src[view i]` for every index `i` of `shape`; the adjoint of [`copy`] with the views exchanged.
///
/// Several sources may meet in one destination (stride 0). Neighbours that meet are summed in float64 first.
///
/// # Panics
/// If a view leaves its slice or has more than [`MAX_AXES`] axes.
pub fn accumulate<T: Real>(
    shape: &[usize],
    src: &[T],
    src_view: &StridedView,
    dst: &mut [T],
    dst_view: &StridedView,
) {
    let Some(mut loops) = Loops::new(shape, src.len(), src_view, dst.len(), dst_view) else { return };
    let (from, to) = (src_view.offset as isize, dst_view.offset as isize);
    loops.bring(0, |axis| axis.src == 1 && axis.dst == 1);
    let (outer, [row]) = loops.split();
    for_each(outer, from, to, &mut |s, d| {
        let cells = (0..row.extent as isize).map(|i| src[(s + i * row.src) as usize]);
        match (row.src, row.dst) {
            (1, 1) => {
                let from = &src[s as usize..][..row.extent];
                dst[d as usize..][..row.extent].iter_mut().zip(from).for_each(|(y, x)| *y += *x);
            }
            (_, 0) => dst[d as usize] += T::from_f64(cells.map(T::to_f64).sum()),
            _ => cells.enumerate().for_each(|(i, x)| dst[(d + i as isize * row.dst) as usize] += x),
        }
    });
}
