"""What pavements of towns are full of and no data set labels, scattered where it hides nothing."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from simulator.embedded.places import kerbside, shop_fronts
from simulator.embedded.places.site import Frame, Site

NEAREST_M = 6.0  # along the road: what is nearer would fill the picture's edge


class Thing(NamedTuple):
    """A builder, the radius it stays within, and how often it is drawn."""

    build: Callable[[Site, Frame], None]
    radius_m: float
    weight: float = 1.0

    def times(self, weight: float) -> "Thing":
        return self._replace(weight=weight)


BUS_SHELTER = Thing(kerbside.bus_shelter, 2.55)
POST_BOX = Thing(kerbside.post_box, 0.35)
BINS = Thing(kerbside.bins, 1.7)
SKIP = Thing(kerbside.skip, 2.1)
HOARDING = Thing(kerbside.hoarding, 4.2)
SHRUBS = Thing(shop_fronts.shrubs, 1.9)
AT_THE_KERB = (
    BUS_SHELTER,
    Thing(kerbside.bicycle_racks, 2.0, 1.2),
    Thing(kerbside.phone_box, 0.7, 0.6),
    POST_BOX,
    Thing(kerbside.advertising_column, 0.75, 0.6),
    Thing(kerbside.kerb_railing, 4.1, 1.5),
    Thing(kerbside.bollards, 3.2, 1.5),
    BINS,
    SKIP.times(0.4),
    HOARDING.times(0.5),
)
AT_THE_HOUSES = (
    Thing(shop_fronts.a_board, 0.5, 1.2),
    Thing(shop_fronts.cafe_tables, 2.5, 1.2),
    Thing(shop_fronts.market_stall, 2.1, 0.7),
    Thing(shop_fronts.goods_before_a_shop, 2.0, 1.5),
    BINS,
    SHRUBS.times(0.8),
)
IN_SUBURBS = (
    BINS.times(2.0),
    BUS_SHELTER.times(0.5),
    POST_BOX,
    SHRUBS.times(3.0),
    SKIP.times(0.5),
    HOARDING.times(0.4),
)


def furnish(
    site: Site, things: tuple[Thing, ...], distance_m: float, tries: int, gaps: Sequence[tuple[float, float]]
) -> None:
    """Up to `tries` of the things along both sides, more of them near the camera, none in another or in the way.

    `gaps` along the road are the mouths of side roads: nothing stands there. What stands already stays as it is; what
    is settled afterwards makes way.
    """
    site = site.drawing_apart()
    rng, weight = site.rng, np.array([one.weight for one in things])
    chosen = rng.choice(len(things), tries, p=weight / weight.sum())
    s, side = np.exp(rng.uniform(np.log(NEAREST_M), np.log(95.0), tries)), rng.choice([-1, 1], tries)
    radius = np.array([things[i].radius_m for i in chosen])
    at = site.road.point_m(s, side * distance_m)
    yaw = site.road.yaw_rad(s) + side * np.pi / 2
    off_gaps = np.ones(tries, bool)
    for low, high in gaps:
        off_gaps &= (s + radius < low) | (s - radius > high)
    for i in np.flatnonzero(site.clear.free(at, radius) & off_gaps):
        if site.clear.untaken(at[i], radius[i]):
            things[chosen[i]].build(site, Frame(at[i], float(yaw[i])))
            site.clear.take(at[i], radius[i])
