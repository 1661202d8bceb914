# type: ignore
"""Textures of cars: what their panes show, and the dirt that spray leaves on them."""

import warp as wp

from simulator.embedded.kernels.texture import Texture, detail, noise3


@wp.func
def cabin(base: Texture, point: wp.vec3, normal: wp.vec3, height_m: float, footprint_m: float) -> Texture:
    """What is seen through a car's pane: seat backs and head rests before the light of the panes opposite."""
    out = base
    level = point[2] / height_m
    # Across a wind or rear screen two seats stand side by side, along a side one behind the other.
    at = wp.where(wp.abs(normal[1]) > 0.6, point[0] / 0.88, point[1] / 0.74)
    beside = wp.abs(at - wp.floor(at) - 0.5)
    rest = (1.0 - wp.smoothstep(0.16, 0.2, beside)) * (1.0 - wp.smoothstep(0.80, 0.83, level))
    back = (1.0 - wp.smoothstep(0.3, 0.34, beside)) * (1.0 - wp.smoothstep(0.72, 0.75, level))
    seat = wp.max(wp.max(rest, back), 1.0 - wp.smoothstep(0.64, 0.7, level))
    seat = wp.lerp(0.65, seat, detail(0.3, footprint_m))
    out.color = base.color * wp.lerp(1.0, 0.14, seat)
    return out


@wp.func
def splashed(base: Texture, point: wp.vec3, height_m: float) -> Texture:
    """Dried spray, thick at the sills and thinning out towards `height_m`."""
    out = base
    streaked = noise3(wp.vec3(point[0] * 2.6, point[1] * 2.6, point[2] * 1.1), 97)
    dust = 0.8 * wp.clamp(1.15 - point[2] / height_m + 0.5 * streaked, 0.0, 1.0)
    out.color = wp.lerp(base.color, wp.vec3(0.155, 0.14, 0.115), 0.85 * dust)
    out.clearcoat = base.clearcoat * (1.0 - 0.9 * dust)
    return out
