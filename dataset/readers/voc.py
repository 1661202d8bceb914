"""Pascal VOC: Annotations/NAME.xml, JPEGImages/NAME.jpg (VOC2012 development kit)."""

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from xml.etree import ElementTree

from dataset.errors import InputError
from dataset.readers.labelled_image import NAN, Label, LabelledImage
from dataset.readers.text import read_text

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png")
REMEDY = "mend the file, or leave the frame out with --skip-bad"


class VocReader:
    """`folder` holds Annotations and JPEGImages.

    `difficult` becomes an ignore region of its category. VOC says that an object is truncated or occluded, not how
    much: the flag 0 becomes 0, and 1 unknown. VOC counts pixels from 1 and its box includes the last one; ours runs
    along pixel edges from 0, so (1, 1, width, height) becomes (0, 0, width, height).
    """

    names = ()
    notes = ()

    def __init__(self, folder: Path):
        self._annotations, self._images = folder / "Annotations", folder / "JPEGImages"
        for needed in (self._annotations, self._images):
            if not needed.is_dir():
                raise InputError(needed, "folder is missing", "give the folder that holds Annotations and JPEGImages")

    def images(self) -> Iterator[Callable[[], LabelledImage]]:
        image_of = {path.stem: path for path in self._images.iterdir() if path.suffix.lower() in IMAGE_SUFFIXES}
        labelled = {path.stem for path in self._annotations.glob("*.xml")}
        for name in sorted(labelled | image_of.keys()):
            yield partial(self._read, name, image_of.get(name, self._images / f"{name}.jpg"))

    def _read(self, name: str, image: Path) -> LabelledImage:
        file = self._annotations / f"{name}.xml"
        if not file.is_file():
            raise InputError(image, f"its annotation {file} is missing", "add it (without objects if need be)")
        try:
            root = ElementTree.fromstring(read_text(file))
        except ElementTree.ParseError as error:
            raise InputError(f"{file}:{error.position[0]}", f"not XML ({error})", REMEDY) from None
        labels = [label_of(f"{file}, object {i}", entry) for i, entry in enumerate(root.iterfind("object"))]
        return LabelledImage(
            where=str(file),
            frame_id=name,
            image_path=str(image),
            image_name=f"JPEGImages/{image.name}",
            labels=labels,
            declared_size_px=declared_size(file, root),
        )


def declared_size(file: Path, root: ElementTree.Element) -> tuple[int, int] | None:
    """(width, height) px; None where the file leaves it out, or at 0 as some tools do."""
    text = root.findtext("size/width"), root.findtext("size/height")
    if text[0] is None or text[1] is None:
        return None
    try:
        size = int(text[0]), int(text[1])
    except ValueError:
        raise InputError(file, f"size {text} is not two whole numbers", REMEDY) from None
    return size if all(size) else None


def label_of(where: str, entry: ElementTree.Element) -> Label:
    """One <object>. Raises InputError where name or box is missing or no number."""
    name = (entry.findtext("name") or "").strip()
    edges = [entry.findtext(f"bndbox/{edge}") for edge in ("xmin", "ymin", "xmax", "ymax")]
    try:
        x_min, y_min, x_max, y_max = (float(edge or "missing") for edge in edges)
    except ValueError:
        raise InputError(where, f"bndbox {edges} is not four numbers", REMEDY) from None
    if not name:
        raise InputError(where, "has no name", REMEDY)
    return Label(
        where=where,
        name=name,
        box_xyxy_px=(x_min - 1, y_min - 1, x_max, y_max),
        occlusion=share(entry.findtext("occluded")),
        truncation=share(entry.findtext("truncated")),
        ignore=(entry.findtext("difficult") or "0").strip() not in ("0", ""),
    )


def share(flag: str | None) -> float:
    return 0.0 if flag is not None and flag.strip() == "0" else NAN
