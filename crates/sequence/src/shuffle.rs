//! Dinucleotide shuffle: a sequence drawn **uniformly** from all that share every dinucleotide count, the
//! first and the last symbol.
//!
//! Such sequences are the Eulerian trails of the multigraph with one edge per pair of neighbours (Altschul and
//! Erickson 1985). An order of the out-edges of each symbol is a trail exactly if the last out-edges, of all
//! symbols but the final one, form a tree directed towards the final symbol. So:
//!
//! 1. draw that tree uniformly: loop-erased random walks towards the final symbol (Wilson 1996);
//! 2. put the remaining out-edges of each symbol in uniform random order;
//! 3. walk.
//!
//! Each sequence stands for the same number of edge orders, so uniform over orders is uniform over sequences.
//! Only the counts, the two end symbols and the key enter: the input's own order leaves no trace. (The samplers
//! of other packages keep the input's own last edges and reach only part of the set.)

use crate::stream::{ShuffleKey, Stream};
use crate::trails::{PairCounts, SYMBOLS};
use crate::UNKNOWN;

/// What a shuffle does with unknown bases (N).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum NPolicy {
    /// N is a fifth symbol: Ns move, and counts of pairs with N are kept too.
    #[default]
    Symbol,
    /// Ns stay where they are; each stretch between them is shuffled on its own.
    Fixed,
    /// A sequence with N is an error.
    Reject,
}

/// Why a sequence cannot be shuffled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ShuffleError {
    /// The policy is [`NPolicy::Reject`] and there is an unknown base.
    #[error("position {position} is an unknown base (N), which the chosen policy rejects")]
    Unknown {
        /// 0-based position.
        position: usize,
    },
    /// Not a base code.
    #[error("position {position} holds {code}; a base code is 0 to 4")]
    Code {
        /// 0-based position.
        position: usize,
        /// The value found there.
        code: u8,
    },
    /// Positions are counted in 32 bits.
    #[error("the sequence has {length} bases; at most 4294967295 can be shuffled")]
    TooLong {
        /// Bases in the sequence.
        length: usize,
    },
}

/// Memory that shuffles of one thread reuse; it grows to one byte per base of the longest sequence.
#[derive(Debug, Default)]
pub struct ShuffleScratch {
    /// The successors of each symbol in the order they will be visited, symbol after symbol.
    successors: Vec<u8>,
}

/// Writes the shuffle of `codes` named by `key` to `out`.
///
/// The result is a function of the arguments alone and never changes between releases. A sequence that has no
/// other arrangement is returned as it is; [`crate::is_unique_trail`] tells.
///
/// # Panics
/// If the two slices differ in length.
pub fn dinucleotide_shuffle(
    codes: &[u8],
    key: ShuffleKey,
    unknown: NPolicy,
    out: &mut [u8],
    scratch: &mut ShuffleScratch,
) -> Result<(), ShuffleError> {
    assert_eq!(codes.len(), out.len(), "one code per base");
    check(codes, unknown)?;
    let mut stream = Stream::new(key);
    scratch.successors.resize(codes.len().max(scratch.successors.len()), 0);
    if unknown != NPolicy::Fixed {
        shuffle_stretch(codes, &mut stream, out, &mut scratch.successors);
        return Ok(());
    }
    let mut start = 0;
    for stretch in codes.chunk_by(|a, b| (*a == UNKNOWN) == (*b == UNKNOWN)) {
        let here = &mut out[start..start + stretch.len()];
        if stretch[0] == UNKNOWN {
            here.fill(UNKNOWN);
        } else {
            shuffle_stretch(stretch, &mut stream, here, &mut scratch.successors);
        }
        start += stretch.len();
    }
    Ok(())
}

fn check(codes: &[u8], unknown: NPolicy) -> Result<(), ShuffleError> {
    if u32::try_from(codes.len()).is_err() {
        return Err(ShuffleError::TooLong { length: codes.len() });
    }
    // The common case is one vectorised pass; positions are looked for only if something is wrong.
    let largest = codes.iter().copied().max().unwrap_or(0);
    if largest > UNKNOWN {
        let position = codes.iter().position(|&code| code > UNKNOWN).unwrap_or_default();
        return Err(ShuffleError::Code { position, code: codes[position] });
    }
    if largest == UNKNOWN && unknown == NPolicy::Reject {
        let position = codes.iter().position(|&code| code == UNKNOWN).unwrap_or_default();
        return Err(ShuffleError::Unknown { position });
    }
    Ok(())
}

/// One trail over `codes` (all below [`SYMBOLS`]); `successors` holds at least as many bytes.
fn shuffle_stretch(codes: &[u8], stream: &mut Stream, out: &mut [u8], successors: &mut [u8]) {
    let (Some(&first), Some(&last)) = (codes.first(), codes.last()) else { return };
    let counts = count_pairs(codes);
    let tree = draw_tree(&counts, last as usize, stream);

    // Padded to a power of two so that `symbol & 7` proves every index in bounds.
    let mut next = [0usize; 8];
    let mut end = 0;
    for (symbol, row) in counts.iter().enumerate() {
        next[symbol] = end;
        let mut remaining = *row;
        if let Some(successor) = tree[symbol] {
            remaining[successor] -= 1;
        }
        for (successor, &count) in remaining.iter().enumerate() {
            let start = end;
            end += count as usize;
            successors[start..end].fill(successor as u8);
        }
        permute(&mut successors[next[symbol]..end], stream);
        if let Some(successor) = tree[symbol] {
            successors[end] = successor as u8;
            end += 1;
        }
    }

    let successors = &successors[..end];
    let mut symbol = first;
    out[0] = symbol;
    for to in &mut out[1..] {
        let at = &mut next[usize::from(symbol & 7)];
        symbol = successors[*at];
        *at += 1;
        *to = symbol;
    }
}

fn count_pairs(codes: &[u8]) -> PairCounts {
    // Even and odd pairs are counted apart: a repeated pair would otherwise wait for its own last store.
    let mut halves = [[0u32; 64]; 2];
    let mut previous = codes[0];
    let mut pairs = codes[1..].chunks_exact(2);
    for pair in &mut pairs {
        halves[0][usize::from((previous << 3 | pair[0]) & 63)] += 1;
        halves[1][usize::from((pair[0] << 3 | pair[1]) & 63)] += 1;
        previous = pair[1];
    }
    if let [symbol] = pairs.remainder() {
        halves[0][usize::from((previous << 3 | symbol) & 63)] += 1;
    }
    std::array::from_fn(|u| std::array::from_fn(|v| halves[0][u << 3 | v] + halves[1][u << 3 | v]))
}

/// The last successor of each symbol but `root`: a uniform spanning tree, every edge of the multigraph counted.
///
/// Self-loops are left out of the walks because loop erasure removes them anyway; without that, a long
/// homopolymer would be walked edge by edge.
fn draw_tree(counts: &PairCounts, root: usize, stream: &mut Stream) -> [Option<usize>; SYMBOLS] {
    let mut tree = [None; SYMBOLS];
    let mut reached = [false; SYMBOLS];
    reached[root] = true;
    for start in 0..SYMBOLS {
        if counts[start].iter().all(|&count| count == 0) {
            continue;
        }
        let mut symbol = start;
        while !reached[symbol] {
            let successor = draw_successor(&counts[symbol], symbol, stream);
            tree[symbol] = Some(successor);
            symbol = successor;
        }
        // Only the last choice at each symbol survives, which is the walk with its loops erased.
        symbol = start;
        while !reached[symbol] {
            reached[symbol] = true;
            symbol = tree[symbol].expect("every symbol on the walk chose a successor");
        }
    }
    tree
}

fn draw_successor(row: &[u32; SYMBOLS], symbol: usize, stream: &mut Stream) -> usize {
    let leaving = row.iter().sum::<u32>() - row[symbol];
    let mut edge = stream.below(leaving);
    for (successor, &count) in row.iter().enumerate() {
        if successor == symbol {
            continue;
        }
        if edge < count {
            return successor;
        }
        edge -= count;
    }
    unreachable!("the edge drawn is one of those counted")
}

/// Fisher and Yates's uniform permutation.
fn permute(items: &mut [u8], stream: &mut Stream) {
    for last in (1..items.len()).rev() {
        let other = stream.below(last as u32 + 1) as usize;
        items.swap(last, other);
    }
}

#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
