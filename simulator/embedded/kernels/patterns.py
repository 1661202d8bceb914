# type: ignore
# ruff: noqa: UP018
"""Procedural textures: what the numbers of mesh.PATTERNS look like.

Evaluated at the hit point in the mesh's own frame, so that a pattern moves with its actor. `pattern_scale_m` is the
size of what repeats: the storey of a facade, a slab, a pair of stripes, a clump of leaves, the mottles of cloth; the
height of a cabin's roof and of the dirt on a car; for the others it stretches the whole texture (1 is natural size).
Detail finer than `footprint_m`, the width of a pixel on the surface, fades to its mean instead of flickering.
"""

import warp as wp

from simulator.embedded.kernels.atmosphere import fractal_noise
from simulator.embedded.kernels.car_patterns import cabin, splashed
from simulator.embedded.kernels.texture import Texture, cell_hash, detail, fine_noise, noise3, ridge

PLAIN = wp.constant(0)
ASPHALT = wp.constant(1)
FACADE = wp.constant(2)
BRICK = wp.constant(3)
LEAVES = wp.constant(4)
GRASS = wp.constant(5)
PAVING = wp.constant(6)
STRIPES = wp.constant(7)
CLOTH = wp.constant(8)
GLASS = wp.constant(9)
INTERIOR = wp.constant(10)
CABIN = wp.constant(11)
SPLASHED = wp.constant(12)

SHOP_M = wp.constant(2.5)  # rooms wider than this have shelves
LIT_WINDOWS = 0.3  # share of windows with light in the evening


@wp.func
def wall_coordinates(point: wp.vec3, normal: wp.vec3) -> wp.vec2:
    """Position along a wall and up it; on the flat, the two horizontal axes."""
    if wp.abs(normal[2]) > 0.7:
        return wp.vec2(point[0], point[1])
    along = wp.normalize(wp.vec3(-normal[1], normal[0], 0.0))
    return wp.vec2(wp.dot(point, along), point[2])


@wp.func
def facade(base: Texture, at: wp.vec2, storey_m: float, footprint_m: float, lamp_level: float) -> Texture:
    out = base
    bay_m = storey_m * 0.85
    column = wp.floor(at[0] / bay_m)
    floor_number = wp.floor(at[1] / storey_m)
    u = at[0] / bay_m - column
    v = at[1] / storey_m - floor_number
    left = float(0.22)
    bottom = float(0.28)
    top = float(0.84)
    if floor_number < 1.0:  # ground floor: shop windows and doors
        left = 0.08
        bottom = 0.14
        top = 0.86
    inside = u > left and u < 1.0 - left and v > bottom and v < top
    sharp = detail(0.8 * storey_m, footprint_m)
    frame = 0.035
    framed = u > left - frame and u < 1.0 - left + frame and v > bottom - frame and v < top + frame
    ledge = ridge(at[1], storey_m, 0.09) * detail(0.5, footprint_m)
    stain = fractal_noise(wp.uint32(5), at * 0.35, 3)
    wall = base.color * (1.0 + 0.16 * stain - 0.12 * ledge)
    own = cell_hash(column, floor_number, 11)
    lit = lamp_level * wp.where(cell_hash(column, floor_number, 29) < LIT_WINDOWS, 1.0, 0.0)
    glass_color = wp.vec3(0.035, 0.045, 0.055) * (0.6 + 0.8 * own)
    curtain = wp.where(own > 0.55, 1.0, 0.0) * wp.smoothstep(0.02, 0.0, wp.abs(u - 0.5) * -1.0 + 0.5 - left - 0.09)
    glass_color = glass_color + wp.vec3(0.28, 0.27, 0.24) * (0.7 * curtain)
    if inside:
        bar = ridge(u - 0.5, 4.0, 0.022) + ridge(v - (bottom + 0.62 * (top - bottom)), 4.0, 0.016)
        glass_color = wp.lerp(glass_color, wp.vec3(0.55, 0.54, 0.5), wp.min(bar, 1.0) * detail(0.25, footprint_m))
        out.color = wp.lerp(wall * 0.8, glass_color, sharp)
        out.roughness = 0.05
        out.clearcoat = 0.9 * sharp
        if lit > 0.0:
            level = cell_hash(column, floor_number, 3)
            warm = wp.vec3(1.0, 0.66 + 0.26 * level, 0.34 + 0.4 * own)
            out.color = wp.lerp(out.color, warm * 0.5, 0.8 * (1.0 - 0.7 * wp.min(bar, 1.0) * sharp))
            height = (v - bottom) / (top - bottom)
            out.emission = lit * (0.12 + 0.6 * level * level) * (0.6 + 0.5 * height) * (1.0 - 0.45 * curtain)
    else:
        out.color = wall
        if framed:
            out.color = wp.lerp(wall, wp.vec3(0.6, 0.59, 0.56), 0.75 * detail(0.4, footprint_m))
    return out


@wp.func
def interior(base: Texture, at: wp.vec2, room_m: float, footprint_m: float) -> Texture:
    """A lit room behind its window, lighter towards the ceiling; in rooms of shop size, shelves of goods."""
    out = base
    room = wp.floor(at[0] / room_m)
    storey = wp.floor(at[1] / 2.9)
    tint = cell_hash(room, storey, 7)
    level = cell_hash(room, storey, 13)
    out.color = wp.lerp(wp.vec3(1.0, 0.68, 0.36), wp.vec3(0.86, 0.95, 1.0), tint * tint)
    height = at[1] / 2.9 - storey
    light = (0.12 + 0.4 * level * level) * (0.35 + 0.9 * height)
    corner = wp.abs(at[0] / room_m - room - 0.5) * 2.0
    light = light * (1.0 - 0.35 * corner * corner)
    if room_m > SHOP_M:
        shelf = wp.floor(at[1] / 0.44)
        row = at[1] / 0.44 - shelf
        item = wp.floor(at[0] / 0.31)
        tall = 0.35 + 0.5 * cell_hash(item, shelf, 17)
        goods = wp.vec3(cell_hash(item, shelf, 19), cell_hash(item, shelf, 23), cell_hash(item, shelf, 37))
        shown = wp.where(row < tall and height < 0.72, 1.0, 0.0) * detail(0.44, footprint_m)
        out.color = wp.cw_mul(out.color, wp.lerp(wp.vec3(1.0, 1.0, 1.0), goods * 1.1, 0.8 * shown))
        light = light * (1.0 - 0.6 * ridge(at[1], 0.44, 0.035) * detail(0.2, footprint_m))
    else:
        blind = 0.3 + 0.7 * cell_hash(room, storey, 41)
        light = light * wp.where(height > blind, 0.55, 1.0)
    out.color = out.color * light
    return out


@wp.func
def textured(
    base: Texture,
    pattern: int,
    scale_m: float,
    point: wp.vec3,
    normal: wp.vec3,
    footprint_m: float,
    lamp_level: float,
) -> Texture:
    """The surface at `point`, both in the mesh's frame; `base` is the plain material."""
    out = base
    scale = wp.max(scale_m, 1.0e-3)
    at = wall_coordinates(point, normal)
    if pattern == ASPHALT:
        grain = fine_noise(point * (38.0 / scale), 3, 0.03 * scale, footprint_m)
        gravel = fine_noise(point * (11.0 / scale), 9, 0.1 * scale, footprint_m)
        patch = fractal_noise(wp.uint32(13), at * (0.35 / scale), 3)
        worn = noise3(point * (2.3 / scale), 8)
        mottled = 1.1 + 1.1 * grain + 0.5 * gravel + 0.32 * patch + 0.22 * worn
        if wp.abs(normal[2]) < 0.7:  # on a wall: render, finer than a road
            mottled = 0.7 + 0.3 * mottled
        out.color = base.color * wp.clamp(mottled, 0.35, 2.0)
    elif pattern == FACADE:
        if wp.abs(normal[2]) < 0.5:
            out = facade(base, at, scale, footprint_m, lamp_level)
    elif pattern == BRICK:
        course = 0.085 * scale
        row = wp.floor(at[1] / course)
        shifted = at[0] / (2.9 * course) + 0.5 * (row - 2.0 * wp.floor(row * 0.5))
        tint = cell_hash(wp.floor(shifted), row, 5) - 0.5
        joint = wp.max(ridge(at[1], course, 0.12 * course), ridge(shifted, 1.0, 0.045))
        sharp = detail(course, footprint_m)
        stain = fractal_noise(wp.uint32(23), at * (0.5 / scale), 2)
        out.color = base.color * (1.0 + 0.5 * tint * sharp + 0.15 * stain)
        out.color = wp.lerp(out.color, wp.vec3(0.42, 0.40, 0.37), 0.75 * joint * sharp + 0.12 * (1.0 - sharp))
    elif pattern == LEAVES:
        coarse = noise3(point * (0.55 / scale), 31)
        fine = fine_noise(point * (2.2 / scale), 37, 0.45 * scale, footprint_m)
        tiny = fine_noise(point * (6.7 / scale), 41, 0.15 * scale, footprint_m)
        light = 1.0 + 0.75 * coarse + 0.85 * fine + 0.6 * tiny
        out.color = base.color * wp.clamp(light, 0.15, 2.2)
        out.color = out.color + wp.vec3(0.05, 0.035, 0.0) * wp.max(coarse, 0.0)
        tossed = detail(0.6 * scale, footprint_m)
        if tossed > 0.0:
            toss = point * (1.7 / scale)
            out.bump = wp.vec3(noise3(toss, 43), noise3(toss, 47), noise3(toss, 53)) * (1.6 * tossed)
    elif pattern == GRASS:
        patch = fractal_noise(wp.uint32(61), at * (0.23 / scale), 3)
        blade = fine_noise(point * (17.0 / scale), 67, 0.06 * scale, footprint_m)
        clump = fine_noise(point * (2.6 / scale), 71, 0.4 * scale, footprint_m)
        out.color = base.color * wp.clamp(1.0 + 0.35 * patch + 0.6 * blade + 0.35 * clump, 0.2, 2.0)
        out.color = out.color + wp.vec3(0.06, 0.045, 0.01) * wp.max(patch, 0.0)
    elif pattern == PAVING:
        joint = wp.max(ridge(at[0], scale, 0.018), ridge(at[1], scale, 0.018))
        tint = cell_hash(wp.floor(at[0] / scale), wp.floor(at[1] / scale), 17) - 0.5
        grain = fine_noise(point * 31.0, 19, 0.035, footprint_m)
        dirt = fractal_noise(wp.uint32(83), at * 0.4, 3)
        sharp = detail(0.12, footprint_m)
        shown = detail(scale, footprint_m)
        out.color = base.color * (1.0 + 0.22 * tint * shown + 0.2 * grain + 0.16 * dirt) * (1.0 - 0.5 * joint * sharp)
    elif pattern == STRIPES:
        phase = point[2] / scale - wp.floor(point[2] / scale)
        white = wp.where(phase < 0.5, 0.0, 1.0)
        out.color = wp.lerp(base.color, wp.vec3(0.85, 0.85, 0.85), wp.lerp(0.5, white, detail(scale, footprint_m)))
    elif pattern == CLOTH:
        fold = noise3(wp.vec3(point[0] * 9.0, point[1] * 9.0, point[2] * 3.5), 73)
        weave = fine_noise(point / (0.3 * scale), 79, 0.3 * scale, footprint_m)
        out.color = base.color * (1.0 + 0.3 * fold + 0.25 * weave)
        folded = detail(0.11, footprint_m)
        if folded > 0.0:
            out.bump = wp.vec3(fold, noise3(point * 6.0, 89), 0.0) * (0.5 * folded)
    elif pattern == INTERIOR:
        if wp.abs(normal[2]) < 0.5:
            out = interior(base, at, scale, footprint_m)
    elif pattern == CABIN:
        out = cabin(base, point, normal, scale, footprint_m)
    elif pattern == SPLASHED:
        out = splashed(base, point, scale)
    elif pattern == GLASS:
        out.color = base.color * 0.35
        out.roughness = wp.min(base.roughness, 0.06)
        out.clearcoat = 1.0
    return out
