"""One peer in a process of its own. Reads commands and writes answers, one line of JSON each.

    python peer.py '{"method", "twin", "examples", "references", "input", "count", "threads", "device", "repeat"}'

`examples` and `references` are files of float32 values, `[n, *input]` and `[n, count, *input]`. Commands:

    {"do": "time", "batch": pairs, "seconds": at least, "resident": bool, "examples": the first so many; all}
        -> {"ms": per pair, or null where the memory of a device does not suffice}
    {"do": "scores", "batch": pairs, "to": path} -> {}; contributions as float32
    {"do": "memory"} -> {"peakMB"}

On a CUDA device, `resident` inputs are there before the clock starts; results come back to the host in any case. So
that there is enough to do, all examples are taken `repeat` times.
"""

import json
import os
import resource
import sys
import time
import warnings

import numpy
import torch

from methods import METHODS


class Peer:
    def __init__(self, method, twin, examples, references, input, count, threads, device, repeat):
        torch.set_num_threads(threads)
        torch.set_num_interop_threads(1)
        # Off by default for products, on for convolutions: all sides compute in float32.
        torch.backends.cudnn.allow_tf32 = False
        self.device = torch.device(device)
        self.model = torch.load(twin, weights_only=False).to(self.device)
        self.method = METHODS[method]
        once = [read(examples, [-1, *input]), read(references, [-1, count, *input])]
        self.host = [values.repeat(repeat, *[1] * (values.ndim - 1)) for values in once]
        self.resident = [values.to(self.device) for values in self.host]
        self.count = count

    def attribute(self, batch, resident, examples=None):
        chosen = [values[:examples] for values in (self.resident if resident else self.host)]
        return self.method(self.model, *[values.to(self.device) for values in chosen], batch)

    def time(self, batch, seconds, resident=False, examples=None):
        pairs = len(self.host[0][:examples]) * self.count
        calls, start, spent = 0, time.perf_counter(), 0
        try:
            while calls == 0 or spent < seconds:
                self.attribute(batch, resident, examples)
                calls += 1
                spent = time.perf_counter() - start
        except torch.cuda.OutOfMemoryError:
            return {"ms": None}
        return {"ms": spent * 1e3 / (calls * pairs)}

    def scores(self, batch, to):
        self.attribute(batch, resident=False).float().numpy().tofile(to)
        return {}

    def memory(self):
        # ru_maxrss is in KiB, on macOS in bytes.
        unit = 1 if sys.platform == "darwin" else 1024
        return {"peakMB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6}


def read(path, shape):
    return torch.from_numpy(numpy.fromfile(path, numpy.float32).reshape(shape))


def main():
    warnings.filterwarnings("ignore")
    # Whatever a peer prints must not get between the answers.
    answers = os.fdopen(os.dup(1), "w")
    sys.stdout = sys.stderr

    def answer(values):
        print(json.dumps(values), file=answers, flush=True)

    peer = Peer(**json.loads(sys.argv[1]))
    answer({"cuda": torch.cuda.is_available(), "device": device_name(peer.device)})
    for line in sys.stdin:
        command = json.loads(line)
        answer(getattr(peer, command.pop("do"))(**command))


def device_name(device):
    return torch.cuda.get_device_name(device) if device.type == "cuda" else None


if __name__ == "__main__":
    main()
