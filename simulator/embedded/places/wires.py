"""Overhead lines: wooden poles with cross-arms, wires that sag between them, and drop lines to houses.

A wire is a three-sided prism somewhat thicker than a real one: the thinnest that still shows as a line, not as dots.
"""

from collections.abc import Sequence

import numpy as np

from simulator.embedded.assets import materials as m
from simulator.embedded.assets.shapes import POLE, STATIC, Shape, grid_faces, lathe
from simulator.embedded.mesh import Material
from simulator.embedded.places.site import Frame, Site

WIRE = Material((0.03, 0.03, 0.032), 0.8)
WOOD = Material(m.srgb(92, 76, 62), 1.0)
WIRE_RADIUS_M = 0.018
PIECES = 6  # of a wire between two poles
LONGEST_SPAN_M = 75.0


def sagging(starts_m: np.ndarray, ends_m: np.ndarray, sag_m: np.ndarray | float, radius_m: float) -> Shape:
    """Wires from (N, 3) to (N, 3) as parabolas that hang `sag_m` below the middle of their chords."""
    share = np.linspace(0, 1, PIECES + 1)[:, None]
    path = starts_m[:, None] + share * (ends_m - starts_m)[:, None]  # (N, K, 3)
    path[..., 2] -= np.asarray(sag_m)[..., None] * (4 * share * (1 - share))[:, 0]
    along = (ends_m - starts_m)[:, :2]
    across = np.stack([-along[:, 1], along[:, 0]], 1) / np.linalg.norm(along, axis=1, keepdims=True)
    across = np.concatenate([across, np.zeros((len(across), 1))], 1)[:, None, None]
    turn = np.pi / 2 - np.arange(3) * 2 * np.pi / 3
    rim = np.cos(turn)[:, None] * across + np.sin(turn)[:, None] * np.array([0.0, 0.0, 1.0])
    points = path[:, :, None] + radius_m * rim
    faces = grid_faces(PIECES + 1, 3, wrap=True)[:, ::-1]
    every = faces[None] + 3 * (PIECES + 1) * np.arange(len(starts_m))[:, None, None]
    return Shape(points.reshape(-1, 3), every.reshape(-1, 3), smooth=False)


def line_of_poles(
    site: Site, side: int, distance_m: float, every_m: float, height_m: float, houses: Sequence[Frame] = ()
) -> None:
    """Poles along one side of the road with wires on their cross-arms, and a drop line from the nearest to each house.

    Where a pole may not stand, the wires span to the next; where they would hide somebody, they are left out.
    """
    rng = site.rng.spawn(1)[0]
    s = np.arange(float(rng.uniform(-25, -10)), 210, every_m)
    t = side * distance_m
    for push in (0.0, 0.6, 1.2, 2.0, 3.0, 4.5, 6.5, 9.0):
        ok = site.clear.free(site.road.point_m(s, side * (distance_m + push)), 0.25)
        if ok.mean() > 0.6:
            t = side * (distance_m + push)
            break
    else:
        return
    s = s[ok]
    feet, yaw = site.road.point_m(s, t), site.road.yaw_rad(s)
    arms = [height_m - 0.3] if rng.uniform() < 0.5 else [height_m - 0.3, height_m - 1.0]
    reach = float(rng.uniform(0.7, 1.0))
    ends = [(0.0, y * reach, z + 0.12) for z in arms for y in (-1.0, -0.45, 0.45, 1.0)]
    post = lathe([(-0.1, 0.14), (height_m, 0.09)], 7)
    hung = []
    for xy, turn in zip(feet, yaw, strict=True):
        frame = Frame(xy, float(turn))
        site.add(post._replace(vertices_m=frame.world(post.vertices_m)), WOOD, POLE)
        site.boxes(frame, [(0, 0, z) for z in arms], (0.1, 2 * reach + 0.3, 0.12), WOOD, POLE)
        site.boxes(frame, np.array(ends) - [0, 0, 0.05], (0.07, 0.07, 0.14), m.TRIM, POLE)
        hung.append(frame.world(np.array(ends)))
        site.clear.take(xy[None], 0.2)
    if len(hung) < 2:
        return
    points = np.array(hung)  # (P, W, 3)
    near = np.linalg.norm(points[1:, 0] - points[:-1, 0], axis=1) < LONGEST_SPAN_M
    starts, stops = points[:-1][near].reshape(-1, 3), points[1:][near].reshape(-1, 3)
    span = np.linalg.norm(stops - starts, axis=1)
    _hang(site, starts, stops, 0.0006 * span**2 * np.tile(rng.uniform(0.9, 1.15, len(ends)), near.sum()))
    _drop_lines(site, points[:, 0], houses)


def _drop_lines(site: Site, tops_m: np.ndarray, houses: Sequence[Frame]) -> None:
    """One thin line from each house's front to the pole that is nearest to it."""
    walls = [frame.world(np.array([0.1, 1.5, 2.75])) for frame in houses]
    if not walls:
        return
    ends = np.array(walls)
    away = np.linalg.norm(ends[:, None] - tops_m[None], axis=2)
    nearest = away.argmin(1)
    close = away[np.arange(len(ends)), nearest] < 32
    if close.any():
        _hang(site, tops_m[nearest][close], ends[close], 0.03 * away.min(1)[close])


def _hang(site: Site, starts_m: np.ndarray, stops_m: np.ndarray, sag_m: np.ndarray) -> None:
    share = np.linspace(0, 1, 25)[:, None]
    on_ground = starts_m[:, None, :2] + share * (stops_m - starts_m)[:, None, :2]
    lowest = np.minimum(starts_m[:, 2], stops_m[:, 2]) - sag_m - WIRE_RADIUS_M
    ok = np.array(
        [
            bool(site.clear.free_overhead(points, 0.0, float(low)).all())
            for points, low in zip(on_ground, lowest, strict=True)
        ]
    )
    if ok.any():
        site.add(sagging(starts_m[ok], stops_m[ok], sag_m[ok], WIRE_RADIUS_M), WIRE, STATIC)
