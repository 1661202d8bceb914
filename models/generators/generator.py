"""A trained generator: the one file that holds it, and the pictures it makes."""

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import torch
from pydantic import ValidationError

from dataset.errors import InputError
from models.refiners.tensor_file import fill, read_tensors, write_aside

from .config import GeneratorConfig
from .dcgan import Generator
from .lesson import make
from .sheets import great_circle

FORMAT = "hardcase-generator-1"
LAYOUT = {"config", "classes", "provenance", "weights"}


class SceneGenerator:
    """Makes pictures of road scenes. classes: names of what it can be asked for, empty where it was fitted without.

    provenance: digest of its data, steps, seed, number of pictures; plain values.
    """

    def __init__(
        self, network: Generator, config: GeneratorConfig, classes: tuple[str, ...], provenance: dict[str, Any]
    ):
        self.network, self.config, self.classes, self.provenance = network, config, classes, provenance

    def sample(self, count: int, seed: int, kind: int | None = None, first: int = 0) -> np.ndarray:
        """Pictures first, first + 1, ... of a seed -> (count, S, S, 3) uint8. Number i is the same in every call.

        kind: the class; None lets classes take turns.
        """
        numbers = range(first, first + count)
        latent = np.stack([_latent(self.config.latent, seed, number) for number in numbers])
        return self.draw(latent, [number % max(len(self.classes), 1) if kind is None else kind for number in numbers])

    def draw(self, latent: np.ndarray, kinds: list[int]) -> np.ndarray:
        """(N, latent) random numbers, N classes (ignored by a generator without) -> (N, S, S, 3) uint8."""
        chosen = torch.tensor(kinds) if self.classes else None
        return make(self.network, torch.from_numpy(np.asarray(latent, np.float32)), chosen)

    def between(self, seed: int, strips: int, steps: int) -> np.ndarray:
        """Ways from one random picture to another -> (strips * steps, S, S, 3) uint8, a strip after the other."""
        made = []
        for strip in range(strips):
            first, last = (_latent(self.config.latent, seed, 2 * strip + end) for end in (0, 1))
            kind = strip % max(len(self.classes), 1)
            made.append(self.draw(great_circle(first, last, steps), [kind] * steps))
        return np.concatenate(made)

    @property
    def digest(self) -> str:
        """sha256 of settings, classes and weights: equal for generators that make the same pictures."""
        content = hashlib.sha256(repr((self.config.model_dump(), self.classes)).encode())
        for name, weight in sorted(self.network.state_dict().items()):
            content.update(name.encode() + weight.cpu().contiguous().numpy().tobytes())
        return content.hexdigest()

    def save(self, path: Path) -> None:
        content = {
            "format": FORMAT,
            "config": self.config.model_dump(),
            "classes": list(self.classes),
            "provenance": self.provenance,
            "weights": {name: weight.cpu() for name, weight in self.network.state_dict().items()},
        }
        write_aside(path, content)

    @staticmethod
    def load(path: Path) -> "SceneGenerator":
        """From a file that `save` wrote, on a GPU where there is one. InputError when it is something else."""
        remedy = "give a generator.pt that `generate fit` wrote"
        content = read_tensors(path, remedy)
        if content.get("format") != FORMAT or not content.keys() >= LAYOUT:
            keys = ", ".join(sorted(map(str, content))[:4]) or "nothing"
            raise InputError(path, f"this is no generator of hardcase: it holds {keys}", remedy)
        try:
            config = GeneratorConfig(**content["config"])
        except (ValidationError, TypeError) as error:
            raise InputError(path, f"its settings do not fit ({error})", "fit the generator again") from None
        network = Generator(config, len(content["classes"]))
        fill(network, content["weights"], path)
        device = "cuda" if torch.cuda.is_available() else "cpu"
        return SceneGenerator(network.eval().to(device), config, tuple(content["classes"]), content["provenance"])


def _latent(size: int, seed: int, number: int) -> np.ndarray:
    return np.random.default_rng([seed, number]).standard_normal(size, np.float32)
