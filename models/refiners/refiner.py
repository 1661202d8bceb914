"""What every refiner can do, and the one file that holds a fitted one."""

import hashlib
import pickle
import zipfile
from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import torch
from pydantic import ValidationError

from dataset.errors import InputError

from .config import MethodConfig
from .pictures import Pictures

FORMAT = "hardcase-refiner-1"
LAYOUT = {"kind", "config", "provenance", "state"}
OnLog = Callable[[int, dict[str, float]], None]
OnSamples = Callable[[int, np.ndarray], None]


class Refiner(ABC):
    """A fitted refiner. A subclass keeps what it learned in `state` and makes itself of it in `of_state`."""

    kind: ClassVar[str]
    config_type: ClassVar[type[MethodConfig]]
    needs_semantic: ClassVar[bool] = False

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
                "config": self.config.model_dump(),
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
    def digest(self) -> str:
        """sha256 of the kind, the settings and what was learned: equal for refiners that do the same."""
        content = hashlib.sha256()
        _hash([self.kind, self.config.model_dump(), self.state()], content)
        return content.hexdigest()


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


def write_aside(path: Path, content: dict[str, Any]) -> None:
    """torch.save, aside, then renamed: an interrupted save leaves the old file whole. OSError when the disk is full."""
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(path.name + ".partial")
    try:
        with aside.open("wb") as file:
            torch.save(content, file)
        aside.replace(path)
    except RuntimeError as error:  # torch trips over its own archive after a write that failed, and hides why
        raise error.__context__ if isinstance(error.__context__, OSError) else error from None
    finally:
        aside.unlink(missing_ok=True)


def read_tensors(path: Path, remedy: str) -> dict[str, Any]:
    """A dictionary of tensors and plain values, on the CPU. InputError when missing, damaged or something else."""
    if not Path(path).is_file():
        raise InputError(path, "there is no such file", remedy)
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except (RuntimeError, EOFError, KeyError, ValueError, pickle.UnpicklingError, zipfile.BadZipFile) as error:
        problem = f"the file is damaged or holds more than tensors and plain values ({type(error).__name__})"
        raise InputError(path, problem, remedy) from error
    if not isinstance(content, dict):
        raise InputError(path, f"a {type(content).__name__} where a dictionary of tensors is expected", remedy)
    return content


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


def fill(net: torch.nn.Module, weights: dict[str, Any], path: Path | str) -> None:
    """Load every weight of `net`; InputError naming what is missing, left over, or of another shape."""
    own = net.state_dict()
    shapes = [
        f"{k} {tuple(weights[k].shape)} for {tuple(own[k].shape)}"
        for k in own.keys() & weights.keys()
        if getattr(weights[k], "shape", None) != own[k].shape
    ]
    faults = {
        "missing": sorted(own.keys() - weights.keys()),
        "unexpected": sorted(weights.keys() - own.keys()),
        "of another shape": sorted(shapes),
    }
    told = [
        f"{len(keys)} {what} ({', '.join(keys[:3])}{', ...' if len(keys) > 3 else ''})"
        for what, keys in faults.items()
        if keys
    ]
    if told:
        problem = f"the weights do not fit the network: {'; '.join(told)}"
        raise InputError(path, problem, "use the network they were made for")
    net.load_state_dict(weights)


def _hash(value: Any, into: "hashlib._Hash") -> None:
    """Each value with its kind and size, so that no two different contents read the same."""
    if isinstance(value, dict):
        into.update(f"dict {len(value)};".encode())
        for key in sorted(value, key=str):
            _hash(str(key), into)
            _hash(value[key], into)
    elif isinstance(value, list | tuple):
        into.update(f"list {len(value)};".encode())
        for item in value:
            _hash(item, into)
    elif isinstance(value, torch.Tensor):
        into.update(f"tensor {value.dtype} {tuple(value.shape)};".encode())
        into.update(value.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().tobytes())
    else:
        text = repr(value)
        into.update(f"{type(value).__name__} {len(text)} {text};".encode())
