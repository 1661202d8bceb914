"""What a folder of models holds: its `models.yaml`.

share: 0.5              # of the actors that one of the models suits; 1 replaces the simulator's own
models:
  - file: hatchback.glb
    asset: car          # what it is played as; its category follows from the data set's
    size_hwl_m: [1.48, 1.78, 4.1]
    forward: +z         # the file's axis that points ahead: +z (glTF's own convention), -z, +x, -x
    paint: [body]       # names of materials that are painted anew on every actor; none by default
"""

import hashlib
from pathlib import Path
from typing import Literal

import numpy as np
import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from dataset.errors import InputError
from simulator.scene import ACTOR_ASSETS, CLUTTER_ASSETS, Actor

FILE = "models.yaml"
SUFFIXES = (".glb", ".gltf")
MOST_STRETCH = 1.35  # a model is taken for actors whose every side is within this factor of its own
SPREAD = 0.1  # of the logarithm of the sides: nearer models are taken more often
EXAMPLE = "see simulator/assets/manifest.py for an example"


class Model(BaseModel):
    """One file and what it is."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    file: str
    asset: str
    size_hwl_m: tuple[float, float, float]
    forward: Literal["+z", "-z", "+x", "-x"] = "+z"
    paint: tuple[str, ...] = ()

    @field_validator("asset")
    @classmethod
    def _known(cls, asset: str) -> str:
        if asset not in (*ACTOR_ASSETS, *CLUTTER_ASSETS):
            raise ValueError(f"{asset!r} is not one of {', '.join((*ACTOR_ASSETS, *CLUTTER_ASSETS))}")
        return asset

    @field_validator("size_hwl_m")
    @classmethod
    def _possible(cls, size: tuple[float, float, float]) -> tuple[float, float, float]:
        if not all(0.05 <= side <= 60 for side in size):
            raise ValueError(f"height, width, length {size} m lie outside 0.05 to 60 m")
        return size

    @field_validator("file")
    @classmethod
    def _readable(cls, file: str) -> str:
        if not file.lower().endswith(SUFFIXES):
            raise ValueError(f"{file!r} ends in neither of {', '.join(SUFFIXES)}")
        return file


class Manifest(BaseModel):
    """The models of a folder. Read with `read_manifest`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    share: float = Field(default=0.5, gt=0, le=1)
    models: tuple[Model, ...] = Field(min_length=1)

    def chosen(self, actor: Actor) -> Model | None:
        """The model that plays an actor, by its appearance and its size; None for the simulator's own."""
        suiting, weights = [], []
        for model in self.models:
            misfit = np.abs(np.log(np.array(actor.dimensions_hwl_m) / model.size_hwl_m)).max()
            if model.asset == actor.asset and misfit <= np.log(MOST_STRETCH):
                suiting.append(model)
                weights.append(np.exp(-0.5 * (misfit / SPREAD) ** 2))
        rng = np.random.default_rng([actor.appearance_seed, 7])
        if not suiting or rng.random() >= self.share:
            return None
        return suiting[int(rng.choice(len(suiting), p=np.array(weights) / sum(weights)))]


def read_manifest(folder: Path) -> Manifest:
    """The manifest of a folder whose files are all there. Raises InputError naming the entry."""
    path = folder / FILE
    try:
        content = yaml.safe_load(path.read_text())
    except OSError as error:
        raise InputError(path, f"cannot be read ({error.strerror})", f"write one; {EXAMPLE}") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise InputError(path, f"is not YAML ({error})", "mend the line it names") from None
    try:
        manifest = Manifest.model_validate(content)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise InputError(f"{path}, {where}", f"{first['msg']}, found {first['input']!r}", EXAMPLE) from None
    for model in manifest.models:
        if not (folder / model.file).parent.resolve().is_relative_to(folder.resolve()):
            problem = "lies outside the folder, whose files alone decide what is rendered anew"
            raise InputError(f"{path}, {model.file}", problem, "copy or link the file into the folder")
        if not (folder / model.file).is_file():
            raise InputError(f"{path}, {model.file}", "no such file", "mend the name; it counts from the folder")
    return manifest


def digest(folder: Path) -> str:
    """Of the manifest and all files in the folder: what a rendering depends on."""
    found = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        found.update(str(path.relative_to(folder)).encode() + b"\0")
        found.update(hashlib.sha256(path.read_bytes()).digest())
    return found.hexdigest()
