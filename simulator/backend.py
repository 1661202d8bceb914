"""What a simulator hands back, whichever it is: the embedded one, or CARLA."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from simulator.scene import Scene


@dataclass(frozen=True)
class Silhouettes:
    """Each actor as if it stood alone in front of an endless film; row i belongs to `scene.actors[i]`."""

    area_px: np.ndarray  # (A,) float64, whole silhouette, also what lies outside the image
    inside_px: np.ndarray  # (A,) float64, the part of it inside the image
    box_xyxy_px: np.ndarray  # (A, 4) float64, around the whole silhouette, not clipped; NaN when behind the camera


@dataclass(frozen=True)
class Render:
    """One picture with all that labels are made from."""

    rgb: np.ndarray  # (H, W, 3) uint8, sRGB, after the camera's response
    instance: np.ndarray  # (H, W) int32, 0 = scenery, i + 1 = scene.actors[i]
    semantic: np.ndarray  # (H, W) uint8, CARLA 0.9.16 tags
    depth_m: np.ndarray  # (H, W) float32, along the optical axis, inf where there is sky
    silhouettes: Silhouettes
    # The scene as it was shown, where the simulator cannot show just what was asked for (its models have sizes of their
    # own). Instances, silhouettes, labels and the check are those of its actors.
    scene: Scene | None = None


class Backend(Protocol):
    """A simulator. Made once per process, used for many scenes; `close` gives its resources back."""

    def render(self, scene: Scene) -> Render:
        """Raises NotRecreatable (simulator/recreate.py) for a scene that this simulator cannot show."""
        ...

    def close(self) -> None: ...
