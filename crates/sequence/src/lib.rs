//! One-hot encoding, dinucleotide shuffles, reverse complement.
