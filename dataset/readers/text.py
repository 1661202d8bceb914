"""Label files as text."""

from pathlib import Path

from dataset.errors import InputError


def read_text(path: Path) -> str:
    """The whole file. Raises InputError where it is missing, unreadable or no UTF-8 text."""
    try:
        return path.read_text(encoding="utf-8-sig")  # a byte order mark, as some Windows tools write, is no content
    except FileNotFoundError:
        raise InputError(path, "file not found", "add it, or leave the frame out with --skip-bad") from None
    except IsADirectoryError:
        raise InputError(path, "a folder, where a file is expected", "give the label file itself") from None
    except PermissionError:
        raise InputError(path, "may not be read", "give this user the right to read it (chmod)") from None
    except UnicodeDecodeError:
        raise InputError(path, "not text in UTF-8", "replace it, or leave the frame out with --skip-bad") from None
