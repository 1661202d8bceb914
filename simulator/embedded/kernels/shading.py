# type: ignore
# ruff: noqa: UP018
"""What a surface looks like from one direction: material, sun, sky, lamps, mirrored surroundings.

Monte Carlo where light has an extent: one ray towards a point of the sun's disc, one into the hemisphere of the sky,
one to a lamp drawn by how much it would give unshadowed (resampled importance sampling with one survivor), one into
the mirror direction. `ambient` and `softening` average them over pixels.
"""

import warp as wp

from simulator.embedded.kernels.atmosphere import smooth_sky, through_fog, whole_sky
from simulator.embedded.kernels.gloss import highlight, mirrored_share
from simulator.embedded.kernels.lamps import UNKNOWN, from_lamps
from simulator.embedded.kernels.meeting import NOTHING, blocked, nearest
from simulator.embedded.kernels.records import Geometry, Sky
from simulator.embedded.kernels.surface import NIGHT_EMISSION, SKIN_M, Surface, surface_at

FAR_M = wp.constant(1.0e5)
AMBIENT_REACH_M = wp.constant(25.0)  # what is further away does not darken a corner
CLEAR_MIRROR = wp.constant(0.2)
FAINT_MIRROR = wp.constant(0.125)  # share of the light below which not every pixel has a mirror ray of its own
FAINTEST_MIRROR = wp.constant(0.02)  # below it none has
NO_SUN = wp.constant(-1.0)
BLOCKED_BOUNCE = wp.constant(0.45)  # share of unshadowed light that a surface met by an ambient ray is taken to get


@wp.func
def from_hemisphere(normal: wp.vec3, drawn: wp.vec2) -> wp.vec3:
    """A direction by the cosine about `normal`."""
    z = 2.0 * drawn[0] - 1.0
    turn = 6.2831853 * drawn[1]
    r = wp.sqrt(wp.max(1.0 - z * z, 0.0))
    return wp.normalize(normal * 1.001 + wp.vec3(r * wp.cos(turn), r * wp.sin(turn), z))


@wp.func
def about(direction: wp.vec3, radius: float, drawn: wp.vec2) -> wp.vec3:
    """A direction evenly from the disc about one; `radius` is the tangent of the disc's angular radius."""
    reach = radius * wp.sqrt(drawn[0])
    turn = 6.2831853 * drawn[1]
    axis = wp.where(wp.abs(direction[2]) < 0.9, wp.vec3(0.0, 0.0, 1.0), wp.vec3(1.0, 0.0, 0.0))
    across = wp.normalize(wp.cross(direction, axis))
    return wp.normalize(
        direction + across * (reach * wp.cos(turn)) + wp.cross(across, direction) * (reach * wp.sin(turn))
    )


@wp.func
def to_sun(sky: Sky, drawn: wp.vec2) -> wp.vec3:
    """The direction of a point of the sun's disc."""
    return about(sky.sun_direction, sky.sun_radius, drawn)


@wp.func
def open_sky(sky: Sky, normal: wp.vec3) -> wp.vec3:
    """Irradiance over pi from the sky and the ground where nothing stands about."""
    up = 0.5 + 0.5 * normal[2]
    return wp.lerp(from_ground(sky), sky.mean, up) * 0.85


@wp.func
def from_ground(sky: Sky) -> wp.vec3:
    """Radiance of sunlit ground."""
    return wp.cw_mul(
        wp.vec3(0.16, 0.155, 0.145), sky.sun_irradiance * (0.3183 * wp.max(sky.sun_direction[2], 0.0)) + sky.mean
    )


@wp.func
def surroundings(
    geometry: Geometry, sky: Sky, position: wp.vec3, flat_normal: wp.vec3, normal: wp.vec3, drawn: wp.vec2
) -> wp.vec3:
    """One sample of the irradiance over pi from the sky and from what stands about."""
    direction = from_hemisphere(normal, drawn)
    hit = nearest(geometry, position + flat_normal * SKIN_M, direction, AMBIENT_REACH_M)
    if hit.face != NOTHING:
        met = geometry.materials[geometry.material[hit.face]]
        facing = wp.where(wp.dot(hit.normal, direction) > 0.0, -1.0, 1.0)
        sunny = wp.max(wp.dot(hit.normal, sky.sun_direction) * facing, 0.0)
        nearby = sky.sun_irradiance * (0.3183 * sunny) + sky.mean
        light = wp.cw_mul(met.color, nearby) * BLOCKED_BOUNCE
        return light + met.color * (met.emission * sky.lamp_level * NIGHT_EMISSION)
    if direction[2] > 0.0:
        return smooth_sky(sky, direction)
    return from_ground(sky)


@wp.struct
class Sample:
    """What chance is to a pixel, and what its neighbours know already."""

    drawn: wp.vec2  # 0-1, spread evenly over neighbouring pixels
    faint_mirrors: int  # 1 where they are traced, too
    sun_hidden_m: float  # as in Parts; UNKNOWN where a ray must tell
    lamps_seen: float  # the same


@wp.func
def mirror_blur(surface: Surface) -> float:
    """How far, as a tangent, what a surface mirrors is spread."""
    blur = surface.roughness * surface.roughness
    if surface.clearcoat > 0.0:
        blur = wp.min(blur, 0.03)
    return blur


@wp.struct
class Mirrored:
    light: wp.vec3
    distance_m: float  # of what is seen from the mirror


@wp.func
def mirrored(
    geometry: Geometry,
    sky: Sky,
    surface: Surface,
    direction: wp.vec3,
    footprint_m: float,
    share: float,
    sample: Sample,
) -> Mirrored:
    """Radiance that a glossy surface sees in its mirror direction; a faint mirror (`share`) shows no shadows."""
    straight = direction - surface.normal * (2.0 * wp.dot(direction, surface.normal))
    away = about(wp.normalize(straight), mirror_blur(surface), sample.drawn)
    below = wp.dot(away, surface.flat_normal)
    if below < 0.02:
        away = wp.normalize(away + surface.flat_normal * (0.04 - below))
    hit = nearest(geometry, surface.position, away, FAR_M)
    out = Mirrored()
    if hit.face != NOTHING:
        met_at = surface.position + away * hit.t
        met = surface_at(geometry, sky, hit.face, hit.u, hit.v, hit.normal, met_at, away, footprint_m + 0.02 * hit.t)
        cosine = wp.max(wp.dot(met.normal, sky.sun_direction), 0.0)
        sunny = float(0.0)
        if cosine > 0.0:
            sunny = 0.6 * cosine
            if share > CLEAR_MIRROR:
                sunny = wp.where(blocked(geometry, met.position, to_sun(sky, sample.drawn), FAR_M), 0.0, cosine)
        lit = sky.sun_irradiance * (0.3183 * sunny) + open_sky(sky, met.normal) * 0.7
        light = wp.cw_mul(met.color, lit) + met.emission
        if sky.lamp_level > 0.0:
            # the same draw everywhere: no noise to be softened, as a clear mirror's picture is not
            lamps = from_lamps(geometry, sky, met, -away, 0.5, UNKNOWN)
            light = light + lamps.given * lamps.seen
        out.distance_m = hit.t
        out.light = through_fog(sky, light, hit.t, away)
    else:
        out.distance_m = FAR_M
        out.light = through_fog(sky, wp.min(whole_sky(sky, away), wp.vec3(12.0, 12.0, 12.0)), FAR_M, away)
    return out


@wp.struct
class Parts:
    """Radiance of what a pixel shows, apart by how it was come by; position and normal are those of Hit."""

    position: wp.vec3
    flat_normal: wp.vec3
    depth_m: float
    steady: wp.vec3  # worked out, not drawn
    sun: wp.vec3  # where the sun is seen
    sun_hidden_m: float  # how far away what hides it is; 0 where it is seen, NO_SUN where none shines
    lamps: wp.vec3  # where they are seen
    lamps_seen: float  # 0 or 1
    mirror_gain: wp.vec3
    mirror: wp.vec3  # what is seen in it; times the gain
    mirror_reach_px: float  # how far its blur spreads that over the film; UNKNOWN where no ray told


@wp.func
def shaded(
    geometry: Geometry,
    sky: Sky,
    surface: Surface,
    ambient: wp.vec3,
    direction: wp.vec3,
    distance_m: float,
    footprint_m: float,
    mirror_ray: int,
    sample: Sample,
) -> Parts:
    """The surface as seen from `distance_m` away; `ambient` is what sky and surroundings give it."""
    out = Parts()
    out.sun_hidden_m = NO_SUN
    to_viewer = -direction
    matt = surface.color * (1.0 - surface.metallic)
    out.steady = wp.cw_mul(matt, ambient)
    cosine = wp.dot(surface.normal, sky.sun_direction)
    if cosine > 0.0 and sky.sun_irradiance[0] > 1.0e-4:
        out.sun_hidden_m = sample.sun_hidden_m
        if out.sun_hidden_m == UNKNOWN:
            blocker = nearest(geometry, surface.position, to_sun(sky, sample.drawn), FAR_M)
            out.sun_hidden_m = wp.where(blocker.face == NOTHING, 0.0, wp.max(blocker.t, 1.0e-3))
        shine = highlight(surface, to_viewer, sky.sun_direction)
        out.sun = wp.cw_mul(sky.sun_irradiance, matt * (0.3183 * cosine) + wp.vec3(shine, shine, shine))
    if sky.lamp_level > 0.0:
        lamps = from_lamps(geometry, sky, surface, to_viewer, sample.drawn[0], sample.lamps_seen)
        out.lamps = lamps.given
        out.lamps_seen = lamps.seen
    gloss = wp.max(surface.clearcoat, surface.metallic)
    if gloss > 0.03:
        f0 = wp.lerp(0.04, 0.75, surface.metallic)
        share = mirrored_share(gloss, f0, wp.dot(surface.normal, to_viewer))
        left = 1.0 - share * (1.0 - surface.metallic)
        out.steady *= left
        out.sun *= left
        out.lamps *= left
        tint = wp.lerp(wp.vec3(1.0, 1.0, 1.0), surface.color, surface.metallic)
        out.mirror_gain = tint * share
        # Without a ray: the sky's mean, as far as the surroundings let it through.
        out.mirror = wp.cw_mul(sky.mean, wp.cw_div(ambient, open_sky(sky, surface.normal)))
        out.mirror_reach_px = UNKNOWN
        if mirror_ray == 1 and share > FAINTEST_MIRROR and (share > FAINT_MIRROR or sample.faint_mirrors == 1):
            seen = mirrored(geometry, sky, surface, direction, footprint_m, share, sample)
            out.mirror = seen.light
            # what stands near its mirror is blurred less: the image lies as far behind it
            near = seen.distance_m / (seen.distance_m + distance_m)
            out.mirror_reach_px = mirror_blur(surface) * near * distance_m / footprint_m
    out.steady += surface.emission
    return out
