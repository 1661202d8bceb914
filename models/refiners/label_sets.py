"""The numberings of semantic label maps, and what a simulator's tag is called in each of them.

A generator that learned to paint one set's labels can so paint CARLA's tags, as far as the set has a word for them.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from dataset.errors import InputError

from .pictures import require_known_ids

LabelSetName = Literal["carla", "cityscapes", "camvid", "idd_lite"]


def _ids(names: str) -> dict[int, str]:
    return dict(enumerate(names.split()))


# What each of CARLA's tags (0.9.14 and later, in their order) is called in the other sets.
# CamVid's eleven classes are SegNet's: walls and bridges are buildings, grass is tree, lights are signs, all
# four-wheeled traffic is car, motorcycles are bicyclists. IDD Lite has groups: a rider is living, what is ridden a
# vehicle; far is what bounds the view, roadside what stands between it and the road.
CARLA_AS: tuple[tuple[str, str, str, str], ...] = (
    # CARLA          Cityscapes       CamVid        IDD Lite
    ("unlabelled", "unlabelled", "void", "void"),
    ("road", "road", "road", "drivable"),
    ("pavement", "pavement", "pavement", "non_drivable"),
    ("building", "building", "building", "far"),
    ("wall", "wall", "building", "roadside"),
    ("fence", "fence", "fence", "roadside"),
    ("pole", "pole", "pole", "roadside"),
    ("traffic_light", "traffic_light", "sign", "roadside"),
    ("traffic_sign", "traffic_sign", "sign", "roadside"),
    ("vegetation", "vegetation", "tree", "far"),
    ("terrain", "terrain", "tree", "non_drivable"),
    ("sky", "sky", "sky", "sky"),
    ("pedestrian", "person", "pedestrian", "living"),
    ("rider", "rider", "bicyclist", "living"),
    ("car", "car", "car", "vehicle"),
    ("truck", "truck", "car", "vehicle"),
    ("bus", "bus", "car", "vehicle"),
    ("train", "train", "car", "vehicle"),
    ("motorcycle", "motorcycle", "bicyclist", "vehicle"),
    ("bicycle", "bicycle", "bicyclist", "vehicle"),
    ("static", "static", "void", "roadside"),
    ("dynamic", "dynamic", "void", "roadside"),
    ("other", "unlabelled", "void", "void"),
    ("water", "unlabelled", "void", "non_drivable"),
    ("road_line", "road", "road", "drivable"),
    ("ground", "ground", "pavement", "non_drivable"),
    ("bridge", "bridge", "building", "far"),
    ("rail_track", "rail_track", "road", "non_drivable"),
    ("guard_rail", "guard_rail", "fence", "roadside"),
)
COLUMNS: dict[LabelSetName, int] = {"carla": 0, "cityscapes": 1, "camvid": 2, "idd_lite": 3}

# Names by label id. Cityscapes: labelIds, of which 255 is the licence plate (-1).
LABELS: dict[LabelSetName, dict[int, str]] = {
    "carla": {tag: row[0] for tag, row in enumerate(CARLA_AS)},
    "cityscapes": _ids(
        "unlabelled ego_vehicle rectification_border out_of_region static dynamic ground road pavement parking "
        "rail_track building wall fence guard_rail bridge tunnel pole pole_group traffic_light traffic_sign "
        "vegetation terrain sky person rider car truck bus caravan trailer train motorcycle bicycle"
    )
    | {255: "licence_plate"},
    "camvid": _ids("sky building pole road pavement tree sign fence car pedestrian bicyclist void"),
    "idd_lite": _ids("drivable non_drivable living vehicle roadside far sky") | {255: "void"},
}


@dataclass(frozen=True)
class Planes:
    """Label ids as one plane each: what a generator reads. `plane_of[id]` is -1 where the id is unknown."""

    count: int
    plane_of: np.ndarray  # (256,) int64

    def __call__(self, semantic: np.ndarray, where: str) -> Tensor:
        """(B, H, W) integers 0-255 -> (B, count, H, W) float32, 1 in the plane of the label and 0 in the others.

        InputError naming `where` and the ids that are unknown.
        """
        index = self.plane_of[semantic]
        if index.size and index.min() < 0:
            require_known_ids(semantic, np.flatnonzero(self.plane_of >= 0).tolist(), where)
        return torch.nn.functional.one_hot(torch.from_numpy(index), self.count).permute(0, 3, 1, 2).float()


def planes(labels: LabelSetName, given: LabelSetName | None = None) -> Planes:
    """The planes of a set's labels, read from maps in the numbering `given` (the set's own by default).

    InputError where ids of `given` have no meaning in the set: only CARLA's tags are known by other names.
    """
    own = {name: plane for plane, name in enumerate(LABELS[labels].values())}
    if given is None or given == labels:
        names = LABELS[labels]
    elif given == "carla":
        names = {tag: row[COLUMNS[labels]] for tag, row in enumerate(CARLA_AS)}
    else:
        known = " or ".join(dict.fromkeys(["carla", labels]))
        raise InputError("source_labels", f"maps of {given} cannot be read as {labels}", f"give maps of {known}")
    plane_of = np.full(256, -1, np.int64)
    for label, name in names.items():
        plane_of[label] = own[name]
    return Planes(len(own), plane_of)


def numbered(count: int) -> Planes:
    """Planes of ids 0 to count - 1, as a palette numbers its colours."""
    return Planes(count, np.where(np.arange(256) < count, np.arange(256), -1))


def shown(index: np.ndarray) -> np.ndarray:
    """(H, W) plane numbers -> (H, W, 3) uint8, a colour each, to look at."""
    number = np.arange(256)
    hue = (number * 0.618) % 1  # golden section: neighbours differ
    wheel = np.abs((hue[:, None] * 6 + np.array([0, 4, 2])) % 6 - 3) - 1
    light = np.array([0.5, 0.75, 1.0])[number // 4 % 3][:, None]  # and so do those whose hues come near again
    return (255 * light * np.clip(wheel, 0.15, 1)).astype(np.uint8)[index]
