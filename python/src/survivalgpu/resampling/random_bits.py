r"""Counter-based random numbers in PyTorch, the twin of ``src/draws.c``.

Draw ``i`` of replicate ``b`` is 64 bits that depend on (seed, purpose, b, i) alone:

.. math::

    base = mix(seed + purpose \gamma), \quad key_b = mix(base + (b + 1) \gamma), \quad
    bits_{bi} = mix(key_b + (i + 1) \gamma)

modulo ``2^64``, with SplitMix64's mixing function and its ``gamma``, the golden ratio. So
draws are the same in batches of any size, in any order, on any device. Integers are
int64, which wrap as unsigned ones do.

Source: Steele, Lea and Flood (2014), "Fast splittable pseudorandom number generators",
OOPSLA '14, 453-472.
"""

from __future__ import annotations

import torch
from torch import Tensor

_GAMMA = 0x9E3779B97F4A7C15 - 2**64
_FIRST = 0xBF58476D1CE4E5B9 - 2**64
_SECOND = 0x94D049BB133111EB - 2**64

# What the draws are for: different purposes, independent draws.
BOOTSTRAP, BAYESIAN, PERMUTATION, COHORT = 1, 2, 3, 4


def mix(z: Tensor) -> Tensor:
    """SplitMix64's mixing function of int64 tensors."""
    z = (z ^ shifted(z, 30)) * _FIRST
    z = (z ^ shifted(z, 27)) * _SECOND
    return z ^ shifted(z, 31)


def shifted(z: Tensor, bits: int) -> Tensor:
    """Shift right, zeros coming in."""
    return (z >> bits) & ((1 << (64 - bits)) - 1)


def base_of(seed: int, purpose: int) -> int:
    """What a seed is to one purpose, as a signed integer of 64 bits."""
    return int(mix(torch.tensor(seed) + torch.tensor(purpose) * _GAMMA))


def random_bits(base: int, first: int, n_replicates: int, n: int, device: torch.device) -> Tensor:
    """``(n_replicates, n)`` int64: the bits of replicates ``first`` and following."""
    replicates = torch.arange(first + 1, first + n_replicates + 1, device=device)
    keys = mix(replicates * _GAMMA + base)
    return mix(torch.arange(1, n + 1, device=device) * _GAMMA + keys[:, None])


def bits_at(base: int, replicate: int, places: Tensor) -> Tensor:
    """``(m,)`` int64: those of :func:`random_bits` of one replicate at ``(m,)`` places from 0."""
    key = mix(torch.tensor(replicate + 1, device=places.device) * _GAMMA + base)
    return mix((places + 1) * _GAMMA + key)


def uniforms(bits: Tensor) -> Tensor:
    """Multiples of ``2^-53`` in [0, 1)."""
    return shifted(bits, 11).double() * 2.0**-53


def exponentials(bits: Tensor) -> Tensor:
    """Exponentials of mean 1, none of them 0."""
    return -torch.log((shifted(bits, 12).double() + 0.5) * 2.0**-52)
