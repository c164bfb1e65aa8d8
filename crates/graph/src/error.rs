//! Errors with a stable code. The code is what callers branch on; the message says what was expected, what was
//! found, where, and what to do.
use std::fmt;

/// The closed set of codes that cross into JavaScript.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Code {
    /// The file is not a consistent ONNX model.
    InvalidModel,
    /// A node on the path to the target has no exact rule.
    UnsupportedOp,
    /// The model as a whole is out of reach (opset, training mode, …).
    UnsupportedModel,
    /// A tensor that the caller passed does not fit the model.
    InvalidInput,
    /// An option is out of range or contradicts another.
    InvalidOption,
    /// A sequence cannot be used as it is.
    InvalidSequence,
    /// The caller aborted.
    Aborted,
    /// A defect of this package.
    Internal,
}

impl Code {
    /// The name under which JavaScript knows the code.
    pub fn name(self) -> &'static str {
        match self {
            Code::InvalidModel => "INVALID_MODEL",
            Code::UnsupportedOp => "UNSUPPORTED_OP",
            Code::UnsupportedModel => "UNSUPPORTED_MODEL",
            Code::InvalidInput => "INVALID_INPUT",
            Code::InvalidOption => "INVALID_OPTION",
            Code::InvalidSequence => "INVALID_SEQUENCE",
            Code::Aborted => "ABORTED",
            Code::Internal => "INTERNAL",
        }
    }
}

/// An error with its code and one sentence for people.
#[derive(Clone, Debug, thiserror::Error)]
pub struct Error {
    /// What callers branch on.
    pub code: Code,
    /// What happened, where, and what to do.
    pub message: String,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl Error {
    /// An error with this code and message.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Error { code, message: message.into() }
    }

    /// The same error, its message preceded by the place where it arose.
    pub fn at(mut self, place: impl fmt::Display) -> Self {
        self.message = format!("{place}: {}", self.message);
        self
    }
}

/// Shorthand for results of this crate and those above it.
pub type Result<T> = std::result::Result<T, Error>;

/// Returns early with an [`Error`] of the given [`Code`] variant.
#[macro_export]
macro_rules! bail {
    ($code:ident, $($arg:tt)*) => {
        return Err($crate::Error::new($crate::Code::$code, format!($($arg)*)))
    };
}

/// Checks a condition and otherwise returns early with an [`Error`] of the given [`Code`] variant.
#[macro_export]
macro_rules! ensure {
    ($cond:expr, $code:ident, $($arg:tt)*) => {
        if !$cond { $crate::bail!($code, $($arg)*) }
    };
}
