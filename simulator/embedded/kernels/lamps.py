# type: ignore
# ruff: noqa: UP018
"""Light of the lamps: what each gives, one drawn to be looked for behind other things, and their halos in haze."""

import warp as wp

from simulator.embedded.kernels.gloss import highlight
from simulator.embedded.kernels.meeting import blocked
from simulator.embedded.kernels.records import Geometry, Sky
from simulator.embedded.kernels.surface import Surface

UNKNOWN = wp.constant(-2.0)  # whether a light is seen, where no ray has told yet
LAMP_SHINE = wp.constant(0.5)  # a lamp is smaller than the lobe that paint mirrors it in: it whitens less of it
ABOVE_CUT_OFF = wp.constant(0.2)  # share of a headlight's beam that is left above the level of the lamp
BACKWARD = wp.constant(0.08)  # what air throws back towards a lamp, against what it throws evenly


@wp.func
def lamp_gives(geometry: Geometry, index: int, position: wp.vec3) -> wp.vec3:
    """Irradiance of one lamp on a surface that faces it, unshadowed."""
    lamp = geometry.lamps[index]
    to_lamp = lamp.position - position
    distance = wp.max(wp.length(to_lamp), 0.3)
    cone = float(1.0)
    if lamp.cos_cone > -1.5:
        inward = -wp.dot(to_lamp, lamp.direction) / distance
        edge = 0.35 * (1.0 - lamp.cos_cone)
        cone = wp.smoothstep(lamp.cos_cone - edge, lamp.cos_cone + edge, inward)
        # a narrow beam is brightest in its middle, a street lamp even
        peak = 12.0 * wp.smoothstep(0.5, 0.85, lamp.cos_cone)
        cone = cone * (0.15 + 0.85 * wp.pow(wp.clamp(inward, 0.01, 1.0), peak))
        if peak > 0.0:  # a low beam's cut-off
            cone = cone * wp.lerp(1.0, ABOVE_CUT_OFF, wp.smoothstep(-0.02, 0.04, -to_lamp[2] / distance))
    return lamp.intensity * (cone / (distance * distance))


@wp.struct
class LampLit:
    given: wp.vec3  # radiance towards the viewer from all lamps, if nothing hid them
    seen: float  # 0 or 1: whether one of them is seen that was drawn by how much it gives


@wp.func
def from_lamps(
    geometry: Geometry, sky: Sky, surface: Surface, to_viewer: wp.vec3, drawn: float, seen: float
) -> LampLit:
    """One random number, 0-1, serves to draw the lamp: what each choice leaves of it is even again.

    `seen` is what is known already, or UNKNOWN.
    """
    out = LampLit()
    out.seen = wp.max(seen, 0.0)
    left = drawn
    total = float(0.0)
    target = surface.position
    for index in range(geometry.lamps.shape[0]):
        to_lamp = geometry.lamps[index].position - surface.position
        toward = wp.normalize(to_lamp)
        cosine = wp.dot(surface.normal, toward)
        if cosine > 0.0:
            irradiance = lamp_gives(geometry, index, surface.position)
            matt = surface.color * (0.3183 * cosine)
            shine = LAMP_SHINE * highlight(surface, to_viewer, toward)
            given = wp.cw_mul(irradiance, matt + wp.vec3(shine, shine, shine))
            weight = given[0] + given[1] + given[2]
            out.given += given * sky.lamp_level
            total += weight
            if weight > 0.0:
                chance = weight / total
                if left < chance:
                    left = left / chance
                    target = geometry.lamps[index].position
                else:
                    left = (left - chance) / (1.0 - chance)
    if total > 0.0 and seen == UNKNOWN:
        gap = target - surface.position
        distance = wp.length(gap)
        # a lamp sits inside its housing: the last half metre casts no shadow
        if not blocked(geometry, surface.position, gap / distance, wp.max(distance - 0.5, 0.01)):
            out.seen = 1.0
    return out


@wp.func
def lamp_haze(geometry: Geometry, sky: Sky, origin: wp.vec3, direction: wp.vec3, distance_m: float) -> wp.vec3:
    """Light of the lamps scattered into the ray by the air: the halo about a lamp in fog.

    Single isotropic scattering of a point light along a segment has the closed form (atan(b/h) - atan(a/h)) / h,
    with h the lamp's distance from the ray; a directed lamp is spread evenly, weaker the narrower it is. Droplets
    throw light forwards: a lamp that shines away from the viewer lights the air much less than one that faces him.
    """
    total = wp.vec3(0.0, 0.0, 0.0)
    for index in range(geometry.lamps.shape[0]):
        lamp = geometry.lamps[index]
        offset = lamp.position - origin
        along = wp.dot(offset, direction)
        height = wp.max(wp.length(offset - direction * along), 0.08)
        arc = wp.atan2(distance_m - along, height) + wp.atan2(along, height)
        share = wp.clamp(1.1 - lamp.cos_cone, 0.15, 1.0)
        if lamp.cos_cone > -1.5:
            facing = 0.5 - 0.5 * wp.dot(lamp.direction, direction)
            share = share * wp.lerp(BACKWARD, 1.4, facing)
        left = wp.exp(-sky.extinction_per_m * wp.max(along, 0.0))
        total += lamp.intensity * (share * left * arc / (height * 12.566))
    return total * (sky.extinction_per_m * sky.halo_share * sky.lamp_level)
