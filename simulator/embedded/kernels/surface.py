# type: ignore
# ruff: noqa: UP018
"""The surface that a ray met: its normal, and its material with texture, snow and water on it."""

import warp as wp

from simulator.embedded.kernels.atmosphere import fractal_noise
from simulator.embedded.kernels.patterns import textured
from simulator.embedded.kernels.records import Geometry, Sky
from simulator.embedded.kernels.texture import Texture

SKIN_M = wp.constant(2.0e-3)  # rays leave a surface from this far above it
NIGHT_EMISSION = wp.constant(0.5)
ROAD_TAG = wp.constant(1)
TRAFFIC_LIGHT_TAG = wp.constant(7)
ROAD_LINE_TAG = wp.constant(24)
SNOW_SLIDES_OFF = wp.constant(0.35)  # surfaces steeper than this height of their normal carry none


@wp.struct
class Surface:
    position: wp.vec3
    normal: wp.vec3  # shading normal, towards the viewer
    flat_normal: wp.vec3
    color: wp.vec3
    roughness: float
    clearcoat: float
    metallic: float
    emission: wp.vec3


@wp.func
def bent_normal(geometry: Geometry, face: int, u: float, v: float, flat_normal: wp.vec3, direction: wp.vec3) -> wp.vec3:
    """The normal of the curved surface that a smooth face stands for; `flat_normal` is on the side it is seen from."""
    normal = flat_normal
    if geometry.smooth[face] == 1:
        a = geometry.vertex_normal[geometry.corners[3 * face]]
        b = geometry.vertex_normal[geometry.corners[3 * face + 1]]
        c = geometry.vertex_normal[geometry.corners[3 * face + 2]]
        bent = a * u + b * v + c * (1.0 - u - v)
        along = wp.dot(bent, flat_normal)
        if along < 0.0:
            bent = -bent
        if wp.abs(along) > 0.2 * wp.length(bent) and wp.dot(bent, direction) < 0.0:
            normal = wp.normalize(bent)
    return normal


@wp.func
def surface_at(
    geometry: Geometry,
    sky: Sky,
    face: int,
    u: float,
    v: float,
    flat_normal: wp.vec3,
    position: wp.vec3,
    direction: wp.vec3,
    footprint_m: float,
) -> Surface:
    """The surface that a ray along `direction` met; `footprint_m` is the pixel's width there, across the ray."""
    material = geometry.materials[geometry.material[face]]
    out = Surface()
    out.flat_normal = wp.where(wp.dot(flat_normal, direction) > 0.0, -flat_normal, flat_normal)
    out.position = position + out.flat_normal * SKIN_M
    normal = bent_normal(geometry, face, u, v, out.flat_normal, direction)

    pose = geometry.poses[geometry.instance[face]]
    about = wp.quat_from_axis_angle(wp.vec3(0.0, 0.0, 1.0), -pose[3])
    in_model = wp.quat_rotate(about, position - wp.vec3(pose[0], pose[1], pose[2]))
    normal_in_model = wp.quat_rotate(about, out.flat_normal)
    slant = wp.max(-wp.dot(direction, out.flat_normal), 0.03)

    texture = Texture()
    texture.color = material.color
    texture.roughness = material.roughness
    texture.clearcoat = material.clearcoat
    if material.pattern > 0:
        texture = textured(
            texture,
            material.pattern,
            material.pattern_scale_m,
            in_model,
            normal_in_model,
            footprint_m / wp.sqrt(slant),
            sky.lamp_level,
        )
    normal = wp.normalize(normal + texture.bump * 0.5)
    if wp.dot(normal, direction) > -0.02:
        normal = out.flat_normal
    out.color = wp.max(texture.color, wp.vec3(0.003, 0.003, 0.003))
    out.roughness = texture.roughness
    out.clearcoat = texture.clearcoat
    out.metallic = material.metallic
    shine = NIGHT_EMISSION * sky.lamp_level * (material.emission + texture.emission)
    if geometry.tag[face] == TRAFFIC_LIGHT_TAG:
        shine = 2.0 * sky.signal_level * wp.min(material.emission, 2.0)
    out.emission = out.color * shine

    cover = float(0.0)  # of snow
    if sky.snow > 0.0 and out.flat_normal[2] > SNOW_SLIDES_OFF:
        drift = fractal_noise(wp.uint32(91), wp.vec2(position[0], position[1]) * 0.55, 3)
        lying = 1.9 * sky.snow * wp.smoothstep(SNOW_SLIDES_OFF, 0.75, out.flat_normal[2]) - 0.45 + 0.5 * drift
        if geometry.tag[face] == ROAD_TAG or geometry.tag[face] == ROAD_LINE_TAG:
            # wheels have cleared most of it, in tracks that run about as the camera looks
            track = fractal_noise(wp.uint32(93), wp.vec2(position[0] * 0.8, position[1] * 0.035), 3)
            lying = lying - 0.85 + 1.3 * track
        cover = wp.smoothstep(0.0, 0.6, lying)
        out.color = wp.lerp(out.color, wp.vec3(0.78, 0.80, 0.84), 0.94 * cover)
        out.roughness = wp.lerp(out.roughness, 1.0, cover)
        out.clearcoat = out.clearcoat * (1.0 - cover)
        out.metallic = out.metallic * (1.0 - cover)
        out.emission = out.emission * (1.0 - cover)
        normal = wp.normalize(wp.lerp(normal, out.flat_normal, 0.5 * cover))
    if sky.wetness > 0.0 and out.flat_normal[2] > 0.6:
        water = wp.clamp(
            0.35 + 1.1 * fractal_noise(wp.uint32(57), wp.vec2(position[0], position[1]) * 0.3, 3), 0.0, 1.0
        )
        film = sky.wetness * (0.45 + 0.55 * water) * (1.0 - cover)
        puddle = wp.smoothstep(0.62, 0.85, film)
        out.color = out.color * (1.0 - 0.5 * film)
        out.roughness = wp.lerp(wp.lerp(out.roughness, 0.25, film), 0.02, puddle)
        out.clearcoat = wp.max(out.clearcoat, wp.clamp(0.55 * film + 0.6 * puddle, 0.0, 1.0))
        normal = wp.normalize(wp.lerp(normal, out.flat_normal, puddle))
    out.normal = normal
    return out
