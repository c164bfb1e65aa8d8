"""Simulates the two-motif task of the DeepLIFT paper (Shrikumar et al. 2017, section 4.2).

A sequence is 200 independent bases with 0 to 3 instances of a GATA1-like and of a TAL1-like motif
written over it. Instances are drawn from the position weight matrices below, on either strand, and
never overlap. Labels say what was embedded, not what the background holds by chance:

    task 0, both    at least one instance of each motif
    task 1, GATA1   at least one GATA1 instance
    task 2, TAL1    at least one TAL1 instance

Run as a script it writes the held-out sequences (sequences.fa) and the position of every instance
(motifs.bed) beside itself. One seed fixes everything; training data come from other streams of it.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

SEED = 20170417
LENGTH = 200
BASES = "ACGT"
BACKGROUND = np.array([0.3, 0.2, 0.2, 0.3])
TASKS = ("both", "GATA1", "TAL1")
MAX_INSTANCES = 3
TEST_COUNT = 1000
# Independent random streams of the one seed: adding sequences to one leaves the others as they are.
STREAMS = {"test": 0, "train": 1, "validation": 2}

# Probabilities of A, C, G, T at each position, rows sum to 1. The preferred bases are the published
# consensus (sources in README.md); the noise around them, and GATA1's flanks, are ours.
MOTIFS = {
    # SWGATARGRV around the core WGATAR, preferring AGATAA
    "GATA1": np.array(
        [
            [0.10, 0.45, 0.35, 0.10],
            [0.83, 0.01, 0.01, 0.15],
            [0.01, 0.01, 0.97, 0.01],
            [0.97, 0.01, 0.01, 0.01],
            [0.01, 0.01, 0.01, 0.97],
            [0.97, 0.01, 0.01, 0.01],
            [0.88, 0.01, 0.10, 0.01],
            [0.03, 0.02, 0.93, 0.02],
            [0.22, 0.04, 0.70, 0.04],
            [0.40, 0.30, 0.25, 0.05],
        ]
    ),
    # AACAGATGGT: the E-box CAGATG and the two bases on either side that binding depends on
    "TAL1": np.array(
        [
            [0.82, 0.04, 0.10, 0.04],
            [0.80, 0.06, 0.10, 0.04],
            [0.01, 0.97, 0.01, 0.01],
            [0.97, 0.01, 0.01, 0.01],
            [0.02, 0.05, 0.92, 0.01],
            [0.92, 0.05, 0.02, 0.01],
            [0.01, 0.01, 0.01, 0.97],
            [0.01, 0.01, 0.97, 0.01],
            [0.06, 0.06, 0.80, 0.08],
            [0.04, 0.10, 0.06, 0.80],
        ]
    ),
}


@dataclass(frozen=True)
class Instance:
    """One embedded motif: 0-based, half-open interval on the sequence as written; strand '+' or '-'."""

    motif: str
    start: int
    end: int
    strand: str


@dataclass(frozen=True)
class Example:
    """Bases as codes 0..3 for A, C, G, T, shape [LENGTH]; the embedded motifs from left to right."""

    bases: np.ndarray
    instances: tuple

    @property
    def labels(self):
        """0 or 1 for each of TASKS."""
        names = {instance.motif for instance in self.instances}
        return int(len(names) == len(MOTIFS)), int("GATA1" in names), int("TAL1" in names)

    @property
    def text(self):
        return "".join(BASES[code] for code in self.bases)


def draw(rng, rows):
    """One base code per row of probabilities, by inversion."""
    return (rng.random(len(rows))[:, None] > np.cumsum(rows, axis=1)[:, :-1]).sum(axis=1)


def simulate_one(rng, present):
    """An Example that holds 1 to MAX_INSTANCES of each motif named in `present`, and no other."""
    names = [name for name in present for _ in range(rng.integers(1, MAX_INSTANCES + 1))]
    names = [names[i] for i in rng.permutation(len(names))]
    bases = draw(rng, np.tile(BACKGROUND, (LENGTH, 1)))
    # Every non-overlapping arrangement is equally likely: shrink each instance to one slot, choose the
    # slots among all that remain, then let the instances grow back and push what follows to the right.
    free = LENGTH - sum(len(MOTIFS[name]) for name in names)
    slots = np.sort(rng.choice(free + len(names), size=len(names), replace=False))
    instances, shift = [], 0
    for name, slot in zip(names, slots):
        pwm = MOTIFS[name]
        start = int(slot) + shift
        end = start + len(pwm)
        site = draw(rng, pwm)
        strand = "+" if rng.random() < 0.5 else "-"
        # codes run A, C, G, T, so the complement of code b is 3 - b
        bases[start:end] = site if strand == "+" else 3 - site[::-1]
        instances.append(Instance(name, start, end, strand))
        shift += len(pwm) - 1
    return Example(bases, tuple(instances))


def simulate(split, count):
    """`count` Examples of one split ('test', 'train', 'validation'): a quarter with both motifs, a quarter
    with each alone and a quarter with none, in random order."""
    rng = np.random.default_rng([SEED, STREAMS[split]])
    groups = [(), ("GATA1",), ("TAL1",), ("GATA1", "TAL1")]
    order = rng.permutation(np.arange(count) % len(groups))
    return [simulate_one(rng, groups[i]) for i in order]


def one_hot(examples):
    """float32 array [examples, 4, LENGTH], channels A, C, G, T."""
    codes = np.stack([example.bases for example in examples])
    return (codes[:, None, :] == np.arange(4)[None, :, None]).astype(np.float32)


def write_test_set(folder):
    examples = simulate("test", TEST_COUNT)
    with open(folder / "sequences.fa", "w", newline="\n") as fasta, open(folder / "motifs.bed", "w", newline="\n") as bed:
        for number, example in enumerate(examples, start=1):
            name = f"seq{number:04d}"
            labels = " ".join(f"{task}={label}" for task, label in zip(TASKS, example.labels))
            fasta.write(f">{name} {labels}\n{example.text}\n")
            for i in example.instances:
                bed.write(f"{name}\t{i.start}\t{i.end}\t{i.motif}\t.\t{i.strand}\n")


if __name__ == "__main__":
    write_test_set(Path(__file__).resolve().parent)
