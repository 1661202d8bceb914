"""The models of a folder, read when first asked for and made as large as each actor."""

from pathlib import Path

import numpy as np

from simulator.assets.glb import painted, read_model
from simulator.assets.manifest import Manifest, Model, read_manifest
from simulator.embedded.assets.shapes import fitted
from simulator.embedded.mesh import Mesh
from simulator.scene import Actor


class Library:
    """Plays actors with the user's models. One a process: it keeps what it has read."""

    def __init__(self, folder: Path) -> None:
        """Reads the manifest alone. Raises InputError."""
        self.folder = folder
        self.manifest: Manifest = read_manifest(folder)
        self._read: dict[str, tuple[Mesh, frozenset[int]]] = {}

    def mesh(self, actor: Actor, asset_set: str) -> Mesh | None:
        """The model that plays the actor, as large as it is, in the model frame; None for the simulator's own.

        The same for the same actor. Raises InputError for a file that cannot be taken.
        """
        model = self.manifest.chosen(actor)
        if model is None:
            return None
        mesh, paintable = self._of(model)
        if paintable:
            mesh = painted(mesh, paintable, np.random.default_rng([actor.appearance_seed, 8]), asset_set)
        return fitted(mesh, actor.dimensions_hwl_m)

    def require_all(self) -> None:
        """Reads every file, so that a bad one is told before anything is rendered. Raises InputError."""
        for model in self.manifest.models:
            self._of(model)

    def _of(self, model: Model) -> tuple[Mesh, frozenset[int]]:
        key = model.model_dump_json()
        if key not in self._read:
            self._read[key] = read_model(self.folder / model.file, model)
        return self._read[key]
