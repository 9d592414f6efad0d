"""The tangent kernel of a convolutional network of 64 channels on 4000 images of 32x32x3, beside Jacobians by torch.func.

Each way runs in a process of its own, whose largest memory counts. The plain way forms the whole Jacobian, an output and 100
images at a time, and multiplies it with itself; where it does not fit the memory of the machine, it takes fewer images
(``python benchmarks/tangent.py 10 1000``: number of outputs, images of the plain way).
"""

import math
import multiprocessing
import resource
import sys
import time

import numpy as np
import torch
from torch import nn

from neural_scaling.predict.tangent import sample_kernel

CHANNELS, IMAGES, MEMORY, BLOCK, COMPARED = 64, 4000, 4.0, 100, 200


def network(outputs: int) -> nn.Module:
    """Return two convolutions with pools and a readout."""
    torch.manual_seed(0)
    first, second = nn.Conv2d(3, CHANNELS, 3), nn.Conv2d(CHANNELS, CHANNELS, 3)
    pool = [nn.ReLU(), nn.AvgPool2d(2)]
    return nn.Sequential(first, *pool, second, *pool, nn.Flatten(), nn.Linear(36 * CHANNELS, outputs))


def images(count: int) -> torch.Tensor:
    """Return images of noise."""
    return torch.randn(count, 3, 32, 32, generator=torch.Generator().manual_seed(1))


def ours(outputs: int, count: int) -> np.ndarray:
    """Return the kernel as the library computes it."""
    return sample_kernel(network(outputs), images(count), memory=MEMORY)


def plain(outputs: int, count: int) -> np.ndarray:
    """Return the kernel from whole Jacobians, one output at a time."""
    module, inputs = network(outputs), images(count)
    weights = {name: weight.detach() for name, weight in module.named_parameters()}
    kernel = torch.zeros(count, count)
    for output in range(outputs):

        def value(given, one, output=output):
            return torch.func.functional_call(module, given, (one[None],))[0, output]

        jacobian = torch.func.vmap(torch.func.jacrev(value), (None, 0), chunk_size=BLOCK)(weights, inputs)
        rows = torch.cat([part.flatten(1) for part in jacobian.values()], dim=1)
        del jacobian
        kernel += rows @ rows.T / outputs
    return kernel.numpy()


def timed(way, outputs: int, count: int, queue) -> None:
    """Put seconds of the clock and of processors, memory in GB and the first rows of the kernel into the queue."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    started, spent = time.perf_counter(), time.process_time()
    kernel = way(outputs, count)
    seconds = time.perf_counter() - started, time.process_time() - spent
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    queue.put((seconds, before / 1e6, peak / 1e6, kernel[:COMPARED, :COMPARED]))


def main() -> None:
    """Time both ways; print seconds, memory and how far apart their kernels are."""
    outputs = int(sys.argv[1]) if len(sys.argv) > 1 else 1
    fewer = int(sys.argv[2]) if len(sys.argv) > 2 else IMAGES
    numbers = sum(weight.numel() for weight in network(outputs).parameters())
    print(f"{numbers} parameters, {outputs} outputs, {torch.get_num_threads()} threads, limit of memory {MEMORY:g} GB")
    context, kernels = multiprocessing.get_context("spawn"), []
    for way, count in ((ours, IMAGES), (plain, fewer)):
        queue = context.Queue()
        process = context.Process(target=timed, args=(way, outputs, count, queue))
        process.start()
        (seconds, busy), before, peak, kernel = queue.get()
        process.join()
        kernels.append(kernel)
        print(
            f"{way.__name__}: {count} images in {seconds:.1f} s, {busy:.1f} s of processors; "
            f"{peak:.2f} GB at most, {before:.2f} GB before"
        )
    apart = np.abs(kernels[0] - kernels[1]).max() / np.abs(kernels[1]).max()
    print(f"largest difference relative to the largest number: {apart:.1e}")
    if not math.isfinite(apart) or apart > 1e-5:
        raise SystemExit("the kernels differ")


if __name__ == "__main__":
    main()
