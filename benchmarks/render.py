"""Labelled frames a second of the embedded renderer, beside bare ray casting with Embree on the same streets.

    python -m benchmarks.render [--frames 12] [--width 640] [--height 192] [--processes 2]

Ours renders at training quality with all labels. The peer casts one Embree ray a pixel at the same meshes (which it
gets for nothing: only its own tree is built and timed) and shades by the angle to the sun in numpy: ids, depth and a
flat picture, no shadow, sky, reflection, lamp, texture, anti-aliasing, noise or silhouettes. It is what a simulator
without a light model would cost. Each side runs alone, in as many processes. The last line is JSON.
"""

import argparse
import io
import json
import multiprocessing
import resource
import time
from collections import defaultdict
from collections.abc import Callable
from contextlib import contextmanager

import numpy as np
import trimesh
from PIL import Image

from dataset.schema import Camera
from simulator.embedded.backend import EmbeddedBackend
from simulator.embedded.film import develop
from simulator.embedded.glare import with_glare
from simulator.embedded.lens import with_fringes
from simulator.embedded.motion import Seen, with_motion
from simulator.embedded.silhouettes import silhouettes
from simulator.embedded.sky import sky_of
from simulator.embedded.tracer import label_through, pinhole_of, trace
from simulator.randomise import RandomisationConfig, draw_response
from simulator.render_worker import PNG_LEVEL
from simulator.scene import Actor, Environment, Place, Scene, SceneCamera

SIZES_HWL_M = {
    "car": (1.5, 1.8, 4.3),
    "van": (2.1, 1.9, 5.1),
    "truck": (3.2, 2.5, 8.0),
    "bus": (3.1, 2.55, 11.5),
    "cyclist": (1.75, 0.6, 1.8),
    "pedestrian": (1.75, 0.6, 0.7),
}
ROAD_USERS = ("car", "car", "car", "car", "car", "car", "van", "truck", "bus", "cyclist", "cyclist")


def street(seed: int, width_px: int, height_px: int) -> Scene:
    """A full street by day, 15 actors on and beside the road; lens, motion and film as training draws them."""
    rng = np.random.default_rng(seed)
    actors = []
    for index, asset in enumerate(rng.permutation(ROAD_USERS)):
        lane = -1 if index % 2 else 1
        z_m = 9.0 + 6.5 * index + rng.uniform(-1, 1)
        yaw = -np.pi / 2 * lane + rng.normal(0, 0.03)
        actors.append(_actor(str(asset), 1.8 * lane + rng.normal(0, 0.2) - 1.7, z_m, yaw, index))
    for index in range(4):
        x_m = rng.choice([-7.5, 3.5]) + rng.normal(0, 0.5)
        actors.append(_actor("pedestrian", x_m, rng.uniform(8, 40), rng.uniform(-3, 3), 50 + index))
    focal = 0.75 * width_px
    camera = SceneCamera(Camera(focal, focal, width_px / 2, 0.47 * height_px), width_px, height_px)
    place = Place(("urban", "suburb", "highway", "country")[seed % 4], seed=seed)
    light = Environment(rng.uniform(15, 60), rng.uniform(0, 360), rng.uniform(0, 1))
    response = draw_response(RandomisationConfig(), light, rng)
    return Scene(camera, tuple(actors), place, light, response, seed=seed)


def _actor(asset: str, x_m: float, z_m: float, yaw_rad: float, seed: int) -> Actor:
    return Actor(asset, float(x_m), float(z_m), float(yaw_rad), SIZES_HWL_M[asset], asset, appearance_seed=seed)


def our_frames(scenes: list[Scene]) -> Callable[[], None]:
    backend = EmbeddedBackend()
    backend.render(scenes[0])

    def render() -> None:
        for scene in scenes:
            backend.render(scene)

    return render


def peer_frames(scenes: list[Scene]) -> Callable[[], None]:
    backend = EmbeddedBackend()
    worlds = [backend.build(scene) for scene in scenes]

    def cast() -> None:
        for scene, world in zip(scenes, worlds, strict=True):
            embree_picture(scene, world.vertices_m, world.faces, world.instance)

    return cast


def embree_picture(scene: Scene, vertices_m: np.ndarray, faces: np.ndarray, instance: np.ndarray) -> tuple:
    """Ids, depth and a picture lit by the angle to the sun alone."""
    camera, intrinsics = scene.camera, scene.camera.intrinsics
    mesh = trimesh.Trimesh(vertices_m, faces, process=False)
    tracer = trimesh.ray.ray_pyembree.RayMeshIntersector(mesh)
    columns, rows = np.meshgrid(np.arange(camera.width_px) + 0.5, np.arange(camera.height_px) + 0.5)
    right, down = (columns - intrinsics.cx_px) / intrinsics.fx_px, (rows - intrinsics.cy_px) / intrinsics.fy_px
    rays = np.stack([right, np.ones_like(right), -down], -1).reshape(-1, 3)
    origins = np.broadcast_to([0.0, 0.0, intrinsics.height_m], rays.shape)
    face = tracer.intersects_first(origins, rays)
    corners = vertices_m[faces[face]]
    normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    depth_m = np.einsum("ij,ij->i", corners[:, 0] - origins, normal) / np.einsum("ij,ij->i", rays, normal)
    cosine = np.abs(normal @ np.array([0.5, 0.5, 0.7])) / np.maximum(np.linalg.norm(normal, axis=1), 1e-9)
    picture = np.where(face >= 0, 255 * cosine, 200).astype(np.uint8)
    return np.where(face >= 0, instance[face], 0), np.where(face >= 0, depth_m, np.inf), picture


def profile(scenes: list[Scene]) -> dict[str, float]:
    """CPU milliseconds of each step of a frame, all threads: what neighbours on the machine do not change much."""
    backend = EmbeddedBackend()
    backend.render(scenes[0])
    spent_ms: dict[str, float] = defaultdict(float)

    @contextmanager
    def timed(name: str):
        start = time.process_time()
        yield
        spent_ms[name] += (time.process_time() - start) * 1000 / len(scenes)

    for scene in scenes:
        with timed("meshes"):
            scenery, actors = backend.meshes(scene)
        with timed("tree"):
            world = backend.world(scene, scenery, actors)
        sky, pinhole = sky_of(scene.environment, scene.place.seed), pinhole_of(scene.camera)
        with timed("labels"):  # traced again with the light: its share is taken off there
            label_through(world, pinhole)
        with timed("light"):
            traced = trace(world, scene.camera, sky, backend.quality, scene.seed)
        with timed("silhouettes"):
            silhouettes(world, scene.camera)
        with timed("glare"):
            radiance = with_glare(traced.radiance, world, pinhole, sky)
        camera, response = scene.camera.intrinsics, scene.response
        with timed("motion"):
            seen = Seen(traced.depth_m, traced.instance)
            radiance = with_motion(radiance, seen, camera, response, scene.actors, scene.place)
        with timed("film"):
            radiance = with_fringes(radiance, response.chromatic_aberration, (camera.cx_px, camera.cy_px))
            picture = develop(radiance, response, scene.seed)
        with timed("save"):
            for pixels in (picture, traced.semantic):
                Image.fromarray(pixels).save(io.BytesIO(), format="png", compress_level=PNG_LEVEL)
    spent_ms["light"] -= spent_ms["labels"]
    return spent_ms


def work(kind: str, scenes: list[Scene], ready, done) -> None:
    """One process: prepare, wait for the others, work, report the peak memory in MB and the processor's seconds."""
    frames = {"ours": our_frames, "peer": peer_frames}[kind](scenes)
    ready.wait()
    start_s = time.process_time()
    frames()
    done.put((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, time.process_time() - start_s))


def measured(kind: str, shares: list[list[Scene]]) -> tuple[float, float, float]:
    """(frames a second, milliseconds of the processor a frame, peak MB of a process)."""
    context = multiprocessing.get_context("spawn")
    ready, done = context.Barrier(len(shares) + 1), context.Queue()
    workers = [context.Process(target=work, args=(kind, share, ready, done)) for share in shares]
    for worker in workers:
        worker.start()
    ready.wait()
    start = time.perf_counter()
    memory_mb, cpu_s = zip(*(done.get() for _ in workers), strict=True)
    elapsed = time.perf_counter() - start
    for worker in workers:
        worker.join()
    count = sum(len(share) for share in shares)
    return count / elapsed, sum(cpu_s) * 1000 / count, max(memory_mb)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=int, default=12, help="frames of each process")
    parser.add_argument("--width", type=int, default=640)
    parser.add_argument("--height", type=int, default=192)
    parser.add_argument("--processes", type=int, default=2)
    options = parser.parse_args()
    scenes = [street(seed, options.width, options.height) for seed in range(options.frames * options.processes)]
    shares = [scenes[i :: options.processes] for i in range(options.processes)]

    steps = profile(scenes[: options.frames])
    print(f"one process, {options.width}x{options.height}, CPU milliseconds a frame, all threads:")
    for name, milliseconds in [*steps.items(), ("all", sum(steps.values()))]:
        print(f"  {name:<12}{milliseconds:7.1f}")
    told = {}
    for kind, what in (("ours", "all labels and light"), ("peer", "Embree, one unshadowed ray")):
        frames, cpu_ms, memory_mb = told[kind] = measured(kind, shares)
        print(
            f"{kind}  {frames:6.2f} frames/s in {options.processes} processes ({what}); "
            f"{cpu_ms:.0f} ms of the processor a frame, peak {memory_mb:.0f} MB a process"
        )
    (ours, ours_ms, _), (peer, peer_ms, _) = told["ours"], told["peer"]
    result = {"name": "render", "ours": round(ours, 2), "peer": round(peer, 2), "unit": "frames/s"}
    print(
        json.dumps(
            result | {"ratio": round(ours / peer, 3), "ours_cpu_ms": round(ours_ms), "peer_cpu_ms": round(peer_ms)}
        )
    )


if __name__ == "__main__":
    main()
