"""Linear predictors and their errors against plain NumPy."""

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from survivalgpu import linear_predictions as module
from survivalgpu.linear_predictions import linear_predictions


@given(st.integers(0, 2**32 - 1), st.integers(1, 60), st.integers(1, 5))
def test_terms_equal_plain_sums(seed, n, p):
    rng = np.random.default_rng(seed)
    x, center, beta = rng.normal(size=(n, p)), rng.normal(size=p), rng.normal(size=p)
    half = rng.normal(size=(p, p))
    variance = half @ half.T
    terms = [np.arange(p), np.arange(p // 2), rng.permutation(p)[:1]]
    fit, errors = linear_predictions(
        torch.tensor(x.T.copy()).T,
        torch.tensor(center),
        [torch.tensor(columns) for columns in terms],
        torch.tensor(beta),
        torch.tensor(variance),
    )
    for t, columns in enumerate(terms):
        d = (x - center)[:, columns]
        v = variance[np.ix_(columns, columns)]
        np.testing.assert_allclose(fit[t], d @ beta[columns], rtol=1e-10, atol=1e-12)
        wanted = np.sqrt(np.einsum("ij,jk,ik->i", d, v, d))
        np.testing.assert_allclose(errors[t], wanted, rtol=1e-9, atol=1e-9)


def test_blocks_change_nothing_but_rounding(monkeypatch, device):
    rng = np.random.default_rng(1)
    x = torch.tensor(rng.normal(size=(500, 3)), device=device)
    rest = (x.mean(0), [torch.arange(3, device=device)], x[0].clone(), None)
    whole, errors = linear_predictions(x, *rest)
    assert errors is None
    monkeypatch.setitem(module._ELEMENTS, device, 100)
    torch.testing.assert_close(linear_predictions(x, *rest)[0], whole, rtol=1e-13, atol=1e-13)
