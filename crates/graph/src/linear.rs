//! Operators that are affine in their data inputs: `y = A x + b`.
use std::ops::Range;

use deeplift_kernels::{Epilogue, Epilogues, Holding, Reduced, Scratch, Work};
use deeplift_simd::Real;

use crate::layers::Layers;
use crate::operator::Pass;

/// What a policy may want to know of a linear operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LinearKind {
    /// A convolution over positions. Like a dense layer, it splits the *net* difference of its input by sign; all
    /// other kinds pass on the two parts of their inputs.
    Convolution,
    /// A dense layer.
    Dense,
    /// Layout, bias, scale: looked through when a policy asks what feeds an activation.
    Transparent,
    /// Sums, means, residual additions.
    Aggregate,
}

/// The positive and negative parts of a linear operator, without its constant term (SEMANTICS of the paper's
/// section 3.5.1: positive and negative contributions apart).
pub struct Parts<T: Real> {
    /// Weights above zero; `None` if there are none.
    pub positive: Option<Box<dyn Linear<T>>>,
    /// Weights below zero, with their sign; `None` if there are none.
    pub negative: Option<Box<dyn Linear<T>>>,
}

/// When equal windows of the input have to give equal outputs, bit for bit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Even {
    /// In every pass.
    Always,
    /// Only in passes that ask for it.
    OnRequest,
}

/// `y = A x + b`.
pub trait Linear<T: Real>: Send + Sync {
    /// Computes `y` for all lanes; `x` has one slice per data input.
    fn forward(&self, lanes: usize, x: &[&[T]], y: &mut [T], scratch: &mut Scratch<T>);
    /// Computes `mx = Aᵀ my` (added to `mx` if `accumulate`) for data input `port`.
    fn adjoint(
        &self,
        lanes: usize,
        port: usize,
        my: &[T],
        mx: &mut [T],
        accumulate: bool,
        scratch: &mut Scratch<T>,
    );
    /// The elements of data input `port` that the output elements `out` depend on, both within one lane; the range
    /// may reach beyond the lane.
    fn reads(&self, _port: usize, _out: &Range<usize>) -> Range<usize> {
        0..usize::MAX
    }
    /// The elements of the output that depend on the elements `input` of data input `port`, both within one lane; the
    /// range may reach beyond the lane.
    fn writes(&self, _port: usize, _input: &Range<usize>) -> Range<usize> {
        0..usize::MAX
    }
    /// The operator without multipliers, and without all elements of the output but `out`, which it leaves as they are;
    /// none if it cannot leave any.
    fn narrowed(&self, _out: &Range<usize>) -> Option<Box<dyn Linear<T>>> {
        None
    }
    /// Tells that of the output only the elements `out` of each lane are needed, and of the first data input's
    /// multipliers only the elements `input`. True if from now on the adjoint takes multipliers outside of `out` for
    /// zeros without reading them; results outside of these ranges may be anything.
    fn narrow(&mut self, _out: &Range<usize>, _input: &Range<usize>) -> bool {
        false
    }
    /// Takes the place of a layer that other plans hold, if one is the same. Called before anything else changes what is
    /// computed.
    fn share(&mut self, _layers: &Layers) {}
    /// Counts the packed weights that passes read; those of the adjoint only if `multipliers` are asked for.
    fn tally(&self, _multipliers: bool, _holding: &mut Holding) {}
    /// Whether the output is the plain sum of inputs as long as itself, so that their multipliers are its own.
    fn is_plain_sum(&self) -> bool {
        false
    }
    /// Whether equal windows of the input give equal outputs, bit for bit.
    fn is_even(&self) -> bool {
        true
    }
    /// Tells that a maximum follows, which has to find ties where there are any: from now on the operator is even, always
    /// or only in [`FusedLinear::forward_even`].
    fn keep_ties(&mut self, _when: Even) {}
    /// Whether [`Linear::one_hot`] has a kernel.
    fn reads_letters(&self) -> bool {
        false
    }
    /// The operator in products of bf16, in both directions or the one where that pays; none if in neither.
    fn reduced(&self, _how: Reduced) -> Option<Box<dyn Linear<T>>> {
        None
    }
    /// Positive and negative parts.
    fn parts(&self) -> Parts<T>;
    /// What kind of layer it is.
    fn kind(&self) -> LinearKind;
    /// Floating-point operations of one lane, counted densely.
    fn flops(&self) -> f64 {
        0.0
    }
    /// Bytes of weights that one pass streams.
    fn weight_bytes(&self) -> usize {
        0
    }
    /// What one lane executes. Operators without a kernel of their own to name count as densely as `flops`.
    fn work(&self, _pass: Pass) -> Work {
        Work { kernel: String::new(), flops: self.flops(), weight_bytes: self.weight_bytes() }
    }
    /// The operator's entry that takes an epilogue, if its kernel has one.
    fn fused(&self) -> Option<&dyn FusedLinear<T>> {
        None
    }
    /// The operator for inputs that are sequences of letters, if it has a kernel for them.
    fn one_hot(&self) -> Option<Box<dyn OneHotLinear<T>>> {
        None
    }
}

/// A linear operator of one data input whose kernel finishes each tile with an [`Epilogue`].
pub trait FusedLinear<T: Real>: Send + Sync {
    /// Forward of one lane.
    fn forward_with(&self, x: &[T], epilogue: Epilogue<'_, T>, scratch: &mut Scratch<T>);
    /// Forward of one lane in which windows may be equal; see [`Even::OnRequest`].
    fn forward_even(&self, x: &[T], epilogue: Epilogue<'_, T>, scratch: &mut Scratch<T>) {
        self.forward_with(x, epilogue, scratch);
    }
    /// Forward of `lanes` lanes that lie behind each other; each is what [`FusedLinear::forward_with`] makes of it.
    fn forward_lanes(&self, lanes: usize, x: &[T], epilogues: Epilogues<'_, T>, scratch: &mut Scratch<T>);
    /// Adjoint of one lane.
    fn adjoint_with(&self, my: &[T], epilogue: Epilogue<'_, T>, scratch: &mut Scratch<T>);
    /// Adjoint of `lanes` lanes that lie behind each other; each is what [`FusedLinear::adjoint_with`] makes of it.
    fn adjoint_lanes(&self, lanes: usize, my: &[T], epilogues: Epilogues<'_, T>, scratch: &mut Scratch<T>);
}

/// A linear operator of one data input of which each position holds one of four letters, or none, one lane at a time.
/// Codes are those of [`deeplift_kernels::one_hot`].
pub trait OneHotLinear<T: Real>: Send + Sync {
    /// Forward of one lane of one code per position.
    fn forward_with(&self, codes: &[u8], epilogue: Epilogue<'_, T>, scratch: &mut Scratch<T>);
    /// Whether there is an adjoint for contributions.
    fn has_adjoint(&self) -> bool;
    /// Adjoint of one lane where the letters of `x` and `x0` differ, which is all that contributions see; everything else
    /// is set to zero. Only called if there is one.
    fn adjoint(&self, my: &[T], x: &[u8], x0: &[u8], mx: &mut [T], scratch: &mut Scratch<T>);
    /// As [`Linear::tally`].
    fn tally(&self, multipliers: bool, holding: &mut Holding);
    /// What one lane executes; the adjoint, if letters differ everywhere.
    fn work(&self, pass: Pass) -> Work;
}
