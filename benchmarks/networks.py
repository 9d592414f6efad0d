"""A training step of the depth-4, width-512 network at batch 256, beside its own matrix products.

The roofline is the time of the six products of hidden layers that a step cannot do without (two layers: forward, gradient of
the input, gradient of the weights), timed on the same shapes in the same process and thread count, taking turns with the
step. Looking up the initial network, activations, input and output layers are no part of it.
"""

import time

import torch

from neural_scaling.base.devices import describe_device, find_device
from neural_scaling.networks.circle_data import CircleData
from neural_scaling.networks.compiling import CompiledStep
from neural_scaling.networks.mlp import Member, Shape, ensemble

WIDTH, BATCH, ROUNDS, REPEATS = 512, 256, 40, 5


def best(times):
    """Return the median of the faster half: what interrupts a process only adds to its time."""
    times = sorted(times)[: max(1, len(times) // 2)]
    return times[len(times) // 2]


@torch.no_grad()
def main() -> None:
    """Time step and products in turns; print both, and the share of the roofline."""
    device = find_device("auto")
    synchronise = torch.cuda.synchronize if device.type == "cuda" else lambda: None
    print(f"{describe_device(device)}, {torch.get_num_threads()} threads, float32")
    for seeds in (1, 3):
        for richness, name in ((0.5, "centred"), (0.0, "linearised")):
            shape = Shape(4, WIDTH)
            model = ensemble(shape, [Member(seed, richness, 0.01) for seed in range(seeds)], device)
            data = CircleData([1.0] * seeds, device, torch.float32, angles=4096)
            index = torch.randint(4096, (seeds, BATCH), device=device)
            inputs, targets = data.inputs[index], data.targets(index)
            frozen = model.initial(inputs)
            rows = torch.randn(seeds, BATCH, WIDTH, device=device)
            square = torch.randn(seeds, WIDTH, WIDTH, device=device)
            out, out_square = torch.empty_like(rows), torch.empty_like(square)
            # Forward and back through the weights, and the weights' own; linearised, the first two are replaced by a table.
            passes = 2 if richness else 1

            def step(model=model, inputs=inputs, targets=targets, frozen=frozen):
                model.step(inputs, targets, frozen)

            def products(rows=rows, square=square, out=out, out_square=out_square, passes=passes):
                for _ in range(2):
                    torch.bmm(rows, square, out=out)
                    if passes == 2:
                        torch.bmm(rows, square.transpose(1, 2), out=out)
                    torch.bmm(rows.transpose(1, 2), rows, out=out_square)

            fused = CompiledStep(model.step)

            def compiled(fused=fused, inputs=inputs, targets=targets, frozen=frozen):
                fused(inputs, targets, frozen)

            seconds = {step: [], compiled: [], products: []}
            for round_number in range(ROUNDS):
                for run in (step, compiled, products):
                    synchronise()
                    started = time.perf_counter()
                    for _ in range(REPEATS):
                        run()
                    synchronise()
                    if round_number > 1:  # the first compiles
                        seconds[run].append((time.perf_counter() - started) / REPEATS)
            ours, roof = best(seconds[step]), best(seconds[products])
            flops = 2 * BATCH * WIDTH**2 * 2 * (passes + 1) * seeds
            print(
                f"{name}, {seeds} seeds: step {1e3 * ours:.2f} ms, its products {1e3 * roof:.2f} ms "
                f"({flops / roof / 1e9:.0f} GFLOP/s): {roof / ours:.0%} of the roofline; "
                f"{'compiled' if fused.compiled else 'not compiled'} {1e3 * best(seconds[compiled]):.2f} ms"
            )


if __name__ == "__main__":
    main()
