"""A set of pictures as the command line names it: a data set that this project wrote, or any folder of images."""

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dataset.errors import InputError
from dataset.store import Dataset
from models.refiners.pictures import Pictures
from tasks.refined_folder import REFINED_MARK, require_complete

STORE = "store:"


@dataclass(frozen=True)
class PictureSet:
    """Pictures, and the data set that labels them, where there is one."""

    spec: str
    pictures: Pictures
    dataset: Dataset | None

    def names(self) -> np.ndarray:
        """(N,) str: frame ids, or paths below the folder."""
        if self.dataset is not None:
            return self.dataset.frame_ids()
        return np.array([self.pictures.name(i) for i in range(len(self.pictures))])

    @property
    def folder(self) -> Path:
        return Path(self.spec.removeprefix(STORE))

    def files(self) -> list[str]:
        """Path of each picture."""
        if self.dataset is not None:
            return [self.dataset.image_path(i) for i in range(len(self.dataset))]
        return [str(self.folder / name) for name in self.names().tolist()]

    def roots(self) -> set[str]:
        """The folders that are read: the set's own, and those of a data set's images, which may lie elsewhere."""
        images = {file.rpartition("/")[0] for file in self.files() if "://" not in file}
        return images | {str(self.folder)}

    def groups(self, group_regex: str | None = None) -> np.ndarray:
        """(N,) str: the clip, scene or town of each picture, which is resampled as one.

        Of a folder's pictures the first group of `group_regex` on their names; without one each picture is a group.
        Raises InputError where a name does not match.
        """
        if group_regex is None:
            return self.names() if self.dataset is None else self.dataset.groups()
        found = [re.search(group_regex, name) for name in self.names().tolist()]
        if None in found:
            unmatched = self.names()[found.index(None)]
            raise InputError("--group-regex", f"{group_regex!r} finds nothing in {unmatched}", "mend the expression")
        return np.array([match.group(match.re.groups and 1) for match in found if match])


def open_pictures(spec: str, semantic: Path | None = None) -> PictureSet:
    """spec: store:DIR, or a folder; a folder that holds a store is one. semantic: a folder of label maps.

    Raises InputError where there is nothing of the kind, where refining was interrupted, and on label maps for a store,
    which has its own.
    """
    folder = Path(spec.removeprefix(STORE))
    for marked in (folder, folder.parent):  # `refine` saves a folder's pictures in images/ beside its mark
        require_complete(marked, REFINED_MARK)
    if spec.startswith(STORE) or (folder / "meta.json").is_file():
        if semantic is not None:
            raise InputError(spec, "a store's label maps lie beside its images", "name no folder of maps for it")
        dataset = Dataset.open(folder)
        if not len(dataset):
            raise InputError(spec, "the data set holds no frame", "name one that does")
        return PictureSet(spec, Pictures.of_store(dataset), dataset)
    return PictureSet(spec, Pictures.of_folder(folder, semantic), None)
