//! The N-API skin.
