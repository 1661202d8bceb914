"""What is on a car's body: its two faces with lamps and plates, mirrors, handles, roof bars."""

import numpy as np

from simulator.embedded.assets import materials as m
from simulator.embedded.assets.bodywork import FASCIA_COLUMNS, Body
from simulator.embedded.assets.shapes import CAR, Assembly, box, boxes, ellipsoid, panels, rods
from simulator.embedded.mesh import Material

LIP, LOWER, UPPER, LAMPS, BROW = range(5)  # rows of a fascia's cells, from the ground up; above them the lid's edge
COLUMN = np.abs((FASCIA_COLUMNS[:-1] + FASCIA_COLUMNS[1:]) / 2)[None]  # of a cell, 0 in the middle, 1 at the side
ROW = np.arange(6)[:, None]
MIDDLE = len(FASCIA_COLUMNS) // 2
SEAM_M = 0.012


def add_front(parts: Assembly, body: Body, paint: Material, light: Material, plate: Material, rng) -> None:
    """Bumper, grille with its bars, intake, headlights, number plate, badge, and the bonnet's seam."""
    cells = np.zeros((6, len(FASCIA_COLUMNS) - 1), int)
    lamp_rows = (ROW == LAMPS) | ((ROW == BROW) & (rng.uniform() < 0.5))
    lamp_from = rng.choice([0.42, 0.62])
    cells[lamp_rows & (lamp_from < COLUMN)] = 1
    grille = float(rng.choice([0.2, 0.42, 0.62]))
    cells[(ROW == LAMPS) & (grille > COLUMN) & (cells == 0)] = 2
    if rng.uniform() < 0.3:  # one tall grille from bonnet to lip
        cells[(ROW == UPPER) & (COLUMN < 0.42)] = 2
    cells[(ROW == LOWER) & (float(rng.choice([0.42, 0.62, 0.8])) > COLUMN)] = 2
    cells[(ROW == LIP) | ((ROW == LOWER) & (COLUMN > 0.8) & (rng.uniform() < 0.4))] = 2
    body.add_fascia(parts, 0.0, cells, (paint, light, m.TRIM), CAR)
    reach = int(np.searchsorted(FASCIA_COLUMNS, min(grille, lamp_from) - 0.01))
    bars = m.CHROME if rng.uniform() < 0.45 else m.TRIM_GREY
    for row in (LAMPS + 0.35, LAMPS + 0.7):
        parts.add(body.fascia_band(0.0, row, 0.018, (12 - reach, reach), 0.008), bars, CAR)
    parts.add(body.fascia_band(0.0, BROW + 0.97, SEAM_M, (1, 11), 0.003), m.UNDERSIDE, CAR)
    grid = body.fascia_m(0.0)
    _add_plate(parts, grid[UPPER, MIDDLE] * 0.6 + grid[LOWER, MIDDLE] * 0.4, 1, plate)
    badge = grid[LAMPS, MIDDLE] * 0.4 + grid[BROW, MIDDLE] * 0.6
    parts.add(box(badge, (0.02, 0.09, 0.07)), m.CHROME, CAR)


def add_rear(parts: Assembly, body: Body, paint: Material, light: Material, plate: Material, rng) -> None:
    """Bumper and lid with their seams, lamps of several makes, number plate in its recess, moulding, exhaust."""
    cells = np.zeros((6, len(FASCIA_COLUMNS) - 1), int)
    make = rng.choice(["tall", "wide", "low"], p=[0.45, 0.4, 0.15])
    lamp_from = float(rng.choice([0.62, 0.8])) if make == "tall" else float(rng.choice([0.42, 0.62]))
    rows = {"tall": (ROW == BROW) | (ROW == LAMPS), "wide": ROW == BROW, "low": ROW == LAMPS}[make]
    cells[rows & (lamp_from < COLUMN)] = 1
    inner = rows & (lamp_from < COLUMN) & (lamp_from + 0.16 > COLUMN)  # the lamp's part on the lid
    lens = rng.uniform()
    if make == "tall":
        cells[inner & (ROW == LAMPS)] = 3 if lens < 0.4 else 4 if lens < 0.5 else 1
    elif lens < 0.5:
        cells[inner] = 3
    cells[(ROW == LIP) | ((ROW == LOWER) & (COLUMN < 0.8) & (rng.uniform() < 0.5))] = 2
    body.add_fascia(parts, 1.0, cells, (paint, light, m.TRIM, m.CLEAR_LENS, m.AMBER_LENS), CAR)
    parts.add(body.fascia_band(1.0, UPPER + 0.08, SEAM_M, (0, 12), 0.003), m.UNDERSIDE, CAR)
    if rng.uniform() < 0.25:  # a bumper of bare plastic, or its strip
        parts.add(body.fascia_band(1.0, UPPER - 0.3, 0.07, (0, 12), 0.006), m.TRIM, CAR)
    grid = body.fascia_m(1.0)
    row = int(rng.choice([UPPER, LAMPS]))
    at = (grid[row, MIDDLE] + grid[row + 1, MIDDLE]) / 2
    if rng.uniform() < 0.6:
        _add_panel(parts, at, -1, 0.33, 0.085, 0.007, m.UNDERSIDE)
    _add_plate(parts, at, -1, plate)
    moulding = rng.uniform()
    if moulding < 0.5:
        parts.add(body.fascia_band(1.0, LAMPS + 0.95, 0.03, (4, 8), 0.01), m.CHROME if moulding < 0.25 else m.TRIM, CAR)
    badge = grid[BROW, MIDDLE] * 0.5 + grid[BROW + 1, MIDDLE] * 0.5
    parts.add(box(badge, (0.02, 0.07, 0.06)), m.CHROME, CAR)
    if rng.uniform() < 0.5:
        side = 0.6 * body.half_m * (1 if rng.uniform() < 0.5 else -1)
        x = float(grid[LIP, MIDDLE, 0])
        pipe = np.array([[x + 0.1, side, body.form.sill * body.height_m + 0.02]])
        parts.add(rods(pipe, pipe - [0.14, 0, 0], 0.03), m.TRIM, CAR)


def _add_plate(parts: Assembly, center_m: np.ndarray, facing: int, material: Material) -> None:
    """A plate of 52 x 11 cm with dark characters in two groups, just proud of the bumper."""
    _add_panel(parts, center_m, facing, 0.26, 0.055, 0.012, material)
    for y in (-0.2, -0.145, -0.055, 0.0, 0.055, 0.145, 0.2):
        at = center_m + np.array([0, y, 0])
        _add_panel(parts, at, facing, 0.018, 0.034, 0.015, m.LETTERING)


def _add_panel(parts: Assembly, center_m, facing: int, half_m: float, tall_m: float, proud_m: float, material) -> None:
    """An upright rectangle of twice `half_m` by twice `tall_m` before the body's face."""
    x, y, z = center_m
    at = x + facing * proud_m
    corners = [(at, y - facing * half_m, z - tall_m), (at, y + facing * half_m, z - tall_m)]
    corners += [(at, y + facing * half_m, z + tall_m), (at, y - facing * half_m, z + tall_m)]
    parts.add(panels(corners), material, CAR)


def add_mirrors(parts: Assembly, body: Body, width_m: float, material: Material) -> None:
    u = body.form.side_windows[0] + 0.015
    z = float(body.belt_m(u)) + 0.075
    reach = 0.075 * width_m
    mirror = ellipsoid((body.length_m * (0.5 - u), width_m / 2 - reach, z), (0.06, reach, 0.065), 1)
    parts.both_sides(mirror, material, CAR)


def add_handles(parts: Assembly, body: Body, material: Material) -> None:
    u = np.array(body.seams()[1:] or [body.form.side_windows[1]]) - 0.025
    z = body.belt_m(u) - 0.075 * body.height_m
    centers = np.stack([body.length_m * (0.5 - u), np.full(len(u), body.half_m * 0.99), z], 1)
    parts.both_sides(boxes(centers, np.broadcast_to([0.16, 0.03, 0.025], centers.shape)), material, CAR)


def add_roof_bars(parts: Assembly, body: Body) -> None:
    """A bar on feet along each edge of the roof."""
    form = body.form
    u = np.linspace(form.windscreen[1] + 0.04, form.rear_window[0] - 0.04, 5)
    rail = body.half_sections_m(u)[:, 8] * [1, 0.97, 1]
    raised = rail + [0, 0, 0.035]
    parts.both_sides(rods(raised[:-1], raised[1:], 0.014, 5), m.STEEL, CAR)
    parts.both_sides(rods(rail[[0, 2, 4]] - [0, 0, 0.02], raised[[0, 2, 4]], 0.016, 5), m.TRIM, CAR)
