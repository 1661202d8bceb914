"""Where a training runs: the device or devices, the number format, and whether torch may choose kernels that vary."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from lightning_fabric import Fabric

from .architecture import Architecture
from .config import TrainConfig
from .precision import uses_bf16

CUBLAS_WORKSPACE = ":4096:8"  # NVIDIA's setting under which cuBLAS sums in one order


def launch(config: TrainConfig) -> Fabric:
    """One device, or under torchrun as many as it started processes."""
    accelerator = config.accelerator
    if accelerator == "auto":
        accelerator = "cuda" if torch.cuda.is_available() else "cpu"
    bf16 = uses_bf16(accelerator, config.precision)
    local = int(os.environ.get("LOCAL_WORLD_SIZE", 1))
    fabric = Fabric(
        accelerator=accelerator,
        devices=local,
        num_nodes=int(os.environ.get("WORLD_SIZE", 1)) // local,
        precision="bf16-mixed" if bf16 else "32-true",
    )
    fabric.launch()
    return fabric


@contextmanager
def determinism(wanted: bool) -> Iterator[None]:
    """Inside, torch uses only kernels that give the same bits each time, and raises where it has none.

    wanted False changes nothing. Torch is left as it was found.
    """
    if not wanted:
        yield
        return
    cudnn = torch.backends.cudnn
    found = torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled()
    found_cudnn = cudnn.deterministic, cudnn.benchmark
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", CUBLAS_WORKSPACE)  # read when CUDA starts, so it stays
    torch.use_deterministic_algorithms(True)
    cudnn.deterministic, cudnn.benchmark = True, False
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(found[0], warn_only=found[1])
        cudnn.deterministic, cudnn.benchmark = found_cudnn


def compile_trunk(network: Architecture) -> None:
    """Let torch.compile fuse the ResNet's stages: nearly all of the work, and the same shapes in every step."""
    for name in ("layer1", "layer2", "layer3", "layer4"):
        getattr(network.trunk, name).compile()
