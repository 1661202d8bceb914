"""Cars and vans: a form by seed, its paint, and what `car_details` adds to it."""

from dataclasses import replace

import numpy as np

from simulator.embedded.assets import materials as m
from simulator.embedded.assets.bodywork import Body, BodyForm
from simulator.embedded.assets.car_details import add_front, add_handles, add_mirrors, add_rear, add_roof_bars
from simulator.embedded.assets.shapes import CAR, Assembly
from simulator.embedded.mesh import Lamp, Material, Mesh

HATCHBACK = BodyForm(
    top=((0, 0.50), (0.02, 0.545), (0.10, 0.60), (0.23, 0.655), (0.42, 0.965), (0.55, 1.0), (0.72, 0.985), (0.87, 0.93),
         (0.965, 0.66), (1.0, 0.60)),
    windscreen=(0.235, 0.405), rear_window=(0.875, 0.96), pillars=(0.56, 0.80), axles=(0.19, 0.81),
    side_windows=(0.30, 0.90),
)  # fmt: skip
SALOON = BodyForm(
    top=((0, 0.49), (0.015, 0.535), (0.10, 0.60), (0.27, 0.66), (0.44, 0.965), (0.55, 1.0), (0.66, 0.98), (0.73, 0.93),
         (0.865, 0.70), (0.97, 0.685), (1.0, 0.62)),
    windscreen=(0.275, 0.43), rear_window=(0.735, 0.855), pillars=(0.54, 0.71), axles=(0.185, 0.79),
    side_windows=(0.34, 0.79), belt=(0.62, 0.67),
)  # fmt: skip
ESTATE = BodyForm(
    top=((0, 0.49), (0.015, 0.535), (0.10, 0.60), (0.26, 0.655), (0.42, 0.955), (0.53, 0.995), (0.75, 1.0),
         (0.90, 0.95), (0.975, 0.66), (1.0, 0.60)),
    windscreen=(0.265, 0.405), rear_window=(0.905, 0.97), pillars=(0.52, 0.71, 0.86), axles=(0.18, 0.78),
    side_windows=(0.33, 0.93), belt=(0.62, 0.66), roof_bars=0.5,
)  # fmt: skip
SUV = BodyForm(
    top=((0, 0.55), (0.012, 0.60), (0.08, 0.64), (0.24, 0.675), (0.39, 0.96), (0.50, 1.0), (0.78, 0.985), (0.91, 0.94),
         (0.975, 0.68), (1.0, 0.62)),
    windscreen=(0.245, 0.375), rear_window=(0.915, 0.97), pillars=(0.51, 0.72, 0.87), axles=(0.19, 0.80),
    side_windows=(0.30, 0.93), belt=(0.64, 0.67), sill=0.16, wheel=0.215, clad=True, roof_width=0.76,
    corner=(0.06, 0.045), roof_bars=0.6,
)  # fmt: skip
PICKUP = BodyForm(
    top=((0, 0.55), (0.01, 0.60), (0.08, 0.63), (0.23, 0.66), (0.345, 0.955), (0.42, 1.0), (0.55, 0.985), (0.60, 0.95),
         (0.625, 0.62), (0.98, 0.60), (1.0, 0.57)),
    windscreen=(0.235, 0.335), rear_window=(0.603, 0.618), pillars=(0.44, 0.55), axles=(0.175, 0.79),
    side_windows=(0.28, 0.60), belt=(0.64, 0.64), sill=0.19, wheel=0.21, clad=True, roof_width=0.76,
    corner=(0.05, 0.02), lean=(0.02, 0.0), smooth_u=0.006,
)  # fmt: skip
PANEL_VAN = BodyForm(
    top=((0, 0.42), (0.01, 0.46), (0.06, 0.50), (0.14, 0.555), (0.27, 0.93), (0.35, 0.985), (0.6, 1.0), (0.97, 0.985),
         (1.0, 0.95)),
    windscreen=(0.145, 0.265), rear_window=(0.99, 0.99), pillars=(), axles=(0.17, 0.77), side_windows=(0.185, 0.345),
    belt=(0.50, 0.52), sill=0.12, wheel=0.16, roof_width=0.84, corner=(0.05, 0.012), lean=(0.02, 0.008),
)  # fmt: skip
MINIBUS = replace(PANEL_VAN, pillars=(0.355, 0.55, 0.75), side_windows=(0.185, 0.95))
BOX_CAR_VAN = replace(
    PANEL_VAN, axles=(0.18, 0.80), wheel=0.175, sill=0.13, belt=(0.53, 0.55),
    top=((0, 0.46), (0.012, 0.50), (0.10, 0.56), (0.20, 0.60), (0.345, 0.95), (0.43, 0.99), (0.65, 1.0), (0.96, 0.98),
         (1.0, 0.94)),
    windscreen=(0.205, 0.34), side_windows=(0.25, 0.50), pillars=(),
)  # fmt: skip

DARK_ROOFS, DARK_ROOF = 0.12, m.srgb(20, 20, 22)  # share of cars whose roof is of black glass or paint
PLATES = [(m.PLATE, m.PLATE), (m.PLATE, m.YELLOW_PLATE), (m.YELLOW_PLATE, m.YELLOW_PLATE)]  # as countries have it

CAR_FORMS = {
    "default": ([HATCHBACK, SALOON, ESTATE, SUV, PICKUP], [34, 24, 16, 22, 4]),
    "stand-in": ([SALOON, SUV, HATCHBACK, ESTATE, PICKUP], [34, 28, 16, 10, 12]),
}
VAN_FORMS = {
    "default": ([PANEL_VAN, MINIBUS, BOX_CAR_VAN], [50, 25, 25]),
    "stand-in": ([BOX_CAR_VAN, MINIBUS, PANEL_VAN], [45, 35, 20]),
}
VAN_COLORS = {
    "default": [
        m.srgb(236, 236, 234), m.srgb(236, 236, 234), m.srgb(175, 177, 180), m.srgb(235, 186, 20), m.srgb(30, 62, 130),
        m.srgb(60, 62, 66), m.srgb(150, 30, 28),
    ],
    "stand-in": [
        m.srgb(226, 220, 204), m.srgb(120, 36, 30), m.srgb(30, 90, 92), m.srgb(96, 96, 90), m.srgb(200, 120, 40),
        m.srgb(40, 44, 60),
    ],
}  # fmt: skip


def car(seed: int, asset_set: str, dimensions_hwl_m: tuple[float, float, float]) -> Mesh:
    """A passenger car; low and short ones are hatchbacks and saloons, tall ones SUVs more often."""
    rng = np.random.default_rng([seed, 11])
    forms, weights = CAR_FORMS[asset_set]
    height, _, length = dimensions_hwl_m
    weights = [w * _likelihood(form, height, length) for form, w in zip(forms, weights, strict=True)]
    form = _individual(m.drawn(forms, rng, weights), asset_set, rng)
    return _vehicle(form, m.car_paint(asset_set, rng), dimensions_hwl_m, rng)


def van(seed: int, asset_set: str, dimensions_hwl_m: tuple[float, float, float]) -> Mesh:
    """A panel van, minibus or small delivery van."""
    rng = np.random.default_rng([seed, 12])
    forms, weights = VAN_FORMS[asset_set]
    form = _individual(m.drawn(forms, rng, weights), asset_set, rng)
    color = m.varied(m.drawn(VAN_COLORS[asset_set], rng), rng, 0.1)
    return _vehicle(form, m.paint(color, splashed_m=m.splash_m(rng)), dimensions_hwl_m, rng)


def _likelihood(form: BodyForm, height_m: float, length_m: float) -> float:
    slender = length_m / height_m
    ideal = {id(HATCHBACK): 2.7, id(SALOON): 3.25, id(ESTATE): 3.1, id(SUV): 2.65, id(PICKUP): 2.95}[id(form)]
    tall = (height_m > 1.62) == (form in (SUV, PICKUP))
    return float(np.exp(-(((slender - ideal) / 0.3) ** 2)) * (1.0 if tall else 0.15)) + 1e-4


def _individual(form: BodyForm, asset_set: str, rng: np.random.Generator) -> BodyForm:
    """The form with the small differences between makes; the stand-in set is more angular, with a lower roof line."""
    bend = 0.014 * rng.standard_normal(len(form.top))
    bend[np.array([z for _, z in form.top]) > 0.94] = 0
    angular = asset_set == "stand-in"
    return replace(
        form,
        top=tuple((u, z + float(b)) for (u, z), b in zip(form.top, bend, strict=True)),
        belt=tuple(
            b + float(d) + (0.02 if angular else 0) for b, d in zip(form.belt, rng.normal(0, 0.008, 2), strict=True)
        ),
        wheel=form.wheel * float(rng.uniform(0.96, 1.05)) * (1.06 if angular else 1.0),
        roof_width=form.roof_width + float(rng.uniform(-0.02, 0.03)) + (0.06 if angular else 0),
        corner=tuple(c * float(rng.uniform(0.75, 1.15)) * (0.5 if angular else 1.0) for c in form.corner),
        smooth_u=form.smooth_u * float(rng.uniform(0.7, 1.3)) * (0.5 if angular else 1.0),
    )


def _vehicle(form: BodyForm, paint: Material, dimensions_hwl_m, rng: np.random.Generator) -> Mesh:
    height, width, length = dimensions_hwl_m
    body = Body(form, height, width * 0.955, length)
    parts = Assembly()
    glass = m.car_glass(height, rng)
    dark_roof = rng.uniform() < DARK_ROOFS
    body.add_skin(parts, paint, glass, CAR, roof=m.paint(DARK_ROOF) if dark_roof else None)
    lit = rng.uniform() < 0.85
    head, tail = (m.HEADLIGHT, m.TAILLIGHT) if lit else (m.UNLIT_HEADLIGHT, m.UNLIT_TAILLIGHT)
    front_plate, rear_plate = m.drawn(PLATES, rng, [6, 3, 1])
    add_front(parts, body, paint, head, front_plate, rng)
    add_rear(parts, body, paint, tail, rear_plate, rng)
    body.add_wheels(parts, CAR, spokes=int(rng.integers(4, 8)))
    add_mirrors(parts, body, width, m.TRIM if rng.uniform() < 0.35 else paint)
    add_handles(parts, body, m.TRIM if rng.uniform() < 0.4 else paint)
    if rng.uniform() < form.roof_bars:
        add_roof_bars(parts, body)
    if lit:
        nose = body.fascia_m(0.0)[4, 1]
        direction = (0.997, 0.0, -0.075)
        parts.lamp(Lamp((float(nose[0]) + 0.1, 0.0, float(nose[2])), (1.0, 0.93, 0.82), 60.0, direction, 30.0))
    return parts.mesh()
