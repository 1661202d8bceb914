"""Where the road of a Place runs: its centre line, lanes, kerbs and pavements, in the level frame.

The centre line passes x = -camera_offset_m beside the camera and runs
    x(z) = -camera_offset_m + z tan(road_yaw) + curvature z^2 / 2.
Traffic keeps to the right: lanes right of the centre line lead away from the camera, the others towards it.
"""

import numpy as np

from simulator.scene import Place

PAVEMENT_WIDTH_M = {"urban": 3.0, "suburb": 2.2, "highway": 0.0, "country": 0.0, "junction": 3.0, "car_park": 0.0}


def centre_line_x_m(place: Place, z_m: float) -> float:
    return (
        -place.camera_offset_m
        + z_m * float(np.tan(np.radians(place.road_yaw_deg)))
        + place.curvature_per_m * z_m**2 / 2
    )


def heading_rad(place: Place, z_m: float) -> float:
    """Direction of the road at a distance: 0 along +z, positive to the right."""
    return float(np.arctan(np.tan(np.radians(place.road_yaw_deg)) + place.curvature_per_m * z_m))


def half_width_m(place: Place) -> float:
    """From the centre line to the kerb."""
    return place.lane_count * place.lane_width_m / 2


def lane_offset_m(place: Place, lane: int) -> float:
    """Middle of a lane, right of the centre line; lane 0 is the leftmost."""
    return (lane - (place.lane_count - 1) / 2) * place.lane_width_m


def yaw_along_rad(place: Place, z_m: float, oncoming: bool) -> float:
    """KITTI yaw of a vehicle that follows the road there."""
    return heading_rad(place, z_m) + (np.pi / 2 if oncoming else -np.pi / 2)


def point_m(place: Place, z_m: float, offset_m: float) -> tuple[float, float]:
    """(x, z) of the point `offset_m` to the right of the centre line, square to it, at the distance z."""
    heading = heading_rad(place, z_m)
    return centre_line_x_m(place, z_m) + offset_m * float(np.cos(heading)), z_m - offset_m * float(np.sin(heading))


def straight_point_m(place: Place, along_m: float, offset_m: float) -> tuple[float, float]:
    """(x, z) on a road that does not bend: `along_m` from beside the camera, `offset_m` right of the centre line."""
    heading = np.radians(place.road_yaw_deg)
    across, cos, sin = offset_m - place.camera_offset_m, float(np.cos(heading)), float(np.sin(heading))
    return across * cos + along_m * sin, along_m * cos - across * sin


def straight_coordinates_m(place: Place, x_m: float, z_m: float) -> tuple[float, float]:
    """(along, offset) of a point on a road that does not bend: the inverse of `straight_point_m`."""
    heading = np.radians(place.road_yaw_deg)
    cos, sin = float(np.cos(heading)), float(np.sin(heading))
    return x_m * sin + z_m * cos, x_m * cos - z_m * sin + place.camera_offset_m
