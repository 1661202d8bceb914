"""Which asset plays which category of the data set, and how large assets are in the real world."""

from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from dataset.errors import InputError
from simulator.scene import ACTOR_ASSETS


class Size(NamedTuple):
    """Typical dimensions of an asset; `spread` is the standard deviation of the logarithm of its scale."""

    height_m: float
    width_m: float
    length_m: float
    spread: float = 0.08

    def draw(self, rng: np.random.Generator) -> tuple[float, float, float]:
        """Dimensions (h, w, l): one common scale, and a little of its own for each."""
        scale = np.exp(np.clip(rng.normal(0, self.spread), -2 * self.spread, 2 * self.spread))
        h, w, length = scale * np.exp(rng.normal(0, 0.03, 3)) * np.array(self[:3])
        return float(h), float(w), float(length)


SIZES: dict[str, Size] = {
    "car": Size(1.53, 1.65, 3.95, 0.07),
    "van": Size(2.15, 1.9, 5.0, 0.12),
    "truck": Size(3.1, 2.4, 8.0, 0.22),
    "bus": Size(3.2, 2.55, 11.5, 0.1),
    "tram": Size(3.5, 2.6, 15.0, 0.12),
    "motorcyclist": Size(1.65, 0.75, 2.1, 0.08),
    "cyclist": Size(1.74, 0.6, 1.77, 0.08),
    "pedestrian": Size(1.74, 0.62, 0.7, 0.08),
    "traffic_light": Size(1.0, 0.35, 0.35, 0.2),
    "traffic_sign": Size(0.75, 0.75, 0.08, 0.2),
}
HUNG_ASSETS = ("traffic_light", "traffic_sign")  # they stand on no ground: their box hangs at `lift_m`
VEHICLE_ASSETS = ("car", "van", "truck", "bus", "tram", "motorcyclist", "cyclist")

# Names as public data sets write them, in lower case with spaces for underscores. An empty cast: left out on purpose.
DEFAULT_CAST: dict[str, dict[str, float]] = {
    "car": {"car": 1.0},
    "vehicle": {"car": 0.8, "van": 0.1, "truck": 0.1},
    "van": {"van": 1.0},
    "truck": {"truck": 1.0},
    "bus": {"bus": 1.0},
    "tram": {"tram": 1.0},
    "train": {"tram": 1.0},
    "person": {"pedestrian": 1.0},
    "pedestrian": {"pedestrian": 1.0},
    "person sitting": {"pedestrian": 1.0},
    "rider": {"cyclist": 0.7, "motorcyclist": 0.3},
    "cyclist": {"cyclist": 1.0},
    "bicyclist": {"cyclist": 1.0},
    "bicycle": {"cyclist": 1.0},
    "bike": {"cyclist": 1.0},
    "motorcycle": {"motorcyclist": 1.0},
    "motorcyclist": {"motorcyclist": 1.0},
    "motobike": {"motorcyclist": 1.0},
    "motorbike": {"motorcyclist": 1.0},
    "motor": {"motorcyclist": 1.0},
    "two wheeler": {"cyclist": 0.5, "motorcyclist": 0.5},
    "traffic light": {"traffic_light": 1.0},
    "trafficlight": {"traffic_light": 1.0},
    "traffic sign": {"traffic_sign": 1.0},
    "trafficsign": {"traffic_sign": 1.0},
    "sign": {"traffic_sign": 1.0},
    "stop sign": {"traffic_sign": 1.0},
    "misc": {},
    "other": {},
}


class CastingConfig(BaseModel):
    """How the data set's categories are played by the simulator's assets."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    assets: dict[str, dict[str, float]] = Field(
        default={},
        description="Category of the data set -> weights of assets: {'vehicle': {'car': 0.8, 'truck': 0.2}}. "
        f"Assets: {', '.join(ACTOR_ASSETS)}. An empty list leaves the category out. Common names are known already.",
    )
    unmapped: Literal["error", "exclude"] = Field(
        default="error", description="What to do with a category that no asset is known for: stop, or leave it out."
    )


class Casting:
    """The cast of one data set: categories that can be shown, and by what."""

    def __init__(self, categories: Sequence[str], config: CastingConfig):
        """Raises InputError for an unknown category (unless excluded) or asset."""
        self.categories = tuple(categories)
        told = {_plain(name): cast for name, cast in config.assets.items()}
        self._cast: dict[str, dict[str, float]] = {}
        for category in self.categories:
            cast = told.get(_plain(category), DEFAULT_CAST.get(_plain(category)))
            if cast is None and config.unmapped == "error":
                raise InputError(
                    f"category {category!r}",
                    f"no asset is known for it; the simulator has {', '.join(ACTOR_ASSETS)}",
                    f"map it in simulator.recreate.casting.assets, as {{{category!r}: {{'car': 1.0}}}}, "
                    "or set simulator.recreate.casting.unmapped to 'exclude'",
                )
            self._cast[category] = {asset: weight for asset, weight in (cast or {}).items() if weight > 0}
            for asset in self._cast[category]:
                if asset not in ACTOR_ASSETS:
                    where = f"simulator.recreate.casting.assets[{category!r}]"
                    raise InputError(where, f"no asset {asset!r}", f"use one of {', '.join(ACTOR_ASSETS)}")

    def assets(self, category: str) -> dict[str, float]:
        """Weights of the assets that play a category; empty where it is left out."""
        return self._cast[category]

    def draw_asset(self, category: str, rng: np.random.Generator) -> str:
        """One asset for a category that is not left out, by the weights alone."""
        cast = self._cast[category]
        weights = np.array(list(cast.values()))
        return str(rng.choice(list(cast), p=weights / weights.sum()))

    def size(self, category: str) -> Size | None:
        """Mean size of what plays a category, its spread that of the mixture's heights; None where it is left out."""
        cast = self._cast[category]
        if not cast:
            return None
        weights = np.array(list(cast.values())) / sum(cast.values())
        sizes = np.array([SIZES[asset] for asset in cast])
        mean = weights @ sizes
        between = weights @ (np.log(sizes[:, 0]) - weights @ np.log(sizes[:, 0])) ** 2
        spread = float(np.sqrt(weights @ sizes[:, 3] ** 2 + between))
        return Size(float(mean[0]), float(mean[1]), float(mean[2]), spread)

    def hangs(self, category: str) -> bool:
        """Whether a category is played by what hangs over the ground."""
        return any(asset in HUNG_ASSETS for asset in self._cast[category])

    def category_of(self, asset: str) -> str | None:
        """The category that an asset is labelled as when it turns up by itself; None when nothing fits."""
        weights = {category: cast.get(asset, 0.0) for category, cast in self._cast.items()}
        best = max(weights, key=lambda category: weights[category], default=None)
        return best if best is not None and weights[best] > 0 else None


def _plain(name: str) -> str:
    return name.strip().lower().replace("_", " ").replace("-", " ")
