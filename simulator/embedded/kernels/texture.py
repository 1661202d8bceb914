# type: ignore
# ruff: noqa: UP018
"""What textures are made of: the record they fill, hashes of cells, noise and lines that fade where a pixel is wider.

`footprint_m` is the width of a pixel on the surface.
"""

import warp as wp


@wp.struct
class Texture:
    color: wp.vec3
    bump: wp.vec3  # added to the normal
    roughness: float
    clearcoat: float
    emission: float


@wp.func
def cell_hash(x: float, y: float, salt: int) -> float:
    """A number in 0-1 that belongs to a cell of a grid."""
    return wp.randf(wp.rand_init(int(x) * 7919 + salt, int(y) * 104729 + int(x)))


@wp.func
def detail(size_m: float, footprint_m: float) -> float:
    """How much a pixel still shows of what repeats every `size_m`: all at 4 pixels a period, nothing at 1.4."""
    return wp.smoothstep(1.4, 4.0, size_m / wp.max(footprint_m, 1.0e-6))


@wp.func
def noise3(point: wp.vec3, salt: int) -> float:
    return wp.noise(wp.uint32(salt), point)


@wp.func
def fine_noise(point: wp.vec3, salt: int, size_m: float, footprint_m: float) -> float:
    """`noise3` as far as a pixel shows what repeats every `size_m`: not worked out where it shows nothing."""
    shown = detail(size_m, footprint_m)
    value = float(0.0)
    if shown > 0.0:
        value = noise3(point, salt) * shown
    return value


@wp.func
def ridge(position: float, period: float, width: float) -> float:
    """1 within `width` of a multiple of `period`, else 0."""
    offset = wp.abs(position / period - wp.round(position / period)) * period
    return 1.0 - wp.smoothstep(0.6 * width, 1.0 * width, offset)
