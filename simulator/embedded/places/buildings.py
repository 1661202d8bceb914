"""Buildings: town houses with shops, detached houses with gable roofs, plain blocks for the distance.

A building's frame: origin at the middle of its front on the ground, x towards the road, y to the left, z up.
"""

import numpy as np

from simulator.embedded.assets import materials as m
from simulator.embedded.assets.shapes import BUILDING, Shape
from simulator.embedded.mesh import PATTERNS, Material
from simulator.embedded.places.site import Frame, Site

WALLS = {
    "default": [
        m.srgb(196, 182, 158),
        m.srgb(178, 150, 124),
        m.srgb(206, 200, 190),
        m.srgb(160, 112, 92),
        m.srgb(188, 170, 140),
        m.srgb(150, 148, 144),
        m.srgb(170, 96, 78),
        m.srgb(214, 196, 160),
    ],
    "stand-in": [
        m.srgb(120, 78, 66),
        m.srgb(84, 90, 100),
        m.srgb(206, 212, 216),
        m.srgb(110, 116, 108),
        m.srgb(148, 128, 112),
        m.srgb(66, 62, 64),
        m.srgb(176, 190, 196),
    ],
}  # fmt: skip
ROOFS = {
    "default": [
        m.srgb(132, 70, 54), m.srgb(96, 62, 52), m.srgb(84, 82, 84), m.srgb(112, 90, 74),
    ],
    "stand-in": [
        m.srgb(52, 54, 60), m.srgb(70, 78, 84), m.srgb(60, 48, 44),
    ],
}  # fmt: skip
SHOP_BOARDS = {
    "default": [
        m.srgb(30, 60, 46),
        m.srgb(130, 28, 32),
        m.srgb(28, 44, 92),
        m.srgb(30, 30, 32),
        m.srgb(206, 180, 120),
        m.srgb(60, 110, 130),
    ],
    "stand-in": [
        m.srgb(200, 104, 36),
        m.srgb(84, 40, 96),
        m.srgb(224, 222, 214),
        m.srgb(34, 110, 104),
        m.srgb(180, 160, 40),
    ],
}  # fmt: skip
STONE = Material(m.srgb(176, 170, 160), 0.9)
WINDOW_FRAMES = [
    Material(m.srgb(228, 226, 220), 0.7),
    Material(m.srgb(70, 64, 58), 0.7),
    Material(m.srgb(180, 178, 172), 0.7),
]
AWNING_M = 1.3  # how far awnings, porches and balconies reach out of a front
DOORS = [m.srgb(60, 38, 28), m.srgb(28, 52, 44), m.srgb(110, 30, 30), m.srgb(36, 40, 60), m.srgb(150, 146, 140)]


def find_room(site: Site, s: float, side: int, width_m: float, depth_m: float, t_m: float, pushes_m) -> Frame | None:
    """Where a building of this size can stand at s with its front at t or further off the road; None where nowhere."""
    yaw = float(site.road.yaw_rad(s)) + side * np.pi / 2
    y = np.linspace(-width_m / 2, width_m / 2, max(3, int(width_m / 1.6) + 2))
    x = np.linspace(-depth_m, AWNING_M, max(3, int(depth_m / 1.6) + 3))
    ends = [np.stack([np.full(len(y), at), y], 1) for at in (AWNING_M, -depth_m)]
    flanks = [np.stack([x, np.full(len(x), at)], 1) for at in (-width_m / 2, width_m / 2)]
    outline = np.concatenate(ends + flanks)
    cos, sin = np.cos(yaw), np.sin(yaw)
    turned = outline @ np.array([[cos, sin], [-sin, cos]])
    origins = site.road.point_m(s, side * (t_m + np.asarray(pushes_m, float)))
    ok = site.clear.free(origins[:, None] + turned, 0.9).all(1)
    if not ok.any():
        return None
    return Frame(origins[np.argmax(ok)], yaw)


def town_house(site: Site, frame: Frame, width_m: float, depth_m: float, *, all_round: bool = False) -> None:
    """Three to seven storeys: shop or flats on the ground floor, rows of windows, cornice, flat or pitched roof.

    `all_round` gives it windows at the sides and the back, too.
    """
    rng, palette = site.rng, site.asset_set
    storey = float(rng.uniform(2.9, 3.5))
    ground = float(rng.uniform(3.4, 4.2))
    floors = int(rng.integers(2, 6)) if palette == "default" else int(rng.integers(3, 8))
    height = ground + floors * storey
    color = m.varied(m.drawn(WALLS[palette], rng), rng, 0.15)
    modelled = np.hypot(*frame.origin[:2]) < 85
    if modelled:
        pattern = int(rng.choice([PATTERNS["brick"], PATTERNS["plain"], PATTERNS["asphalt"]], p=[0.35, 0.4, 0.25]))
        wall = Material(color, 0.95, pattern=pattern, pattern_scale_m=1.0 if pattern == PATTERNS["brick"] else 3.0)
    else:
        wall = Material(color, 0.95, pattern=PATTERNS["facade"], pattern_scale_m=storey)
    site.boxes(frame, (-depth_m / 2, 0, height / 2), (depth_m, width_m, height), wall, BUILDING)
    if modelled:
        _window_rows(site, frame, width_m, ground, storey, floors)
        if all_round:
            for side, wide in _other_sides(frame, width_m, depth_m):
                _window_rows(site, side, wide, ground - storey, storey, floors + 1)
    if rng.uniform() < 0.75:
        _shop(site, frame, width_m, ground)
    else:
        _flats_entrance(site, frame, width_m, ground)
    trim = Material(m.varied(color, rng, 0.3), 0.9) if rng.uniform() < 0.5 else STONE
    site.boxes(
        frame, [(0.0, 0, height - 0.2), (0.0, 0, ground)], [(0.7, width_m, 0.4), (0.3, width_m, 0.22)], trim, BUILDING
    )
    if rng.uniform() < 0.55:
        roof = Material(
            m.varied(m.drawn(ROOFS[palette], rng), rng), 0.9, pattern=PATTERNS["brick"], pattern_scale_m=3.0
        )
        gable_roof(site, frame, width_m, depth_m, height, float(rng.uniform(2.2, 4.0)), roof, wall)
    else:
        count = int(rng.integers(1, 4))
        y = rng.uniform(-0.4, 0.4, count) * width_m
        centers = np.stack([-rng.uniform(0.3, 0.8, count) * depth_m, y, np.full(count, height + 0.8)], 1)
        site.boxes(frame, centers, (1.6, 2.2, 1.7), trim, BUILDING)


def _other_sides(frame: Frame, width_m: float, depth_m: float) -> list[tuple[Frame, float]]:
    """Frames like that of the front, and their widths: to the left, to the right, at the back."""
    middles = np.array([(-depth_m / 2, width_m / 2, 0), (-depth_m / 2, -width_m / 2, 0), (-depth_m, 0, 0)])
    turns, wide = (np.pi / 2, -np.pi / 2, np.pi), (depth_m, depth_m, width_m)
    origins = frame.world(middles)[:, :2]
    return [(Frame(xy, frame.yaw_rad + turn), w) for xy, turn, w in zip(origins, turns, wide, strict=True)]


def _window_rows(site: Site, frame: Frame, width_m: float, ground_m: float, storey_m: float, floors: int) -> None:
    """Windows as panes in frames with a sill; some are lit at night, some facades have balconies or bays."""
    rng = site.rng
    bay = float(rng.uniform(1.9, 3.2)) * (1.25 if site.asset_set == "stand-in" else 1.0)
    columns = max(2, int((width_m - 0.8) / bay))
    wide, tall = min(0.62 * bay, float(rng.uniform(0.95, 2.0))), float(rng.uniform(0.5, 0.66)) * storey_m
    y = (np.arange(columns) - (columns - 1) / 2) * (width_m - 0.8) / columns
    z = ground_m + (np.arange(floors) + 0.52) * storey_m
    y, z = (g.ravel() for g in np.meshgrid(y, z))
    casing = m.drawn(WINDOW_FRAMES, rng)
    site.panels(frame, upright(0.02, y, z, wide + 0.24, tall + 0.24), casing, BUILDING)
    lit = site.rng.uniform(size=len(y)) < 0.25
    for chosen, pane in ((lit, m.LIT_WINDOW if site.night else m.GLASS), (~lit, m.GLASS)):
        for half in (-1, 1):  # two leaves with the casing showing between them
            at = y[chosen] + half * wide * 0.26
            site.panels(frame, upright(0.045, at, z[chosen], wide * 0.47, tall), pane, BUILDING)
    sills = np.stack([np.full(len(y), 0.09), y, z - tall / 2 - 0.12], 1)
    site.boxes(frame, sills, (0.18, wide + 0.35, 0.1), STONE, BUILDING)
    if rng.uniform() < 0.3:
        chosen = rng.uniform(size=len(y)) < 0.4
        slabs = np.stack([np.full(chosen.sum(), 0.5), y[chosen], z[chosen] - tall / 2 - 0.1], 1)
        if len(slabs):
            site.boxes(frame, slabs, (1.0, wide + 0.8, 0.14), STONE, BUILDING)
            site.boxes(
                frame,
                slabs + [0.46, 0, 0.5],
                (0.04, wide + 0.8, 0.9),
                m.drawn([m.TRIM, m.STEEL, m.GLASS], rng),
                BUILDING,
            )


def upright(x_m: float, y_m, z_m, wide_m, tall_m) -> np.ndarray:
    """Rectangles (N, 4, 3) in a wall that faces +x, by their centres."""
    half_y, half_z = np.asarray(wide_m) / 2, np.asarray(tall_m) / 2
    out = np.empty((max(np.size(y_m), np.size(z_m)), 4, 3))
    out[..., 0] = x_m
    for corner, (a, b) in enumerate(((-1, -1), (1, -1), (1, 1), (-1, 1))):
        out[:, corner, 1] = y_m + a * half_y
        out[:, corner, 2] = z_m + b * half_z
    return out


def _shop(site: Site, frame: Frame, width_m: float, ground_m: float) -> None:
    """Shop windows with dark posts, a coloured board over them, a door, sometimes an awning."""
    rng = site.rng
    board = Material(m.varied(m.drawn(SHOP_BOARDS[site.asset_set], rng), rng), 0.6, 0.15, emission=0.25)
    frame_color = Material(m.varied(m.drawn(SHOP_BOARDS[site.asset_set], rng), rng, 0.3), 0.6)
    inner = width_m - 0.6
    site.boxes(frame, (0.06, 0, ground_m / 2 - 0.1), (0.12, inner, ground_m - 0.3), frame_color, BUILDING)
    panes = max(2, int(inner / 2.2))
    y = (np.arange(panes) - (panes - 1) / 2) * inner / panes
    door = int(rng.integers(panes))
    dark = rng.uniform() < 0.4  # drawn by day, too: it is the same street at night
    glass = m.LIT_SHOP if site.night and not dark else m.GLASS
    window = np.arange(panes) != door
    site.panels(frame, upright(0.14, y[window], ground_m * 0.43, inner / panes - 0.16, ground_m * 0.6), glass, BUILDING)
    site.panels(frame, upright(0.14, y[[door]], ground_m * 0.36, 1.1, ground_m * 0.66), glass, BUILDING)
    site.boxes(frame, (0.16, 0, ground_m * 0.85), (0.16, inner, ground_m * 0.17), board, BUILDING)
    if rng.uniform() < 0.35:
        low, high = ground_m * 0.66, ground_m * 0.78
        across = inner / 2
        cloth = [(AWNING_M, -across, low), (AWNING_M, across, low), (0.1, across, high), (0.1, -across, high)]
        site.panels(frame, cloth, board._replace(pattern=PATTERNS["cloth"], emission=0.0), BUILDING)
        site.panels(
            frame,
            [
                (AWNING_M, -across, low - 0.2),
                (AWNING_M, across, low - 0.2),
                (AWNING_M, across, low),
                (AWNING_M, -across, low),
            ],
            board._replace(emission=0.0),
            BUILDING,
        )


def _flats_entrance(site: Site, frame: Frame, width_m: float, ground_m: float) -> None:
    rng = site.rng
    columns = max(2, int(width_m / 2.8))
    y = (np.arange(columns) - (columns - 1) / 2) * (width_m - 0.8) / columns
    door = int(rng.integers(columns))
    others = np.arange(columns) != door
    site.panels(frame, upright(0.02, y[others], ground_m * 0.5, 1.5, 1.9), m.drawn(WINDOW_FRAMES, rng), BUILDING)
    site.panels(frame, upright(0.045, y[others], ground_m * 0.5, 1.26, 1.66), m.GLASS, BUILDING)
    site.boxes(frame, (0.05, y[door], 1.3), (0.16, 1.7, 2.6), STONE, BUILDING)
    site.boxes(frame, (0.09, y[door], 1.15), (0.16, 1.1, 2.25), Material(m.drawn(DOORS, rng), 0.5, 0.2), BUILDING)
    site.boxes(frame, (0.06, 0, 0.3), (0.14, width_m, 0.6), STONE, BUILDING)


def gable_roof(
    site: Site,
    frame: Frame,
    width_m: float,
    depth_m: float,
    eave_m: float,
    rise_m: float,
    roof: Material,
    wall: Material,
    *,
    gable_to_road: bool = False,
    overhang_m: float = 0.35,
) -> None:
    """Two slopes over the walls with gables; the ridge runs along the road unless the gable looks at it."""
    long, across = (depth_m, width_m) if gable_to_road else (width_m, depth_m)
    half, reach = long / 2 + overhang_m, across / 2 + overhang_m
    drop = rise_m * overhang_m / (across / 2)
    low, top = eave_m - drop, eave_m + rise_m
    slope = np.array([(reach, -half, low), (reach, half, low), (0, half, top), (0, -half, top)])
    other = slope[[1, 0, 3, 2]] * [-1, 1, 1]
    gable = np.array([(across / 2, long / 2, eave_m), (-across / 2, long / 2, eave_m), (0, long / 2, top - 0.02)])
    shapes = np.array([slope, other, slope - [0, 0, 0.14], other - [0, 0, 0.14]])
    gables = np.concatenate([gable, gable[[1, 0, 2]] * [1, -1, 1]])

    def turned(points: np.ndarray) -> np.ndarray:
        points = np.stack([points[..., 1], -points[..., 0], points[..., 2]], -1) if gable_to_road else points
        return points - [depth_m / 2, 0, 0]

    site.panels(frame, turned(shapes), roof, BUILDING)
    site.add(Shape(frame.world(turned(gables)), np.array([[0, 2, 1], [3, 5, 4]])[:, ::-1]), wall, BUILDING)


def house(site: Site, frame: Frame, width_m: float, depth_m: float, *, all_round: bool = False) -> None:
    """A detached house of one or two storeys: gable roof, windows, door with porch, chimney, garage.

    `all_round` gives it windows at the sides and the back, too.
    """
    rng, palette = site.rng, site.asset_set
    storey = float(rng.uniform(2.6, 2.9))
    floors = int(rng.choice([1, 2], p=[0.35, 0.65]))
    eave = floors * storey + 0.3
    color = m.varied(m.drawn(WALLS[palette] + [m.srgb(222, 218, 208)] * 3, rng), rng, 0.12)
    pattern = PATTERNS["brick"] if rng.uniform() < 0.4 else PATTERNS["plain"]
    wall = Material(color, 0.95, pattern=pattern)
    roof = Material(m.varied(m.drawn(ROOFS[palette], rng), rng), 0.9, pattern=PATTERNS["brick"], pattern_scale_m=3.0)
    site.boxes(frame, (-depth_m / 2, 0, eave / 2), (depth_m, width_m, eave), wall, BUILDING)
    gable_to_road = bool(rng.uniform() < 0.4)
    rise = (
        float(rng.uniform(0.28, 0.5))
        * (width_m if gable_to_road else depth_m)
        * (0.75 if palette == "stand-in" else 1.0)
    )
    gable_roof(site, frame, width_m, depth_m, eave, rise, roof, wall, gable_to_road=gable_to_road, overhang_m=0.5)
    columns = max(2, int(width_m / 3.0))
    y = (np.arange(columns) - (columns - 1) / 2) * (width_m - 0.8) / columns
    z = 0.3 + (np.arange(floors) + 0.55) * storey
    y_all, z_all = (g.ravel() for g in np.meshgrid(y, z))
    door = int(rng.integers(columns))
    window = np.arange(len(y_all)) != door
    y_all, z_all = y_all[window], z_all[window]
    wide, tall = float(rng.uniform(1.1, 1.8)), float(rng.uniform(1.1, 1.45))
    lit = rng.uniform(size=len(y_all)) < (0.45 if site.night else 0.0)
    site.panels(frame, upright(0.02, y_all, z_all, wide + 0.2, tall + 0.2), m.drawn(WINDOW_FRAMES, rng), BUILDING)
    for chosen, pane in ((lit, m.LIT_WINDOW), (~lit, m.GLASS)):
        for half in (-1, 1):
            site.panels(
                frame,
                upright(0.045, y_all[chosen] + half * wide * 0.26, z_all[chosen], wide * 0.46, tall),
                pane,
                BUILDING,
            )
    for side, across in _other_sides(frame, width_m, depth_m) if all_round else ():
        at = (np.arange(2) - 0.5) * across / 2
        at, up = (g.ravel() for g in np.meshgrid(at, z))
        site.panels(side, upright(0.02, at, up, wide + 0.2, tall + 0.2), STONE, BUILDING)
        site.panels(side, upright(0.045, at, up, wide * 0.94, tall), m.GLASS, BUILDING)
    site.boxes(frame, (0.04, y[door], 1.25), (0.1, 1.3, 2.4), STONE, BUILDING)
    site.boxes(frame, (0.07, y[door], 1.2), (0.12, 1.0, 2.1), Material(m.drawn(DOORS, rng), 0.5, 0.2), BUILDING)
    site.boxes(frame, (0.5, y[door], 2.6), (1.2, 1.9, 0.12), roof, BUILDING)
    chimney = (-depth_m * rng.uniform(0.4, 0.6), width_m * rng.uniform(-0.35, 0.35), eave + rise * 0.85)
    site.boxes(
        frame, chimney, (0.6, 0.8, 0.9 + 0.5 * rise), Material(m.srgb(120, 76, 62), pattern=PATTERNS["brick"]), BUILDING
    )


def block(site: Site, frame: Frame, width_m: float, depth_m: float, height_m: float) -> None:
    """A plain building for the distance."""
    color = m.varied(m.drawn(WALLS[site.asset_set], site.rng), site.rng, 0.2)
    wall = Material(color, 0.9, pattern=PATTERNS["facade"], pattern_scale_m=float(site.rng.choice([3.0, 3.3, 3.6])))
    site.boxes(frame, (-depth_m / 2, 0, height_m / 2), (depth_m, width_m, height_m), wall, BUILDING)
