//! What must hold however the package is used: the same bits for the same input, errors instead of panics for any
//! file, one report per job.
#[path = "../common/mod.rs"]
mod common;

// Its expected values are for the tests of properties.
mod batches;
#[allow(dead_code)]
#[path = "../properties/cases/mod.rs"]
mod cases;
mod fuzz;
mod instruction_sets;
mod invariance;
mod jobs;
mod packing;
mod refusals;
mod sequences;
mod slices;
mod ties;
