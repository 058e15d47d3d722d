"""The functions R may call: NumPy arrays in, a plain dict out.

Every function returns ``{"ok": True, ...}`` or ``{"ok": False, "error": {...}}`` with
the parts of the error as strings, since a Python exception reaches R without them.
This module is importable without PyTorch, so that R can say what is missing.
"""

from __future__ import annotations

from survivalgpu.api.bootstrap import (
    bootstrap_fits,
    bootstrap_hazards,
    bootstrap_resampler,
    frequency_fits,
    replicate_hazards,
)
from survivalgpu.api.curves import (
    expected_events,
    hazard_steps,
    linear_predictions,
    survival_curves,
)
from survivalgpu.api.devices import device_report, resolve_device
from survivalgpu.api.fits import (
    cox_likelihood,
    cox_likelihood_residuals,
    evaluate_cox_likelihood,
    factor_information,
    fit_cox,
    fit_exact,
    release_rows,
)
from survivalgpu.api.pairs import concordance
from survivalgpu.api.permutation import (
    drawn_statistics,
    given_statistics,
    permutation_p_values,
    permutation_test,
    terms_at_once,
)
from survivalgpu.api.residuals import cox_schoenfeld_residuals, cox_score_residuals, cox_zph
from survivalgpu.api.simulation import draw_subjects, shape_of_weights, simulate_cohort
from survivalgpu.api.wce import drawn_totals, fit_wce, wce_resampler

__all__ = [
    "bootstrap_fits",
    "bootstrap_hazards",
    "bootstrap_resampler",
    "concordance",
    "cox_likelihood",
    "cox_likelihood_residuals",
    "cox_schoenfeld_residuals",
    "cox_score_residuals",
    "cox_zph",
    "device_report",
    "draw_subjects",
    "drawn_statistics",
    "drawn_totals",
    "evaluate_cox_likelihood",
    "expected_events",
    "factor_information",
    "fit_cox",
    "fit_exact",
    "fit_wce",
    "frequency_fits",
    "given_statistics",
    "hazard_steps",
    "linear_predictions",
    "permutation_p_values",
    "permutation_test",
    "release_rows",
    "replicate_hazards",
    "resolve_device",
    "shape_of_weights",
    "simulate_cohort",
    "survival_curves",
    "terms_at_once",
    "wce_resampler",
]
