"""`dataset.toml` beside the data: what a person writes there goes before every guess about them."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from workbench.experiment.fields import Choice
from workbench.experiment.mistakes import spoken
from workbench.experiment.registry import UnknownNameError
from workbench.tasks.files.each import NO_RIGHT
from workbench.tasks.files.errors import DataError

NAME = "dataset.toml"
C = TypeVar("C", bound=Choice)


def beside(path: Path) -> dict[str, Any]:
    """What is written beside the data: `form`, and fields of the dataset that reads it; nothing where there is none.

    Args:
        path: The folder of the data, or the file.

    Raises:
        DataError: It is no TOML, or no file.
    """
    file = (path if path.is_dir() else path.parent) / NAME
    try:
        if file.exists() and not file.is_file():  # whoever opened a pipe would wait for ever
            raise DataError(f"{file} is a folder, a pipe or a device and no file; delete it or give it another name")
        return tomllib.loads(file.read_bytes().decode("utf-8-sig"))
    except FileNotFoundError:
        return {}
    except PermissionError as error:
        raise DataError(f"{file} {NO_RIGHT}") from error
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{file} cannot be read ({error}); mend or delete it") from error
    except tomllib.TOMLDecodeError as error:
        raise DataError(f"{file} is no TOML: {error}; write lines such as label = \"species\"") from error


def overridden(config: C, said: Mapping[str, Any], file: Path) -> C:
    """The config of a dataset with what is written beside its data, where a field is as it is declared.

    Args:
        config: What the person chose.
        said: What `dataset.toml` says, `form` and fields of the dataset.
        file: Where it says so.

    Raises:
        DataError: The file names a field that the dataset does not have, or a value that will not do.
    """
    said = {name: value for name, value in said.items() if name != "form"}
    kind = type(config)
    for name in said:
        if name not in kind.model_fields or name in ("name", "path"):
            fields = [one for one in kind.model_fields if one not in ("name", "path")]
            raise DataError(f"{file}: {UnknownNameError('field', name, ['form', *fields])}")
    own = config.model_dump()
    usual = {name: info.get_default() for name, info in kind.model_fields.items()}
    merged = own | {name: value for name, value in said.items() if own[name] == usual[name]}
    try:
        return kind.model_validate(merged)
    except ValidationError as error:
        raise DataError(f"{file}: {spoken(error, '', kind)[0]}") from error
