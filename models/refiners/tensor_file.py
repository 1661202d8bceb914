"""Files of tensors and plain values, and whether what they hold fits what reads them."""

import hashlib
import pickle
import zipfile
from pathlib import Path
from typing import Any

import torch

from dataset.errors import InputError


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


def require_state(state: dict[str, Any], shapes: dict[str, tuple[int | None, ...]], path: Path) -> None:
    """InputError naming the keys of a refiner's state that are missing, left over, or of another shape (None: any)."""

    def fits(value: Any, shape: tuple[int | None, ...]) -> bool:
        found = tuple(getattr(value, "shape", ()))
        return len(found) == len(shape) and all(want in (None, got) for got, want in zip(found, shape, strict=True))

    faults = {
        "missing": sorted(shapes.keys() - state.keys()),
        "unexpected": sorted(state.keys() - shapes.keys()),
        "of another shape": sorted(k for k in shapes.keys() & state.keys() if not fits(state[k], shapes[k])),
    }
    _require_none(faults, "what it learned does not fit this kind of refiner", "fit the refiner again", path)


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
    _require_none(faults, "the weights do not fit the network", "use the network they were made for", path)
    net.load_state_dict(weights)


def _require_none(faults: dict[str, list[str]], problem: str, remedy: str, path: Path | str) -> None:
    told = [
        f"{len(keys)} {what} ({', '.join(keys[:3])}{', ...' if len(keys) > 3 else ''})"
        for what, keys in faults.items()
        if keys
    ]
    if told:
        raise InputError(path, f"{problem}: {'; '.join(told)}", remedy)


def content_digest(value: Any) -> str:
    """sha256 of tensors and plain values, nested in dicts and lists; where and how they are stored does not matter."""
    content = hashlib.sha256()
    _hash(value, content)
    return content.hexdigest()


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
