"""The partial likelihood on the user's scale, for maximisers outside this package."""

from __future__ import annotations

import numpy as np
import torch

from survivalgpu.coxph import CoxData
from survivalgpu.design import build_design
from survivalgpu.partial_likelihood import PartialLikelihood
from survivalgpu.risk_sets import build_risk_sets
from survivalgpu.threads import threads_for


class UserLikelihood:
    """Cox's partial likelihood of one data set, evaluated at any coefficients.

    Parameters
    ----------
    data : CoxData
        The rows; case weights ``(n,)`` if any.
    ties : {"efron", "breslow"}
        Treatment of tied event times.
    """

    def __init__(self, data: CoxData, ties: str) -> None:
        self._elements = data.x.numel()
        with threads_for(self._elements):
            risk_sets = build_risk_sets(data.stop, data.event, data.start, data.strata)
            centred = torch.zeros(data.x.shape[1], dtype=torch.bool, device=data.x.device)
            design = build_design(data.x, risk_sets, centred, data.offset, data.weights)
            self._likelihood = PartialLikelihood(risk_sets, design, ties)
        self._scale = design.scale.cpu().numpy()

    def evaluate(self, beta: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
        """Log-likelihood, score ``(p,)`` and information ``(p, p)`` at ``beta`` ``(p,)``."""
        with threads_for(self._elements), np.errstate(all="ignore"):
            at = self._likelihood.evaluate(self._scaled(beta).unsqueeze(0))
            score = at.score[0].cpu().numpy() / self._scale
            information = at.information[0].cpu().numpy() / self._scale / self._scale[:, None]
            return float(at.loglik[0]), score, information

    def martingale(self, beta: np.ndarray) -> np.ndarray:
        """Martingale residuals ``(n,)`` in the order of the data."""
        with threads_for(self._elements):
            return self._likelihood.martingale(self._scaled(beta)).cpu().numpy()

    def _scaled(self, beta: np.ndarray) -> torch.Tensor:
        scaled = np.asarray(beta, dtype=np.float64).reshape(-1) / self._scale
        return torch.as_tensor(scaled, device=self._likelihood.design.x1.device)
