//! The set a shuffle draws from, by trying everything.

use std::collections::BTreeSet;

/// Codes of a sequence written in letters.
pub(crate) fn codes(letters: &str) -> Vec<u8> {
    letters
        .bytes()
        .map(|b| b"ACGTN".iter().position(|&l| l == b).expect("letters of the DNA alphabet") as u8)
        .collect()
}

/// Every sequence with the dinucleotide counts, first and last symbol of `codes`, by depth-first search.
pub(crate) fn all_shuffles(codes: &[u8]) -> BTreeSet<Vec<u8>> {
    let mut found = BTreeSet::new();
    let Some(&first) = codes.first() else { return BTreeSet::from([vec![]]) };
    let mut edges = [[0u32; 5]; 5];
    for pair in codes.windows(2) {
        edges[pair[0] as usize][pair[1] as usize] += 1;
    }
    extend(&mut vec![first], codes.len(), &mut edges, &mut found);
    found
}

fn extend(trail: &mut Vec<u8>, length: usize, edges: &mut [[u32; 5]; 5], found: &mut BTreeSet<Vec<u8>>) {
    if trail.len() == length {
        found.insert(trail.clone());
        return;
    }
    let here = trail[trail.len() - 1] as usize;
    for next in 0..5 {
        if edges[here][next] > 0 {
            edges[here][next] -= 1;
            trail.push(next as u8);
            extend(trail, length, edges, found);
            trail.pop();
            edges[here][next] += 1;
        }
    }
}
