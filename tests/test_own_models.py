"""The user's GLB models: which way they face, how large they are, their colours, and what is wrong with bad ones."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import trimesh
import yaml
from PIL import Image
from trimesh.visual import ColorVisuals, TextureVisuals
from trimesh.visual.material import PBRMaterial

from dataset.errors import InputError
from dataset.schema import Camera
from simulator.assets.library import Library
from simulator.assets.manifest import digest
from simulator.embedded.backend import EmbeddedBackend
from simulator.scene import Actor, Scene, SceneCamera

SIZE = (1.5, 1.8, 4.2)
CAR = Actor("car", 0.0, 9.0, -np.pi / 2, SIZE, category="car", appearance_seed=3)


# Where glTF's X, Y, Z lie in the model's (forward, left, up), with Y up and the other two right-handed.
GLTF = {
    "+z": lambda ahead, left, up: (left, up, ahead),
    "-z": lambda ahead, left, up: (-left, up, -ahead),
    "+x": lambda ahead, left, up: (ahead, up, -left),
    "-x": lambda ahead, left, up: (-ahead, up, left),
}


def pickup(forward: str = "+z") -> trimesh.Scene:
    """A red body, a blue cab near the front and a green lamp on the left, in glTF's frame with that axis ahead."""
    parts = []
    for (x, y, z), (length, width, height), color, name in (
        ((0, 0, 0.5), (4.2, 1.8, 1.0), (1.0, 0.02, 0.02), "body"),
        ((1.0, 0, 1.25), (1.5, 1.7, 0.5), (0.05, 0.1, 0.9), "cab"),
        ((0, 0.8, 1.05), (0.2, 0.2, 0.1), (0.02, 0.9, 0.05), "lamp"),
    ):
        part = trimesh.creation.box((length, width, height))
        part.apply_translation((x, y, z))
        part.vertices = np.stack(GLTF[forward](*part.vertices.T), axis=1)
        factor = [round(255 * c) for c in color] + [255]
        part.visual = TextureVisuals(material=PBRMaterial(name=name, baseColorFactor=factor, roughnessFactor=0.9))
        parts.append(part)
    return trimesh.Scene(parts)


def folder_with(path: Path, *models: dict, share: float = 1.0) -> Path:
    path.mkdir(exist_ok=True)
    (path / "models.yaml").write_text(yaml.safe_dump({"share": share, "models": list(models)}))
    return path


def entry(**changes) -> dict:
    return {"file": "pickup.glb", "asset": "car", "size_hwl_m": list(SIZE)} | changes


def centre_of(mesh, channel: int) -> np.ndarray:
    """Middle of the faces in which a colour channel is the strongest."""
    strongest = np.array([int(np.argmax(material.color)) for material in mesh.materials])
    return mesh.vertices_m[mesh.faces[strongest[mesh.material] == channel]].mean(axis=(0, 1))


@pytest.mark.parametrize("forward", GLTF)
def test_whatever_axis_points_ahead_in_the_file_the_cab_is_in_front_and_the_lamp_on_the_left(tmp_path, forward):
    pickup(forward).export(folder_with(tmp_path / "own", entry(forward=forward)) / "pickup.glb")
    mesh = Library(tmp_path / "own").mesh(replace(CAR, dimensions_hwl_m=(1.6, 1.9, 4.5)), "default")
    assert mesh is not None
    extent = np.ptp(mesh.vertices_m, axis=0)
    assert extent == pytest.approx([4.5, 1.9, 1.6], abs=1e-4) and mesh.vertices_m[:, 2].min() == pytest.approx(
        0, abs=1e-5
    )
    cab, lamp = centre_of(mesh, 2), centre_of(mesh, 1)
    assert cab[0] == pytest.approx(1.0 * 4.5 / 4.2, abs=0.02) and cab[1] == pytest.approx(0, abs=0.02)
    assert lamp[1] == pytest.approx(0.8 * 1.9 / 1.8, abs=0.02)
    corners = mesh.vertices_m[mesh.faces].astype(float)  # turned inside out, the volume would be negative
    assert np.einsum("fi,fi->f", corners[:, 0], np.cross(corners[:, 1], corners[:, 2])).sum() / 6 > 0


def test_a_model_is_seen_where_its_actor_stands_in_its_own_colours(tmp_path):
    pickup().export(folder_with(tmp_path / "own", entry()) / "pickup.glb")
    scene = Scene(SceneCamera(Camera(160.0, 160.0, 80.0, 40.0, 1.5), 160, 96), (CAR,))
    backend = EmbeddedBackend(models=tmp_path / "own")
    render = backend.render(scene)
    backend.close()
    rear = render.rgb[render.instance == 1].astype(float).mean(axis=0)
    assert rear[0] > 1.5 * max(rear[1:])  # from behind the red body is nearly all one sees
    rows, columns = np.nonzero(render.instance == 1)
    left, right = 80 - 160 * 0.9 / 6.9, 80 + 160 * 0.9 / 6.9  # its rear stands 9 - 2.1 m away
    assert (columns.min(), columns.max() + 1) == pytest.approx((left, right), abs=1)
    assert rows.max() + 1 == pytest.approx(40 + 160 * 1.5 / 6.9, abs=1)


def test_a_texture_colours_each_triangle_and_paint_changes_with_the_actor(tmp_path):
    plate = trimesh.creation.box(SIZE[::-1])
    plate.vertices = np.stack(GLTF["+z"](*plate.vertices.T), axis=1)
    uv = np.stack([np.where(plate.vertices[:, 2] > 0, 0.99, 0.01), np.full(len(plate.vertices), 0.5)], 1)
    picture = Image.new("RGB", (64, 8), (255, 0, 0))
    picture.paste((0, 0, 255), (32, 0, 64, 8))  # the front half of the file's z is blue
    plate.visual = TextureVisuals(uv=uv, material=PBRMaterial(name="skin", baseColorTexture=picture))
    folder = folder_with(tmp_path / "own", entry())
    plate.export(folder / "pickup.glb")
    mesh = Library(folder).mesh(CAR, "default")
    assert mesh is not None
    front = mesh.materials[mesh.material[np.argmax(mesh.vertices_m[mesh.faces][:, :, 0].min(axis=1))]]
    rear = mesh.materials[mesh.material[np.argmin(mesh.vertices_m[mesh.faces][:, :, 0].max(axis=1))]]
    assert front.color[2] > 0.8 > 0.1 > front.color[0] and rear.color[0] > 0.8 > 0.1 > rear.color[2]
    folder_with(folder, entry(paint=["skin"]))
    library = Library(folder)
    colors = {library.mesh(replace(CAR, appearance_seed=seed), "default").materials[0].color for seed in range(8)}  # type: ignore[union-attr]
    assert len(colors) == 8


def test_models_join_by_their_share_and_only_where_their_size_suits(tmp_path):
    folder = folder_with(tmp_path / "own", entry(), share=0.3)
    pickup().export(folder / "pickup.glb")
    chosen = Library(folder).manifest.chosen
    played = [chosen(replace(CAR, appearance_seed=seed)) is not None for seed in range(400)]
    assert np.mean(played) == pytest.approx(0.3, abs=0.07)
    assert not any(chosen(replace(CAR, dimensions_hwl_m=(1.5, 1.8, 6.0), appearance_seed=s)) for s in range(50))
    assert not any(chosen(replace(CAR, asset="van", appearance_seed=s)) for s in range(50))


def test_bad_folders_are_told_by_file_and_remedy(tmp_path):
    with pytest.raises(InputError, match=r"models\.yaml: cannot be read"):
        Library(tmp_path)
    with pytest.raises(InputError, match=r"models\.0\.asset.*'lorry' is not one of car"):
        Library(folder_with(tmp_path / "a", entry(asset="lorry")))
    with pytest.raises(InputError, match=r"'car\.fbx' ends in neither"):
        Library(folder_with(tmp_path / "b", entry(file="car.fbx")))
    with pytest.raises(InputError, match=r"pickup\.glb: no such file"):
        Library(folder_with(tmp_path / "c", entry()))
    pickup().export(tmp_path / "pickup.glb")
    for outside in ("../pickup.glb", str(tmp_path / "pickup.glb")):
        with pytest.raises(InputError, match=r"pickup\.glb: lies outside the folder"):
            Library(folder_with(tmp_path / "c", entry(file=outside)))
    folder = folder_with(tmp_path / "d", entry(forward="+x"))
    pickup("+z").export(folder / "pickup.glb")
    with pytest.raises(InputError, match=r"with \+x ahead, which is not the shape"):
        Library(folder).require_all()
    before = digest(folder)
    (folder / "pickup.glb").write_bytes(b"glTF, cut short")
    with pytest.raises(InputError, match="does not load"):
        Library(folder).require_all()
    assert digest(folder) != before


def test_a_material_to_paint_that_the_file_lacks_is_told_beside_those_it_has(tmp_path):
    folder = folder_with(tmp_path / "own", entry(paint=["body", "bdy"]))
    pickup().export(folder / "pickup.glb")
    with pytest.raises(InputError, match=r"pickup\.glb: has no material 'bdy'; its materials: body, cab, lamp"):
        Library(folder).require_all()


def test_a_vertex_that_is_no_number_is_refused(tmp_path):
    scene = pickup()
    lamp = list(scene.geometry.values())[-1]
    lamp.vertices[3] = np.nan
    folder = folder_with(tmp_path / "own", entry())
    scene.export(folder / "pickup.glb")
    with pytest.raises(InputError, match="is not the shape of"):
        Library(folder).require_all()


def test_vertex_colours_count_in_a_part_that_has_no_material(tmp_path):
    plate = trimesh.creation.box(SIZE[::-1])
    plate.vertices = np.stack(GLTF["+z"](*plate.vertices.T), axis=1)
    colours = np.where(plate.vertices[:, 2:] > 0, [0, 0, 255, 255], [255, 0, 0, 255]).astype(np.uint8)
    plate.visual = ColorVisuals(plate, vertex_colors=colours)
    folder = folder_with(tmp_path / "own", entry())
    plate.export(folder / "pickup.glb")
    mesh = Library(folder).mesh(CAR, "default")
    assert mesh is not None
    assert centre_of(mesh, 2)[0] > 1 > -1 > centre_of(mesh, 0)[0]
