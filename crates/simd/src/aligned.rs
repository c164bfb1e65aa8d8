//! Zeroed buffers aligned to a cache line, which is also the widest vector register.

use std::alloc::{alloc_zeroed, dealloc, handle_alloc_error, Layout};
use std::fmt;
use std::ops::{Deref, DerefMut};
use std::ptr::NonNull;

/// Alignment of every buffer, in bytes: one cache line, one AVX-512 register.
const ALIGNMENT: usize = 64;

mod sealed {
    pub trait Sealed {}
    impl Sealed for f32 {}
    impl Sealed for f64 {}
    impl Sealed for u16 {}
}

/// What buffers hold: `f32`, `f64`, and `u16` for the bits of a bf16. Sealed, so that buffers may rely on zero bytes
/// being `0`.
pub trait Element: sealed::Sealed + Copy + Default + fmt::Debug + Send + Sync + 'static {}

impl Element for f32 {}
impl Element for f64 {}
impl Element for u16 {}

/// A fixed-length buffer of numbers, zeroed, aligned to 64 bytes.
pub struct AlignedVec<T: Element> {
    /// Valid for `len` elements, or dangling but aligned when `len` is 0.
    data: NonNull<T>,
    len: usize,
    /// Bytes between the start of the allocation and `data`.
    skipped: usize,
}

// SAFETY: the buffer is owned uniquely, like that of a Vec, and `T: Element` is Send.
unsafe impl<T: Element> Send for AlignedVec<T> {}
// SAFETY: shared access gives `&[T]` only, and `T: Element` is Sync.
unsafe impl<T: Element> Sync for AlignedVec<T> {}

impl<T: Element> AlignedVec<T> {
    /// A buffer of `len` zeros. Where the system gives large buffers page by page, those that are never touched take no
    /// memory: allocators write zeros themselves only where more than their usual alignment is asked for.
    ///
    /// # Panics
    /// If the size in bytes overflows. Aborts if memory runs out, as `Vec` does.
    pub fn zeroed(len: usize) -> Self {
        if len == 0 {
            return Self::default();
        }
        let layout = Self::layout(len);
        // SAFETY: the layout is larger than `ALIGNMENT`, so it is not empty.
        let Some(start) = NonNull::new(unsafe { alloc_zeroed(layout) }) else { handle_alloc_error(layout) };
        let skipped = start.as_ptr().addr().wrapping_neg() % ALIGNMENT;
        // SAFETY: at most `ALIGNMENT` bytes are skipped, so many more were allocated than the elements take.
        let data = unsafe { start.add(skipped) }.cast::<T>();
        Self { data, len, skipped }
    }

    /// Grows to at least `len` elements. The contents are then unspecified: zeros or earlier values.
    pub fn resize_at_least(&mut self, len: usize) {
        if self.len < len {
            *self = Self::zeroed(len);
        }
    }

    fn layout(len: usize) -> Layout {
        let bytes = len.checked_mul(size_of::<T>()).and_then(|bytes| bytes.checked_add(ALIGNMENT));
        Layout::from_size_align(bytes.expect("buffer size overflows"), align_of::<T>())
            .expect("buffer size overflows")
    }
}

impl<T: Element> Default for AlignedVec<T> {
    fn default() -> Self {
        const { assert!(align_of::<T>() <= ALIGNMENT) };
        Self { data: NonNull::dangling(), len: 0, skipped: 0 }
    }
}

impl<T: Element> Drop for AlignedVec<T> {
    fn drop(&mut self) {
        if self.len > 0 {
            // SAFETY: a non-empty buffer was allocated in `zeroed` with the layout of the same `len`, `skipped` bytes before
            // `data`.
            unsafe { dealloc(self.data.cast::<u8>().sub(self.skipped).as_ptr(), Self::layout(self.len)) }
        }
    }
}

impl<T: Element> Deref for AlignedVec<T> {
    type Target = [T];
    #[inline(always)]
    fn deref(&self) -> &[T] {
        // SAFETY: `data` is aligned and valid for `len` elements (field invariant); all were initialised to
        // zero bytes, which is 0 for all sealed implementations of `Element`.
        unsafe { std::slice::from_raw_parts(self.data.as_ptr(), self.len) }
    }
}

impl<T: Element> DerefMut for AlignedVec<T> {
    #[inline(always)]
    fn deref_mut(&mut self) -> &mut [T] {
        // SAFETY: as in `deref`; `&mut self` makes the access unique.
        unsafe { std::slice::from_raw_parts_mut(self.data.as_ptr(), self.len) }
    }
}

impl<T: Element> From<&[T]> for AlignedVec<T> {
    fn from(values: &[T]) -> Self {
        let mut copy = Self::zeroed(values.len());
        copy.copy_from_slice(values);
        copy
    }
}

impl<T: Element> Clone for AlignedVec<T> {
    fn clone(&self) -> Self {
        Self::from(&**self)
    }
}

impl<T: Element> fmt::Debug for AlignedVec<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buffers_are_zeroed_and_aligned() {
        for len in [1, 3, 16, 1000] {
            let buffer = AlignedVec::<f32>::zeroed(len);
            assert_eq!(buffer.as_ptr() as usize % ALIGNMENT, 0);
            assert_eq!(*buffer, vec![0.0; len][..]);
        }
    }

    #[test]
    fn an_empty_buffer_is_an_empty_slice() {
        assert!(AlignedVec::<f64>::default().is_empty());
        assert!(AlignedVec::<f64>::zeroed(0).clone().is_empty());
    }

    #[test]
    fn copies_are_independent() {
        let mut a = AlignedVec::from(&[1.0f64, 2.0, 3.0][..]);
        let b = a.clone();
        a[1] = 5.0;
        assert_eq!((&*a, &*b), (&[1.0, 5.0, 3.0][..], &[1.0, 2.0, 3.0][..]));
    }

    #[test]
    fn growing_never_shrinks() {
        let mut a = AlignedVec::<f32>::zeroed(8);
        a.resize_at_least(4);
        assert_eq!(a.len(), 8);
        a.resize_at_least(20);
        assert_eq!(*a, [0.0; 20]);
    }

    #[test]
    #[should_panic(expected = "overflows")]
    fn impossible_sizes_are_refused() {
        AlignedVec::<f64>::zeroed(usize::MAX / 4);
    }
}
