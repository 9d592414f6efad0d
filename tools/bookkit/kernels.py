"""Kernels of the book, forked from one process that has imported the packages which take seconds to import."""

from __future__ import annotations

import multiprocessing
import os
import sys
import threading
from collections.abc import Mapping, Sequence
from multiprocessing import connection, forkserver
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ipykernel import kernelapp
from jupyter_client.manager import AsyncKernelManager
from jupyter_client.provisioning.local_provisioner import LocalProvisioner

if TYPE_CHECKING:
    from multiprocessing.context import ForkServerProcess

#: Only Linux forks a process with these packages in it without danger.
CAN_FORK = sys.platform == "linux"
#: What the kernels begin with: installed packages alone, so that code of the checkout is imported where its errors are shown.
PACKAGES = (
    "IPython.core.interactiveshell",
    "ipykernel.kernelapp",
    "jax",
    "jax.numpy",
    "matplotlib.backends.backend_agg",
    "matplotlib.backends.backend_svg",
    "matplotlib.figure",
    "matplotlib.style",
    "pandas",
    "papermill",
    "scipy.integrate",
    "scipy.linalg",
    "scipy.optimize",
    "scipy.special",
    "scipy.stats",
    "torch",
)


def start() -> multiprocessing.context.BaseContext:
    """Return how processes of the book start: on Linux from a process that imports meanwhile, in the present environment."""
    if not CAN_FORK:
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(list(PACKAGES))
    forkserver.ensure_running()
    return context


def end_with_parent() -> None:
    """Make this process end when the one that asked for it does, however that ends."""
    parent = multiprocessing.parent_process()
    assert parent is not None

    def watch() -> None:
        connection.wait([parent.sentinel])
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


class Forked(AsyncKernelManager):
    """Forks its kernel instead of starting an interpreter."""

    seconds = 0.0
    """Processor time of all kernels that have ended."""

    async def _async_launch_kernel(self, kernel_cmd: Sequence[str], **kw: Any) -> None:
        assert isinstance(self.provisioner, LocalProvisioner)
        arguments = (list(kernel_cmd[kernel_cmd.index("-f") :]), dict(kw["env"]), kw.get("cwd") or os.getcwd())
        process = multiprocessing.get_context("forkserver").Process(target=_kernel, args=arguments)
        process.start()
        self.provisioner.process = _Popen(process)  # type: ignore[assignment]
        self.provisioner.pid = self.provisioner.pgid = process.pid

    async def _async_request_shutdown(self, restart: bool = False) -> None:
        assert isinstance(self.provisioner, LocalProvisioner)
        Forked.seconds += _seconds(self.provisioner.pid)
        await super()._async_request_shutdown(restart)


class _Popen:
    """A forked process as a kernel manager wants it."""

    stdin = stdout = stderr = None

    def __init__(self, process: ForkServerProcess) -> None:
        self._process = process
        self.pid, self.kill, self.terminate = process.pid, process.kill, process.terminate

    def poll(self) -> int | None:
        return self._process.exitcode

    def wait(self) -> int | None:
        self._process.join()
        return self._process.exitcode

    def send_signal(self, number: int) -> None:
        os.kill(self._process.pid or 0, number)


def _kernel(arguments: list[str], environment: Mapping[str, str], folder: str) -> None:
    """Be a kernel, as `python -m ipykernel_launcher` would."""
    os.setsid()  # Ctrl-C at the terminal does not reach it
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    end_with_parent()
    kernelapp.launch_new_instance(arguments)


def _seconds(process: int | None) -> float:
    """Return the processor time of a process and of those that it has waited for."""
    ticks = Path(f"/proc/{process}/stat").read_text("utf-8").rpartition(")")[2].split()[11:15]
    return sum(map(int, ticks)) / os.sysconf("SC_CLK_TCK")
