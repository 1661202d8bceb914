"""Everything that can stand in a street, made in code: one Mesh for an actor of a scene.

mesh = actor_mesh(actor, scene.asset_set)          # model frame, exactly as large as actor.dimensions_hwl_m
post = support_mesh(actor)                         # what holds up a lifted head or plate; scenery, not actor
"""

from collections.abc import Callable
from functools import lru_cache

from dataset.errors import InputError
from simulator.embedded.assets import (
    boxes_on_pavements,
    cars,
    sitting,
    street_furniture,
    traffic,
    trucks,
    two_wheelers,
    vegetation,
)
from simulator.embedded.assets.shapes import fitted
from simulator.embedded.mesh import Mesh
from simulator.scene import ASSET_SETS, Actor

Maker = Callable[[int, str, tuple[float, float, float]], Mesh]
MAKERS: dict[str, Maker] = {
    "car": cars.car,
    "van": cars.van,
    "truck": trucks.truck,
    "bus": trucks.bus,
    "tram": trucks.tram,
    "motorcyclist": two_wheelers.motorcyclist,
    "cyclist": two_wheelers.cyclist,
    "pedestrian": sitting.person,
    "traffic_light": traffic.traffic_light,
    "traffic_sign": traffic.traffic_sign,
    "pole": street_furniture.pole,
    "bin": street_furniture.bin_,
    "bollard": street_furniture.bollard,
    "bush": vegetation.bush,
    "tree": vegetation.tree,
    "container": boxes_on_pavements.container,
    "barrier": street_furniture.barrier,
    "billboard": street_furniture.billboard,
    "hydrant": street_furniture.hydrant,
    "kiosk": boxes_on_pavements.kiosk,
}


def actor_mesh(actor: Actor, asset_set: str) -> Mesh:
    """The actor's mesh in its model frame (x forward, y left, z up, origin on the ground under its centre).

    Its bounding box is length x width x height of `actor.dimensions_hwl_m`, z from 0; pose and lift are left to
    the caller. The same for the same asset, appearance_seed, dimensions and asset set. Do not write into its arrays.
    """
    if actor.asset not in MAKERS:
        raise InputError("actor", f"asset '{actor.asset}' is not one of {', '.join(MAKERS)}", "use one of these")
    if asset_set not in ASSET_SETS:
        raise InputError("scene", f"asset set '{asset_set}' is not one of {', '.join(ASSET_SETS)}", "use one of these")
    if not all(0.01 <= side <= 60 for side in actor.dimensions_hwl_m):
        raise InputError(
            f"actor '{actor.asset}'",
            f"dimensions h w l {actor.dimensions_hwl_m} m lie outside 0.01 to 60 m",
            "mend the object's 3D label or the size prior of its category",
        )
    return _made(actor.asset, actor.appearance_seed, asset_set, actor.dimensions_hwl_m)


@lru_cache(maxsize=256)
def _made(asset: str, seed: int, asset_set: str, dimensions_hwl_m: tuple[float, float, float]) -> Mesh:
    return fitted(MAKERS[asset](seed, asset_set, dimensions_hwl_m), dimensions_hwl_m)


def support_mesh(actor: Actor) -> Mesh | None:
    """The post (and arm) of a lifted traffic light or sign, or a sitter's bench, in the actor's model frame.

    Its z counts from the ground: place it at the actor's x, z and yaw with lift 0, as scenery: the label belongs to the
    head, plate or person alone. None where nothing needs holding up.
    """
    if actor.asset == "pedestrian" and actor.lift_m < 0.05 and sitting.sits(actor.dimensions_hwl_m):
        return sitting.bench(actor.dimensions_hwl_m)
    if actor.asset not in ("traffic_light", "traffic_sign") or actor.lift_m < 0.05:
        return None
    return traffic.support(*actor.dimensions_hwl_m, actor.lift_m)
