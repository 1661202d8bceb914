"""What lies flat or far: terrain, carriageway with kerbs and lines, pavements, side roads, hills, skyline, woods."""

import numpy as np

from simulator.embedded.assets import materials as m
from simulator.embedded.assets.shapes import PAVEMENT, ROAD, ROAD_LINE, TERRAIN, disc, panels, surface
from simulator.embedded.mesh import PATTERNS, Material
from simulator.embedded.places.buildings import block
from simulator.embedded.places.road import GROUND_M, LINE_M, PATCH_M, PAVEMENT_M, ROAD_M, SIDE_ROAD_M
from simulator.embedded.places.site import Frame, Site

PAINT = Material(m.srgb(214, 214, 208), 0.8)
KERB = Material(m.srgb(158, 155, 148), 0.9)
GUTTER = Material(m.srgb(74, 74, 74), 0.9)
GRASS = {"default": m.srgb(92, 100, 62), "stand-in": m.srgb(128, 120, 66)}
FROM_S, TO_S = -20.0, 280.0
Gaps = list[tuple[float, float]]


def asphalt(site: Site) -> Material:
    level = float(site.rng.uniform(62, 104))
    tint = site.rng.uniform(-3, 3) + (5 if site.asset_set == "stand-in" else 0)
    return Material(m.srgb(level + tint, level + tint / 2, level - tint / 2), 0.92, pattern=PATTERNS["asphalt"])


def grass(site: Site) -> Material:
    return Material(m.varied(GRASS[site.asset_set], site.rng, 0.2), 1.0, pattern=PATTERNS["grass"])


def slabs(site: Site) -> Material:
    base = m.srgb(150, 146, 138) if site.asset_set == "default" else m.srgb(138, 118, 104)
    return Material(
        m.varied(base, site.rng, 0.15),
        0.95,
        pattern=PATTERNS["paving"],
        pattern_scale_m=float(site.rng.choice([0.4, 0.6, 0.9])),
    )


def terrain(site: Site, material: Material, tag: int = TERRAIN) -> None:
    """The ground to the horizon."""
    reach = 900.0
    corners = [
        (-reach, -reach, GROUND_M),
        (reach, -reach, GROUND_M),
        (reach, reach, GROUND_M),
        (-reach, reach, GROUND_M),
    ]
    site.add(panels(corners), material, tag)


def carriageway(site: Site, shoulder_m: float, gaps: Gaps) -> Material:
    """Asphalt, repairs and manhole covers, lane lines. Returns the asphalt, for side roads."""
    road, rng = site.road, site.rng
    tar = asphalt(site)
    half = road.half_m + shoulder_m
    site.add(road.strip(FROM_S, TO_S, -half, half, ROAD_M), tar, ROAD)
    count = int(rng.integers(4, 14))
    darker = tar._replace(color=m.scaled(tar.color, rng.uniform(0.7, 1.2)))
    repairs = road.patches(
        rng.uniform(2, 120, count),
        rng.uniform(-0.8, 0.8, count) * road.half_m,
        rng.uniform(0.8, 9, count),
        rng.uniform(0.5, 1.6, count),
        PATCH_M,
    )
    site.add(repairs, darker, ROAD)
    for s, t in zip(rng.uniform(5, 70, 4), rng.uniform(-0.7, 0.7, 4) * road.half_m, strict=True):
        site.add(disc((*road.point_m(s, t), PATCH_M + 0.001), 0.33, 14, "z"), GUTTER, ROAD)
    faded = PAINT._replace(color=m.scaled(PAINT.color, rng.uniform(0.55, 1.0)))
    site.add(road.lines(road.place.kind, FROM_S, 200.0, gaps), faded, ROAD_LINE)
    return tar


def pavements(site: Site, width_m: float, inner: Material, gaps: tuple[Gaps, Gaps]) -> None:
    """Gutter, kerb and slabs on both sides, `gaps` (left, right) left out; beyond `width_m` lies `inner`."""
    road, flag = site.road, slabs(site)
    for side, missing in ((-1, gaps[0]), (1, gaps[1])):
        edges = [FROM_S, *(e for gap in sorted(missing) for e in gap), TO_S]
        for start, end in zip(edges[::2], edges[1::2], strict=True):
            for material, near, far, z, outer_z in (
                (GUTTER, road.half_m - 0.3, road.half_m, LINE_M - 0.002, LINE_M - 0.002),
                (KERB, road.half_m, road.half_m + 0.14, ROAD_M, PAVEMENT_M),
                (KERB, road.half_m + 0.14, road.half_m + 0.3, PAVEMENT_M, PAVEMENT_M),
                (flag, road.half_m + 0.3, road.half_m + width_m, PAVEMENT_M, PAVEMENT_M),
                (inner, road.half_m + width_m, road.half_m + 24.0, PAVEMENT_M, PAVEMENT_M),
            ):
                if side > 0:
                    band = road.strip(start, end, near, far, z, outer_z)
                else:
                    band = road.strip(start, end, -far, -near, outer_z, z)
                site.add(band, material, ROAD if material is GUTTER else PAVEMENT)


def side_road(site: Site, s: float, side: int, width_m: float, tar: Material, pavement: Material) -> None:
    """A street that joins at a right angle, with pavements along it."""
    half = site.road.half_m
    yaw = float(site.road.yaw_rad(s)) - side * np.pi / 2
    frame = Frame(site.road.point_m(s, side * (half - 0.1)), yaw)

    def band(y0: float, y1: float, z: float) -> list:
        return [(0, y0, z), (90, y0, z), (90, y1, z), (0, y1, z)]

    site.panels(frame, band(-width_m / 2, width_m / 2, SIDE_ROAD_M), tar, ROAD)
    for sign in (-1, 1):
        near, far = sorted((sign * width_m / 2, sign * (width_m / 2 + 3.2)))
        site.panels(frame, np.array(band(near, far, PAVEMENT_M / 2)) + [0.3, 0, 0], pavement, PAVEMENT)
    site.panels(
        frame,
        np.array([(0.3, -width_m / 2, 0), (0.7, -width_m / 2, 0), (0.7, 0, 0), (0.3, 0, 0)]) + [0, 0, LINE_M],
        PAINT,
        ROAD_LINE,
    )


def hills(site: Site, height_m: float, material: Material, from_m: float = 330.0) -> None:
    """A closed ring of hills, so that the horizon is never bare."""
    rng = site.rng
    angle = np.linspace(0, 2 * np.pi, 73)
    wave = sum(rng.uniform(0.3, 1) / k**0.7 * np.sin(k * angle + rng.uniform(0, 6)) for k in (2, 3, 5, 8, 13))
    crest = height_m * (0.55 + 0.35 * wave / np.abs(wave).max())
    profile = np.array([(0.0, 0.0), (0.35, 0.45), (0.75, 0.9), (1.0, 1.0)])
    radius = from_m + profile[:, 0:1] * 260
    ring = np.stack([radius * np.sin(angle), radius * np.cos(angle), GROUND_M - 0.5 + profile[:, 1:] * crest], -1)
    site.add(surface(ring[:, ::-1], smooth=True), material, TERRAIN)


def skyline(site: Site, count: int, from_m: float, to_m: float, tallest_m: float) -> None:
    """Blocks of a town behind everything else."""
    rng = site.rng
    for bearing in np.linspace(-1.15, 1.15, count) + rng.uniform(-0.02, 0.02, count):
        distance = rng.uniform(from_m, to_m)
        if not site.clear.free(distance * np.array([np.sin(bearing), np.cos(bearing)]), 25.0):
            continue
        frame = Frame(
            (distance * np.sin(bearing), distance * np.cos(bearing)), -np.pi / 2 - bearing + float(rng.normal(0, 0.2))
        )
        block(site, frame, rng.uniform(16, 40), 18.0, rng.uniform(0.25, 1.0) ** 2 * tallest_m + 8)


def wood(site: Site, count: int, from_m: float, to_m: float, height_m: float) -> None:
    """Trees in the distance, in clumps over the whole view."""
    rng = site.rng
    bearing = np.repeat(rng.uniform(-1.1, 1.1, count // 6 + 1), 6)[:count] + rng.normal(0, 0.04, count)
    distance = rng.uniform(from_m, to_m, count)
    at = np.stack([distance * np.sin(bearing), distance * np.cos(bearing)], 1)
    heights = height_m * rng.uniform(0.6, 1.2, count)
    for xy, tall, ok in zip(at, heights, site.clear.free(at, 0.5 * heights), strict=True):
        if ok and _off_road(site, xy):
            site.plant("tree", xy, float(tall), float(tall * rng.uniform(0.7, 1.0)))


def _off_road(site: Site, xy: np.ndarray) -> bool:
    s = np.arange(0, 460, 6.0)
    return bool(np.linalg.norm(site.road.point_m(s, 0.0) - xy, axis=1).min() > site.road.half_m + 9)
