"""Runs on a device that the environment names."""

from __future__ import annotations

import os

from neural_scaling.runs.experiment import Experiment

#: Environment variable that names the device of network runs; without it the first there is of CUDA, MPS and the processor.
DEVICE_VARIABLE = "NEURAL_SCALING_DEVICE"


class DeviceRun(Experiment):
    """Base of runs on the device that ``NEURAL_SCALING_DEVICE`` names."""

    @property
    def device(self) -> str:
        """What the run is computed on."""
        return device_description()


def device_name() -> str:
    """Return the device that ``NEURAL_SCALING_DEVICE`` names, ``auto`` by default."""
    return os.environ.get(DEVICE_VARIABLE) or "auto"


def device_description() -> str:
    """Return what networks are trained on, for the provenance of runs."""
    from neural_scaling.base.devices import describe_device, find_device

    return describe_device(find_device(device_name()))
