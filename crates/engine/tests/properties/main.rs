//! Laws of scores over random networks: what must hold whatever the operator, and what each operator computes.
#[path = "../common/mod.rs"]
mod common;

mod attended;
mod cases;
mod catalogue;
mod each_operator;
mod fused;
mod laws;
mod mutations;
mod networks;
mod normalised;
mod operators;
mod predictions;
mod rankings;
mod rules;
mod shortcuts;
mod spellings;
mod targets;
mod units;
mod unrolled;
