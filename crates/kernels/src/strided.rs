//! Copies between strided views: transposes, slices, concatenations, broadcasts, and their adjoints.

use deeplift_simd::Real;

/// Most axes a view may have.
pub const MAX_AXES: usize = 8;

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
#[derive(Clone, Copy)]
struct Axis {
    extent: usize,
    src: isize,
    dst: isize,
}

/// The loops that remain after dropping axes of one and joining axes that are contiguous in both views.
fn loops(shape: &[usize], src: &StridedView, dst: &StridedView) -> Vec<Axis> {
    let mut axes: Vec<Axis> = Vec::with_capacity(shape.len());
    for (a, &extent) in shape.iter().enumerate() {
        let axis = Axis { extent, src: src.strides[a], dst: dst.strides[a] };
        let steps = extent as isize;
        match axes.last_mut() {
            _ if extent == 1 => {}
            Some(outer) if outer.src == axis.src * steps && outer.dst == axis.dst * steps => {
                *outer = Axis { extent: outer.extent * extent, ..axis };
            }
            _ => axes.push(axis),
        }
    }
    axes
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
/// # Panics
/// If a view leaves its slice or has more than [`MAX_AXES`] axes.
pub fn copy<E: Copy>(
    shape: &[usize],
    src: &[E],
    src_view: &StridedView,
    dst: &mut [E],
    dst_view: &StridedView,
) {
    let Some((axes, from, to)) = prepare(shape, src.len(), src_view, dst.len(), dst_view) else { return };
    for_each(&axes, from, to, &mut |s, d| dst[d as usize] = src[s as usize]);
}

/// `dst[view i] += src[view i]` for every index `i` of `shape`, row-major; the adjoint of [`copy`] with the
/// views exchanged. Several sources may meet in one destination (stride 0).
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
    let Some((axes, from, to)) = prepare(shape, src.len(), src_view, dst.len(), dst_view) else { return };
    for_each(&axes, from, to, &mut |s, d| dst[d as usize] += src[s as usize]);
}

/// Checks both views and simplifies the loops; `None` if there is nothing to do.
fn prepare(
    shape: &[usize],
    src_len: usize,
    src: &StridedView,
    dst_len: usize,
    dst: &StridedView,
) -> Option<(Vec<Axis>, isize, isize)> {
    assert!(shape.len() <= MAX_AXES, "strided view: {} axes, at most {MAX_AXES} are supported", shape.len());
    if shape.contains(&0) {
        return None;
    }
    src.check(shape, src_len);
    dst.check(shape, dst_len);
    Some((loops(shape, src, dst), src.offset as isize, dst.offset as isize))
}
