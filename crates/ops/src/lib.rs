//! One file per operator.
