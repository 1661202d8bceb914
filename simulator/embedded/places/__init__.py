"""Streets made in code: one Mesh of scenery for the Place of a scene.

mesh = place_mesh(scene.place, footprints_of_actors, scene.asset_set, night)
"""

from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from dataset.errors import InputError
from simulator.embedded.mesh import Mesh
from simulator.embedded.places import kinds
from simulator.embedded.places.car_park import car_park
from simulator.embedded.places.clearance import Clearance, Footprint
from simulator.embedded.places.junction import junction
from simulator.embedded.places.road import Road
from simulator.embedded.places.site import Site
from simulator.scene import ASSET_SETS, PLACES, Place

__all__ = ["Footprint", "place_mesh"]

BUILDERS = {
    "urban": kinds.urban,
    "suburb": kinds.suburb,
    "highway": kinds.highway,
    "country": kinds.country,
    "junction": junction,
    "car_park": car_park,
}


def place_mesh(place: Place, keep_clear: Sequence[Footprint], asset_set: str, night: bool) -> Mesh:
    """The street without its actors, in the world frame (X right, Y forward, Z up; the camera above 0, 0).

    Ground, road, buildings, plants and street lamps from 20 m behind the camera to the horizon, with CARLA's tags;
    no vehicles, people, signs or traffic lights. Nothing that rises above the pavement stands on a footprint of
    `keep_clear`, between one and the camera, or in the strip that the place keeps clear. At night lamps shine and
    some windows are lit. The same arguments give the same mesh. Do not write into its arrays.
    """
    if place.kind not in PLACES:
        raise InputError("place", f"kind '{place.kind}' is not one of {', '.join(PLACES)}", "use one of these")
    if asset_set not in ASSET_SETS:
        raise InputError("scene", f"asset set '{asset_set}' is not one of {', '.join(ASSET_SETS)}", "use one of these")
    return _built(place, tuple(keep_clear), asset_set, night)


@lru_cache(maxsize=8)
def _built(place: Place, keep_clear: tuple[Footprint, ...], asset_set: str, night: bool) -> Mesh:
    rng = np.random.default_rng([place.seed, PLACES.index(place.kind)])
    site = Site(Road(place), Clearance(place, keep_clear), asset_set, night, rng)
    BUILDERS[place.kind](site)
    return site.mesh()
