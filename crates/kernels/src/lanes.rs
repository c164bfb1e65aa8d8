//! What kernels that take several lanes at once need to know of each.

use crate::Epilogue;

/// Hands over the epilogue of a lane, once for each: what is called with the lane's index calls back with it.
pub type Epilogues<'a, T> = &'a mut dyn FnMut(usize, &mut dyn FnMut(Epilogue<'_, T>));
