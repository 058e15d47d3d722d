"""Finished batches of a bootstrap in a file, from which the same bootstrap goes on."""

from __future__ import annotations

import hashlib
import os
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

from survivalgpu.errors import InvalidArgumentError
from survivalgpu.resampling.replicates import ReplicateFits

_FORMAT = "survivalgpu bootstrap 1"
_NO_SEED = -1


@dataclass(frozen=True)
class BatchFile:
    """Where a bootstrap keeps its finished batches.

    Attributes
    ----------
    path : Path
        The file, see :func:`check_file`.
    fingerprint : str
        What the replicates depend on but for the seed and their number, see
        :func:`fingerprint`.
    estimate : ndarray
        ``(p,)`` coefficients of the full sample. They are compared as numbers: on some
        devices two fits of the same rows differ in the last digits.
    """

    path: Path
    fingerprint: str
    estimate: np.ndarray

    def read(self, seed: int | None) -> tuple[int | None, ReplicateFits | None]:
        """Read what the file has.

        Parameters
        ----------
        seed : int or None
            That of the bootstrap; None takes the file's.

        Returns
        -------
        seed : int or None
            The file's, None where resamples were given or there is no file.
        fits : ReplicateFits or None
            The first replicates; None where there is no file.

        Raises
        ------
        InvalidArgumentError
            The file is damaged, or of another bootstrap.
        """
        if not self.path.exists():
            return None, None
        kept = self._load()
        same = kept["estimate"].shape == self.estimate.shape and np.allclose(
            kept["estimate"], self.estimate, rtol=1e-6, atol=1e-8, equal_nan=True
        )
        if str(kept["fingerprint"]) != self.fingerprint or not same:
            raise InvalidArgumentError(
                "file",
                f"{self.path} is of another fit or of other resamples.",
                "Name another file, or delete this one.",
            )
        found = None if kept["seed"] == _NO_SEED else int(kept["seed"])
        if seed is not None and seed != found:
            raise InvalidArgumentError(
                "file",
                f"{self.path} was made with the seed {found}, not {seed}.",
                f"Give seed={found}, or another file.",
            )
        return found, ReplicateFits(*(kept[field.name] for field in fields(ReplicateFits)))

    def keep(self, seed: int | None, fits: ReplicateFits) -> None:
        """Put the replicates so far in place of those that the file has.

        What is written takes the file's name only when it is whole: no interruption leaves
        a damaged file.

        Raises
        ------
        InvalidArgumentError
            The file cannot be written.
        """
        unfinished = self.path.with_name(f"{self.path.name}.{os.getpid()}.part")
        try:
            with unfinished.open("wb") as stream:
                np.savez(
                    stream,
                    format=np.array(_FORMAT),
                    fingerprint=np.array(self.fingerprint),
                    estimate=self.estimate,
                    seed=np.array(_NO_SEED if seed is None else seed),
                    **asdict(fits),
                )
            os.replace(unfinished, self.path)
        except OSError as error:
            raise InvalidArgumentError(
                "file", f"{self.path} could not be written ({error}).", "Name another file."
            ) from error
        finally:
            unfinished.unlink(missing_ok=True)

    def _load(self) -> dict[str, np.ndarray]:
        """Read the file's arrays, all of them there and of shapes that belong together."""
        try:
            # NumPy leaves a file that it opened itself open where the archive is damaged
            with self.path.open("rb") as stream, np.load(stream, allow_pickle=False) as archive:
                kept = {name: archive[name] for name in archive.files}
            n = kept["loglik"].size
            shapes = {field.name: (n,) for field in fields(ReplicateFits)}
            shapes |= {"coefficients": (n, kept["estimate"].size), "seed": ()}
            whole = all(kept[name].shape == shape for name, shape in shapes.items())
            if not whole or str(kept["format"]) != _FORMAT or "fingerprint" not in kept:
                raise ValueError("other contents")
        # what is no file of ours may fail in any way
        except Exception as error:
            raise InvalidArgumentError(
                "file",
                f"{self.path} is damaged, or no file of bootstrap() ({error}).",
                "Delete it, or name another.",
            ) from error
        return kept


def check_file(file: Any) -> Path:
    """Return the path of a file in a folder that exists.

    Raises
    ------
    InvalidArgumentError
        It is no such path.
    """
    path = Path(file) if isinstance(file, (str, os.PathLike)) else None
    if path is None or path.is_dir() or not path.parent.is_dir():
        raise InvalidArgumentError(
            "file", f"it is {file!r}.", "Give the path of a file in an existing folder."
        )
    return path


def fingerprint(*parts: np.ndarray | str | None) -> str:
    """SHA-256 of arrays and words, in hexadecimal.

    Parameters
    ----------
    *parts : ndarray, str or None
        Arrays ``(n,)`` or ``(n, p)`` count by their values as float64, whatever their layout
        in memory; they are read a column at a time.

    Returns
    -------
    str
        64 digits.
    """
    digest = hashlib.sha256()
    for part in parts:
        if part is None or isinstance(part, str):
            digest.update(f"{part!r};".encode())
            continue
        digest.update(f"{part.shape};".encode())
        for column in np.atleast_2d(part.T):
            digest.update(np.ascontiguousarray(column, dtype=np.float64))
    return digest.hexdigest()
