"""The road: its course over the ground, its surface, kerbs and painted lines.

Road coordinates: s metres along the centre line (0 beside the camera), t metres to its right.
"""

import numpy as np

from simulator.embedded.assets.shapes import Shape, panels, surface, together
from simulator.scene import Place

FIRST_M, LAST_M = -60.0, 480.0
MOST_TURN_RAD = 1.0  # a bend goes on as a straight road after that, so that no road meets itself
# Heights of the layers. Actors stand at 0, so that nothing here may hide more than the rim of a sole.
GROUND_M, SIDE_ROAD_M, ROAD_M, PATCH_M, LINE_M, PAVEMENT_M = -0.03, -0.01, 0.0, 0.003, 0.006, 0.02


class Road:
    """The centre line as an arc that starts at the place's heading, tabulated every metre."""

    def __init__(self, place: Place, first_m: float = FIRST_M):
        self.place = place
        self.half_m = place.lane_count * place.lane_width_m / 2
        s = np.arange(first_m, LAST_M + 0.5)
        heading = np.radians(place.road_yaw_deg) + np.clip(place.curvature_per_m * s, -MOST_TURN_RAD, MOST_TURN_RAD)
        step = np.stack([np.sin(heading), np.cos(heading)], 1)
        course = np.concatenate([np.zeros((1, 2)), np.cumsum((step[1:] + step[:-1]) / 2, axis=0)])
        start = int(-first_m)
        right = np.array([step[start, 1], -step[start, 0]])
        self._s, self._heading = s, heading
        self._x, self._y = (course - course[start] - place.camera_offset_m * right).T.copy()
        self.bent = abs(place.curvature_per_m) > 1e-6

    def heading_rad(self, s) -> np.ndarray:
        """Heading at s, from the camera's axis to the right."""
        return np.interp(s, self._s, self._heading)

    def yaw_rad(self, s) -> np.ndarray:
        """Angle of the road's direction from the world's X axis, counter-clockwise."""
        return np.pi / 2 - self.heading_rad(s)

    def point_m(self, s, t) -> np.ndarray:
        """World (X, Y) of road coordinates; s and t broadcast: (..., 2)."""
        heading = self.heading_rad(s)
        x = np.interp(s, self._s, self._x) + t * np.cos(heading)
        out = np.empty((*np.shape(x), 2))
        out[..., 0] = x
        out[..., 1] = np.interp(s, self._s, self._y) - t * np.sin(heading)
        return out

    def strip(
        self, from_s: float, to_s: float, from_t: float, to_t: float, z_m: float, to_z_m: float | None = None
    ) -> Shape:
        """A band along the road, facing up; its right edge may lie at another height (`to_z_m`)."""
        count = max(2, int((to_s - from_s) / (4.0 if self.bent else 40.0)) + 2)
        s = np.linspace(from_s, to_s, count)
        edges = self.point_m(s[:, None], np.array([[from_t, to_t]]))
        z = np.broadcast_to([z_m, z_m if to_z_m is None else to_z_m], edges.shape[:2])[..., None]
        return surface(np.concatenate([edges, z], -1), smooth=False)

    def patches(self, s_m: np.ndarray, t_m: np.ndarray, length_m, width_m, z_m: float) -> Shape:
        """Rectangles (N,) that lie on the road, centred at (s, t), `length` along it."""
        s_m, t_m = np.broadcast_arrays(np.asarray(s_m, float), np.asarray(t_m, float))
        half_s = np.broadcast_to(np.asarray(length_m, float) / 2, s_m.shape)
        half_t = np.broadcast_to(np.asarray(width_m, float) / 2, s_m.shape)
        corners = [(-1, -1), (-1, 1), (1, 1), (1, -1)]
        xy = np.stack([self.point_m(s_m + a * half_s, t_m + b * half_t) for a, b in corners], 1)
        return panels(np.concatenate([xy, np.full((*xy.shape[:2], 1), z_m)], -1))

    def lines(self, kind: str, from_s: float, to_s: float, gaps: list[tuple[float, float]]) -> Shape:
        """Lane lines, dashed; edge lines, solid outside towns; nothing within `gaps` (junctions)."""
        lanes, width = self.place.lane_count, self.place.lane_width_m
        dash, period = {"highway": (6.0, 12.0), "country": (4.0, 8.0)}.get(kind, (3.0, 8.0))
        s = np.arange(from_s + 1.5, to_s, period)
        s = s[~_within(s, gaps)]
        between = -self.half_m + width * np.arange(1, lanes)
        two_ways = lanes >= 4 and lanes % 2 == 0
        dashed = between[np.abs(between) > 0.01] if two_ways else between
        grid_s, grid_t = np.meshgrid(s, dashed, indexing="ij")
        shapes = [self.patches(grid_s.ravel(), grid_t.ravel(), dash, 0.13, LINE_M)]
        solid = [-0.12, 0.12] if two_ways else []
        if kind in ("highway", "country"):
            inset = 0.25
            solid += [-self.half_m + inset, self.half_m - inset]
        pieces = np.arange(from_s, to_s, 4.0)
        pieces = pieces[~_within(pieces + 2, gaps)]
        grid_s, grid_t = np.meshgrid(pieces + 2, np.array(solid), indexing="ij")
        shapes.append(self.patches(grid_s.ravel(), grid_t.ravel(), 4.0, 0.15, LINE_M))
        return together(shapes)

    def crossing(self, s_m: float) -> Shape:
        """A zebra crossing with a stop line before it."""
        return together([self.zebra(s_m, 3.5), self.stop_line(s_m - 3.2, 1, 0.35)])

    def zebra(self, s_m: float, length_m: float) -> Shape:
        """Stripes from kerb to kerb, `length_m` along the road."""
        t = np.arange(-self.half_m + 0.4, self.half_m - 0.2, 1.0)
        return self.patches(np.full(len(t), s_m), t, length_m, 0.5, LINE_M)

    def stop_line(self, s_m: float, towards: int, length_m: float) -> Shape:
        """Across the half of the road whose traffic drives along it (`towards` 1) or the other way (-1)."""
        middle = towards * self.half_m / 2
        return self.patches(np.array([s_m]), np.array([middle]), length_m, self.half_m - 0.3, LINE_M)


def _within(s: np.ndarray, gaps: list[tuple[float, float]]) -> np.ndarray:
    inside = np.zeros(len(s), bool)
    for low, high in gaps:
        inside |= (s > low) & (s < high)
    return inside
