//! Numerical kernels: slices in, slices out.
