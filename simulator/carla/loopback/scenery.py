"""What lines a town's roads, planned once for the whole town from its name: houses, trees, rails, hedges, parked cars.

Every road is walked along both sides; each thing asks for the ground that it needs (lots.py) and is left out where
that is not free. Then the land between the roads is strewn.
"""

import zlib
from typing import NamedTuple

import numpy as np

from simulator.carla.loopback.bridges import airborne
from simulator.carla.loopback.lots import Lots, disc, rectangle
from simulator.carla.loopback.props import (
    BLOCK_DEPTH_M,
    HEDGE_M,
    HOUSE_DEPTH_M,
    RAIL_M,
    TOWN_HOUSE_DEPTH_M,
    VARIANTS,
    Prop,
    house_width_m,
    is_bushy,
)
from simulator.carla.loopback.roadsides import edges
from simulator.opendrive.coverage import Coverage
from simulator.opendrive.network import Network
from simulator.opendrive.road import Road
from simulator.opendrive.terrain import Terrain

MOTORWAY_M_S = 26.0  # 60 mph: roads as fast as that look like motorways
DEPTHS_M = {"town house": TOWN_HOUSE_DEPTH_M, "house": HOUSE_DEPTH_M, "block": BLOCK_DEPTH_M}
AWNING_M = 1.4
PARKED_EVERY_M, PARKED_OUT_M, PARKED_LONG_M, PARKED_WIDE_M = 18.0, 3.0, 5.0, 2.2


class Style(NamedTuple):
    """What a kind of street has. Distances are from the outer edge of road or pavement, shares are 0-1."""

    town_houses: float  # of the buildings, the others are detached houses
    front_m: tuple[float, float]
    gap_m: tuple[float, float]  # between buildings
    built: float  # of the places where a building fits
    lamp_every_m: float | None
    tree_every_m: float
    tree_share: float
    tree_m: tuple[float, float]  # distance
    hedges: float  # share of the roadside
    rails: bool
    poles: bool
    strewn_every_m: float  # trees on the open land
    blocks: float  # share of the open land's places that get a block of flats
    hills_m: float
    city: int  # blocks on the horizon


STYLES = {
    "urban": Style(0.85, (4, 6), (0, 3), 0.92, 26.0, 9.0, 0.65, (2, 2.3), 0.0, False, False, 26.0, 0.55, 16.0, 50),
    "town": Style(0.45, (4, 7), (2, 7), 0.85, 28.0, 9.0, 0.7, (2, 3.5), 0.25, False, False, 22.0, 0.12, 24.0, 14),
    "suburb": Style(0.12, (6, 9), (3, 9), 0.8, 32.0, 11.0, 0.6, (2.2, 5), 0.4, False, False, 22.0, 0.0, 24.0, 4),
    "highway": Style(0.3, (24, 40), (30, 90), 0.25, 40.0, 9.0, 0.5, (7, 24), 0.0, True, False, 20.0, 0.05, 36.0, 16),
    "country": Style(0.0, (12, 26), (25, 80), 0.6, None, 11.0, 0.6, (2.5, 9), 0.3, False, True, 24.0, 0.0, 44.0, 0),
}  # fmt: skip
STYLE_OF_TOWN = {
    "Town01": "town",
    "Town02": "town",
    "Town03": "urban",
    "Town04": "suburb",
    "Town05": "urban",
    "Town06": "highway",
    "Town07": "country",
    "Town10HD": "urban",
}


def style_name_of(town: str) -> str:
    """The kind of street of a town; CARLA's own by its name, others are suburbs."""
    return STYLE_OF_TOWN.get(town.removesuffix("_Opt"), "suburb")


def plan(name: str, network: Network, coverage: Coverage, terrain: Terrain) -> list[Prop]:
    """Everything that stands in the town. Always the same for one town."""
    rng = np.random.default_rng(zlib.crc32(name.encode()))
    lots = Lots(coverage)
    own = STYLES[style_name_of(name)]
    walks = []
    for road in network.roads.values():
        if road.junction is None:
            fast = (road.speed_limit_m_s or 0) >= MOTORWAY_M_S
            style = STYLES["highway"] if fast else own
            walks.extend((walk, style) for walk in _walks(road, terrain))
    props: list[Prop] = []
    # what needs most room asks first
    for ask in (_lamps, _rails, _poles, _buildings, _trees, _hedges):
        for walk, style in walks:
            ask(walk, style, lots, terrain, rng, props)
    _strew(own, coverage, lots, terrain, rng, props)
    # cars take what room is left, and their own luck: all else stands where it would without them
    luck = np.random.default_rng([zlib.crc32(name.encode()), 1])
    for walk, style in walks:
        _parked_cars(walk, style, lots, terrain, luck, props)
    return props


class Walk(NamedTuple):
    """A way along the outer edge of a road: points (N, 2), one a metre, and the directions away from the road."""

    points_m: np.ndarray
    outward: np.ndarray
    length_m: int

    def at(self, along_m: float, out_m: float) -> tuple[float, float, float]:
        """x and y beside the road, and the yaw that faces it."""
        index = int(np.clip(round(along_m), 0, self.length_m - 1))
        (x, y), (dx, dy) = self.points_m[index], self.outward[index]
        return float(x + out_m * dx), float(y + out_m * dy), float(np.arctan2(-dy, -dx))


def _walks(road: Road, terrain: Terrain) -> list[Walk]:
    walks = []
    for edge in edges(road):
        if airborne(edge.points_m, terrain).any():
            continue
        length = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(edge.points_m[:, :2], axis=0), axis=1))])
        if length[-1] < 3:
            continue
        at = np.arange(0.5, length[-1], 1.0)
        columns = [np.interp(at, length, c) for c in (*edge.points_m[:, :2].T, *edge.outward.T)]
        points, outward = np.stack(columns[:2], -1), np.stack(columns[2:], -1)
        walks.append(Walk(points, outward / np.linalg.norm(outward, axis=1, keepdims=True), len(at)))
    return walks


def _lamps(walk: Walk, style: Style, lots: Lots, terrain: Terrain, rng, props: list[Prop]) -> None:
    if style.lamp_every_m is None:
        return
    for along in np.arange(rng.uniform(2, style.lamp_every_m), walk.length_m, style.lamp_every_m):
        x, y, yaw = walk.at(along, 3.2 if style.rails else 2.6)
        if lots.claim(disc(x, y, 0.3)):
            props.append(_prop("lamp", int(style.rails), x, y, yaw, terrain))


def _rails(walk: Walk, style: Style, lots: Lots, terrain: Terrain, rng, props: list[Prop]) -> None:
    if style.rails:
        _along(walk, RAIL_M, 2.4, ("guard rail", 1), 1.0, lots, terrain, rng, props)


def _poles(walk: Walk, style: Style, lots: Lots, terrain: Terrain, rng, props: list[Prop]) -> None:
    if style.poles and rng.uniform() < 0.5:
        for along in np.arange(10, walk.length_m, 35.0):
            x, y, yaw = walk.at(along, 3.2)
            if lots.claim(disc(x, y, 0.4)):
                props.append(_prop("wooden pole", 0, x, y, yaw, terrain))


def _parked_cars(walk: Walk, style: Style, lots: Lots, terrain: Terrain, rng, props: list[Prop]) -> None:
    """On the verge, along the road and facing as traffic there does."""
    if style.rails or style.poles:
        return
    for along in np.arange(rng.uniform(4, PARKED_EVERY_M), walk.length_m - 4, PARKED_EVERY_M):
        variant = int(rng.integers(VARIANTS["parked car"]))
        for out in (PARKED_OUT_M, PARKED_OUT_M + 1.0, PARKED_OUT_M + 2.0):
            x, y, to_road = walk.at(along, out)
            yaw = to_road - np.pi / 2
            ground = rectangle(x, y, yaw, PARKED_LONG_M / 2, PARKED_LONG_M / 2, PARKED_WIDE_M / 2)
            if np.ptp(terrain.at(ground)) < 0.3 and lots.claim(ground):
                props.append(_prop("parked car", variant, x, y, yaw, terrain))
                break


def _buildings(walk: Walk, style: Style, lots: Lots, terrain: Terrain, rng, props: list[Prop]) -> None:
    along = float(rng.uniform(0, 4))
    front = float(rng.uniform(*style.front_m))
    while along < walk.length_m:
        kind = "town house" if rng.uniform() < style.town_houses else "house"
        variant = int(rng.integers(VARIANTS[kind]))
        width, depth = house_width_m(kind, variant), DEPTHS_M[kind]
        middle = along + width / 2
        placed = False
        if rng.uniform() < style.built and middle < walk.length_m:
            out = front + (0.0 if kind == "town house" else float(rng.uniform(1, 4)))
            for push in (0.0, 2.0, 5.0):
                x, y, yaw = walk.at(middle, out + push)
                ground = rectangle(x, y, yaw, AWNING_M, depth + 0.5, width / 2 - 0.1)
                slope = np.ptp(terrain.at(ground[:: max(1, len(ground) // 40)]))
                if slope < 1.6 and lots.claim(ground):
                    props.append(_prop(kind, variant, x, y, yaw, terrain))
                    placed = True
                    break
        along += width + float(rng.uniform(*style.gap_m)) if placed else 5.0
        if rng.uniform() < 0.15:
            along += float(rng.uniform(4, 12))


def _trees(walk: Walk, style: Style, lots: Lots, terrain: Terrain, rng, props: list[Prop]) -> None:
    for along in np.arange(rng.uniform(1, style.tree_every_m), walk.length_m, style.tree_every_m):
        if rng.uniform() < style.tree_share:
            tall = float(rng.uniform(4.5, 9.5))
            x, y, _ = walk.at(along + float(rng.uniform(-2, 2)), float(rng.uniform(*style.tree_m)) + 0.12 * tall)
            _tree(x, y, tall, lots, terrain, rng, props)


def _tree(x: float, y: float, tall: float, lots: Lots, terrain: Terrain, rng, props: list[Prop]) -> None:
    room = float(lots.clearance_m(np.array([x, y])))
    variant, turn = int(rng.integers(VARIANTS["tree"])), float(rng.uniform(0, 2 * np.pi))
    # a crown hangs over no pavement; one that begins at the ground keeps away as a trunk does
    keep = 1.4 if is_bushy("tree", variant) else 0.1
    widest = min(tall * float(rng.uniform(0.6, 0.9)), 2 * (room - keep))
    for spread in (widest, 0.7 * widest):
        fits = spread > 0.35 * tall and lots.free(disc(x, y, 0.45 * spread), clear_m=0.0).all()
        if fits and lots.claim(disc(x, y, 0.4)):
            lots.take(disc(x, y, 0.3 * spread))
            props.append(_prop("tree", variant, x, y, turn, terrain)._replace(spread=spread, tall=tall))
            return


def _hedges(walk: Walk, style: Style, lots: Lots, terrain: Terrain, rng, props: list[Prop]) -> None:
    """Hedges and fences in stretches, with bushes and benches between them."""
    if not style.hedges:
        return
    along = float(rng.uniform(0, 20))
    while along < walk.length_m:
        long = float(rng.uniform(12, 40))
        if rng.uniform() < style.hedges * 1.6:
            kind = ("hedge", 3) if rng.uniform() < 0.6 else ("fence", 2)
            stretch = Walk(walk.points_m[int(along) :], walk.outward[int(along) :], walk.length_m - int(along))
            long = min(long, stretch.length_m)
            part = Walk(stretch.points_m[: int(long) + 1], stretch.outward[: int(long) + 1], int(long))
            if part.length_m > HEDGE_M:
                _along(part, HEDGE_M, 2.6, kind, 0.95, lots, terrain, rng, props)
        along += long + float(rng.uniform(3, 10))


def _along(
    walk: Walk, piece_m: float, out_m: float, kind: tuple[str, int], share: float, lots, terrain, rng, props
) -> None:
    """Pieces end to end along the way, in one variant."""
    variant = int(rng.integers(kind[1]))
    for along in np.arange(piece_m / 2, walk.length_m, piece_m):
        if rng.uniform() < share:
            x, y, yaw = walk.at(along, out_m)
            if lots.claim(rectangle(x, y, yaw, 0.3, 0.3, piece_m / 2 - 0.2), clear_m=1.3):
                props.append(_prop(kind[0], variant, x, y, yaw, terrain))


def _strew(style: Style, coverage: Coverage, lots: Lots, terrain: Terrain, rng, props: list[Prop]) -> None:
    """Blocks of flats and trees, in clumps, on the land between the roads."""
    rows, columns = terrain.shape
    (x0, y0), (x1, y1) = (
        terrain.nodes_m(slice(k, k + 1), slice(j, j + 1))[0, 0, :2] for k, j in ((0, 0), (rows - 1, columns - 1))
    )
    spot = rng.uniform(0, 100, 2)
    for y in np.arange(y0 + 5, y1 - 5, 32.0):
        for x in np.arange(x0 + 5, x1 - 5, 42.0):
            if rng.uniform() < style.blocks:
                _block(float(x + rng.uniform(-8, 8)), float(y + rng.uniform(-8, 8)), lots, terrain, rng, props)
    every = style.strewn_every_m
    for y in np.arange(y0 + 3, y1 - 3, every):
        for x in np.arange(x0 + 3, x1 - 3, every):
            at = np.array([x, y]) + rng.uniform(-0.45, 0.45, 2) * every
            wooded = np.sin((at[0] + spot[0]) / 37) + np.sin((at[1] + spot[1]) / 29) > -0.2
            if wooded and lots.clearance_m(at) > 5:
                _tree(float(at[0]), float(at[1]), float(rng.uniform(5, 12)), lots, terrain, rng, props)
            elif lots.clearance_m(at) > 4 and rng.uniform() < 0.5 and lots.claim(disc(float(at[0]), float(at[1]), 0.8)):
                variant, size = int(rng.integers(VARIANTS["bush"])), float(rng.uniform(0.8, 2.2))
                bush = _prop("bush", variant, float(at[0]), float(at[1]), 0.0, terrain)
                props.append(bush._replace(spread=1.3 * size, tall=size))


def _block(x: float, y: float, lots: Lots, terrain: Terrain, rng, props: list[Prop]) -> None:
    variant = int(rng.integers(VARIANTS["block"]))
    yaw = float(rng.integers(4)) * np.pi / 2
    ground = rectangle(x, y, yaw, 1.0, BLOCK_DEPTH_M + 1, house_width_m("block", variant) / 2 + 1)
    if np.ptp(terrain.at(ground[::20])) < 2 and lots.claim(ground, clear_m=16.0):
        props.append(_prop("block", variant, x, y, yaw, terrain))


def _prop(kind: str, variant: int, x: float, y: float, yaw: float, terrain: Terrain) -> Prop:
    return Prop(kind, variant, x, y, float(terrain.at(np.array([x, y]))), yaw)
