# type: ignore
# ruff: noqa: UP018
"""Radiance of sky, clouds and air along a ray; the model is told in simulator/embedded/sky.py."""

import warp as wp

from simulator.embedded.kernels.records import Sky


@wp.func
def smooth_sky(sky: Sky, direction: wp.vec3) -> wp.vec3:
    """Radiance of the sky without clouds' shapes and the sun's disc: what lights surfaces and blurred mirrors."""
    height = wp.max(direction[2], 0.0)
    radiance = wp.lerp(sky.horizon, sky.zenith, wp.pow(height, 0.45))
    toward_sun = wp.max(wp.dot(direction, sky.sun_direction), 0.0)
    glow = 0.10 * wp.pow(toward_sun, 6.0) + 0.25 * wp.pow(toward_sun, 48.0)
    return radiance + sky.glow * glow


@wp.func
def fractal_noise(seed: wp.uint32, point: wp.vec2, octaves: int) -> float:
    """Sum of gradient noise, about -1..1."""
    total = float(0.0)
    weight = float(0.55)
    at = point
    for _octave in range(octaves):
        total += weight * wp.noise(seed, at)
        weight *= 0.5
        at = at * 2.03 + wp.vec2(17.3, 9.1)
    return total * 1.6


@wp.func
def whole_sky(sky: Sky, direction: wp.vec3) -> wp.vec3:
    """Radiance of the sky as the camera sees it: gradient, sun, clouds."""
    radiance = smooth_sky(sky, direction)
    toward_sun = wp.max(wp.dot(direction, sky.sun_direction), 0.0)
    radiance = radiance + sky.glow * (
        2.0 * wp.pow(toward_sun, 700.0) + 60.0 * wp.smoothstep(0.99992, 0.99997, toward_sun)
    )
    if direction[2] > 0.0 and sky.cloud_cover > 0.02:
        spread = 1.6 / (direction[2] + 0.16)
        at = wp.vec2(direction[0] * spread, direction[1] * spread) + sky.cloud_offset
        seed = wp.uint32(7)
        thickness = fractal_noise(seed, at, 5) + 1.45 * sky.cloud_cover - 0.75
        dense = wp.smoothstep(0.0, 0.55, thickness) * wp.smoothstep(0.0, 0.10, direction[2])
        if dense > 0.0:
            # thicker where the neighbour towards the sun is thick as well: a shaded base
            aside = wp.vec2(sky.sun_direction[0], sky.sun_direction[1]) * 0.25
            shade = wp.smoothstep(-0.3, 0.9, fractal_noise(seed, at + aside, 3) + 1.2 * sky.cloud_cover - 0.6)
            cloud = wp.lerp(sky.cloud_bright, sky.cloud_dark, shade)
            cloud = cloud + sky.glow * (0.5 * wp.pow(toward_sun, 12.0) * (1.0 - shade))
            radiance = wp.lerp(radiance, cloud, dense)
    return radiance


@wp.func
def left_by_fog(sky: Sky, distance_m: float, direction: wp.vec3) -> float:
    """Share of the light that `distance_m` of air lets through."""
    in_layer = wp.min(distance_m, sky.fog_layer_m / wp.max(direction[2], 1.0e-4))
    return wp.exp(-sky.extinction_per_m * in_layer)


@wp.func
def from_fog(sky: Sky, left: float, direction: wp.vec3) -> wp.vec3:
    """The light that air adds which lets through the share `left`."""
    toward_sun = wp.max(wp.dot(direction, sky.sun_direction), 0.0)
    air = sky.fog + sky.glow * (0.12 * wp.pow(toward_sun, 6.0))
    return air * (1.0 - left)


@wp.func
def through_fog(sky: Sky, radiance: wp.vec3, distance_m: float, direction: wp.vec3) -> wp.vec3:
    """What is left of `radiance` after `distance_m` of air, plus the light that the air adds."""
    left = left_by_fog(sky, distance_m, direction)
    return radiance * left + from_fog(sky, left, direction)
