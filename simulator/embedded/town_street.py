"""The street of a real map before the camera: an OpenDRIVE town's ground and scenery, in the renderer's world frame.

The town is the one that the CARLA loopback server shows for the same file, without its parked cars, which have no
labels. Only what the camera may see, light or mirror is kept.
"""

from functools import lru_cache
from pathlib import Path

import numpy as np

from simulator.carla.loopback.town import Town
from simulator.embedded.mesh import Lamp, Mesh
from simulator.scene import MapSpot

SEEN_M = 170.0  # of faces by their middle; the horizon behind them stays
HORIZON_M = 330.0
HALF_VIEW_RAD = np.radians(65)
BESIDE_M = 25.0  # all around the camera: shadows and mirrors


def town_street(spot: MapSpot, night: bool) -> Mesh:
    """X right, Y forward, Z up; the camera above (0, 0). The same for the same file and spot."""
    whole = _town(spot.file).surroundings(spot.x_m, spot.y_m, night)
    turn = np.pi / 2 - spot.heading_rad
    cos, sin = np.cos(turn), np.sin(turn)
    rotation = np.array([[cos, -sin, 0], [sin, cos, 0], [0, 0, 1]])
    origin = np.array([spot.x_m, spot.y_m, spot.z_m])
    vertices = (whole.vertices_m - origin) @ rotation.T
    kept = _visible(vertices[whole.faces][..., :2].mean(axis=1))
    used, faces = np.unique(whole.faces[kept], return_inverse=True)
    return Mesh(
        vertices[used].astype(np.float32),
        faces.reshape(-1, 3).astype(np.int32),
        whole.material[kept],
        whole.tag[kept],
        whole.materials,
        None if whole.smooth is None else whole.smooth[kept],
        tuple(_moved(lamp, rotation, origin) for lamp in whole.lamps),
    )


@lru_cache(maxsize=2)
def _town(file: str) -> Town:
    town = Town(Path(file).read_bytes(), Path(file).stem)
    town.hide([prop for prop in town.props if prop.kind == "parked car"], hidden=True)
    return town


def _visible(middle_m: np.ndarray) -> np.ndarray:
    """Of faces, by their middles (F, 2)."""
    x, y = middle_m.T
    distance = np.hypot(x, y)
    ahead = np.abs(np.arctan2(x, y)) < HALF_VIEW_RAD
    return (distance < BESIDE_M) | (ahead & ((distance < SEEN_M) | (distance > HORIZON_M)))


def _moved(lamp: Lamp, rotation: np.ndarray, origin: np.ndarray) -> Lamp:
    x, y, z = (float(c) for c in rotation @ (np.array(lamp.position_m) - origin))
    down = None
    if lamp.direction is not None:
        dx, dy, dz = (float(c) for c in rotation @ np.array(lamp.direction))
        down = (dx, dy, dz)
    return Lamp((x, y, z), lamp.color, lamp.intensity, down, lamp.cone_deg)
