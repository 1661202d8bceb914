"""Domain randomisation: the same question on another street, at another hour, through another camera.

Every draw ends up in the scene. What the scene is about (camera intrinsics, the actors there are, the request) stays.
"""

from collections.abc import Sequence
from dataclasses import replace
from math import inf
from typing import Annotated, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from simulator.casting import VEHICLE_ASSETS, Casting, CastingConfig
from simulator.clutter import CLUTTER_SIZES
from simulator.junction import CROSSING_M, crossing_of, suits
from simulator.ranges import Range, within
from simulator.road import half_width_m
from simulator.scene import Actor, CameraResponse, Environment, Place, Scene
from simulator.traffic import add_traffic, labelled_mix

# Lanes that a road of each kind may have, and how wide they are.
LANES: dict[str, tuple[tuple[int, ...], tuple[float, float]]] = {
    "urban": ((2, 2, 3, 4), (2.9, 3.5)),
    "suburb": ((2, 2, 2), (2.8, 3.4)),
    "highway": ((4, 6), (3.4, 3.8)),
    "country": ((2, 2), (2.9, 3.6)),
    "junction": ((2, 2, 4), (2.9, 3.5)),
    "car_park": ((2,), (2.8, 3.3)),
}
PlaceKind = Literal["urban", "suburb", "highway", "country", "junction", "car_park"]
# Of the drawn speed; on a map, which may be a town's or a motorway's, all of it.
PACE: dict[PlaceKind, float] = {
    "urban": 0.6, "suburb": 0.6, "highway": 1.5, "country": 1.0, "junction": 0.5, "car_park": 0.15,
}  # fmt: skip
# Logarithms of exposures lie so many times as densely near the longest as evenly spread ones would.
LONG_EXPOSURES = {"day": 0.5, "dusk": 1.0, "night": 2.0}
# How far into `tone_hardness` is drawn: at night a hard curve leaves near cars in one's own beam as white shapes.
HARDEST = {"day": 1.0, "dusk": 0.7, "night": 0.35}
SHORTEST_S = 1e-6  # of exposures; they are drawn by their logarithms


class RandomisationConfig(BaseModel):
    """Ranges and shares that scenes are drawn from. Shares need not add up to 1."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    time_of_day: dict[Literal["day", "dusk", "night"], float] = Field(
        default={"day": 0.7, "dusk": 0.15, "night": 0.15}, description="Shares of the hours."
    )
    weather: dict[Literal["clear", "overcast", "fog", "rain", "snow"], float] = Field(
        default={"clear": 0.45, "overcast": 0.3, "fog": 0.1, "rain": 0.15},
        description="Shares of the weather. Snow falls and lies where it is named; CARLA has none.",
    )
    places: dict[PlaceKind, float] = Field(
        default={"urban": 0.35, "suburb": 0.28, "highway": 0.09, "country": 0.12, "junction": 0.1, "car_park": 0.06},
        description="Shares of street kinds. A failure is shown on a car park never, on a junction where it fits. "
        "CARLA's towns have neither: there junctions count as urban, car parks as suburb.",
    )
    fog_visibility_m: Range = Field(default=(80, 500), description="How far one sees in fog.")
    exposure_ev: Range = Field(default=(-0.7, 0.7), description="Camera exposure, in stops.")
    contrast: Range = Field(default=(0.85, 1.2), description="Camera contrast, as a factor.")
    saturation: Range = Field(default=(0.6, 1.3), description="Camera colour saturation, as a factor.")
    temperature_k: Range = Field(default=(5200, 7800), description="White balance.")
    noise_sigma: Range = Field(default=(0.003, 0.02), description="Sensor noise at mid grey, of full scale.")
    # Photographs, scaled down, are softer than renders: chosen in a short trial, see docs/experiments/transfer.md
    blur_px: Range = Field(default=(0.2, 1.5), description="Lens blur, Gaussian sigma.")
    vignetting: Range = Field(default=(0.0, 0.25), description="Loss of light in the corners.")
    jpeg_quality: Range = Field(default=(75, 98), description="Quality of the file's compression.")
    # Of KITTI's and CamVid's pictures a tenth is burnt out (luma 250 and more); of renders by day 0.1% at 0, 9% at 1.
    tone_hardness: Annotated[Range, within(0, 1)] = Field(
        default=(0.0, 1.0),
        description="Tone curve: 0 film's long shoulder, 1 white skies and blocked-up blacks; at night a third.",
    )
    chromatic_aberration: Annotated[Range, within(-0.05, 0.05)] = Field(
        default=(-0.003, 0.003),
        description="Share by which the lens magnifies red more and blue less: 0.003 is 1 px at the corner of 640x192.",
    )
    speed_mps: Annotated[Range, within(0, inf)] = Field(
        default=(0.0, 20.0),
        description="How fast the camera drives on country roads: it blurs what is near. On highways 1.5 times as "
        "fast, in towns 0.6, at junctions 0.5, on car parks 0.15.",
    )
    yaw_rate_dps: Range = Field(default=(-10.0, 10.0), description="How fast it turns; mostly near the middle.")
    exposure_s: Annotated[Range, within(SHORTEST_S, 1)] = Field(
        default=(1 / 1000, 1 / 60), description="How long the shutter is open; by day mostly short, at night long."
    )
    extra_traffic: Range = Field(default=(0, 6), description="Further road users beside those of the real frame.")
    extra_clutter: Range = Field(default=(0, 4), description="Bins, poles, bushes and the like beside the road.")
    traffic_mix: dict[str, float] = Field(
        default={
            "car": 0.6,
            "van": 0.08,
            "truck": 0.06,
            "bus": 0.02,
            "motorcyclist": 0.04,
            "cyclist": 0.07,
            "pedestrian": 0.13,
        },
        description="Shares of the assets in further traffic. Only what the data set labels is used.",
    )
    traffic_distance_m: Range = Field(default=(5, 80), description="Where further traffic stands, from the camera.")


def randomise(
    scene: Scene,
    categories: Sequence[str],
    casting: CastingConfig,
    config: RandomisationConfig,
    rng: np.random.Generator,
) -> Scene:
    """The scene on another street, with other light, weather, camera response and further traffic."""
    environment = draw_environment(config, rng)
    response = draw_response(config, environment, rng)
    target = None if scene.request is None else scene.request.actor_index
    place = place_for(scene.actors, _choice(config.places, rng), rng, target=target)
    pairs, shares = labelled_mix(Casting(categories, casting), config.traffic_mix)
    count = int(rng.integers(int(config.extra_traffic[0]), int(config.extra_traffic[1]) + 1)) if pairs else 0
    wanted: list[tuple[str, str | None]] = [pairs[int(rng.choice(len(pairs), p=shares))] for _ in range(count)]
    wanted += draw_clutter(config, rng)
    actors = add_traffic(
        scene.camera,
        place,
        scene.actors,
        wanted,
        rng,
        reach_m=config.traffic_distance_m,
        target=target,
    )
    return replace(scene, actors=actors, place=place, environment=environment, response=at_pace_of(place, response))


def draw_environment(config: RandomisationConfig, rng: np.random.Generator) -> Environment:
    """Sun and weather: first the kind of hour and weather, then their figures within the kind."""
    hour, weather = _choice(config.time_of_day, rng), _choice(config.weather, rng)
    altitude = {"day": (10, 65), "dusk": (-3.5, 7.5), "night": (-30, -6)}[hour]
    cloudiness = {
        "clear": (0.0, 0.5),
        "overcast": (0.65, 1.0),
        "fog": (0.3, 1.0),
        "rain": (0.7, 1.0),
        "snow": (0.75, 1.0),
    }
    visibility = {
        "clear": (3000, 20000),
        "overcast": (1500, 10000),
        "fog": config.fog_visibility_m,
        "rain": (700, 4000),
        "snow": (500, 4000),
    }
    wetness = {"clear": (0.0, 0.1), "overcast": (0.0, 0.3), "fog": (0.0, 0.5), "rain": (0.5, 1.0), "snow": (0.1, 0.6)}
    return Environment(
        sun_altitude_deg=_uniform(altitude, rng),
        sun_azimuth_deg=_uniform((0, 360), rng),
        cloudiness=_uniform(cloudiness[weather], rng),
        visibility_m=float(np.exp(_uniform(tuple(np.log(visibility[weather])), rng))),
        wetness=_uniform(wetness[weather], rng),
        rain=_uniform((0.15, 1.0), rng) if weather == "rain" else 0.0,
        snow=_uniform((0.3, 1.0), rng) if weather == "snow" else 0.0,
    )


def draw_response(config: RandomisationConfig, environment: Environment, rng: np.random.Generator) -> CameraResponse:
    """Of a camera on a country road: `at_pace_of` tells its speed elsewhere."""
    response = CameraResponse(
        exposure_ev=_uniform(config.exposure_ev, rng),
        contrast=_uniform(config.contrast, rng),
        saturation=_uniform(config.saturation, rng),
        temperature_k=_uniform(config.temperature_k, rng),
        noise_sigma=_uniform(config.noise_sigma, rng),
        blur_px=_uniform(config.blur_px, rng),
        vignetting=_uniform(config.vignetting, rng),
        jpeg_quality=round(_uniform(config.jpeg_quality, rng)),
    )
    # A stream of its own for what came later: what else is drawn for a seed stays what it was.
    later = rng.spawn(1)[0]
    darkness = LONG_EXPOSURES[environment.time_of_day]
    shortest, longest = config.exposure_s
    softest, hardest = config.tone_hardness
    return replace(
        response,
        tone_hardness=_uniform((softest, softest + HARDEST[environment.time_of_day] * (hardest - softest)), later),
        speed_mps=_uniform(config.speed_mps, later),
        yaw_rate_dps=_peaked(config.yaw_rate_dps, later),
        chromatic_aberration=_uniform(config.chromatic_aberration, later),
        exposure_s=shortest * (longest / shortest) ** float(later.random() ** (1 / darkness)),
    )


def at_pace_of(place: Place, response: CameraResponse) -> CameraResponse:
    """The response of a camera that drives as fast as one does there. A factor, so that no draw is moved."""
    pace = 1.0 if place.map is not None else PACE[place.kind]
    return replace(response, speed_mps=response.speed_mps * pace)


def draw_clutter(config: RandomisationConfig, rng: np.random.Generator) -> list[tuple[str, str | None]]:
    count = int(rng.integers(int(config.extra_clutter[0]), int(config.extra_clutter[1]) + 1))
    return [(str(rng.choice(list(CLUTTER_SIZES))), None) for _ in range(count)]


def draw_place(kind: PlaceKind, rng: np.random.Generator, *, own_lane: int | None = None) -> Place:
    """A street of a kind, the camera in a lane that leads away: `own_lane` counts from the rightmost (None: drawn)."""
    lanes, widths_m = LANES[kind]
    lane_count = int(rng.choice(lanes))
    width = _uniform(widths_m, rng)
    away = lane_count // 2 if lane_count > 1 else 1
    lane = lane_count - 1 - (int(rng.integers(away)) if own_lane is None else min(own_lane, away - 1))
    offset = (lane - (lane_count - 1) / 2) * width + rng.normal(0, 0.2)
    return Place(
        kind=kind,
        lane_count=lane_count,
        lane_width_m=width,
        camera_offset_m=float(offset),
        # To the right kerb. That nothing hides an actor is ensured for each by itself: a wider strip would only empty
        # the pavements.
        clear_half_width_m=max(lane_count * width / 2 - float(offset), 1.2),
        clear_depth_m=40.0,
        seed=int(rng.integers(2**31)),
        crossing_m=float(np.exp(_uniform(tuple(np.log(CROSSING_M)), rng))) if kind == "junction" else Place.crossing_m,
    )


def place_for(
    actors: Sequence[Actor], kind: PlaceKind, rng: np.random.Generator, *, target: int | None = None
) -> Place:
    """A street that suits the actors there are: it runs their way, and its lanes reach under its vehicles.

    A car park would need a bay under each of them, which no real frame's traffic grants: it becomes a suburb. A
    junction stays one where a vehicle crosses the camera's way: the crossing road lies under the target (its index) or
    the nearest that does. Where another that is square to the road would stand off it, the junction becomes urban.
    """
    vehicles = [a for a in actors if a.asset in VEHICLE_ASSETS and a.category is not None]
    # Deviation of each heading from the camera's axis, either way round: -90 to 90 degrees.
    deviations = [(np.degrees(a.yaw_rad + np.pi / 2) + 90) % 180 - 90 for a in vehicles]
    along = [float(d) for d in deviations if abs(d) < 20]
    yaw = float(np.clip(np.median(along) if along else rng.normal(0, 2), -12, 12))
    on_road = [a for a, d in zip(vehicles, deviations, strict=True) if abs(d) < 25 and abs(a.x_m) < 9 and a.z_m < 60]
    first = sorted(vehicles, key=lambda a: (target is None or a is not actors[target], np.hypot(a.x_m, a.z_m)))
    crossing_m = crossing_of(first, yaw) if kind == "junction" else None
    if kind == "car_park":
        kind = "suburb"
    elif kind == "junction" and crossing_m is None:
        kind = "urban"
    best, best_miss = None, np.inf
    for own_lane in (0, 0, 1, 0, 1, 2):
        place = replace(draw_place(kind, rng, own_lane=own_lane), road_yaw_deg=yaw)
        sides = [a.x_m - a.z_m * np.tan(np.radians(yaw)) + place.camera_offset_m for a in on_road]
        miss = sum(max(abs(s) + 0.9 - half_width_m(place), 0.0) for s in sides)
        if miss < best_miss:
            best, best_miss = place, miss
    if best is None:  # cannot happen: the first place always beats infinity
        raise RuntimeError("no street was drawn")
    if crossing_m is None:
        return best
    junction = replace(best, crossing_m=crossing_m)
    return junction if suits(junction, actors) else replace(best, kind="urban")


def _uniform(bounds: tuple[float, ...], rng: np.random.Generator) -> float:
    return float(rng.uniform(bounds[0], bounds[1]))


def _peaked(bounds: tuple[float, float], rng: np.random.Generator) -> float:
    """Within the bounds, mostly near their middle."""
    return float(np.mean([_uniform(bounds, rng), _uniform(bounds, rng)]))


def _choice(shares: dict, rng: np.random.Generator):
    names, weights = list(shares), np.array(list(shares.values()), np.float64)
    return names[int(rng.choice(len(names), p=weights / weights.sum()))]
