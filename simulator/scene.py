"""A scene: everything a simulator needs to show a street once, and nothing that only one simulator knows.

Frame of reference ('level frame'): the origin lies on the ground below the camera; x right, z forward, both
horizontal, metres. An actor stands at (x_m, z_m), its underside `lift_m` over the ground; `yaw_rad` is KITTI's
rotation_y: 0 heads to the right, -pi/2 heads away from the camera. The camera looks along +z from `height_m`,
turned down by `pitch_deg`. The ground is flat.
"""

import hashlib
import json
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal

from dataset.schema import Camera

# What the simulator can put into a labelled role. A data set's category names are mapped onto these by config.
ACTOR_ASSETS = (
    "car", "van", "truck", "bus", "tram", "motorcyclist", "cyclist", "pedestrian", "traffic_light", "traffic_sign",
)  # fmt: skip
# What it can put in the way, or where a detector saw something that was not there.
CLUTTER_ASSETS = ("pole", "bin", "bollard", "bush", "tree", "container", "barrier", "billboard", "hydrant", "kiosk")
PLACES = ("urban", "suburb", "highway", "country", "junction", "car_park")
ASSET_SETS = ("default", "stand-in")  # stand-in: other shapes, paints and facades, for the demo's 'real' world


@dataclass(frozen=True)
class Actor:
    """A thing that stands in the scene. `category` is the label it gets; None for clutter, which gets none."""

    asset: str
    x_m: float
    z_m: float
    yaw_rad: float
    dimensions_hwl_m: tuple[float, float, float]
    category: str | None = None
    lift_m: float = 0.0
    appearance_seed: int = 0  # shape variant, paint, clothing


@dataclass(frozen=True)
class SceneCamera:
    """The camera that takes the picture: intrinsics, size, pose, and how its lens distorts (0: a pinhole)."""

    intrinsics: Camera
    width_px: int
    height_px: int
    radial_k1: float = 0.0  # Brown and Conrady's, as OpenCV has it; below 0 the picture bulges (barrel)
    radial_k2: float = 0.0


@dataclass(frozen=True)
class CameraResponse:
    """What lens, sensor and file format do to the light. Neutral by default; every draw is recorded here."""

    exposure_ev: float = 0.0
    contrast: float = 1.0
    saturation: float = 1.0
    temperature_k: float = 6500.0  # white balance; above 6500 the picture turns blue
    noise_sigma: float = 0.008  # at mid grey, of full scale
    blur_px: float = 0.4  # Gaussian sigma
    vignetting: float = 0.1  # loss of light in the corners, 0-1
    jpeg_quality: int = 95
    tone_hardness: float = 0.0  # 0 film's toe and shoulder; 1 a cheap sensor's: white skies, blocked-up blacks
    exposure_s: float = 0.0  # how long the shutter is open, the labels' instant in its middle; 0: not told
    speed_mps: float = 0.0  # of the camera along the ground, the way it looks
    yaw_rate_dps: float = 0.0  # positive turns to the right
    chromatic_aberration: float = 0.0  # red is magnified by this share about the axis, blue made smaller by as much

    @property
    def moves(self) -> bool:
        """Whether the camera moves while the shutter is open."""
        return self.exposure_s > 0 and (self.speed_mps != 0 or self.yaw_rate_dps != 0)


RAIN_VISIBILITY_M = 1500.0  # in the heaviest rain
SNOW_VISIBILITY_M = 500.0  # in the heaviest snowfall


@dataclass(frozen=True)
class Environment:
    """Light and weather."""

    sun_altitude_deg: float = 45.0  # below 0 is night: lamps are lit
    sun_azimuth_deg: float = 120.0  # 0 in front of the camera, 90 to its right
    cloudiness: float = 0.2  # 0 clear, 1 overcast
    visibility_m: float = 5000.0  # meteorological: contrast falls to 5%
    wetness: float = 0.0  # 0 dry, 1 puddles that mirror
    rain: float = 0.0  # falling, 0-1
    snow: float = 0.0  # falling and lying, 0-1

    @property
    def visibility_in_rain_and_snow_m(self) -> float:
        """`visibility_m`, or what falling rain and snow leave of it."""
        in_rain, in_snow = RAIN_VISIBILITY_M / max(self.rain, 1e-9), SNOW_VISIBILITY_M / max(self.snow, 1e-9)
        return min(self.visibility_m, in_rain, in_snow)

    @property
    def time_of_day(self) -> str:
        return "night" if self.sun_altitude_deg < -4 else "dusk" if self.sun_altitude_deg < 8 else "day"

    @property
    def weather(self) -> str:
        if self.snow > 0.05:
            return "snow"
        if self.rain > 0.05:
            return "rain"
        if self.visibility_m < 600:
            return "fog"
        return "overcast" if self.cloudiness > 0.6 else "clear"


@dataclass(frozen=True)
class MapSpot:
    """Where the camera stands on an OpenDRIVE map: the ground below it and the way it looks, in the map's frame."""

    file: str
    x_m: float
    y_m: float
    z_m: float
    heading_rad: float  # counter-clockwise from the map's +x


@dataclass(frozen=True)
class Place:
    """The street: its kind, road and what lines it. The road of a car park is the aisle between its bays.

    Nothing of it stands within `clear_half_width_m` of the camera's axis up to `clear_depth_m`, nor between the
    camera and an actor. A bridge or a wire may pass over both, where it hides no actor.
    """

    kind: Literal["urban", "suburb", "highway", "country", "junction", "car_park"] = "urban"
    lane_count: int = 2
    lane_width_m: float = 3.4
    camera_offset_m: float = 1.7  # camera to the right of the road's centre line
    road_yaw_deg: float = 0.0  # road's heading against the camera's axis, positive to the right
    curvature_per_m: float = 0.0  # positive bends to the right
    clear_half_width_m: float = 9.0
    clear_depth_m: float = 120.0
    crossing_m: float = 28.0  # of a junction: where along the road the middle of the crossing road is
    seed: int = 0
    map: MapSpot | None = None  # on a real map: road and scenery are the map's, and nothing is kept clear


@dataclass(frozen=True)
class Request:
    """The failure a scene answers: how the target must look in the picture, and how far off it may be.

    `actor_index` is the target in `Scene.actors`. For clutter the target has no label: only the box is checked.
    """

    failure_id: str
    kind: str
    actor_index: int
    box_xyxy_px: tuple[float, float, float, float]  # visible part, clipped to the image
    occlusion: float
    truncation: float
    min_iou: float = 0.7
    max_occlusion_error: float = 0.15
    max_truncation_error: float = 0.15


@dataclass(frozen=True)
class Scene:
    """One street, one moment, one camera; hashable, and the same picture every time it is rendered."""

    camera: SceneCamera
    actors: tuple[Actor, ...] = ()
    place: Place = field(default_factory=Place)
    environment: Environment = field(default_factory=Environment)
    response: CameraResponse = field(default_factory=CameraResponse)
    asset_set: str = "default"
    seed: int = 0
    request: Request | None = None

    @property
    def scene_id(self) -> str:
        """Digest of the whole description: two scenes with one id are the same scene."""
        return hashlib.sha256(self.to_json().encode()).hexdigest()[:16]

    def to_json(self) -> str:
        return json.dumps(asdict(self), sort_keys=True, separators=(",", ":"))

    @staticmethod
    def from_json(text: str) -> "Scene":
        raw: dict[str, Any] = json.loads(text)
        camera = raw["camera"]
        request = raw["request"]
        return Scene(
            camera=SceneCamera(**camera | {"intrinsics": Camera(**camera["intrinsics"])}),
            actors=tuple(Actor(**a | {"dimensions_hwl_m": tuple(a["dimensions_hwl_m"])}) for a in raw["actors"]),
            place=_place(raw["place"]),
            environment=Environment(**raw["environment"]),
            response=CameraResponse(**raw["response"]),
            asset_set=raw["asset_set"],
            seed=raw["seed"],
            request=None if request is None else Request(**request | {"box_xyxy_px": tuple(request["box_xyxy_px"])}),
        )

    def with_seed(self, seed: int) -> "Scene":
        return replace(self, seed=seed)


def _place(raw: dict[str, Any]) -> Place:
    spot: Any = raw.get("map")  # scenes saved before there were maps have none
    fields: dict[str, Any] = raw | {"map": None if spot is None else MapSpot(**spot)}
    return Place(**fields)
