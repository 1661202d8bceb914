"""From the category names in a file to ours."""

from collections.abc import Iterable

from dataset.errors import InputError
from dataset.schema import EVERY_CATEGORY

IGNORE, DROP, ANY_OTHER = "ignore", "drop", "*"


class CategoryMap:
    """Names in the file -> our category, or "ignore" (an ignore region of every category), or "drop" (not read).

    The key "*" stands for every name not listed. None keeps the names as they are.
    Our categories are numbered as they first appear in the mapping; without one, as they appear in the file.
    """

    def __init__(self, mapping: dict[str, str] | None, names_in_file: Iterable[str] = ()):
        self._mapping = mapping
        ours = names_in_file if mapping is None else (name for name in mapping.values() if name not in (IGNORE, DROP))
        self.categories: list[str] = list(dict.fromkeys(ours))  # grows as names appear when there is no mapping
        self._index = {name: index for index, name in enumerate(self.categories)}

    def index(self, name: str, where: object) -> int | None:
        """Number of our category for a name found at `where`, EVERY_CATEGORY to ignore it, None to drop it.

        Raises InputError on a name that is not mapped.
        """
        if self._mapping is None:
            if name not in self._index:
                self._index[name] = len(self.categories)
                self.categories.append(name)
            return self._index[name]
        ours = self._mapping.get(name, self._mapping.get(ANY_OTHER))
        if ours is None:
            raise InputError(
                where,
                f"category {name!r} is not mapped; mapped are {', '.join(map(repr, self._mapping))}",
                f'map it to a category, "{IGNORE}" or "{DROP}", or map all others with "{ANY_OTHER}"',
            )
        if ours == DROP:
            return None
        return EVERY_CATEGORY if ours == IGNORE else self._index[ours]
