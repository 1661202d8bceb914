"""Checkpoints: tensors and plain values in one file that loads with weights_only, or one readable error."""

import hashlib
import pickle
import zipfile
from pathlib import Path
from typing import Any
from urllib.error import URLError

import torch
from torch import Tensor
from torchvision.models import get_model_weights

from dataset.errors import InputError

from .architecture import Architecture
from .build import build
from .config import DetectorConfig

FORMAT_FAMILY = "hardcase-detector-"
FORMAT = f"{FORMAT_FAMILY}2"
# What the heads of a grid detector mean; weights fit another choice by their shapes alone.
GRIDS = {"its list of strides": "strides", "its cells_across": "cells_across", "its box code": "box_code"}


def save(path: Path, content: dict[str, Any]) -> None:
    """Write aside, then rename: an interrupted save leaves the old file whole. OSError when the disk is full."""
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(path.name + ".partial")
    try:
        with aside.open("wb") as file:
            torch.save({"format": FORMAT} | content, file)
        aside.replace(path)
    except RuntimeError as error:  # torch trips over its own archive after a write that failed, and hides why
        raise error.__context__ if isinstance(error.__context__, OSError) else error from None
    finally:
        aside.unlink(missing_ok=True)


def load(path: Path) -> dict[str, Any]:
    """A checkpoint of ours on the CPU; InputError when the file is missing, damaged or something else."""
    content = _read(path, "train it again, or give the path of another checkpoint")
    found = str(content.get("format"))
    if found.startswith(FORMAT_FAMILY) and found != FORMAT:
        raise InputError(path, f"another version wrote it ({found}, not {FORMAT})", "train it again")
    if found != FORMAT:
        raise InputError(
            path, "this is no detector checkpoint of hardcase", "give a last.pt or best.pt that train wrote"
        )
    return content


def model_of(content: dict[str, Any], path: Path) -> Architecture:
    """The network with the averaged weights of a loaded checkpoint."""
    model = build(DetectorConfig(**content["detector"]), len(content["categories"]))
    fill(model, content["weights"], path)
    return model


def fill(model: torch.nn.Module, weights: dict[str, Tensor], path: Path | str) -> None:
    """Load every weight of `model`; InputError naming what is missing, left over, or of another shape."""
    own = model.state_dict()
    # Files older than BatchNorm's batch counter lack it, and nothing here reads it.
    missing = sorted(name for name in own.keys() - weights.keys() if not name.endswith("num_batches_tracked"))
    unexpected = sorted(weights.keys() - own.keys())
    shapes = [
        f"{k} {tuple(weights[k].shape)} for {tuple(own[k].shape)}"
        for k in own.keys() & weights.keys()
        if weights[k].shape != own[k].shape
    ]
    faults = {"missing": missing, "unexpected": unexpected, "of another shape": sorted(shapes)}
    told = [
        f"{len(keys)} {what} ({', '.join(keys[:3])}{', ...' if len(keys) > 3 else ''})"
        for what, keys in faults.items()
        if keys
    ]
    if told:
        raise InputError(
            path, f"the weights do not fit the network: {'; '.join(told)}", "use the network they were made for"
        )
    model.load_state_dict(own | weights)


def fill_first(model: Architecture, path: Path, categories: tuple[str, ...]) -> None:
    """Start from the weights of a checkpoint of the same network for the same categories in the same order.

    InputError naming both networks, both lists and the keys that do not fit.
    """
    content = load(path)
    try:
        fill(model, content["weights"], path)
        misfit = ""
    except InputError as error:
        misfit = f"; {error.problem}"
    found, wanted = content["detector"], model.config
    compared = [
        ("its architecture", found["architecture"], wanted.architecture),
        ("its backbone", found["backbone"], wanted.backbone),
        ("what it detects", ", ".join(content["categories"]), ", ".join(categories)),
    ]
    if found["architecture"] == wanted.architecture == "grid":
        ours = wanted.model_dump()
        compared += [(what, _listed(found[name]), _listed(ours[name])) for what, name in GRIDS.items()]
    told = [f"{what} is {theirs}, here it is {ours}" for what, theirs, ours in compared if theirs != ours]
    if told or misfit:
        remedy = "start from a checkpoint of the same detector and categories, or from the backbone's weights alone"
        raise InputError(path, "; ".join(told) + misfit if told else misfit.removeprefix("; "), remedy)


def _listed(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)


def fill_backbone(model: Architecture, weights: str | Path) -> None:
    """Put ImageNet weights into the trunk. weights: "torchvision" (downloads), or a torchvision state dict's path."""
    backbone = model.config.backbone
    if str(weights) == "torchvision":
        choice = get_model_weights(backbone)["IMAGENET1K_V1"]  # type: ignore[index]
        try:
            state = choice.get_state_dict(progress=False, check_hash=True)
        except (URLError, OSError) as error:
            raise InputError(
                choice.url,
                f"cannot be downloaded ({error})",
                f"download it where there is a network and pass the file's path as weights, put it into "
                f"{Path(torch.hub.get_dir()) / 'checkpoints'}, or train from scratch with weights = None",
            ) from error
    else:
        state = _read(Path(weights), f"give a torchvision {backbone} state dict (.pth)")
    fill(model.trunk, {name: value for name, value in state.items() if not name.startswith("fc.")}, weights)


def digest(path: Path | str | None) -> str | None:
    """sha256 of a file's contents; a name that is no file stands for itself."""
    if path is None or not Path(path).is_file():
        return None if path is None else str(path)
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _read(path: Path, remedy: str) -> dict[str, Any]:
    if not path.is_file():
        raise InputError(path, "there is no such file", remedy)
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except (RuntimeError, EOFError, KeyError, ValueError, pickle.UnpicklingError, zipfile.BadZipFile) as error:
        problem = f"the file is damaged or holds more than tensors and plain values ({type(error).__name__})"
        raise InputError(path, problem, f"delete it; {remedy}") from error
    if not isinstance(content, dict):
        raise InputError(path, f"a {type(content).__name__} where a dictionary of tensors is expected", remedy)
    return content
