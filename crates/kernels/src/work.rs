//! Counted work: what a kernel executes, whatever the clock says.

/// What one application of a packed map costs.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Work {
    /// The kernel that was chosen for the shapes, such as `direct 14x2` (rows by vectors of the register tile).
    pub kernel: String,
    /// Floating-point operations of its products, two per multiply-add. Columns that only fill up a vector count,
    /// products with padding that are left out do not.
    pub flops: f64,
    /// Bytes of packed weights.
    pub weight_bytes: usize,
}

impl Work {
    /// The same map applied `times` times with the same weights.
    pub fn times(self, times: usize) -> Self {
        Self { flops: self.flops * times as f64, ..self }
    }
}

impl std::ops::Add for Work {
    type Output = Self;

    /// One map after the other. Equal kernels are named once.
    fn add(self, other: Self) -> Self {
        let kernel = match (self.kernel, other.kernel) {
            (kernel, next) if next.is_empty() || kernel == next => kernel,
            (kernel, next) if kernel.is_empty() => next,
            (kernel, next) => format!("{kernel} + {next}"),
        };
        let weight_bytes = self.weight_bytes + other.weight_bytes;
        Self { kernel, flops: self.flops + other.flops, weight_bytes }
    }
}
