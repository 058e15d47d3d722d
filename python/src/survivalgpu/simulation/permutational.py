r"""The permutational algorithm: follow-up matched to histories of covariates.

Given ``n`` histories and ``n`` observed times, each with an event or censored, go through the
times in their order. Who of those left has an event at time ``t`` is drawn with probability

.. math:: p_j = r_j(t) / \sum_{l \text{ left}} r_l(t),

``r_j(t)`` being the hazard ratio of history ``j`` at ``t``; who is censored is drawn with equal
probabilities. So the hazard of the matched data is that of a Cox model, whatever the marginal
distribution of the times (Sylvestre and Abrahamowicz 2008, Statistics in Medicine 27:2618;
MacKenzie and Abrahamowicz 2002, Statistics in Medicine 21:1405).

Events are drawn as a race of exponential clocks, the clock of ``j`` running at rate
``r_j(t)``: the first to ring has probability ``p_j``, and as clocks have no memory, what is left
of each serves for later times. One exponential number per history is all it takes. For
censoring, one random order of the histories serves all times alike.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

# Histories that have left stay in the arrays until they are this share of them.
_LEFT_BEHIND = 0.05
# Of a clock, relative to the fastest: none stands still.
_SLOWEST = 1e-300


def match_histories(
    times: Tensor,
    event: Tensor,
    log_hazard_ratios: Callable[[Tensor, int], Tensor],
    clocks: Tensor,
    censoring_order: Tensor,
) -> tuple[Tensor, Tensor]:
    """Give each history a time.

    Parameters
    ----------
    times : Tensor
        ``(n,)`` int64 days, in any order.
    event : Tensor
        ``(n,)`` bool. Events of a day come before its censorings.
    log_hazard_ratios : callable
        Takes ``(m,)`` histories and a day, returns ``(m,)`` log hazard ratios in memory that
        is written to.
    clocks : Tensor
        ``(n,)`` independent exponentials of mean 1.
    censoring_order : Tensor
        ``(n,)`` int64, a random permutation of the histories.

    Returns
    -------
    time : Tensor
        ``(n,)`` int64 day of each history.
    has_event : Tensor
        ``(n,)`` bool.
    """
    n, device = times.numel(), times.device
    days, day_of = torch.unique(times, return_inverse=True)
    events = torch.bincount(day_of[event], minlength=days.numel()).tolist()
    censored = torch.bincount(day_of[~event], minlength=days.numel()).tolist()
    time = torch.zeros(n, dtype=torch.int64, device=device)
    has_event = torch.zeros(n, dtype=torch.bool, device=device)
    race = _Race(clocks)
    queue = _Queue(censoring_order)
    for day, n_events, n_censored in zip(days.tolist(), events, censored, strict=True):
        if n_events:
            first = race.run(n_events, day, log_hazard_ratios)
            time[first], has_event[first] = day, True
            queue.remove(first)
        if n_censored:
            gone = queue.take(n_censored)
            time[gone] = day
            race.remove(gone)
    return time, has_event


class _Race:
    """What is left of the clocks of the histories in the race; infinite once they have left."""

    def __init__(self, clocks: Tensor) -> None:
        self.histories = torch.arange(clocks.numel(), device=clocks.device)
        self.left = clocks.clone()
        self.place = self.histories.clone()
        self.ring = torch.empty_like(clocks)
        self.n_gone = 0

    def run(self, number: int, day: int, log_hazard_ratios: Callable) -> Tensor:
        """Return the ``number`` histories whose clocks ring first, which leave."""
        self._forget_gone()
        eta = log_hazard_ratios(self.histories, day)
        # relative rates, none too large; in place, as fresh memory costs more than the sums
        rate = eta.sub_(eta.max()).exp_().clamp_(min=_SLOWEST)
        ring = torch.div(self.left, rate, out=self.ring[: rate.numel()])
        first = torch.topk(ring, number, largest=False)
        self.left.sub_(rate.mul_(first.values.max())).clamp_(min=0.0)
        winners = self.histories[first.indices]
        self.remove(winners)
        return winners

    def remove(self, histories: Tensor) -> None:
        self.left[self.place[histories]] = torch.inf
        self.n_gone += histories.numel()

    def _forget_gone(self) -> None:
        if self.n_gone <= _LEFT_BEHIND * self.left.numel():
            return
        kept = torch.nonzero(torch.isfinite(self.left)).squeeze(1)
        self.histories, self.left = self.histories[kept], self.left[kept]
        self.place[self.histories] = torch.arange(kept.numel(), device=kept.device)
        self.n_gone = 0


class _Queue:
    """Histories in a random order, some of which leave before their turn."""

    def __init__(self, order: Tensor) -> None:
        self.order = order
        self.first = 0
        self.gone = torch.zeros(order.numel(), dtype=torch.bool, device=order.device)

    def remove(self, histories: Tensor) -> None:
        self.gone[histories] = True

    def take(self, number: int) -> Tensor:
        """Return the next ``number`` histories, which leave."""
        parts, wanted = [], number
        while wanted:
            ahead = self.order[self.first : self.first + wanted]
            self.first += ahead.numel()
            here = ahead[~self.gone[ahead]]
            parts.append(here)
            wanted -= here.numel()
        taken = torch.cat(parts)
        self.remove(taken)
        return taken
