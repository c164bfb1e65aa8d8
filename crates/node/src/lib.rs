//! The N-API skin: it reads JavaScript objects, calls the engine, and copies results out. Nothing is computed here.
//!
//! Errors cross as `[CODE] message`. Compute runs on the engine's own threads, never on libuv's. Results are copied
//! into memory that the JavaScript engine allocates, because some hosts refuse any other.
#![allow(missing_docs, reason = "documented where JavaScript sees it, in src/native.ts")]

mod model;
mod mutagenesis;
mod predict;
mod results;
pub mod shuffle;
mod wire;

use deeplift_graph::Error;
use deeplift_simd::amx::TileUnit;
use deeplift_simd::Isa;
use napi_derive::napi;

/// An engine error as JavaScript gets it.
fn thrown(e: Error) -> napi::Error {
    napi::Error::from_reason(format!("[{}] {}", e.code.name(), e.message))
}

/// A defect in how the TypeScript layer calls this one.
fn misuse(text: impl std::fmt::Display) -> napi::Error {
    napi::Error::from_reason(format!("[INTERNAL] {text}"))
}

/// Instruction sets, version and processors, as JSON.
#[napi]
pub fn environment() -> String {
    let available: Vec<&str> = Isa::available().into_iter().map(Isa::name).collect();
    let (forced, unit) = (Isa::try_active(), TileUnit::try_active());
    serde_json::json!({
        "isa": Isa::active().name(),
        "available": available,
        "problem": forced.err().or(unit.err()),
        "bf16Unit": TileUnit::active().map(TileUnit::name),
        "amxMissing": TileUnit::Amx.missing(),
        "version": env!("CARGO_PKG_VERSION"),
        "cpus": std::thread::available_parallelism().map_or(1, |n| n.get()),
    })
    .to_string()
}
