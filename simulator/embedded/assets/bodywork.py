"""The lofted body that cars and vans share: cross-sections along x, closed by curved fascias at both ends.

Stations are given as u: 0 at the nose, 1 at the tail. Each section is half a ring of ROWS points from the sill
over the widest line, the belt (lower edge of the windows) and the roof rail to the centre line, and its mirror image.
"""

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter1d

from simulator.embedded.assets.materials import RIM, TRIM, TYRE, UNDERSIDE
from simulator.embedded.assets.shapes import Assembly, Shape, box, disc, lathe, surface, together, without_slivers
from simulator.embedded.mesh import Material

SILL, BELT, WINDOW_LOW, WINDOW_HIGH, RAIL, CENTRE = 0, 5, 6, 7, 8, 10
# Of the way from the sill to the belt.
LOWER_ROWS = np.array([0.0, 0.12, 0.38, 0.62, 0.86, 1.0])
LOWER_WIDTH = np.array([0.93, 0.975, 0.993, 1.0, 0.985, 0.955])
FASCIA_COLUMNS = np.array([-1, -0.93, -0.8, -0.62, -0.42, -0.2, 0, 0.2, 0.42, 0.62, 0.8, 0.93, 1])


@dataclass(frozen=True)
class BodyForm:
    """Proportions of a body; heights as a share of its height, places as u."""

    top: tuple[tuple[float, float], ...]  # the centre line: (u, height)
    windscreen: tuple[float, float]  # u of its lower and upper edge
    rear_window: tuple[float, float]  # u of its upper and lower edge; equal where there is none
    pillars: tuple[float, ...]  # u of the posts between side windows
    axles: tuple[float, float]
    side_windows: tuple[float, float]  # u from where to where
    belt: tuple[float, float] = (0.62, 0.66)  # at nose and tail
    sill: float = 0.13
    wheel: float = 0.218  # radius as a share of height
    roof_width: float = 0.72  # of the half width
    corner: tuple[float, float] = (0.07, 0.05)  # how far the corners in plan are drawn back, of the length
    lean: tuple[float, float] = (0.03, 0.02)  # how far the upper edge of the end is drawn back, of the length
    clad: bool = False  # dark plastic at sills and arches
    smooth_u: float = 0.012
    roof_bars: float = 0.03  # share of such cars that have them


class Body:
    """A form at a size. `surface_m(u)` gives sections; the methods add the parts to an assembly."""

    def __init__(self, form: BodyForm, height_m: float, width_m: float, length_m: float):
        self.form, self.height_m, self.half_m, self.length_m = form, height_m, width_m / 2, length_m
        self.wheel_m = form.wheel * height_m
        fine = np.linspace(-0.1, 1.1, 601)
        u, z = np.array(form.top).T
        contour = gaussian_filter1d(np.interp(fine, u, z), form.smooth_u / (fine[1] - fine[0]), mode="nearest")
        self._fine, self._contour_m = fine, contour / contour.max() * height_m
        self._fascias_m = [self._end_m(end) for end in (0.0, 1.0)]

    def top_m(self, u) -> np.ndarray:
        return np.interp(u, self._fine, self._contour_m)

    def belt_m(self, u) -> np.ndarray:
        line = np.interp(u, [0, 1], self.form.belt) * self.height_m
        return np.minimum(line, self.top_m(u) - 0.03 * self.height_m)

    def stations(self) -> np.ndarray:
        """Where the sections stand: at every edge that must be met, round the arches, and in between. (N,)"""
        form = self.form
        reach = (self.wheel_m + 0.05) / self.length_m
        seam = 0.0035
        keys = [0.0, 1.0, *form.windscreen, *form.rear_window, *form.side_windows]
        keys += [p + d for p in form.pillars for d in (-0.009, 0.009)]
        keys += [s + d for s in self.seams() for d in (0.0, seam)]
        arches = [
            a + reach * np.cos(t) for a in form.axles for t in np.radians([0, 20, 45, 70, 90, 110, 135, 160, 180])
        ]
        chosen = sorted({round(k, 5) for k in keys})
        for u in [*arches, 0.008, 0.025, 0.05, 0.08, 0.92, 0.95, 0.975, 0.992, *np.linspace(0.1, 0.9, 19)]:
            limit = 0.004 if u < 0.06 or u > 0.94 else 0.009
            if 0 < u < 1 and min(abs(u - c) for c in chosen) > limit:
                chosen.append(float(u))
        return np.array(sorted(chosen))

    def seams(self) -> list[float]:
        front, rear = self.form.windscreen[0] + 0.02, self.form.side_windows[1] - 0.06
        return [front, *[p for p in self.form.pillars if front + 0.1 < p < rear]]

    def half_sections_m(self, u: np.ndarray) -> np.ndarray:
        """Left halves of the sections (N, 11, 3) from the sill to the centre line."""
        form, height = self.form, self.height_m
        top, belt, sill = self.top_m(u), self.belt_m(u), form.sill * height
        z = np.empty((len(u), 11))
        y = np.empty_like(z)
        z[:, : BELT + 1] = sill + LOWER_ROWS * (belt - sill)[:, None]
        y[:, : BELT + 1] = LOWER_WIDTH
        above = top - belt
        raised = np.clip(above / max(height * (1 - form.belt[1]), 1e-6), 0, 1)
        z[:, WINDOW_LOW] = belt + 0.05 * above
        z[:, WINDOW_HIGH] = top - np.minimum(0.065 * height, 0.4 * above)
        z[:, RAIL] = top - np.minimum(0.022 * height, 0.16 * above)
        z[:, RAIL + 1] = top - np.minimum(0.005 * height, 0.04 * above)
        z[:, CENTRE] = top
        y[:, WINDOW_LOW] = 0.93
        for row, flat, roof in ((WINDOW_HIGH, 0.87, 1.0), (RAIL, 0.76, 0.90), (RAIL + 1, 0.42, 0.50), (CENTRE, 0, 0)):
            y[:, row] = flat + (roof * form.roof_width - flat) * raised
        for axle in form.axles:
            inside = 1 - ((u - axle) * self.length_m / (self.wheel_m + 0.05)) ** 2
            arch = self.wheel_m + (self.wheel_m + 0.05) * np.sqrt(np.maximum(inside, 0))
            rows = np.arange(BELT)
            lifted = np.where(inside[:, None] > 0, arch[:, None] + rows * 0.014 * height, 0)
            z[:, :BELT] = np.maximum(z[:, :BELT], np.minimum(lifted, belt[:, None] - (BELT - rows) * 0.004 * height))
        return self._rounded(u[:, None], y, z)

    def _rounded(self, u: np.ndarray, y: np.ndarray, z: np.ndarray) -> np.ndarray:
        """Points (…, 3) from u, y as a share of the half width, and height; corners and ends are drawn back."""
        x = self.length_m * (0.5 - u)
        narrow = np.zeros_like(y)
        for end, corner, lean, inward in (
            (0.0, self.form.corner[0], self.form.lean[0], -1), (1.0, self.form.corner[1], self.form.lean[1], 1)
        ):  # fmt: skip
            near = np.clip(1 - np.abs(u - end) / 0.13, 0, 1) ** 2
            level = z / np.maximum(self.top_m(end), 1e-6)
            drawn_back = corner * np.abs(y) ** 3 + lean * np.clip(level - 0.55, 0, 0.45) / 0.45
            drawn_back = drawn_back + 0.012 * np.clip(0.35 - level, 0, 1) / 0.35
            x = x + inward * self.length_m * np.minimum(drawn_back, 0.125) * near
            narrow = np.maximum(narrow, 0.05 * near)
        return np.stack([np.broadcast_to(x, y.shape), y * self.half_m * (1 - narrow), z], -1)

    def fascia_m(self, end: float) -> np.ndarray:
        """The curved face at the nose (end 0) or tail (1): a grid (7, columns, 3), lower lip to bonnet edge."""
        return self._fascias_m[int(end)]

    def _end_m(self, end: float) -> np.ndarray:
        ring = self.half_sections_m(np.array([end]))[0]
        y_share = LOWER_WIDTH[:, None] * FASCIA_COLUMNS
        z = np.broadcast_to(ring[: BELT + 1, 2:3], y_share.shape)
        edge_y = LOWER_WIDTH[BELT] * FASCIA_COLUMNS
        edge_z = np.interp(
            np.abs(edge_y) * ring[BELT, 1] / LOWER_WIDTH[BELT], ring[BELT:, 1][::-1], ring[BELT:, 2][::-1]
        )
        y_share, z = np.concatenate([y_share, edge_y[None]]), np.concatenate([z, edge_z[None]])
        return self._rounded(np.full_like(z, end), y_share, z)

    def fascia_band(self, end: float, row: float, tall_m: float, columns: tuple[int, int], proud_m: float) -> Shape:
        """A band that lies on the fascia at a height between its rows, over some columns: a seam, a moulding."""
        grid = self.fascia_m(end)[:, columns[0] : columns[1] + 1]
        low = int(row)
        line = grid[low] + (row - low) * (grid[min(low + 1, len(grid) - 1)] - grid[low])
        line = line + np.array([proud_m if end == 0.0 else -proud_m, 0, 0])
        band = np.stack([line - [0, 0, tall_m / 2], line + [0, 0, tall_m / 2]])
        return surface(band if end == 0.0 else band[:, ::-1], smooth=False)

    def add_skin(
        self, parts: Assembly, paint: Material, glass: Material, tag: int, *, roof: Material | None = None
    ) -> None:
        """Painted skin, windows, dark seams and cladding; `roof` is its material where that is another."""
        form, u = self.form, self.stations()
        half = self.half_sections_m(u)
        side = surface(half, smooth=True)
        side = side._replace(faces=side.faces[:, ::-1])
        middle, row = (u[:-1] + u[1:])[:, None] / 2, np.arange(10)[None]
        window = (row == WINDOW_LOW) & (middle > form.side_windows[0]) & (middle < form.side_windows[1])
        for pillar in form.pillars:
            window &= np.abs(middle - pillar) > 0.009
        screen = np.zeros_like(window)
        for low, high in (form.windscreen, form.rear_window):
            screen |= (row >= RAIL) & (middle > low) & (middle < high)
        dark = np.zeros_like(window)
        for seam in self.seams():
            dark |= (row < BELT) & (middle > seam) & (middle < seam + 0.0035)
        dark |= (row == BELT) & (middle > form.side_windows[0]) & (middle < form.side_windows[1])
        dark |= row < (2 if form.clad else 1)
        for pillar in form.pillars:
            dark |= (row == WINDOW_LOW) & (np.abs(middle - pillar) < 0.009)
        above = (row >= RAIL) & (middle > form.windscreen[1]) & (middle < form.rear_window[0])
        kind = np.where(window | screen, 1, np.where(dark, 2, np.where(above, 3, 0)))
        for index, material in enumerate((paint, glass, TRIM, roof or paint)):
            parts.both_sides(side.part(np.repeat((kind == index).reshape(-1), 2)), material, tag)
        parts.add(
            box((0, 0, (form.sill + 0.42) / 2 * self.height_m),
                (self.length_m * 0.86, 2 * self.half_m - 0.56, (0.42 - form.sill) * self.height_m)),
            UNDERSIDE, tag,
        )  # fmt: skip

    def add_fascia(self, parts: Assembly, end: float, material_of_cell: np.ndarray, materials, tag: int) -> None:
        """material_of_cell (6, columns - 1): index into `materials` of every cell of the fascia."""
        grid = self.fascia_m(end)
        face = surface(grid if end == 0.0 else grid[:, ::-1], smooth=True)
        cells = np.repeat(np.asarray(material_of_cell).reshape(-1), 2)
        for index, material in enumerate(materials):
            parts.add(without_slivers(face.part(cells == index)), material, tag)

    def add_wheels(self, parts: Assembly, tag: int, spokes: int = 5, rim: Material = RIM) -> None:
        width = min(0.21, 0.15 * 2 * self.half_m)
        for axle in self.form.axles:
            x = self.length_m * (0.5 - axle)
            for shape, material in wheel(self.wheel_m, width, spokes, rim):
                parts.both_sides(shape.moved((x, self.half_m - width / 2 - 0.025, self.wheel_m)), material, tag)


def wheel(radius_m: float, width_m: float, spokes: int = 5, rim: Material = RIM) -> list[tuple[Shape, Material]]:
    """A wheel about its centre, its outer face towards +y: tyre, rim of light and dark sectors, hub."""
    half, inner = width_m / 2, radius_m * 0.66
    tyre = lathe(
        [(-half, inner), (-half, radius_m * 0.94), (-half * 0.7, radius_m), (half * 0.7, radius_m)]
        + [(half, radius_m * 0.94), (half, inner), (half * 0.75, inner)], 20, "y",
    )  # fmt: skip
    sides = 4 * spokes
    face = disc((0, half * 0.8, 0), inner, sides, "y")
    light = np.arange(sides) % 4 < 2
    hub = disc((0, half * 0.9, 0), inner * 0.3, 8, "y")
    return [(tyre, TYRE), (together([face.part(light), hub]), rim), (face.part(~light), UNDERSIDE)]
