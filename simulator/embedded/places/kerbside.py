"""Things at the kerbs of towns that no data set labels: shelters, racks, boxes, railings, bins, building works.

Each is built in a frame whose x looks at the road. Racks for bicycles are empty: some data sets label parked bicycles.
"""

import numpy as np

from simulator.embedded.assets import materials as m
from simulator.embedded.assets.boxes_on_pavements import POSTERS, container
from simulator.embedded.assets.shapes import FENCE, STATIC, lathe, rods
from simulator.embedded.assets.street_furniture import bin_, bollard
from simulator.embedded.mesh import PATTERNS, Material
from simulator.embedded.places.buildings import upright
from simulator.embedded.places.site import Frame, Site

BOX_COLORS = {
    "default": [m.srgb(160, 24, 26), m.srgb(226, 180, 30), m.srgb(30, 60, 120)],
    "stand-in": [m.srgb(36, 110, 70), m.srgb(226, 110, 24), m.srgb(70, 70, 76)],
}
DARK_WOOD = Material(m.srgb(104, 76, 52), 0.9)


def bus_shelter(site: Site, frame: Frame) -> None:
    """A roof on posts, glass behind, a bench, a poster at one end; open to the road."""
    rng = site.rng
    long, deep, tall = float(rng.uniform(3.0, 4.6)), 1.4, 2.45
    steel = m.drawn([m.GALVANISED, m.TRIM, Material(m.srgb(40, 70, 60), 0.5)], rng)
    site.boxes(frame, (0, 0, tall), (deep + 0.3, long + 0.2, 0.1), steel, STATIC)
    posts = [(x, y, tall / 2) for x in (-deep / 2, deep / 2 - 0.2) for y in (-long / 2, long / 2)]
    site.boxes(frame, posts, (0.08, 0.08, tall), steel, STATIC)
    site.boxes(frame, (-deep / 2, 0, 1.25), (0.03, long - 0.1, 1.7), m.GLASS, STATIC)
    site.boxes(frame, (-deep / 2 + 0.3, 0, 0.5), (0.35, long * 0.6, 0.06), DARK_WOOD, STATIC)
    site.boxes(frame, (-deep / 2 + 0.3, 0, 0.25), (0.06, long * 0.5, 0.44), steel, STATIC)
    end = long / 2 * float(rng.choice([-1, 1]))
    site.boxes(frame, (-0.05, end, 1.2), (1.2, 0.14, 1.9), steel, STATIC)
    poster = Material(m.varied(m.drawn(POSTERS, rng), rng), 0.4, 0.3, emission=0.8)
    for face in (-0.075, 0.075):
        site.boxes(frame, (-0.05, end + face, 1.25), (1.0, 0.01, 1.6), poster, STATIC)


def bicycle_racks(site: Site, frame: Frame) -> None:
    """Hoops of steel pipe in a row, square to the road."""
    count = int(site.rng.integers(3, 6))
    y = (np.arange(count) - (count - 1) / 2) * 0.85
    top = np.array([(x, at, 0.8) for at in y for x in (-0.38, 0.38)])
    foot = top * [1, 1, 0]
    pipes = rods(np.concatenate([foot, top[::2]]), np.concatenate([top, top[1::2]]), 0.03, 5)
    site.add(pipes._replace(vertices_m=frame.world(pipes.vertices_m)), m.GALVANISED, STATIC)


def phone_box(site: Site, frame: Frame) -> None:
    color = Material(m.varied(m.drawn(BOX_COLORS[site.asset_set], site.rng), site.rng), 0.4, 0.4)
    site.boxes(frame, [(0, 0, 0.1), (0, 0, 2.3)], [(0.95, 0.95, 0.2), (1.0, 1.0, 0.3)], color, STATIC)
    corners = [(x, y, 1.2) for x in (-0.44, 0.44) for y in (-0.44, 0.44)]
    site.boxes(frame, corners, (0.08, 0.08, 2.2), color, STATIC)
    site.boxes(frame, (0, 0, 1.2), (0.84, 0.84, 2.0), m.GLASS, STATIC)
    bars = [(0, 0, z) for z in (0.6, 1.0, 1.4, 1.8)]
    site.boxes(frame, bars, (0.88, 0.88, 0.03), color, STATIC)


def post_box(site: Site, frame: Frame) -> None:
    color = Material(m.varied(m.drawn(BOX_COLORS[site.asset_set], site.rng), site.rng), 0.4, 0.4)
    if site.rng.uniform() < 0.5:  # a pillar
        pillar = lathe([(0, 0.24), (0.12, 0.24), (0.14, 0.21), (1.3, 0.21), (1.36, 0.26), (1.46, 0.2), (1.5, 0.04)], 12)
        site.add(pillar._replace(vertices_m=frame.world(pillar.vertices_m)), color, STATIC)
    else:  # a box on a post
        site.boxes(frame, (0, 0, 0.35), (0.08, 0.08, 0.7), m.TRIM, STATIC)
        site.boxes(frame, (0, 0, 1.05), (0.35, 0.5, 0.75), color, STATIC)
    site.boxes(frame, (0.2, 0, 1.2), (0.05, 0.28, 0.05), m.TRIM, STATIC)


def advertising_column(site: Site, frame: Frame) -> None:
    """A thick round column pasted over with posters, under a little roof."""
    rng = site.rng
    body = lathe([(0, 0.62), (0.3, 0.62), (0.32, 0.56), (2.6, 0.56)], 14)
    roof = lathe([(2.6, 0.7), (2.75, 0.72), (2.95, 0.2), (3.1, 0.05)], 14)
    trim = Material(m.drawn([m.srgb(40, 60, 50), m.srgb(60, 62, 66)], rng), 0.6)
    site.add(body._replace(vertices_m=frame.world(body.vertices_m)), Material(m.srgb(190, 184, 170), 0.9), STATIC)
    site.add(roof._replace(vertices_m=frame.world(roof.vertices_m)), trim, STATIC)
    for turn in np.arange(7) * 2 * np.pi / 7:
        sheet = Frame(frame.origin[:2], frame.yaw_rad + float(turn))
        tall = float(rng.uniform(0.9, 1.7))
        poster = Material(m.varied(m.drawn(POSTERS, rng), rng, 0.3), 0.8)
        site.panels(sheet, upright(0.565, 0.0, 0.5 + tall / 2 + float(rng.uniform(0, 0.3)), 0.44, tall), poster, STATIC)


def kerb_railing(site: Site, frame: Frame) -> None:
    """Guard railing: two rails on posts, thin bars between them."""
    long = float(site.rng.uniform(5.0, 8.0))
    skin = m.drawn([m.GALVANISED, m.TRIM, Material(m.srgb(34, 60, 46), 0.6)], site.rng)
    site.boxes(frame, [(0, 0, 1.02), (0, 0, 0.2)], (0.05, long, 0.05), skin, FENCE)
    y = np.linspace(-long / 2, long / 2, int(long / 1.6) + 1)
    site.boxes(frame, np.stack([0 * y, y, 0 * y + 0.52], 1), (0.06, 0.06, 1.04), skin, FENCE)
    y = np.arange(-long / 2 + 0.16, long / 2, 0.16)
    site.panels(frame, upright(0.0, y, np.full(len(y), 0.6), 0.022, 0.8), skin, FENCE)


def bollards(site: Site, frame: Frame) -> None:
    variant = int(site.rng.integers(4))
    for y in (-3.0, -1.5, 0.0, 1.5, 3.0):
        at = frame.world(np.array([0.0, y, 0.0]))
        site.add_model(bollard, variant, (0.95, 0.2, 0.2), Frame(at[:2], frame.yaw_rad))


def bins(site: Site, frame: Frame) -> None:
    """Wheeled bins put out for collection."""
    count = int(site.rng.integers(2, 5))
    for y in (np.arange(count) - (count - 1) / 2) * 0.75:
        at = frame.world(np.array([float(site.rng.uniform(-0.12, 0.12)), y, 0.0]))
        turned = Frame(at[:2], frame.yaw_rad + float(site.rng.uniform(-0.3, 0.3)))
        site.add_model(bin_, int(site.rng.integers(5)), (1.08, 0.58, 0.72), turned)


def skip(site: Site, frame: Frame) -> None:
    along = Frame(frame.origin[:2], frame.yaw_rad + np.pi / 2)
    site.add_model(container, int(site.rng.integers(4)), (1.4, 1.8, 3.6), along)


def hoarding(site: Site, frame: Frame) -> None:
    """Building works closed off: boards or mesh fence on feet, heaps of sand and bricks behind."""
    rng = site.rng
    long = float(rng.uniform(5.0, 8.0))
    if rng.uniform() < 0.5:
        color = Material(
            m.varied(m.drawn([m.srgb(40, 70, 120), m.srgb(200, 196, 184), m.srgb(60, 90, 66)], rng), rng), 0.8
        )
        site.boxes(frame, (0.6, 0, 1.0), (0.05, long, 2.0), color, STATIC)
        y = np.arange(-long / 2, long / 2 + 0.1, 1.2)
        site.boxes(frame, np.stack([0 * y + 0.56, y, 0 * y + 1.0], 1), (0.08, 0.08, 2.05), DARK_WOOD, STATIC)
        for y in rng.uniform(-0.4, 0.4, 3) * long:
            poster = Material(m.varied(m.drawn(POSTERS, rng), rng, 0.3), 0.8)
            site.panels(frame, upright(0.635, y, rng.uniform(0.9, 1.3), 0.7, 1.0), poster, STATIC)
    else:
        y = np.arange(-long / 2, long / 2 + 0.1, 0.2)
        site.panels(frame, upright(0.6, y, np.full(len(y), 1.0), 0.018, 1.9), m.GALVANISED, FENCE)
        rails = [(0.6, 0, z) for z in (0.1, 1.0, 1.95)]
        site.boxes(frame, rails, (0.04, long, 0.04), m.GALVANISED, FENCE)
        feet = np.arange(-long / 2, long / 2 + 0.1, long / 3)
        site.boxes(frame, np.stack([0 * feet + 0.6, feet, 0 * feet + 0.07], 1), (0.6, 0.22, 0.14), m.TRIM, STATIC)
    sand = Material(m.varied(m.srgb(176, 152, 112), rng), 1.0, pattern=PATTERNS["asphalt"])
    heap = lathe([(0, 1.1), (0.35, 0.75), (0.7, 0.25), (0.8, 0.05)], 9)._replace(smooth=False)
    site.add(heap._replace(vertices_m=frame.world(heap.vertices_m + [-0.7, 0.2 * long, 0])), sand, STATIC)
    brick = Material(m.srgb(150, 80, 62), 1.0, pattern=PATTERNS["brick"])
    site.boxes(frame, (-0.5, -0.25 * long, 0.45), (0.9, 1.1, 0.9), brick, STATIC)
