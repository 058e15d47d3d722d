"""The estimator's bootstrap in batches: kept in a file, taken up again, reported on."""

import numpy as np
import pytest
from agreement import relative_difference

from survivalgpu import CoxPH, InvalidArgumentError
from survivalgpu.resampling.batch_file import BatchFile, fingerprint
from survivalgpu.resampling.replicates import ReplicateFits


def cohort(seed=4, n=120):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 2))
    known = {"weights": rng.uniform(0.5, 2, n), "strata": rng.integers(0, 2, n)}
    return X, (rng.integers(1, 30, n), rng.random(n) < 0.7), known


def bootstrap(device="cpu", **changed):
    X, y, known = cohort()
    given = {"X": X, "y": y, "n_replicates": 20, "batch_size": 6, **known, **changed}
    return CoxPH(device=device).bootstrap(**given)


def stop_at(number):
    """Progress that is interrupted when ``number`` replicates are done."""

    def progress(done, total):
        if done >= number:
            raise KeyboardInterrupt

    return progress


def same(made, whole):
    assert made.coefficients.shape == whole.coefficients.shape
    assert relative_difference(made.coefficients, whole.coefficients) < 1e-11
    assert relative_difference(made.loglik, whole.loglik) < 1e-11
    assert made.status.tolist() == whole.status.tolist()
    assert made.seed == whole.seed


@pytest.mark.parametrize("kind", ["ordinary", "bayesian"])
def test_goes_on_where_it_was_interrupted(device, tmp_path, kind):
    file = tmp_path / "made.npz"
    whole = bootstrap(device, seed=8, kind=kind)
    with pytest.raises(KeyboardInterrupt):
        bootstrap(device, seed=8, kind=kind, file=file, progress=stop_at(12))
    assert [path.name for path in tmp_path.iterdir()] == ["made.npz"]
    calls = []
    # the file's seed is taken where none is given
    made = bootstrap(device, kind=kind, file=file, progress=lambda *at: calls.append(at))
    assert calls == [(12, 20), (18, 20), (20, 20)]
    same(made, whole)
    fewer = bootstrap(device, kind=kind, file=str(file), n_replicates=7)
    same(fewer, bootstrap(device, seed=8, kind=kind, n_replicates=7))
    more = bootstrap(device, kind=kind, file=file, n_replicates=31, batch_size=4)
    same(more, bootstrap(device, seed=8, kind=kind, n_replicates=31, batch_size=0))


def test_equal_batches_are_equal_to_the_last_bit(tmp_path):
    file = tmp_path / "made.npz"
    with pytest.raises(KeyboardInterrupt):
        bootstrap(seed=8, file=file, progress=stop_at(6))
    made, whole = bootstrap(seed=8, file=file), bootstrap(seed=8)
    for name in ("coefficients", "loglik", "iterations", "status"):
        assert np.array_equal(getattr(made, name), getattr(whole, name))


def test_given_copies_are_taken_up_again(device, tmp_path):
    file = tmp_path / "made.npz"
    copies = np.random.default_rng(1).multinomial(120, np.full(120, 1 / 120), size=9).T
    with pytest.raises(KeyboardInterrupt):
        bootstrap(device, frequencies=copies, file=file, progress=stop_at(6))
    made = bootstrap(device, frequencies=copies.astype(float), file=file)
    same(made, bootstrap(device, frequencies=copies))
    assert made.seed is None
    with pytest.raises(InvalidArgumentError, match="of another fit or of other resamples"):
        bootstrap(device, frequencies=copies[:, ::-1], file=file)


def others():
    X, (time, event), known = cohort()
    moved = X.copy()
    moved[5, 1] += 1e-9
    return {
        "covariates": {"X": moved},
        "time": {"y": (np.where(np.arange(time.size) == 3, 40, time), event)},
        "event": {"y": (time, event ^ (np.arange(time.size) == 3))},
        "entry": {"entry": np.zeros(time.size), "id": np.arange(time.size)},
        "strata": {"strata": None},
        "weights": {"weights": known["weights"] * 1.5},
        "offset": {"offset": np.zeros(time.size)},
        "subjects": {"id": np.arange(time.size) // 2},
        "kind": {"kind": "bayesian"},
        "resampling_strata": {"resampling_strata": known["strata"]},
        "frequencies": {"frequencies": np.ones((time.size, 3))},
    }


@pytest.mark.parametrize("what", others())
def test_a_file_of_another_bootstrap_is_refused(tmp_path, what):
    file = tmp_path / "made.npz"
    bootstrap(seed=1, n_replicates=2, file=file)
    before = file.read_bytes()
    with pytest.raises(InvalidArgumentError, match=r"another fit .* Name another file") as raised:
        bootstrap(n_replicates=2, file=file, **others()[what])
    assert raised.value.argument == "file"
    assert file.read_bytes() == before


def test_other_options_and_seeds_are_refused(tmp_path):
    X, y, _ = cohort()
    file = tmp_path / "made.npz"
    CoxPH(device="cpu").bootstrap(X, y, seed=1, n_replicates=2, file=file)
    for model in (CoxPH(ties="breslow", device="cpu"), CoxPH(timefix=False, device="cpu")):
        with pytest.raises(InvalidArgumentError, match="another fit"):
            model.bootstrap(X, y, n_replicates=2, file=file)
    with pytest.raises(InvalidArgumentError, match=r"the seed 1, not 2. Give seed=1"):
        CoxPH(device="cpu").bootstrap(X, y, seed=2, n_replicates=2, file=file)


def test_the_estimate_is_compared_as_numbers(tmp_path):
    fits = ReplicateFits(np.ones((2, 2)), np.ones(2), np.ones(2, int), np.full(2, "converged"))
    path, estimate = tmp_path / "made.npz", np.array([0.5, np.nan])
    BatchFile(path, "a", estimate).keep(3, fits)
    seed, kept = BatchFile(path, "a", estimate * (1 + 1e-12)).read(None)
    assert seed == 3
    assert np.array_equal(kept.coefficients, fits.coefficients)
    for digest, other in (("a", estimate * 1.01), ("a", estimate[:1]), ("b", estimate)):
        with pytest.raises(InvalidArgumentError, match="another fit"):
            BatchFile(path, digest, other).read(None)


def damaged(whole):
    middle = len(whole) // 2
    return {
        "cut": whole[:-40],
        "changed": whole.replace("converged".encode("utf-32-le"), b"x" * 36, 1),
        "empty": b"",
        "text": b"time,event\n1,0\n",
        "half": whole[:middle],
    }


@pytest.mark.parametrize("how", damaged(b""))
def test_a_damaged_file_is_refused(tmp_path, how):
    file = tmp_path / "made.npz"
    bootstrap(seed=1, n_replicates=2, file=file)
    whole = file.read_bytes()
    file.write_bytes(damaged(whole)[how])
    assert file.read_bytes() != whole
    with pytest.raises(InvalidArgumentError, match=r"damaged, or no file .* Delete it") as raised:
        bootstrap(n_replicates=2, file=file)
    assert raised.value.argument == "file"


def test_other_arrays_are_no_file_of_a_bootstrap(tmp_path):
    file = tmp_path / "made.npz"
    np.savez(file, loglik=np.zeros(2))
    with pytest.raises(InvalidArgumentError, match="damaged, or no file"):
        bootstrap(n_replicates=2, file=file)
    bootstrap(seed=1, n_replicates=2, file=tmp_path / "other.npz")
    with np.load(tmp_path / "other.npz") as archive:
        kept = dict(archive)
    np.savez(file, **{**kept, "loglik": kept["loglik"][:1]})
    with pytest.raises(InvalidArgumentError, match="damaged, or no file"):
        bootstrap(n_replicates=2, file=file)


def test_bad_paths_and_progress_name_the_argument(tmp_path):
    for file in (tmp_path, tmp_path / "none" / "made.npz", "", 3):
        with pytest.raises(InvalidArgumentError, match="existing folder") as raised:
            bootstrap(n_replicates=2, file=file)
        assert raised.value.argument == "file"
    with pytest.raises(InvalidArgumentError, match="Use True") as raised:
        bootstrap(n_replicates=2, progress=3)
    assert raised.value.argument == "progress"


def test_what_cannot_be_written_names_the_file_and_leaves_nothing(tmp_path, monkeypatch):
    def full(*_, **__):
        raise OSError("no space")

    monkeypatch.setattr(np, "savez", full)
    with pytest.raises(InvalidArgumentError, match="could not be written"):
        bootstrap(n_replicates=2, file=tmp_path / "made.npz")
    assert not list(tmp_path.iterdir())


def test_a_fingerprint_goes_by_values():
    x = np.arange(6.0).reshape(3, 2)
    assert fingerprint(x) == fingerprint(np.asfortranarray(x)) == fingerprint(x.astype(np.int32))
    different = [(x,), (x.T,), (x.ravel(),), (x, None), (None, x), (x + 1,), ("x",), (None,), ()]
    assert len({fingerprint(*parts) for parts in different}) == len(different)


def test_progress_is_one_line_or_nothing(capsys):
    bootstrap(seed=1)
    bootstrap(seed=1, progress=False)
    assert capsys.readouterr() == ("", "")
    bootstrap(seed=1, progress=True)
    shown = capsys.readouterr()
    assert shown.out == ""
    lines = [line.strip() for line in shown.err.split("\r")[1:]]
    assert lines[0] == "Bootstrap 0/20"
    assert lines[1] == "Bootstrap 6/20, 0:00:00 left"
    assert lines[-1] == "Bootstrap 20/20"
    assert shown.err.count("\n") == 1
