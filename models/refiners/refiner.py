"""What every refiner can do, and the one file that holds a fitted one."""

import zlib
from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
from pydantic import ValidationError

from dataset.errors import InputError

from .config import MethodConfig
from .pictures import Pictures
from .tensor_file import content_digest, read_tensors, write_aside

FORMAT = "hardcase-refiner-1"
LAYOUT = {"kind", "config", "provenance", "state"}
OnLog = Callable[[int, dict[str, float]], None]
OnSamples = Callable[[int, np.ndarray], None]
Gate = Callable[["Refiner"], bool]  # whether labels survive what this refiner does to pictures


class Refiner(ABC):
    """A fitted refiner. A subclass keeps what it learned in `state` and makes itself of it in `of_state`."""

    kind: ClassVar[str]
    config_type: ClassVar[type[MethodConfig]]
    needs_semantic: ClassVar[bool] = False
    asks_gate: ClassVar[bool] = False  # whether `fit` takes a `gate`: Gate, and keeps no state that fails it if it can

    def __init__(self, config: MethodConfig, provenance: dict[str, Any]):
        self.config, self.provenance = config, provenance

    @classmethod
    @abstractmethod
    def fit(
        cls,
        source: Pictures,
        target: Pictures,
        out: Path,
        config: Any,
        *,
        seed: int,
        weights: Path | str | None = None,
        detector: Path | None = None,
        on_log: OnLog | None = None,
        on_samples: OnSamples | None = None,
        progress: bool = True,
    ) -> "Refiner":
        """Learn to make `source` look like `target`; writes out/refiner.pt. An interrupted fit goes on from `out`.

        config: a `config_type`. weights, detector: where a method wants features, those of a torchvision state dict
        or of a detector's checkpoint. on_log(step, values), on_samples(step, (H, W, 3) uint8 contact sheet).
        """

    @abstractmethod
    def state(self) -> dict[str, Any]:
        """What was learned: tensors and plain values, nested in dicts and lists."""

    @classmethod
    @abstractmethod
    def of_state(cls, config: Any, state: dict[str, Any], provenance: dict[str, Any], path: Path) -> Self:
        """The refiner that `state` was saved from. InputError naming `path` and the keys that do not fit."""

    @abstractmethod
    def apply(self, rgb: np.ndarray, semantic: np.ndarray | None, seed: int) -> np.ndarray:
        """As `refine`, which has checked the shapes."""

    def refine(self, rgb: np.ndarray, semantic: np.ndarray | None = None, *, seed: int = 0) -> np.ndarray:
        """(B, H, W, 3) uint8, and (B, H, W) uint8 label ids where `needs_semantic` -> (B, H, W, 3) uint8.

        Any size; large pictures in tiles. What becomes of a picture does not depend on the others of its batch.
        """
        remedy = "give pictures as (B, H, W, 3) and label maps as (B, H, W), both uint8"
        where = f"refiner {self.kind}"
        if rgb.dtype != np.uint8 or rgb.ndim != 4 or rgb.shape[3] != 3:
            raise InputError(where, f"pictures of shape {rgb.shape}, {rgb.dtype}", remedy)
        if self.needs_semantic and semantic is None:
            raise InputError(where, "it needs label maps and was given none", remedy)
        if semantic is not None and (semantic.dtype != np.uint8 or semantic.shape != rgb.shape[:3]):
            problem = f"label maps of shape {semantic.shape}, {semantic.dtype}, for pictures of shape {rgb.shape}"
            raise InputError(where, problem, remedy)
        if rgb.size == 0:
            return rgb.copy()
        return self.apply(rgb, semantic, seed)

    def save(self, path: Path) -> None:
        write_aside(
            path,
            {
                "format": FORMAT,
                "kind": self.kind,
                "config": self.config.model_dump(mode="json"),
                "provenance": self.provenance,
                "state": self.state(),
            },
        )

    @classmethod
    def load(cls, path: Path) -> Self:
        """A refiner of this kind from its file; InputError when the file holds another, or something else."""
        content = read_content(path)
        if content["kind"] != cls.kind:
            problem = f"it holds the refiner {content['kind']}, {cls.kind} expected"
            raise InputError(path, problem, "give the file of the other refiner")
        try:
            config = cls.config_type(**content["config"])
        except (ValidationError, TypeError) as error:
            raise InputError(path, f"its settings do not fit ({error})", "fit the refiner again") from None
        return cls.of_state(config, content["state"], content["provenance"], path)

    @property
    def chosen_step(self) -> int | None:
        """The training step that was kept, of methods that choose one; None for the others."""
        return self.provenance.get("chosen_step")

    @property
    def passed_gate(self) -> bool | None:
        """Whether labels survived it when it was chosen; False: no step's did. None where no gate was asked."""
        verdict = self.provenance.get("gate")
        return None if verdict is None else verdict == "passed"

    @property
    def digest(self) -> str:
        """sha256 of the kind, the settings and what was learned: equal for refiners that do the same."""
        return content_digest([self.kind, self.config.model_dump(), self.state()])


def picture_rng(seed: int, rgb: np.ndarray) -> np.random.Generator:
    """Draws for one picture that follow from the seed and its own pixels: neither its batch nor its place matters."""
    return np.random.default_rng([seed, zlib.crc32(rgb.tobytes())])


def provenance(source: Pictures, target: Pictures, *, steps: int, seed: int) -> dict[str, Any]:
    """Where a refiner comes from, as plain values for its file."""
    return {
        "source": source.digest,
        "source_pictures": len(source),
        "target": target.digest,
        "target_pictures": len(target),
        "steps": steps,
        "seed": seed,
    }


def read_content(path: Path) -> dict[str, Any]:
    """What `save` wrote. InputError naming the keys where the file is of another layout."""
    remedy = "give a refiner.pt that fitting wrote"
    content = read_tensors(path, remedy)
    if content.get("format") != FORMAT:
        keys = sorted(map(str, content))
        told = ", ".join(keys[:4]) + (", ..." if len(keys) > 4 else "")
        raise InputError(path, f"this is no refiner of hardcase: it holds {told or 'nothing'}", remedy)
    missing = sorted(LAYOUT - content.keys())
    if missing:
        raise InputError(path, f"the refiner's file lacks {', '.join(missing)}", "fit the refiner again")
    return content
