r"""The exact partial likelihood of tied event times, its score and its information.

At an event time with risk set :math:`R` and :math:`d` events :math:`D`, time being
discrete there, the likelihood is that these :math:`d` of the rows have the events:

.. math:: \prod_{i \in D} r_i \Big/ \sum_{S \subset R, |S| = d} \prod_{i \in S} r_i

It is also the conditional likelihood of a logistic model given the number of cases of each
stratum (Gail, Lubin and Rubinstein 1981, Biometrika 68:703). The events without ties go
to :class:`~survivalgpu.partial_likelihood.PartialLikelihood`, the tied ones through
:mod:`survivalgpu.exact_subsets`, many chains of one padded shape at a time.
"""

from __future__ import annotations

from collections.abc import Iterator
from ctypes import CDLL
from dataclasses import dataclass

import torch
from torch import Tensor

from survivalgpu.design import build_design
from survivalgpu.exact_chains import Chains, split_ties
from survivalgpu.exact_subsets import subset_sums
from survivalgpu.kernels import check, kernels_for, n_threads, pointer
from survivalgpu.partial_likelihood import Evaluation, PartialLikelihood
from survivalgpu.risk_sets import build_risk_sets
from survivalgpu.sparse import offsets_from_counts

# Of the compiled kernel; more go through PyTorch.
_MOST_COVARIATES = 256

# Elements of the largest table of a batch: what a CPU's caches hold, and what a GPU needs
# to be busy.
_ELEMENTS = {"cpu": 1 << 18, "cuda": 1 << 26}


@dataclass(frozen=True)
class _Batch:
    """Chains of one padded shape.

    Attributes
    ----------
    rows, is_event : Tensor
        ``(L, C)`` row of the data of each member, and whether it is an event. Places past
        the end of a chain repeat its first row and are no events.
    places, sizes, chains : Tensor
        ``(K,)`` targets, ``chains`` counted within the batch.
    """

    rows: Tensor
    is_event: Tensor
    places: Tensor
    sizes: Tensor
    chains: Tensor


class ExactLikelihood:
    """Exact partial likelihood of one data set, to be evaluated at any parameters.

    Parameters
    ----------
    x : Tensor
        ``(n, p)`` float64.
    stop, event, start, strata
        As :func:`survivalgpu.risk_sets.build_risk_sets` takes them.
    offset : Tensor, optional
        ``(n,)``.
    batch_elements : int, optional
        Elements per batch of chains; the result depends on it by rounding only.
    compiled : bool
        Take the compiled kernels on the CPU, which need no batches.
    """

    def __init__(
        self,
        x: Tensor,
        stop: Tensor,
        event: Tensor,
        start: Tensor | None = None,
        strata: Tensor | None = None,
        offset: Tensor | None = None,
        batch_elements: int | None = None,
        compiled: bool = True,
    ) -> None:
        self._x, self._offset = x, offset
        single, chains = split_ties(stop, event, start, strata)
        self._tied = chains.n_chains > 0
        self._single = None
        if bool(single.any()):
            risk_sets = build_risk_sets(stop, single, start, strata)
            centred = torch.zeros(x.shape[1], dtype=torch.bool, device=x.device)
            design = build_design(x, risk_sets, centred, offset, scale_row=None)
            self._single = PartialLikelihood(risk_sets, design, "breslow")
        self._compiled = _CompiledChains.build(x, chains) if compiled else None
        self._elements = batch_elements or _ELEMENTS.get(x.device.type, _ELEMENTS["cpu"])
        self._batches = ()
        if self._compiled is None:
            self._batches = tuple(_batches(chains, self._elements))

    @property
    def without_ties(self) -> PartialLikelihood | None:
        """The partial likelihood that all treatments of ties have in common, if no tie is."""
        return None if self._tied else self._single

    def evaluate(self, beta: Tensor) -> Evaluation:
        """Evaluate at one parameter vector ``(1, p)`` on the scale of the covariates."""
        total = self._evaluate_single(beta)
        if self._compiled is None and not self._batches:
            return total
        eta = self._x @ beta[0]
        if self._offset is not None:
            eta += self._offset
        if self._compiled is not None:
            return _sum(total, self._compiled.evaluate(eta))
        for batch in self._batches:
            total = _sum(total, self._evaluate_batch(eta, batch))
        return total

    def _evaluate_batch(self, eta: Tensor, batch: _Batch) -> Evaluation:
        log_risk = eta[batch.rows]
        x = self._x[batch.rows]
        x -= x.mean(0)
        sums = subset_sums(
            log_risk.clone(), x, batch.places, batch.sizes, batch.chains, self._elements
        )
        loglik = (log_risk * batch.is_event).sum() - sums.log_sum.sum()
        residual = batch.is_event.double() - sums.inclusion
        score = residual.reshape(-1) @ x.view(-1, x.shape[2])
        return Evaluation(loglik, score, sums.information)

    def _evaluate_single(self, beta: Tensor) -> Evaluation:
        """The events without ties, brought back from the scale of their design."""
        p = self._x.shape[1]
        if self._single is None:
            zero = self._x.new_zeros
            return Evaluation(zero(1), zero(1, p), zero(1, p, p))
        scale = self._single.design.scale
        at = self._single.evaluate(beta / scale)
        return Evaluation(at.loglik, at.score / scale, at.information / scale.unsqueeze(1) / scale)


class _CompiledChains:
    """The chains as the compiled kernel takes them."""

    def __init__(self, kernels: CDLL, x: Tensor, chains: Chains) -> None:
        self._kernels, self._x = kernels, x
        by_place = torch.argsort(
            chains.target_chain * (chains.rows.numel() + 1) + chains.target_place
        )
        n_targets = torch.bincount(chains.target_chain, minlength=chains.n_chains)
        self._arrays = (
            chains.rows,
            chains.is_event.to(torch.uint8),
            chains.offsets,
            offsets_from_counts(n_targets),
            chains.target_place[by_place],
            chains.target_size[by_place],
        )

    @classmethod
    def build(cls, x: Tensor, chains: Chains) -> _CompiledChains | None:
        """None where there is no kernel, or nothing for it to do."""
        kernels = kernels_for(x)
        if kernels is None or not chains.n_chains or x.shape[1] > _MOST_COVARIATES:
            return None
        return cls(kernels, x, chains)

    def evaluate(self, eta: Tensor) -> Evaluation:
        """What the chains add to the likelihood at the linear predictors ``(n,)``."""
        p = self._x.shape[1]
        out = eta.new_zeros(1 + p + p * p)
        rows, is_event, offsets, *targets = (pointer(array) for array in self._arrays)
        failed = self._kernels.exact_chains(
            pointer(eta), pointer(self._x), *self._x.stride(), p, rows, is_event, offsets,
            self._arrays[2].numel() - 1, *targets, pointer(out), n_threads(),
        )  # fmt: skip
        check(failed)
        return Evaluation(out[0], out[1 : 1 + p], out[1 + p :].view(p, p))


def _sum(total: Evaluation, part: Evaluation) -> Evaluation:
    """Add one problem's ``part`` to a total of shape ``(1,)``, ``(1, p)``, ``(1, p, p)``."""
    return Evaluation(
        total.loglik + part.loglik,
        total.score + part.score,
        total.information + part.information,
    )


def _batches(chains: Chains, elements: int) -> Iterator[_Batch]:
    """Group the chains by padded length and order, and cut the groups by size."""
    if not chains.n_chains:
        return
    length, order = _padded(chains.lengths), _padded(chains.orders)
    span = int(order.max()) + 1
    shape, group = torch.sort(length * span + order, stable=True)
    present, counts = torch.unique_consecutive(shape, return_counts=True)
    first = 0
    for key, count in zip(present.tolist(), counts.tolist(), strict=True):
        size = max(1, elements // ((key // span) * (key % span)))
        for start in range(first, first + count, size):
            yield _batch(chains, group[start : min(start + size, first + count)], key // span)
        first += count


def _padded(sizes: Tensor) -> Tensor:
    """Round up to 1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 14, 16, 20, ...: a quarter at the most."""
    step = 2 ** (torch.frexp((sizes - 1).clamp(min=1).double())[1].long() - 3).clamp(min=0)
    return torch.div(sizes + step - 1, step, rounding_mode="floor") * step


def _batch(chains: Chains, which: Tensor, length: int) -> _Batch:
    """Pad the chains ``which``, members down the rows and chains across the columns."""
    starts, lengths = chains.offsets[which], chains.lengths[which]
    place = torch.arange(length, device=which.device).unsqueeze(1)
    inside = place < lengths
    member = torch.where(inside, starts + place, starts)
    by_chain = offsets_from_counts(torch.bincount(chains.target_chain, minlength=chains.n_chains))
    n_targets = by_chain.diff()[which]
    column = torch.repeat_interleave(torch.arange(which.numel(), device=which.device), n_targets)
    within = torch.arange(column.numel(), device=which.device)
    target = by_chain[which][column] + within - offsets_from_counts(n_targets)[column]
    return _Batch(
        rows=chains.rows[member],
        is_event=chains.is_event[member] & inside,
        places=chains.target_place[target],
        sizes=chains.target_size[target],
        chains=column,
    )
