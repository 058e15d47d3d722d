"""Random order of subjects, and of those of each stratum: the twin of ``src/permutations.c``.

The leading bits of a subject's random number choose a bucket of its stratum; within a bucket
the order is made by Fisher and Yates's shuffle with the trailing 32 bits, in which each
subject, as it comes, changes places with one that came before or with none. All orders are as
likely. Buckets hold about a thousand subjects, so that many of them are shuffled at once.

Sources: Rao (1961), Sankhya A 23:305; Sandelius (1962), JRSS B 24:472.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from survivalgpu.codes import dense_codes
from survivalgpu.errors import InvalidArgumentError
from survivalgpu.kernels import pointer
from survivalgpu.resampling.random_bits import shifted

# Part of the definition of the draws: see src/permutations.c.
_BUCKET_SUBJECTS = 1024
_MOST_BUCKET_BITS = 14


@dataclass(frozen=True)
class SubjectStrata:
    """Subjects by stratum.

    Attributes
    ----------
    codes : Tensor
        ``(n,)`` int32, stratum ``0 .. S - 1`` of each subject.
    offsets : Tensor
        ``(S + 1,)`` int32: stratum ``s`` owns ``members[offsets[s]:offsets[s + 1]]``.
    members : Tensor
        ``(n,)`` int32 subjects, ascending within each stratum.
    """

    codes: Tensor
    offsets: Tensor
    members: Tensor

    @property
    def n_strata(self) -> int:
        """Number ``S`` of strata."""
        return self.offsets.numel() - 1

    def pointers(self) -> list[int | None]:
        """Addresses of offsets and members, for the kernels."""
        return [pointer(self.offsets), pointer(self.members)]


def subject_strata(strata: Any, n_subjects: int, device: Any = "cpu") -> SubjectStrata | None:
    """Sort subjects by stratum; None where ``strata`` is None.

    Parameters
    ----------
    strata : array-like or None
        ``(n_subjects,)`` integer labels.

    Raises
    ------
    InvalidArgumentError
        There are not as many labels as subjects.
    """
    if strata is None:
        return None
    labels = np.asarray(strata).reshape(-1)
    if labels.size != n_subjects:
        raise InvalidArgumentError(
            "strata",
            f"it has {labels.size} values for {n_subjects} subjects.",
            "Give one stratum to each subject.",
        )
    codes = dense_codes(labels) if labels.size else np.zeros(0, dtype=np.int64)
    offsets = np.concatenate([[0], np.cumsum(np.bincount(codes))])
    members = np.argsort(codes, kind="stable")
    tables = (torch.from_numpy(t.astype(np.int32)).to(device) for t in (codes, offsets, members))
    return SubjectStrata(*tables)


@dataclass(frozen=True)
class Shuffle:
    """Orders subjects by the bits of random numbers.

    Attributes
    ----------
    members : Tensor
        ``(n,)`` int64 subjects by stratum.
    bucket_bits : Tensor
        ``(n,)`` int64: bits that choose a bucket in the stratum of each of ``members``.
    first_bucket : Tensor
        ``(n,)`` int64, the first bucket of that stratum.
    n_buckets : int
        Of all strata.
    """

    members: Tensor
    bucket_bits: Tensor
    first_bucket: Tensor
    n_buckets: int

    @classmethod
    def of(cls, n: int, strata: SubjectStrata | None, device: torch.device) -> Shuffle:
        """For ``n`` subjects in strata."""
        if strata is None:
            members, sizes = torch.arange(n, device=device), torch.tensor([n])
        else:
            members, sizes = strata.members.long(), strata.offsets.diff().long().cpu()
        bits = torch.zeros_like(sizes)
        for _ in range(_MOST_BUCKET_BITS):
            bits += (sizes >> bits) > _BUCKET_SUBJECTS
        numbers = 1 << bits
        first = torch.cumsum(numbers, 0) - numbers
        spread = [torch.repeat_interleave(t, sizes).to(device) for t in (bits, first)]
        return cls(members, *spread, int(numbers.sum()))

    def __call__(self, random: Tensor) -> Tensor:
        """Turn ``(B, n)`` random bits into donors ``(B, n)`` int64."""
        own = random[:, self.members]
        bucket = self.first_bucket + (shifted(own, 1) >> (63 - self.bucket_bits))
        by_bucket = torch.argsort(bucket, dim=1, stable=True)
        order = self.members[by_bucket]
        trailing = own.gather(1, by_bucket) & 0xFFFFFFFF
        ones = torch.ones_like(bucket)
        sizes = bucket.new_zeros(bucket.shape[0], self.n_buckets).scatter_add_(1, bucket, ones)
        starts = torch.cumsum(sizes, 1) - sizes
        # buckets that have come to their end go on in a place of their own
        n, spare = order.shape[1], torch.arange(self.n_buckets, device=order.device)
        order = torch.nn.functional.pad(order, (0, self.n_buckets))
        for i in range(1, int(sizes.max()) if sizes.numel() else 0):
            active = sizes > i
            here = torch.where(active, starts + i, n + spare)
            random = trailing.gather(1, here.clamp(max=n - 1))
            other = torch.where(active, starts + (random * (i + 1) >> 32), here)
            swapped = order.gather(1, other)
            order.scatter_(1, other, order.gather(1, here))
            order.scatter_(1, here, swapped)
        return torch.empty_like(by_bucket).scatter_(
            1, self.members.expand_as(by_bucket), order[:, :n]
        )
