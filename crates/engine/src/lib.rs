//! Plan, tape, propagation and scores.
