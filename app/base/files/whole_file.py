"""A file that is there whole or not at all, and what it means for the user when it cannot be written."""

import contextlib
import errno
import os
import secrets
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from app.base.errors import AppError

_FULL = (errno.ENOSPC, errno.EDQUOT)
_FORBIDDEN = (errno.EACCES, errno.EPERM, errno.EROFS)
_GONE = (errno.ENOENT, errno.ENOTDIR)


@contextmanager
def whole_file(target: Path) -> Iterator[BinaryIO]:
    """Replaces `target` when the block ends well; otherwise leaves it as it was and nothing beside it.

    Raises AppError("disk_full" | "export_forbidden" | "export_folder_gone" | "export_unwritable").
    """
    temporary = target.with_name(f".kotae-{secrets.token_hex(8)}.tmp")
    try:
        with temporary.open("xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(target)
    except OSError as error:
        raise failure(error, target) from error
    finally:
        with contextlib.suppress(OSError):  # its folder may be gone with it
            temporary.unlink(missing_ok=True)


def require_zip_date() -> None:
    """Word and Excel files are archives, which know only years from 1980 to 2107. Raises AppError("clock_unfit")."""
    year = time.gmtime().tm_year
    if not 1981 <= year <= 2106:  # a day less at each end, for the zones
        raise AppError("clock_unfit", year=year)


def check_new(target: Path, suffixes: Sequence[str], format_code: str, **facts: str) -> None:
    """Before anything is done for a file that a user names. `facts`: of the format's error, beside the file's name.

    Raises AppError(format_code | "export_folder_gone" | "export_exists").
    """
    if target.suffix.lower() not in suffixes:
        raise AppError(format_code, **{"name": target.name, **facts})
    if not target.parent.is_dir():
        raise AppError("export_folder_gone", path=str(target.parent))
    if target.exists():
        raise AppError("export_exists", path=str(target))


def reserve(folder: Path, stem: str, suffix: str, numbers: dict[str, int]) -> Path:
    """A new empty file: `stem` and, where that name is taken, a number. The folder itself says what is taken.

    `numbers`: the last one of each stem, kept from call to call, so that equal names are not tried again and again.
    Raises AppError as `whole_file`.
    """
    while True:
        number = numbers[stem] = numbers.get(stem, 0) + 1
        path = folder / (f"{stem}{suffix}" if number == 1 else f"{stem} ({number}){suffix}")
        try:
            path.open("xb").close()
        except FileExistsError:
            continue
        except OSError as error:
            raise failure(error, path) from error
        return path


def failure(error: OSError, target: Path) -> AppError:
    folder = str(target.parent)
    if error.errno in _FULL:
        return AppError("disk_full", path=folder)
    if error.errno in _FORBIDDEN:
        return AppError("export_forbidden", path=folder)
    if error.errno in _GONE:
        return AppError("export_folder_gone", path=folder)
    return AppError("export_unwritable", path=str(target), reason=error.strerror or str(error))
