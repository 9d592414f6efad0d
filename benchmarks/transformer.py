"""Tokens a second of a training step of the transformer, and its model-FLOP utilisation.

A token costs two operations for each weight of a matrix product and for each key and value it attends to (half the context on
average), once in the forward pass of the initial network, once in that of the trained one and twice in its backward pass:
``8 (6 L N^2 + N V + 2 L N T/2)`` for L blocks of width N, V tokens and context T. Utilisation is that over the time and over the
speed of a product of two large matrices, timed in the same process, taking turns with the step. As elsewhere no initial network
is trained along, utilisation without its two eighths is printed too. Embedding, norms, activations and the softmax count as
nothing.

Without arguments small widths on a processor, the published one on a GPU; else ``python benchmarks/transformer.py HEADS HEAD_SIZE
CONTEXT BATCH VOCABULARY``.
"""

import sys
import time

import torch

from neural_scaling.base.devices import describe_device, find_device
from neural_scaling.networks.parametrization import Parametrization
from neural_scaling.networks.transformer import Transformer, TransformerShape

DEPTH, ROUNDS = 4, 8
ON_PROCESSOR = [(4, 32, 128, 16, 8192), (8, 32, 128, 16, 8192), (8, 32, 256, 8, 8192), (16, 32, 128, 16, 8192)]
ON_GPU = [(8, 32, 128, 16, 8192), (16, 32, 128, 64, 8192), (16, 128, 256, 128, 32101)]


def best(times):
    """Return the median of the faster half: what interrupts a process only adds to its time."""
    times = sorted(times)[: max(1, len(times) // 2)]
    return times[len(times) // 2]


def main() -> None:
    """Time step and product in turns; print tokens a second and utilisation."""
    device = find_device("auto")
    synchronise = torch.cuda.synchronize if device.type == "cuda" else lambda: None
    size = 8192 if device.type == "cuda" else 2048
    left, right = (torch.randn(size, size, device=device) for _ in range(2))
    print(f"{describe_device(device)}, {torch.get_num_threads()} threads, float32, depth {DEPTH}")
    given = tuple(int(word) for word in sys.argv[1:])
    for heads, head_size, context, batch, vocabulary in (
        [given] if given else ON_GPU if device.type == "cuda" else ON_PROCESSOR
    ):
        shape = TransformerShape(vocabulary, context, DEPTH, heads, head_size)
        model = Transformer(shape, Parametrization(shape.width, 0.1, 1.0), 0, device)
        tokens = torch.randint(vocabulary, (batch, context + 1), device=device)

        def step(model=model, tokens=tokens):
            model.step(tokens)

        def product():
            left @ right

        seconds = {step: [], product: []}
        for round_number in range(ROUNDS):
            for run in (step, product):
                synchronise()
                started = time.perf_counter()
                run()
                synchronise()
                if round_number > 0:
                    seconds[run].append(time.perf_counter() - started)
        count = batch * context
        speed = shape.flops_per_token * count / best(seconds[step])
        peak = 2 * size**3 / best(seconds[product])
        print(
            f"N = {heads} x {head_size}, batch {batch} x {context}, vocabulary {vocabulary}, "
            f"{shape.parameters / 1e6:.1f} M weights: {count / best(seconds[step]):.0f} tokens/s, "
            f"{speed / 1e9:.0f} of {peak / 1e9:.0f} GFLOP/s, utilisation {speed / peak:.0%} "
            f"({0.75 * speed / peak:.0%} without the initial network)"
        )


if __name__ == "__main__":
    main()
