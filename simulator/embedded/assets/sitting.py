"""People who sit: on a bench at a stop, a wall, steps. The bench is scenery and belongs to no label."""

import numpy as np

from simulator.embedded.assets import materials as m
from simulator.embedded.assets.people import Wardrobe, arm, head, leg, pedestrian, torso
from simulator.embedded.assets.shapes import PEDESTRIAN, STATIC, Assembly, boxes
from simulator.embedded.mesh import Material, Mesh

SITTING_HEIGHT = 0.76  # of the stature, seat included
SEAT_HEIGHT = 0.26  # of the stature
WOOD = Material(m.srgb(120, 88, 58), 0.85)


def sits(dimensions_hwl_m: tuple[float, float, float]) -> bool:
    """Whether a person's box is low and deep, as of someone who sits: KITTI's are 1.27 m high and 0.8 m long."""
    height, _, length = dimensions_hwl_m
    return height < 1.5 and length > 0.55 * height


def person(seed: int, asset_set: str, dimensions_hwl_m: tuple[float, float, float]) -> Mesh:
    """Someone who stands, walks or sits, as the box has it."""
    return (sitter if sits(dimensions_hwl_m) else pedestrian)(seed, asset_set, dimensions_hwl_m)


def sitter(seed: int, asset_set: str, dimensions_hwl_m: tuple[float, float, float]) -> Mesh:
    """Someone who sits upright with the hands on the thighs, the feet on the ground."""
    rng = np.random.default_rng([seed, 22])
    stature = dimensions_hwl_m[0] / SITTING_HEIGHT
    wear = Wardrobe.drawn(asset_set, rng)
    parts = Assembly()
    stocky = float(rng.uniform(0.92, 1.15))
    thigh_m, shoulder_half = 0.05 * stature * stocky, 0.118 * stature * stocky
    hips = np.array([-0.1, 0.0, SEAT_HEIGHT + 0.04]) * stature
    bare_shin, bare_arm = rng.uniform() < 0.12, rng.uniform() < 0.3
    shoulders = hips + np.array([float(rng.uniform(-0.02, 0.06)), 0.0, 0.285]) * stature
    for side in (1, -1):
        hip = hips + [0, side * 0.045 * stature, 0]
        knee = hip + np.array([0.24, side * float(rng.uniform(0.0, 0.05)), -0.01]) * stature
        ankle = np.array([knee[0] + float(rng.uniform(-0.05, 0.06)) * stature, knee[1], 0.05 * stature])
        leg(parts, hip, knee, ankle, thigh_m, wear, PEDESTRIAN, bare_shin)
        shoulder = shoulders + [0, side * shoulder_half * 0.9, -0.035 * stature]
        elbow = shoulder + np.array([0.03, side * 0.03, -0.165]) * stature
        hand = knee + np.array([-0.06, 0.0, 0.06]) * stature
        arm(parts, shoulder, elbow, hand, 0.029 * stature * stocky, wear, PEDESTRIAN, bare_arm)
    trunk = torso(hips, shoulders, 0.1 * stature * stocky, shoulder_half, 0.15 * stature * stocky)
    parts.add(trunk, wear.top, PEDESTRIAN)
    head(parts, shoulders + [0, 0, 0.015 * stature], 0.128 * stature, wear, PEDESTRIAN, rng)
    return parts.mesh()


def bench(dimensions_hwl_m: tuple[float, float, float]) -> Mesh:
    """What a sitter of this size sits on: three slats under the hips, two feet."""
    height, width, length = dimensions_hwl_m
    seat_m = SEAT_HEIGHT * height / SITTING_HEIGHT - 0.02 * height
    middle, wide = -0.22 * length, width + 0.7
    slats = [(middle + offset, 0.0, seat_m - 0.02) for offset in (-0.13, 0.0, 0.13)]
    feet = [(middle, side * 0.4 * wide, seat_m / 2 - 0.02) for side in (-1, 1)]
    parts = Assembly()
    parts.add(boxes(np.array(slats), np.array([[0.11, wide, 0.04]] * 3)), WOOD, STATIC)
    parts.add(boxes(np.array(feet), np.array([[0.3, 0.06, seat_m - 0.04]] * 2)), m.GALVANISED, STATIC)
    return parts.mesh()
