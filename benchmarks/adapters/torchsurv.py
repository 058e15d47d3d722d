"""torchsurv: its Cox loss, minimised by torch's LBFGS, since it has no fitter.

It computes in float32 whatever it is given, hence the tolerance. Times are handed over as ranks,
on which the partial likelihood depends alone: in float32 distinct times could become tied.
"""

import warnings
from importlib.metadata import version as installed

import numpy as np
import torch
from torchsurv.loss.cox import neg_partial_log_likelihood

TOLERANCE = {"default": 2e-3}

warnings.simplefilter("ignore")


def version():
    return f"torchsurv {installed('torchsurv')}"


def threads():
    return torch.get_num_threads()


def cannot(case):
    if case["task"] != "fit":
        return "no function of its own for this"
    if case["counting"]:
        return "no (start, stop] rows"
    if case["cluster"]:
        return "no robust variance"
    return None


def prepare(case, problem):
    rank = np.unique(problem["time"], return_inverse=True)[1]
    x = problem.x.astype(np.float32)
    event = problem.event
    strata = problem["stratum"].astype(np.int64) if case["strata"] else None
    return lambda: minimise(x, rank.astype(np.float32), event, strata, case["ties"])


def minimise(x, time, event, strata, ties):
    x, time, event = (torch.from_numpy(array) for array in (x, time, event))
    strata = None if strata is None else torch.from_numpy(strata)
    beta = torch.zeros(x.shape[1], requires_grad=True)
    optimiser = torch.optim.LBFGS(
        [beta],
        max_iter=100,
        tolerance_grad=1e-6,
        tolerance_change=1e-9,
        line_search_fn="strong_wolfe",
    )

    def closure():
        optimiser.zero_grad()
        loss = neg_partial_log_likelihood(x @ beta, event, time, ties_method=ties, strata=strata)
        loss.backward()
        return loss

    optimiser.step(closure)
    return beta.detach().numpy()


def outcome(task, value):
    return {"coefficients": value}
