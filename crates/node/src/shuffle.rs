//! Shuffles of one sequence by themselves: those that are the references of an example.

use deeplift_graph::{Code, Error};
use deeplift_sequence::{dinucleotide_shuffle, NPolicy, ShuffleKey, ShuffleScratch};
use napi::bindgen_prelude::*;
use napi_derive::napi;

use crate::{misuse, thrown};

/// Shuffles 0 to `count` of the example of this number, one after the other.
#[napi]
pub fn shuffles<'e>(
    env: &'e Env,
    codes: &[u8],
    count: u32,
    seed: f64,
    example: f64,
    unknown: String,
) -> Result<Uint8ArraySlice<'e>> {
    let policy = match unknown.as_str() {
        "symbol" => NPolicy::Symbol,
        "fixed" => NPolicy::Fixed,
        "reject" => NPolicy::Reject,
        other => return Err(misuse(format!("shuffles: unknown: {other}"))),
    };
    let mut all = vec![0; codes.len() * count as usize];
    let mut scratch = ShuffleScratch::default();
    // Whole numbers of JavaScript, which have 53 bits.
    let (seed, example) = (seed as u64, example as u64);
    for (shuffle, out) in all.chunks_exact_mut(codes.len().max(1)).enumerate() {
        let key = ShuffleKey { seed, example, shuffle: shuffle as u64 };
        dinucleotide_shuffle(codes, key, policy, out, &mut scratch)
            .map_err(|error| thrown(Error::new(Code::InvalidSequence, error.to_string())))?;
    }
    Uint8ArraySlice::copy_from(env, all)
}
