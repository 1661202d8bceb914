"""Glare of the sun: what windscreen and lens scatter over the picture while it shines into them.

After Stiles and Holladay (CIE 146:2002 for the eye): a source of illuminance E at an angle of theta degrees lays a
veil of SCATTER * E / theta^2 over the direction looked at. The CIE's 10 is that of an eye of middle age; a clean lens
scatters less, a dirty windscreen more.
"""

from typing import Any

import numpy as np
import warp as wp

from simulator.embedded.kernels.rays import sun_seen
from simulator.embedded.tracer import Traceable

SCATTER = 4.0
NEAREST_DEG = 0.7  # nearer to the sun the veil grows no more: film is white there
POINTS = 64  # on the sun's disc, which branches may hide in part


def with_glare(radiance: np.ndarray, world: Traceable, pinhole: Any, sky: Any) -> np.ndarray:
    """radiance (H, W, 3) under the veil of the sun, as far as the camera sees its disc."""
    irradiance = np.array(sky.sun_irradiance)
    forward, right, up, sun = (
        np.array(axis) for axis in (pinhole.forward, pinhole.right, pinhole.up, sky.sun_direction)
    )
    if irradiance.max() < 1e-3 or forward @ sun <= 0:
        return radiance
    seen = wp.zeros(1, dtype=wp.int32, device=world.device)
    wp.launch(sun_seen, POINTS, [world.geometry, pinhole, sky, POINTS, seen], device=world.device)
    share = int(seen.numpy()[0]) / POINTS
    if share == 0:
        return radiance
    x = (np.arange(pinhole.width) + 0.5 - pinhole.centre[0]) / pinhole.focal[0]
    y = (pinhole.centre[1] - np.arange(pinhole.height) - 0.5) / pinhole.focal[1]
    along = (forward @ sun + x * (right @ sun) + (y * (up @ sun))[:, None]) / np.sqrt(1 + x**2 + (y**2)[:, None])
    theta_deg = np.maximum(np.degrees(np.arccos(np.clip(along, -1, 1))), NEAREST_DEG)
    veil = (SCATTER * share / theta_deg**2)[..., None] * irradiance
    return radiance + veil.astype(np.float32)
