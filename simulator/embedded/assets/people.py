"""People: a skeleton posed by seed, dressed in limbs, a lofted torso, a head with hair, shoes and bags."""

from dataclasses import dataclass

import numpy as np

from simulator.embedded.assets import materials as m
from simulator.embedded.assets.shapes import PEDESTRIAN, Assembly, Shape, ellipsoid, limb, loft, rounded_body
from simulator.embedded.mesh import PATTERNS, Material, Mesh

SKIN = [m.srgb(236, 198, 172), m.srgb(224, 176, 144), m.srgb(190, 138, 102), m.srgb(132, 88, 60), m.srgb(78, 50, 36)]
HAIR = [m.srgb(30, 24, 20), m.srgb(58, 38, 24), m.srgb(98, 68, 40), m.srgb(168, 134, 84), m.srgb(150, 148, 146)]
TOPS = {
    "default": [
        m.srgb(28, 30, 36),
        m.srgb(44, 54, 78),
        m.srgb(96, 98, 100),
        m.srgb(206, 204, 198),
        m.srgb(142, 32, 34),
        m.srgb(52, 92, 140),
        m.srgb(70, 88, 60),
        m.srgb(190, 150, 60),
        m.srgb(150, 118, 90),
        m.srgb(190, 90, 110),
    ],
    "stand-in": [
        m.srgb(224, 214, 190),
        m.srgb(60, 34, 30),
        m.srgb(214, 110, 40),
        m.srgb(40, 110, 112),
        m.srgb(108, 60, 112),
        m.srgb(24, 26, 30),
        m.srgb(120, 132, 138),
        m.srgb(186, 170, 60),
    ],
}  # fmt: skip
TROUSERS = {
    "default": [
        m.srgb(26, 30, 44), m.srgb(54, 72, 104), m.srgb(28, 28, 30), m.srgb(92, 92, 94), m.srgb(150, 132, 102),
    ],
    "stand-in": [
        m.srgb(72, 56, 44),
        m.srgb(30, 44, 40),
        m.srgb(196, 188, 170),
        m.srgb(40, 40, 60),
        m.srgb(110, 110, 96),
    ],
}  # fmt: skip
SHOES = [m.srgb(24, 22, 22), m.srgb(60, 42, 30), m.srgb(220, 220, 216), m.srgb(90, 92, 96)]


@dataclass(frozen=True)
class Wardrobe:
    """What a person wears, as materials."""

    top: Material
    trousers: Material
    skin: Material
    hair: Material
    shoes: Material
    bag: Material

    @staticmethod
    def drawn(asset_set: str, rng: np.random.Generator) -> "Wardrobe":
        def cloth(choices: list) -> Material:
            return Material(
                m.varied(m.drawn(choices, rng), rng, 0.25), 0.95, pattern=PATTERNS["cloth"], pattern_scale_m=0.05
            )

        return Wardrobe(
            top=cloth(TOPS[asset_set]),
            trousers=cloth(TROUSERS[asset_set]),
            skin=Material(m.varied(m.drawn(SKIN, rng), rng, 0.1), 0.7),
            hair=Material(m.varied(m.drawn(HAIR, rng), rng, 0.2), 0.8),
            shoes=Material(m.drawn(SHOES, rng), 0.6),
            bag=cloth(TOPS[asset_set]),
        )


def torso(hips_m, shoulders_m, hip_half_m: float, shoulder_half_m: float, depth_m: float) -> Shape:
    """A lofted trunk of six ellipses from the hips to the base of the neck; depth is its thickness, front to back."""
    hips, shoulders = np.asarray(hips_m, float), np.asarray(shoulders_m, float)
    along = np.array([-0.12, 0.0, 0.3, 0.62, 0.9, 1.02, 1.1])
    half = np.array([0.85, 1.0, 0.93, 1.0, 1.0, 0.72, 0.33])
    half = half * np.interp(along, [0, 1], [hip_half_m, shoulder_half_m])
    deep = depth_m / 2 * np.array([0.85, 1.0, 0.95, 1.05, 0.85, 0.6, 0.45])
    angle = np.arange(12) * np.pi / 6
    centers = hips + along[:, None] * (shoulders - hips)
    ring = np.stack([np.cos(angle)[None] * deep[:, None], np.sin(angle)[None] * half[:, None]], -1)
    lean = (shoulders - hips) / np.linalg.norm(shoulders - hips)
    forward = np.cross([0.0, 1.0, 0.0], lean)
    points = centers[:, None] + ring[..., :1] * forward + ring[..., 1:] * np.array([0.0, 1.0, 0.0])
    return loft(points)


def head(parts: Assembly, neck_m, chin_to_crown_m: float, wear: Wardrobe, tag: int, rng: np.random.Generator) -> None:
    """Neck, head, nose and hair (short, long, or a cap) above the base of the neck."""
    neck, size = np.asarray(neck_m, float), chin_to_crown_m
    center = neck + [0.12 * size, 0, 0.78 * size]
    parts.add(limb(neck, center, 0.27 * size, 0.25 * size, 8), wear.skin, tag)
    parts.add(ellipsoid(center, (0.44 * size, 0.35 * size, 0.5 * size), 2), wear.skin, tag)
    parts.add(
        ellipsoid(center + [0.44 * size, 0, -0.05 * size], (0.07 * size, 0.05 * size, 0.1 * size), 0), wear.skin, tag
    )
    parts.add(
        ellipsoid(center + [-0.06 * size, 0, 0.1 * size], (0.44 * size, 0.385 * size, 0.44 * size), 2), wear.hair, tag
    )
    style = rng.uniform()
    if style < 0.35:  # long hair
        parts.add(
            limb(center - [0.2 * size, 0, 0], center - [0.28 * size, 0, 0.75 * size], 0.33 * size, 0.26 * size),
            wear.hair,
            tag,
        )
    elif style < 0.5:  # cap with a peak
        parts.add(
            ellipsoid(center + [0.25 * size, 0, 0.2 * size], (0.42 * size, 0.3 * size, 0.06 * size), 1), wear.bag, tag
        )


def leg(
    parts: Assembly, hip, knee, ankle, thickness_m: float, wear: Wardrobe, tag: int, bare_shin: bool = False
) -> None:
    """Thigh, shin and a shoe that points forward."""
    parts.add(limb(hip, knee, thickness_m, 0.68 * thickness_m), wear.trousers, tag)
    parts.add(limb(knee, ankle, 0.66 * thickness_m, 0.45 * thickness_m), wear.skin if bare_shin else wear.trousers, tag)
    sole = 0.075 * thickness_m / 0.085
    x, y, z = ankle
    ground = z - 0.085 * thickness_m / 0.085
    profile = np.array([-0.08, -0.06, 0.05, 0.13, 0.17]) * thickness_m / 0.085
    tall = np.array([0.5, 1.0, 0.95, 0.6, 0.3]) * sole
    half = np.array([0.5, 0.8, 0.95, 1.0, 0.6]) * 0.045 * thickness_m / 0.085
    shoe = rounded_body(profile, half, 0.0, tall, 0.02, points=2)
    parts.add(shoe.moved((x, y, ground)), wear.shoes, tag)


def arm(
    parts: Assembly, shoulder, elbow, hand, thickness_m: float, wear: Wardrobe, tag: int, bare: bool = False
) -> None:
    """Upper arm, lower arm and hand."""
    parts.add(limb(shoulder, elbow, thickness_m, 0.8 * thickness_m), wear.top, tag)
    parts.add(limb(elbow, hand, 0.75 * thickness_m, 0.55 * thickness_m), wear.skin if bare else wear.top, tag)
    parts.add(ellipsoid(hand, np.array([1.0, 0.7, 1.2]) * 0.9 * thickness_m, 1), wear.skin, tag)


def pedestrian(seed: int, asset_set: str, dimensions_hwl_m: tuple[float, float, float]) -> Mesh:
    """Someone standing or walking: the length of the box sets the stride, its width how far the arms stand off.

    Below 1.4 m it is a child, with a larger head.
    """
    rng = np.random.default_rng([seed, 21])
    height, width, length = dimensions_hwl_m
    wear = Wardrobe.drawn(asset_set, rng)
    parts = Assembly()
    child = height < 1.4
    head_m = height * (0.16 if child else 0.128)
    stocky = float(rng.uniform(0.92, 1.15)) * (1.08 if asset_set == "stand-in" else 1.0)
    hip_z, shoulder_z = 0.52 * height, (0.79 if child else 0.815) * height
    thigh_m = 0.05 * height * stocky
    shoulder_half = 0.118 * height * stocky
    upper, lower = 0.245 * height, 0.235 * height

    shoe_m = 0.25 * thigh_m / 0.085
    stride = float(np.clip(length - shoe_m, 0.04, 0.9 * height * 0.52))
    swing = float(np.arcsin(np.clip(stride / 2 / (upper + lower), 0, 0.75)))
    hip_z = min(hip_z, (upper + lower) * np.cos(swing) + 0.05 * height)
    sink = 0.52 * height - hip_z
    shoulder_z -= sink
    front = 1 if rng.uniform() < 0.5 else -1  # which leg is in front: the left one is +1
    lean = 0.03 * height * swing
    gap = 0.5 * thigh_m + 0.02 * height
    bare_shin = rng.uniform() < 0.12
    for side in (1, -1):
        forward = side == front
        hip = np.array([0.0, side * gap, hip_z])
        angle = swing if forward else -swing
        bend = 0.08 if forward else 0.35 * min(swing / 0.3, 1.6)
        knee = hip + upper * np.array([np.sin(angle + bend), 0, -np.cos(angle + bend)])
        shin = angle - bend
        ankle = knee + lower * np.array([np.sin(shin), 0, -np.cos(shin)])
        ankle[2] = max(ankle[2], 0.085 * thigh_m / 0.085)
        leg(parts, hip, knee, ankle, thigh_m, wear, PEDESTRIAN, bare_shin)
    shoulders = np.array([lean, 0, shoulder_z])
    trunk = torso((0, 0, hip_z), shoulders, 0.095 * height * stocky, shoulder_half, 0.14 * height * stocky)
    parts.add(trunk, wear.top, PEDESTRIAN)
    if rng.uniform() < 0.4:  # a coat or a skirt reaches over the thighs
        low = hip_z - float(rng.uniform(0.1, 0.2)) * height
        spread = thigh_m * 1.25 + stride * 0.2
        rings = [
            (low, spread, 1.15),
            (hip_z, 0.075 * height * stocky, 1.05),
            (hip_z + 0.1 * height, 0.07 * height, 0.95),
        ]
        angle = np.arange(12) * np.pi / 6
        skirt = [
            np.stack([np.cos(angle) * deep, np.sin(angle) * 0.095 * height * stocky * wide, np.full(12, z)], -1)
            for z, deep, wide in rings
        ]
        parts.add(loft(np.array(skirt)), wear.top if rng.uniform() < 0.6 else wear.trousers, PEDESTRIAN)
    hand_y = float(np.clip(width / 2 - 0.035, shoulder_half + 0.02, shoulder_half + 0.2 * height))
    bare = rng.uniform() < 0.3
    phone = rng.uniform() < 0.15
    for side in (1, -1):
        arm_swing = -0.9 * swing * (1 if side == front else -1) + float(rng.uniform(-0.08, 0.08))
        shoulder = shoulders + [0, side * shoulder_half * 0.9, -0.035 * height]
        splay = (hand_y - shoulder[1] * side) / (0.32 * height)
        elbow = shoulder + 0.17 * height * np.array([np.sin(arm_swing), side * splay, -np.cos(arm_swing)])
        raised = 1.6 if phone and side == front else 0.25 + max(arm_swing, 0)
        hand = elbow + 0.16 * height * np.array(
            [np.sin(arm_swing + raised), side * splay * 0.8, -np.cos(arm_swing + raised)]
        )
        arm(parts, shoulder, elbow, hand, 0.029 * height * stocky, wear, PEDESTRIAN, bare)
    head(parts, shoulders + [0, 0, 0.015 * height], head_m, wear, PEDESTRIAN, rng)
    _add_bag(parts, shoulders, hip_z, height, shoulder_half, wear, rng)
    return parts.mesh()


def _add_bag(parts: Assembly, shoulders, hip_z: float, height: float, half: float, wear: Wardrobe, rng) -> None:
    """A rucksack, a bag at the side, or nothing."""
    kind = rng.uniform()
    if kind < 0.25:
        low = shoulders[2] - 0.26 * height
        pack = rounded_body(
            [-0.16 * height, -0.14 * height, -0.06 * height],
            np.array([0.7, 0.8, 0.8]) * half,
            low,
            shoulders[2],
            0.05,
            2,
        )
        parts.add(pack.moved((shoulders[0], 0, 0)), wear.bag, PEDESTRIAN)
    elif kind < 0.4:
        low = hip_z - 0.07 * height
        bag = rounded_body([-0.1 * height, 0.1 * height], 0.03 * height, low, low + 0.16 * height, 0.02, 2)
        parts.add(bag.moved((0, 0.1 * height * (1 if rng.uniform() < 0.5 else -1), 0)), wear.bag, PEDESTRIAN)
