"""Writes the package of a new network from the files in `network/`."""

import keyword
import re
from collections.abc import Collection
from pathlib import Path

from reporting_dags.model.errors import SettingError, StorageError

_FILES = Path(__file__).parent / "network"
_SUFFIX = ".txt"
"""The files end with it, so that they are no modules of this package."""
_PLACEHOLDER = "acme"


def write_network(name: str, parent: Path, *, registered: Collection[str]) -> Path:
    """Write the package of a network and return its folder, `reporting-dags-<name>` in `parent`.

    Args:
        name: key of the provider, such as `my_network`: the first part of its asset keys.
        parent: folder in which the package's folder is made.
        registered: keys of the providers that exist.

    Raises:
        SettingError: the name is not a valid key, or is taken.
        StorageError: the folder exists, or cannot be written.
    """
    if not re.fullmatch(r"[a-z][a-z0-9_]*[a-z0-9]", name) or keyword.iskeyword(name):
        raise SettingError(
            f"{name!r} is not a valid name of a network",
            advice="Fix: use lower-case letters, digits and underscores, and begin with a letter, as in my_network.",
        )
    if name in registered:
        raise SettingError(f"a network named {name} is registered already", advice="Fix: use another name.")
    folder = parent / f"reporting-dags-{name.replace('_', '-')}"
    try:
        folder.mkdir(parents=True)
    except FileExistsError:
        raise StorageError(f"{folder} exists", advice="Fix: use another name or another folder.") from None
    except OSError as error:
        raise StorageError(f"{folder} cannot be made: {error.strerror}") from None
    for source in sorted(path for path in _FILES.rglob(f"*{_SUFFIX}") if path.is_file()):
        target = folder / _renamed(str(source.relative_to(_FILES)).removesuffix(_SUFFIX), name)
        text = _renamed(source.read_text(encoding="utf-8"), name)
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text, encoding="utf-8")
        except OSError as error:
            raise StorageError(f"{target} cannot be written: {error.strerror}") from None
    return folder


def _renamed(text: str, name: str) -> str:
    """Return `text` with the name of the network in each of its forms."""
    words = name.split("_")
    forms = {
        "reporting-dags-acme": f"reporting-dags-{'-'.join(words)}",
        "Acme": "".join(word.capitalize() for word in words),
        "ACME": name.upper(),
        _PLACEHOLDER: name,
    }
    for form, replacement in forms.items():
        text = text.replace(form, replacement)
    return text
