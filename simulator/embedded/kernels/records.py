# type: ignore
"""The structs that the host fills and the kernels read."""

import warp as wp


@wp.struct
class SurfaceMaterial:
    color: wp.vec3
    roughness: float
    clearcoat: float
    metallic: float
    emission: float
    pattern: int
    pattern_scale_m: float


@wp.struct
class LampLight:
    position: wp.vec3
    intensity: wp.vec3  # radiant intensity, RGB
    direction: wp.vec3
    cos_cone: float  # -2 where the lamp shines everywhere


@wp.struct
class Geometry:
    """Handed to the kernels. F faces of both trees, V vertices, I instances (scenery first)."""

    points: wp.array[wp.vec3]  # (V,)
    tree: wp.uint64
    second_tree: wp.uint64  # 0 where all lies in the first
    first_tree_faces: int
    corners: wp.array[wp.int32]  # (3F,)
    vertex_normal: wp.array[wp.vec3]  # (V,), zero where no smooth face meets
    instance: wp.array[wp.int32]  # (F,)
    material: wp.array[wp.int32]  # (F,)
    tag: wp.array[wp.int32]  # (F,)
    smooth: wp.array[wp.int32]  # (F,)
    materials: wp.array[SurfaceMaterial]
    poses: wp.array[wp.vec4]  # (I,) x, y, z of the model's origin, and its turn about Z
    lamps: wp.array[LampLight]


@wp.struct
class Sky:
    """Handed to the kernels; radiances unless named otherwise."""

    sun_direction: wp.vec3
    sun_irradiance: wp.vec3  # on a surface that faces the sun
    sun_radius: float  # tangent of the disc's angular radius, larger behind haze
    zenith: wp.vec3
    horizon: wp.vec3
    glow: wp.vec3
    mean: wp.vec3  # mean of the upper half, weighted by the cosine
    cloud_cover: float
    cloud_bright: wp.vec3
    cloud_dark: wp.vec3
    cloud_offset: wp.vec2
    fog: wp.vec3
    extinction_per_m: float
    fog_layer_m: float
    halo_share: float  # of the light that air takes from a beam, what it throws in all directions
    lamp_level: float  # 1 at night, 0 by day
    signal_level: float  # radiance of traffic lights, which shine by day too
    wetness: float
    snow: float  # lying, 0-1


@wp.struct
class Pinhole:
    """Handed to the kernels. `right`, `forward` and `up` are at right angles, of length 1."""

    origin: wp.vec3
    right: wp.vec3
    forward: wp.vec3
    up: wp.vec3
    focal: wp.vec2
    centre: wp.vec2
    width: int
    height: int
