"""The things that line a town's streets as CARLA's environment objects: listed with boxes, hidden on demand."""

import math
from typing import NamedTuple

import numpy as np

from simulator.carla.loopback.props import Prop, prop_mesh
from simulator.carla.unreal import Transform

FIRST_ID = 1 << 40  # far from any actor's


class EnvironmentObject(NamedTuple):
    """One thing; Unreal's frame."""

    object_id: int
    name: str
    tag: int  # CARLA 0.9.16, of most of its surface
    transform: Transform
    center_m: tuple[float, float, float]  # of its upright box, which is turned as it is
    extent_m: tuple[float, float, float]
    prop: Prop


def environment_of(props: list[Prop]) -> list[EnvironmentObject]:
    """All of a town; ids are by their order, which is the town's own."""
    return [_object(index, prop) for index, prop in enumerate(props)]


def _object(index: int, prop: Prop) -> EnvironmentObject:
    mesh = prop_mesh(prop.kind, prop.variant, False)
    scale = np.array([prop.spread, prop.spread, prop.tall])
    low, high = mesh.vertices_m.min(axis=0) * scale, mesh.vertices_m.max(axis=0) * scale
    (mx, my, mz), (ex, ey, ez) = ((low + high) / 2).tolist(), ((high - low) / 2).tolist()
    cos, sin = math.cos(prop.yaw_rad), math.sin(prop.yaw_rad)
    return EnvironmentObject(
        object_id=FIRST_ID + index,
        name=f"{prop.kind.replace(' ', '_')}_{index}",
        tag=int(np.bincount(mesh.tag).argmax()),
        transform=Transform(prop.x_m, -prop.y_m, prop.z_m, yaw_deg=-math.degrees(prop.yaw_rad)),
        center_m=(prop.x_m + mx * cos - my * sin, -(prop.y_m + mx * sin + my * cos), prop.z_m + mz),
        extent_m=(ex, ey, ez),
        prop=prop,
    )
