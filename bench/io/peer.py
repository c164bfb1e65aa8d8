"""The other side of bench:io: pyfaidx, numpy, h5py and pyBigWig, each as its documentation writes it.

Called with the folder of the files and the name of a case; prints {"ms": ..., "answer": ...}.
"""

import json
import os
import sys
import time

import h5py
import numpy as np
import pyBigWig
from pyfaidx import Fasta

folder, name = sys.argv[1:]
at = lambda file: os.path.join(folder, file)
sizes = json.load(open(at("sizes.json")))
rows, length, windows = sizes["rows"], sizes["length"], sizes["windows"]

# What our commands read at once.
ROWS_AT_ONCE = 248


def floats():
    return np.fromfile(at("scores.f32"), "<f4").reshape(rows, 4, length)


def digest(values):
    flat = values.ravel()[::7].astype("f8")
    return float((flat * ((np.arange(flat.size) * 7) % 11 + 1)).sum())


def synced(path):
    """Our writers wait for the disk; so does this side."""
    descriptor = os.open(path, os.O_RDONLY)
    os.fsync(descriptor)
    os.close(descriptor)


def fasta():
    table = np.full(256, 4, "u1")
    for code, letter in enumerate(b"ACGT"):
        table[letter] = table[letter + 32] = code
    places = [line.split("\t") for line in open(at("windows.bed"))]

    def work():
        genome = Fasta(at("genome.fa"), as_raw=True, sequence_always_upper=False)
        out = np.empty((windows, length), "u1")
        for index, (chrom, start, end) in enumerate(places):
            out[index] = table[np.frombuffer(genome[chrom][int(start) : int(end)].encode(), "u1")]
        genome.close()
        return digest(out)

    return work


def read_npz():
    return lambda: digest(np.load(at("scores.npz"))["scores"])


def write_npz():
    values = floats()

    def work():
        np.savez(at("peer.npz"), scores=values)
        synced(at("peer.npz"))

    return work


def read_hdf5():
    def work():
        with h5py.File(at("scores.h5")) as file:
            scores = file["shap/seq"]
            return sum(digest(scores[row : row + ROWS_AT_ONCE]) for row in range(0, rows, ROWS_AT_ONCE))

    return work


def write_hdf5(**options):
    values = floats()
    letters = np.arange(4)[:, None] == np.fromfile(at("codes.u8"), "u1").reshape(rows, 1, length)
    one_hot = letters.astype("i1")

    def work():
        with h5py.File(at("peer.h5"), "w") as file:
            file.create_dataset("raw/seq", data=one_hot, **options)
            file.create_dataset("shap/seq", data=values, **options)
            file.create_dataset("projected_shap/seq", data=one_hot * values, **options)
        synced(at("peer.h5"))

    return work


def write_bigwig():
    values = floats().ravel()[: rows * length].reshape(rows, length)

    def work():
        file = pyBigWig.open(at("peer.bw"), "w")
        file.addHeader([("chr1", 2 * rows * length)])
        for row in range(rows):
            file.addEntries("chr1", 2 * row * length, values=values[row], span=1, step=1)
        file.close()
        synced(at("peer.bw"))

    return work


CASES = {
    "windows of a FASTA file": fasta,
    "read .npz": read_npz,
    "write .npz": write_npz,
    "read HDF5": read_hdf5,
    "write HDF5": write_hdf5,
    "write HDF5, deflated": lambda: write_hdf5(compression="gzip", compression_opts=4, shuffle=True, chunks=(15, 4, length)),
    "write bigWig": write_bigwig,
}

work = CASES[name]()
work()
started = time.perf_counter()
answer = work()
ms = (time.perf_counter() - started) * 1e3
print(json.dumps({"ms": ms, "answer": answer or 0}))
