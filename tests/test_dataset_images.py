"""Facts about pictures: whatever the file holds, we see 8-bit RGB the right way up, or one clear error."""

import struct
import zlib

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from dataset.errors import InputError
from dataset.images import image_size, read_image

RGB = np.random.default_rng(0).integers(0, 256, (12, 20, 3), dtype=np.uint8)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK"])
def test_every_mode_becomes_rgb_of_the_same_size(tmp_path, mode):
    path = tmp_path / ("a.tif" if mode == "CMYK" else "a.png")
    Image.fromarray(RGB).convert(mode).save(path)
    image = read_image(str(path))
    assert image.shape == (12, 20, 3) and image.dtype == np.uint8
    assert image_size(str(path)) == (20, 12)


def test_rgb_values_are_kept_and_transparency_is_dropped(tmp_path):
    Image.fromarray(RGB).save(tmp_path / "a.png")
    Image.fromarray(np.dstack([RGB, np.full((12, 20), 7, np.uint8)])).save(tmp_path / "b.png")
    assert np.array_equal(read_image(str(tmp_path / "a.png")), RGB)
    assert np.array_equal(read_image(str(tmp_path / "b.png")), RGB)


@pytest.mark.filterwarnings("error")
def test_palette_with_transparency_keeps_its_colours_without_a_warning(tmp_path):
    palette = Image.fromarray(RGB).quantize(8)
    palette.save(tmp_path / "a.png", transparency=b"\x00\x80")
    assert np.array_equal(read_image(str(tmp_path / "a.png")), np.asarray(palette.convert("RGB")))


def test_sixteen_bits_are_scaled_not_clipped(tmp_path):
    grey = np.array([[0, 255, 256, 32768, 65535]], np.uint16)
    Image.fromarray(grey).save(tmp_path / "a.png")
    assert read_image(str(tmp_path / "a.png"))[0, :, 1].tolist() == [0, 0, 1, 128, 255]


@pytest.mark.parametrize("name", ["a.png", "a.jpg"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied_to_the_pixels_and_to_the_size(tmp_path, orientation, name):
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(RGB).save(tmp_path / name, exif=exif)
    height, width, _ = read_image(str(tmp_path / name)).shape
    assert (width, height) == ((20, 12) if orientation < 5 else (12, 20)) == image_size(str(tmp_path / name))


def test_exif_behind_the_pixels_of_a_png_turns_it_too(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(RGB).save(tmp_path / "a.png")
    chunk = b"eXIf" + exif.tobytes().removeprefix(b"Exif\0\0")
    png, end = (tmp_path / "a.png").read_bytes()[:-12], (tmp_path / "a.png").read_bytes()[-12:]
    (tmp_path / "a.png").write_bytes(
        png + struct.pack(">I", len(chunk) - 4) + chunk + struct.pack(">I", zlib.crc32(chunk)) + end
    )
    assert read_image(str(tmp_path / "a.png")).shape == (20, 12, 3) and image_size(str(tmp_path / "a.png")) == (12, 20)


def test_the_size_of_a_png_is_told_without_decoding_it(tmp_path, monkeypatch):
    Image.fromarray(RGB).save(tmp_path / "a.png")
    monkeypatch.setattr(PngImagePlugin.PngImageFile, "load", lambda _: pytest.fail("decoded"))
    assert image_size(str(tmp_path / "a.png")) == (20, 12)


def test_a_camera_held_upright_gives_an_upright_picture(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # the file's first row is the scene's right side
    Image.fromarray(RGB).save(tmp_path / "a.png", exif=exif)
    assert np.array_equal(read_image(str(tmp_path / "a.png")), np.rot90(RGB, -1))


@pytest.mark.parametrize("suffix", ["png", "jpg"])
@pytest.mark.parametrize("share", [0.2, 0.6, 0.98])
def test_a_file_cut_short_is_found_already_when_its_size_is_asked(tmp_path, suffix, share):
    path = tmp_path / f"a.{suffix}"
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (90, 90, 3), dtype=np.uint8)).save(path)
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])
    for read in (image_size, read_image):
        with pytest.raises(InputError, match=rf"a\.{suffix}: the image does not decode"):
            read(str(path))


def test_bytes_after_the_end_of_a_jpeg_do_no_harm(tmp_path):
    path = tmp_path / "a.jpg"
    Image.fromarray(RGB).save(path)
    path.write_bytes(path.read_bytes() + bytes(500))
    assert image_size(str(path)) == (20, 12)


@pytest.mark.parametrize("content", [b"", b"not a picture", b"\x89PNG\r\n\x1a\n"])
def test_what_is_no_picture_is_one_clear_error(tmp_path, content):
    (tmp_path / "a.png").write_bytes(content)
    for read in (image_size, read_image):
        with pytest.raises(InputError, match="does not decode"):
            read(str(tmp_path / "a.png"))


def test_a_missing_image_and_an_unknown_kind_of_url_are_named(tmp_path):
    with pytest.raises(InputError, match="image not found"):
        read_image(str(tmp_path / "a.png"))
    with pytest.raises(InputError, match="nosuch://a"):
        read_image("nosuch://a/b.png")


def test_pictures_of_floats_are_refused(tmp_path):
    Image.fromarray(np.ones((4, 4), np.float32)).save(tmp_path / "a.tif")
    with pytest.raises(InputError, match="floats"):
        read_image(str(tmp_path / "a.tif"))


def test_urls_are_read_through_fsspec(tmp_path):
    Image.fromarray(RGB).save(tmp_path / "a.png")
    url = (tmp_path / "a.png").as_uri()
    assert np.array_equal(read_image(url), RGB) and image_size(url) == (20, 12)
