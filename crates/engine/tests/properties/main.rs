//! Laws of scores over random networks: what must hold whatever the operator, and what each operator computes.
#[path = "../common/mod.rs"]
mod common;

mod cases;
mod fused;
mod laws;
mod networks;
mod operators;
mod units;

/// Cases are seeds: a smaller one is no simpler, so there is nothing to shrink.
fn cases(cases: u32) -> proptest::test_runner::Config {
    proptest::test_runner::Config {
        cases,
        max_shrink_iters: 0,
        failure_persistence: None,
        ..Default::default()
    }
}
