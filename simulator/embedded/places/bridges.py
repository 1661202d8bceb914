"""Bridges over the road: of concrete or steel, on abutments with banks, walls or piers beside them.

A bridge hangs over what the camera must see: it stands only where it hides no actor, and its abutments where nothing
at all may be hidden. Its frame: x along the road below, y to the left of it.
"""

import numpy as np

from simulator.embedded.assets import materials as m
from simulator.embedded.assets.shapes import BRIDGE, TERRAIN, Shape
from simulator.embedded.mesh import PATTERNS, Material
from simulator.embedded.places.road import GROUND_M
from simulator.embedded.places.site import Frame, Site

STEEL_COLORS = [m.srgb(74, 92, 80), m.srgb(96, 102, 108), m.srgb(108, 70, 54), m.srgb(70, 84, 104)]
REACH_M = 90.0  # how far banks or walls lead away from the road
SLOPE = 1.5  # of a bank, metres out for each metre up
PUSHES_M = (0.0, 1.0, 2.0, 3.0, 4.5, 6.0, 8.0, 11.0)
LEAST_HEIGHT_M = 5.0  # clear of the road


def overpass(site: Site, chance: float, edge_m: float, lawn: Material | None) -> None:
    """A bridge ahead, by that chance. `edge_m`: nearest its abutments come to the centre line.

    Beyond them lie banks of `lawn`, or brick walls where it is None. What it stands on is taken from the site.
    """
    rng = site.rng.spawn(1)[0]  # a street without a bridge is the one it was
    if rng.uniform() > chance:
        return
    width = float(rng.uniform(6.0, 11.0))
    under, deep = float(rng.uniform(LEAST_HEIGHT_M, 6.2)), float(rng.uniform(1.0, 1.5))
    for _ in range(6):
        s = float(rng.uniform(30, 105))
        frame = Frame(site.road.point_m(s, 0.0), float(site.road.yaw_rad(s)))
        ends = [_abutment_m(site, frame, side, width, under + deep, edge_m, lawn) for side in (1, -1)]
        if ends[0] is None or ends[1] is None:
            continue
        x, y = np.meshgrid(np.linspace(-width / 2, width / 2, 4), np.arange(-ends[1], ends[0] + 1, 2.0))
        deck = frame.world(np.stack([x, y, np.zeros_like(x)], -1).reshape(-1, 3))[:, :2]
        if site.clear.free_overhead(deck, 2.2, under).all():
            break
    else:
        return
    left, right = float(ends[0]), float(ends[1])
    concrete = Material(m.varied(m.srgb(160, 156, 148), rng), 0.95, pattern=PATTERNS["asphalt"], pattern_scale_m=3.0)
    steel = Material(m.varied(m.drawn(STEEL_COLORS, rng), rng), 0.6) if rng.uniform() < 0.45 else None
    wall = Material(m.varied(m.srgb(128, 84, 68), rng), 1.0, pattern=PATTERNS["brick"]) if lawn is None else concrete
    _deck(site, frame, (left, right), width, under, deep, concrete, steel, rng)
    _piers(site, frame, (left, right), edge_m, width, under, concrete)
    for side, end in ((1, left), (-1, right)):
        stem = (0, side * (end + 0.6), (under + deep) / 2)
        site.boxes(frame, stem, (width + 0.5, 1.2, under + deep), wall, BRIDGE)
        if lawn is None:
            _wall(site, frame, side, end, width, under + deep, wall)
        else:
            _bank(site, frame, side, end, width, under + deep, lawn, wall, rng)
    reach = np.arange(-right - REACH_M, left + REACH_M, 3.0)
    beside = (reach > left) | (reach < -right)
    foot = width / 2 + (SLOPE * (under + deep) if lawn is not None else 0.0)
    for chosen, radius in ((beside, foot + 0.5), (~beside, width / 2 + 1.0)):
        line = np.stack([np.zeros(chosen.sum()), reach[chosen], np.zeros(chosen.sum())], 1)
        site.clear.take(frame.world(line)[:, :2], radius)


def _abutment_m(
    site: Site, frame: Frame, side: int, width_m: float, top_m: float, edge_m: float, lawn: Material | None
) -> float | None:
    """How far to a side the abutment can stand with all that leads up to it; None where nowhere."""
    foot = width_m / 2 + (SLOPE * top_m if lawn is not None else 0.0)
    # Circles along its middle, and a grid over the end by the road, whose corners they leave out.
    away = np.arange(foot, REACH_M, 4.0)
    radius = float(np.hypot(foot + 0.4, 2.0))
    x, y = (g.ravel() for g in np.meshgrid(np.arange(-foot - 0.4, foot + 1.8, 2.0), np.arange(0.0, foot + 1.0, 2.0)))
    for push in PUSHES_M:
        middle = np.stack([0 * away, side * (edge_m + push + away)], 1)
        end = np.stack([x, side * (edge_m + push + y)], 1)
        ground = [frame.world(np.column_stack([at, np.zeros(len(at))]))[:, :2] for at in (middle, end)]
        if site.clear.free(ground[0], radius).all() and site.clear.free(ground[1], 1.4).all():
            return edge_m + push
    return None


def _deck(
    site: Site,
    frame: Frame,
    ends_m: tuple[float, float],
    width_m: float,
    under_m: float,
    deep_m: float,
    concrete: Material,
    steel: Material | None,
    rng: np.random.Generator,
) -> None:
    """A slab on beams, or between two plate girders with stiffeners; parapets or railings on both sides."""
    left, right = ends_m
    span, middle, top = left + right, (left - right) / 2, under_m + deep_m
    half = width_m / 2
    site.boxes(frame, (0, middle, top - 0.2), (width_m, span, 0.4), concrete, BRIDGE)
    if steel is None:
        beams = np.linspace(-half + 0.5, half - 0.5, 5)
        at = np.stack([beams, np.full(5, middle), np.full(5, under_m + deep_m / 2 - 0.1)], 1)
        site.boxes(frame, at, (0.45, span, deep_m - 0.25), concrete, BRIDGE)
        light = concrete._replace(color=m.scaled(concrete.color, 1.25))
        edge = [(sign * (half + 0.1), middle, top - 0.05) for sign in (-1, 1)]
        site.boxes(frame, edge, (0.35, span, 0.6), light, BRIDGE)
    else:
        for sign in (-1, 1):
            x = sign * (half + 0.05)
            site.boxes(frame, (x, middle, under_m + 0.8), (0.08, span, 1.6), steel, BRIDGE)
            flanges = [(x, middle, under_m + 0.03), (x, middle, under_m + 1.6)]
            site.boxes(frame, flanges, (0.42, span, 0.06), steel, BRIDGE)
            y = np.arange(-right + 0.7, left, 1.6)
            ribs = np.stack([np.full(len(y), x + sign * 0.1), y, np.full(len(y), under_m + 0.8)], 1)
            site.boxes(frame, ribs, (0.14, 0.05, 1.5), steel, BRIDGE)
    if rng.uniform() < 0.35:
        parapet = [(sign * half, middle, top + 0.5) for sign in (-1, 1)]
        site.boxes(frame, parapet, (0.25, span, 1.0), concrete, BRIDGE)
        return
    rail = m.GALVANISED if steel is None or rng.uniform() < 0.4 else steel
    y = np.arange(-right, left + 0.1, 1.8)
    for sign in (-1, 1):
        x = sign * half
        posts = np.stack([np.full(len(y), x), y, np.full(len(y), top + 0.6)], 1)
        site.boxes(frame, posts, (0.08, 0.08, 1.2), rail, BRIDGE)
        rails = [(x, middle, top + z) for z in (0.35, 0.65, 0.95, 1.2)]
        site.boxes(frame, rails, (0.05, span, 0.05), rail, BRIDGE)


def _piers(
    site: Site,
    frame: Frame,
    ends_m: tuple[float, float],
    edge_m: float,
    width_m: float,
    under_m: float,
    concrete: Material,
) -> None:
    """Columns under a beam, in the middle or beside the road, where a wide span needs them and they hide nothing."""
    for y in (0.0, edge_m - 1.0, 1.0 - edge_m):
        if ends_m[0] + ends_m[1] < 20 or min(ends_m[0] - y, ends_m[1] + y) < 5:
            continue
        x = np.linspace(-width_m / 2 + 0.8, width_m / 2 - 0.8, 3)
        at = np.stack([x, np.full(3, y), np.full(3, under_m / 2 - 0.3)], 1)
        if site.clear.free(frame.world(at)[:, :2], 1.6).all() and (y or site.road.place.lane_count >= 4):
            site.boxes(frame, at, (0.8, 0.8, under_m - 0.6), concrete, BRIDGE)
            site.boxes(frame, (0, y, under_m - 0.3), (width_m - 0.4, 1.0, 0.6), concrete, BRIDGE)


def _wall(site: Site, frame: Frame, side: int, end_m: float, width_m: float, top_m: float, brick: Material) -> None:
    """A viaduct of brick with blind arches between piers, and a coping."""
    middle = side * (end_m + REACH_M / 2)
    site.boxes(frame, (0, middle, top_m / 2), (width_m, REACH_M, top_m), brick, BRIDGE)
    stone = Material(m.srgb(170, 162, 150), 0.95)
    copings = [(sign * width_m / 2, middle, top_m + 0.45) for sign in (-1, 1)]
    site.boxes(frame, copings, (0.45, REACH_M, 0.9), brick, BRIDGE)
    site.boxes(frame, [(x, y, top_m + 0.95) for x, y, _ in copings], (0.6, REACH_M, 0.14), stone, BRIDGE)
    y = side * (end_m + np.arange(0.8, REACH_M, 7.0))
    dark = brick._replace(color=m.scaled(brick.color, 0.45))
    for sign in (-1, 1):
        x = sign * width_m / 2
        piers = np.stack([np.full(len(y), x), y, np.full(len(y), top_m / 2)], 1)
        site.boxes(frame, piers, (0.7, 1.4, top_m), brick, BRIDGE)
        at = np.stack([np.full(len(y), x), y + side * 3.5, np.full(len(y), 0.36 * top_m)], 1)
        site.boxes(frame, at, (0.08, 4.4, 0.72 * top_m), dark, BRIDGE)
        site.boxes(frame, at + [0, 0, 0.36 * top_m + 0.2], (0.2, 4.8, 0.4), stone, BRIDGE)


def _bank(
    site: Site,
    frame: Frame,
    side: int,
    end_m: float,
    width_m: float,
    top_m: float,
    lawn: Material,
    wall: Material,
    rng: np.random.Generator,
) -> None:
    """An earth bank that carries the way up, ended by a wing wall beside the abutment; bushes on its slopes."""
    half, foot = width_m / 2 + 0.8, width_m / 2 + SLOPE * top_m
    y = side * (end_m + np.array([0.5, REACH_M]))
    profile = [(-foot, GROUND_M), (-half, top_m - 0.1), (half, top_m - 0.1), (foot, GROUND_M)]
    near, far = (np.array([(x, at, z) for x, z in profile]) for at in y)
    quads = np.stack([near[:-1], near[1:], far[1:], far[:-1]], 1)
    site.panels(frame, quads if side < 0 else quads[:, ::-1], lawn, TERRAIN)
    ring = near[:, None] if side < 0 else near[::-1, None]
    wing = ring[:, 0] - [0, side * 0.5, 0]
    faces = np.array([[0, 1, 2], [0, 2, 3]])
    site.add(Shape(frame.world(wing), faces[:, ::-1]), wall, BRIDGE)
    for _ in range(14):
        along, share = float(rng.uniform(3, 60)), float(rng.uniform(0.1, 0.9))
        x = float(rng.choice([-1, 1])) * (half + share * (foot - half))
        at = frame.world(np.array([[x, side * (end_m + along), 0.0]]))[0]
        # A bush on a slope: it grows out of the ground from below.
        high = (1 - share) * top_m
        site.plant("bush", at[:2], high + float(rng.uniform(0.6, 1.6)), 1.0 + float(rng.uniform(0.5, 1.5)))
