"""Cyclists and motorcyclists: the machine, and a rider whose feet are on it and whose hands hold the bars."""

from dataclasses import replace

import numpy as np

from simulator.embedded.assets import materials as m
from simulator.embedded.assets.people import Wardrobe, arm, head, leg, torso
from simulator.embedded.assets.shapes import (
    BICYCLE,
    MOTORCYCLE,
    RIDER,
    Assembly,
    box,
    ellipsoid,
    lathe,
    limb,
    rod,
    rods,
    tube,
)
from simulator.embedded.mesh import Lamp, Material, Mesh


def cyclist(seed: int, asset_set: str, dimensions_hwl_m: tuple[float, float, float]) -> Mesh:
    """A bicycle and its rider, both labelled: the box spans wheel to wheel and ground to head."""
    rng = np.random.default_rng([seed, 31])
    height, width, length = dimensions_hwl_m
    wear = Wardrobe.drawn(asset_set, rng)
    if rng.uniform() < 0.45:
        wear = replace(wear, hair=Material(m.varied((0.5, 0.5, 0.5), rng, 0.9), 0.4, clearcoat=0.4))  # a helmet
    parts = Assembly()
    radius = min(0.335, 0.2 * length, 0.23 * height)
    rear, front = np.array([-length / 2 + radius, 0, radius]), np.array([length / 2 - radius, 0, radius])
    sporty = float(rng.uniform(0, 1))
    saddle = np.array([rear[0] + 0.3 * (front[0] - rear[0]), 0, 0.535 * height])
    cranks = np.array([rear[0] + 0.42 * (front[0] - rear[0]), 0, 0.16 * height])
    stem = np.array([front[0] - 0.12 * length, 0, 0.535 * height])
    bars = stem + [0.04 * (1 if sporty > 0.5 else -1), 0, 0.05 * height * (1 - sporty)]
    _bicycle(parts, rear, front, radius, saddle, cranks, stem, bars, width, asset_set, rng)

    scale = height / 1.75
    hips = saddle + [0.0, 0, 0.09 * scale]
    neck_drop = 0.14 * height
    neck_z = height - neck_drop
    lean = np.clip(0.28 + 0.25 * sporty, 0, 1) * (bars[0] - hips[0])
    shoulders = np.array([hips[0] + lean, 0, neck_z])
    parts.add(torso(hips, shoulders, 0.16 * scale, 0.2 * scale, 0.23 * scale), wear.top, RIDER)
    crank_angle, crank_m = float(rng.uniform(0, 2 * np.pi)), 0.17 * scale
    for side, turn in ((1, 0.0), (-1, np.pi)):
        pedal = cranks + crank_m * np.array([np.cos(crank_angle + turn), 0, np.sin(crank_angle + turn)])
        pedal[1] = side * 0.11 * scale
        parts.add(rod(cranks + [0, side * 0.06, 0], pedal, 0.012), m.STEEL, BICYCLE)
        hip = hips + [0, side * 0.085 * scale, -0.02]
        ankle = pedal + [-0.06 * scale, 0, 0.1 * scale]
        leg(parts, hip, _joint(hip, ankle, 0.44 * scale, 0.44 * scale, forward=1), ankle, 0.078 * scale, wear, RIDER)
        shoulder = shoulders + [0, side * 0.17 * scale, -0.05 * scale]
        grip = bars + [0, side * (width / 2 - 0.035), 0.02]
        elbow = _joint(shoulder, grip, 0.3 * scale, 0.29 * scale, forward=-1)
        arm(parts, shoulder, elbow, grip, 0.047 * scale, wear, RIDER, bare=sporty > 0.6)
    head(parts, shoulders + [0.03, 0, 0.02 * scale], 0.135 * height, wear, RIDER, rng)
    return parts.mesh()


def _joint(start, end, first_m: float, second_m: float, forward: int) -> np.ndarray:
    """Knee or elbow between two points: the third corner of the triangle, bent forward (+1) or back (-1) and in its
    own vertical plane. The limb is straight when its ends are too far apart."""
    start, end = np.asarray(start, float), np.asarray(end, float)
    reach = end - start
    distance = float(np.linalg.norm(reach))
    along = (first_m**2 - second_m**2 + distance**2) / (2 * distance)
    off = np.sqrt(max(first_m**2 - along**2, 0.0))
    direction = reach / distance
    across = np.cross(direction, [0.0, 1.0, 0.0])
    across /= np.linalg.norm(across)
    across *= np.sign(across[0] if abs(across[0]) > 0.3 else across[2]) * forward
    return start + direction * along + across * off


def _bicycle(parts: Assembly, rear, front, radius, saddle, cranks, stem, bars, width, asset_set, rng) -> None:
    """Two spoked wheels, a diamond frame, saddle, handlebar, mudguard or basket, lights."""
    frame = m.paint(m.varied(m.drawn([c for c, _ in m.CAR_COLORS[asset_set]], rng), rng, 0.3))
    for hub in (rear, front):
        angle = np.linspace(0, 2 * np.pi, 25)
        rim = np.stack([np.cos(angle), np.zeros(25), np.sin(angle)], 1)
        for r, thick, material in ((radius - 0.018, 0.018, m.TYRE), (radius - 0.045, 0.011, m.STEEL)):
            parts.add(_ring(hub, r, thick), material, BICYCLE)
        spokes = rim[:-1:3]
        parts.add(
            rods(np.broadcast_to(hub, spokes.shape), hub + spokes * (radius - 0.045), 0.0035, 3), m.STEEL, BICYCLE
        )
        parts.add(rod(hub - [0, 0.05, 0], hub + [0, 0.05, 0], 0.022), m.STEEL, BICYCLE)
    seat_tube = cranks + 0.85 * (saddle - cranks)
    head_low = stem + 0.22 * (front - stem)
    for start, end, thick in (
        (cranks, seat_tube, 0.018),
        (cranks, head_low, 0.02),
        (seat_tube, stem - [0, 0, 0.05], 0.017),
        (stem, head_low, 0.02),
    ):
        parts.add(rod(start, end, thick), frame, BICYCLE)
    for y in (0.05, -0.05):
        parts.add(rod(cranks + [0, y / 2, 0], rear + [0, y, 0], 0.01), frame, BICYCLE)
        parts.add(rod(seat_tube, rear + [0, y, 0], 0.009), frame, BICYCLE)
        parts.add(rod(head_low, front + [0, y, 0], 0.012), frame, BICYCLE)
    parts.add(rod(seat_tube, saddle, 0.014), m.STEEL, BICYCLE)
    parts.add(ellipsoid(saddle, (0.13, 0.07, 0.03), 1), m.TRIM, BICYCLE)
    parts.add(rod(stem, bars, 0.016), m.STEEL, BICYCLE)
    parts.add(rod(bars - [0, width / 2, 0], bars + [0, width / 2, 0], 0.015), m.TRIM, BICYCLE)
    parts.add(_ring(cranks + [0, -0.05, 0], 0.075, 0.008), m.STEEL, BICYCLE)
    if rng.uniform() < 0.6:
        parts.add(_ring(rear, radius, 0.02, 100, 250), m.TRIM, BICYCLE)
    if rng.uniform() < 0.25:
        parts.add(box(stem + [0.2, 0, 0.02], (0.26, 0.32, 0.2)), Material(m.srgb(120, 92, 60)), BICYCLE)
    lit = rng.uniform() < 0.7
    parts.add(
        ellipsoid(stem + [0.06, 0, -0.06], (0.035, 0.03, 0.03), 1), m.HEADLIGHT if lit else m.UNLIT_HEADLIGHT, BICYCLE
    )
    tail = m.TAILLIGHT if lit else m.UNLIT_TAILLIGHT
    parts.add(box(saddle + [-0.13, 0, -0.1], (0.03, 0.05, 0.04)), tail, BICYCLE)


def _ring(center, radius_m: float, thickness_m: float, from_deg: float = 0, to_deg: float = 360):
    """A thin torus in the xz plane, or an arc of one; angles from the front, upwards."""
    angle = np.radians(np.linspace(from_deg, to_deg, 25 if to_deg - from_deg >= 360 else 10))
    path = np.stack([np.cos(angle) * radius_m, np.zeros_like(angle), np.sin(angle) * radius_m], 1)
    return tube(np.asarray(center) + path, thickness_m, 5)


def motorcyclist(seed: int, asset_set: str, dimensions_hwl_m: tuple[float, float, float]) -> Mesh:
    """A motorcycle or a scooter with its rider in a full helmet."""
    rng = np.random.default_rng([seed, 32])
    height, width, length = dimensions_hwl_m
    wear = Wardrobe.drawn(asset_set, rng)
    parts = Assembly()
    color = m.car_paint(asset_set, rng)
    scooter = rng.uniform() < 0.3
    scale = height / 1.6
    radius = min((0.24 if scooter else 0.31) * scale, 0.19 * length)
    rear, front = np.array([-length / 2 + radius, 0, radius]), np.array([length / 2 - radius, 0, radius])
    seat = np.array([rear[0] + 0.3 * (front[0] - rear[0]), 0, 0.76 * scale])
    bars = np.array([front[0] - 0.36 * radius - 0.12 * length, 0, 1.02 * scale])
    for hub, thick in ((rear, 0.085), (front, 0.06)):
        half = thick * scale
        profile = [
            (-half, radius * 0.66),
            (-half, radius * 0.9),
            (0, radius),
            (half, radius * 0.9),
            (half, radius * 0.66),
        ]
        parts.add(lathe(profile, 18, "y").moved(hub), m.TYRE, MOTORCYCLE)
        parts.add(
            lathe([(-half * 0.6, radius * 0.68), (half * 0.6, radius * 0.68)], 10, "y").moved(hub), m.RIM, MOTORCYCLE
        )
    middle = (rear + front) / 2
    engine = box(middle + [0, 0, 0.12 * scale], np.array([0.46, 0.3, 0.36]) * scale)
    parts.add(engine, m.TRIM if scooter else m.STEEL, MOTORCYCLE)
    parts.add(
        limb(seat + [0.05, 0, 0], seat + [-0.42 * scale, 0, 0.05 * scale], 0.12 * scale, 0.08 * scale),
        m.TRIM,
        MOTORCYCLE,
    )
    tank = ellipsoid((seat + bars) / 2 + [-0.02, 0, 0], np.array([0.3, 0.16, 0.15]) * scale, 2)
    if scooter:
        parts.add(
            ellipsoid(seat + [-0.12, 0, -0.24 * scale], np.array([0.45, 0.2, 0.22]) * scale, 2), color, MOTORCYCLE
        )
        parts.add(box(middle + [0.1, 0, 0.02], np.array([0.5, 0.32, 0.06]) * scale), color, MOTORCYCLE)
        shield = limb(front + [-0.3, 0, 0.1], bars + [0.02, 0, -0.1], 0.2 * scale, 0.14 * scale)
        parts.add(shield, color, MOTORCYCLE)
    else:
        parts.add(tank, color, MOTORCYCLE)
        parts.add(
            limb(seat + [-0.3 * scale, 0, 0.02], rear + [-0.12, 0, 0.4 * scale], 0.1 * scale, 0.06 * scale),
            color,
            MOTORCYCLE,
        )
        parts.add(rod(middle + [-0.1, -0.16, -0.05], rear + [-0.2, -0.18, 0.08], 0.05 * scale, 8), m.CHROME, MOTORCYCLE)
        if rng.uniform() < 0.6:  # a fairing
            nose = bars + [0.1 * scale, 0, -0.12 * scale]
            parts.add(ellipsoid(nose, np.array([0.24, 0.19, 0.22]) * scale, 2), color, MOTORCYCLE)
            parts.add(
                ellipsoid(nose + [0.06, 0, 0.17 * scale], np.array([0.1, 0.15, 0.16]) * scale, 1), m.GLASS, MOTORCYCLE
            )
    for y in (0.09, -0.09):
        parts.add(rod(bars + [0, y, -0.05], front + [0, y, 0], 0.028 * scale), m.STEEL, MOTORCYCLE)
    parts.add(ellipsoid(front + [0, 0, 0.25 * radius], (radius * 0.85, 0.08, radius * 0.85), 1), color, MOTORCYCLE)
    parts.add(rod(bars - [0, width / 2, 0], bars + [0, width / 2, 0], 0.018), m.TRIM, MOTORCYCLE)
    lamp = bars + [0.27 * scale, 0, -0.14 * scale]
    parts.add(ellipsoid(lamp, np.array([0.08, 0.1, 0.09]) * scale, 1), m.HEADLIGHT, MOTORCYCLE)
    parts.add(box(rear + [-0.15, 0, 0.48 * scale], np.array([0.05, 0.16, 0.07]) * scale), m.TAILLIGHT, MOTORCYCLE)
    parts.add(box(rear + [-radius * 0.8, 0, 0.3 * scale], (0.015, 0.19, 0.14)), m.PLATE, MOTORCYCLE)
    parts.lamp(Lamp((float(lamp[0]) + 0.12, 0.0, float(lamp[2])), (1.0, 0.94, 0.84), 40.0, (0.997, 0.0, -0.08), 28.0))
    _motor_rider(parts, seat, bars, middle, height, width, scale, wear, color)
    return parts.mesh()


def _motor_rider(parts: Assembly, seat, bars, middle, height, width, scale, wear: Wardrobe, color: Material) -> None:
    hips = seat + [0, 0, 0.12 * scale]
    shoulders = np.array([hips[0] + 0.4 * (bars[0] - hips[0]), 0, height - 0.29 * scale])
    parts.add(torso(hips, shoulders, 0.18 * scale, 0.23 * scale, 0.27 * scale), wear.top, RIDER)
    for side in (1, -1):
        hip = hips + [0, side * 0.1 * scale, 0]
        ankle = middle + np.array([-0.08, side * 0.24, 0.08]) * scale
        knee = _joint(hip, ankle, 0.45 * scale, 0.43 * scale, forward=1) + [0, side * 0.05, 0]
        leg(parts, hip, knee, ankle, 0.085 * scale, wear, RIDER)
        shoulder = shoulders + [0, side * 0.2 * scale, -0.04 * scale]
        grip = bars + [0, side * (width / 2 - 0.04), 0.02]
        elbow = _joint(shoulder, grip, 0.32 * scale, 0.3 * scale, forward=-1) + [0, side * 0.04, 0]
        arm(parts, shoulder, elbow, grip, 0.056 * scale, wear, RIDER)
    crown = np.array([shoulders[0] + 0.05 * scale, 0, height - 0.15 * scale])
    parts.add(limb(shoulders, crown, 0.07 * scale, 0.07 * scale), wear.top, RIDER)
    parts.add(ellipsoid(crown, np.array([0.16, 0.14, 0.15]) * scale, 2), color, RIDER)
    parts.add(
        ellipsoid(crown + [0.045 * scale, 0, 0.015 * scale], np.array([0.125, 0.12, 0.06]) * scale, 1), m.GLASS, RIDER
    )
