"""Downloads with checksums and several mirrors, and the folders where data sets are looked for."""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from glassnet.errors import DataError, reason
from glassnet.support import cache
from glassnet.support.i18n import tr
from glassnet.support.paths import as_path


@dataclass(frozen=True)
class Remote:
    """A data set to download: `files` maps names to checksums ("md5:…"); a mirror is the URL of a folder."""

    name: str
    files: Mapping[str, str]
    mirrors: tuple[str, ...]


def cache_folder() -> Path:
    """The folder for downloaded data: `$GLASSNET_CACHE/data`, else in the user's cache folder. Not made here."""
    return cache.root() / "data"


def data_folders() -> list[Path]:
    """Where data sets are looked for: `$GLASSNET_DATA` if it is set, then `cache_folder()`."""
    chosen = os.environ.get("GLASSNET_DATA")
    return [*([as_path(chosen)] if chosen else []), cache_folder()]


def fetch_remote(remote: Remote) -> Path:
    """Download what is not there yet, or is damaged, into `cache_folder() / remote.name`, and return that folder.

    The only function of glassnet that downloads anything. Mirrors are tried in turn, beginning with the one that served
    the last file. A file gets its name only when its checksum is right.
    Raises `DataError` with each mirror's reason where none could serve a file, and where it would replace a foreign file.
    """
    folder = cache_folder() / remote.name
    try:
        cache.make_folder(folder)
    except OSError as error:
        raise DataError(
            tr("The folder for downloaded data can't be made."),
            where=folder,
            expected=tr("a folder that can be written to"),
            received=reason(error),
            hint=tr("set GLASSNET_CACHE to another folder"),
        ) from error
    mirrors = list(remote.mirrors)
    for name, checksum in remote.files.items():
        served_by = _fetch_one(remote.name, name, checksum, mirrors, folder)
        mirrors.sort(key=lambda mirror: mirror != served_by)
    return folder


def _fetch_one(dataset: str, name: str, checksum: str, mirrors: list[str], folder: Path) -> str:
    """Get one file and return the mirror that served it."""
    import pooch

    found = folder / name
    if found.exists() and not cache.is_ours(folder) and not _has(found, checksum):
        raise DataError(
            tr("The folder for downloaded data has another file of this name, which glassnet did not put there."),
            where=found,
            expected=tr("a file with the checksum {checksum}, or none", checksum=checksum),
            hint=tr("move it away, or set GLASSNET_CACHE to another folder"),
        )
    reasons = []
    for mirror in mirrors:
        downloader = pooch.HTTPDownloader(chunk_size=1 << 16, timeout=(10, 60))
        try:
            with _quiet(pooch.get_logger()):
                pooch.retrieve(mirror.rstrip("/") + "/" + name, checksum, name, folder, downloader=downloader)
        except (OSError, ValueError) as error:
            reasons.append(f"{mirror}: {_reason(error)}")
        else:
            return mirror
    raise DataError(
        tr("The data set {dataset} could not be downloaded.", dataset=dataset),
        where=name,
        expected=tr("a mirror that serves it with the checksum {checksum}", checksum=checksum),
        received="; ".join(reasons),
        hint=tr(
            "connect to the network and try again; or get the files some other way and set GLASSNET_DATA to their folder, "
            "or name it with --data"
        ),
    )


def _has(path: Path, checksum: str) -> bool:
    import pooch

    kind, _, digest = checksum.partition(":")
    try:
        return bool(pooch.file_hash(str(path), alg=kind) == digest)
    except OSError:  # a folder, or not ours to read
        return False


def _reason(error: OSError | ValueError) -> str:
    status = getattr(getattr(error, "response", None), "status_code", None)
    if status is not None:
        return f"HTTP {status}"
    if isinstance(error, OSError):
        return error.strerror or tr("no connection ({error})", error=type(error).__name__)
    return tr("other bytes than expected (the checksum differs)")


@contextlib.contextmanager
def _quiet(logger: logging.Logger) -> Iterator[None]:
    level = logger.level
    logger.setLevel(logging.WARNING)
    try:
        yield
    finally:
        logger.setLevel(level)
