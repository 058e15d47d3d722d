"""Formulas: the parser, R's coxph on survival's data, and rows with missing values."""

import pickle

import numpy as np
import pandas as pd
import pytest
from agreement import relative_difference
from fresh_python import run_python

from survivalgpu import CoxPH, InvalidArgumentError, MissingDependencyError
from survivalgpu.formula import ParsedFormula, evaluate, parse_formula, variable_names

# As in test_estimators: what Newton's last step and rounding leave.
AGREES = 1e-10


# ---- the parser --------------------------------------------------------------------------

PARSED = {
    "Surv(time, dead) ~ age": (("time", "dead"), " + age", (), ()),
    "Surv(a, b, e==2) ~ age*sex - sex": (("a", "b", "e == 2"), " + age*sex - sex", (), ()),
    "Surv(time, dead)~1": (("time", "dead"), "", (), ()),
    "Surv(t, d) ~ 0 + x": (("t", "d"), " + x", (), ()),
    "Surv(t, d) ~ -1 + x + strata(a, b)": (("t", "d"), " + x", ("a", "b"), ()),
    "Surv(t, d) ~ strata(a) + x + strata(`b c`) + offset(log(n))": (
        ("t", "d"), " + x", ("a", "`b c`"), ("log(n)",),
    ),
    "Surv(t/365.25, `my event`) ~ I(x - 1) + log(y + 1)": (
        ("t / 365.25", "`my event`"), " + I(x - 1) + log(y + 1)", (), (),
    ),
    "Surv(t, d) ~ `a ~ b + c` + C(g, contr.treatment('x + ~'))": (
        ("t", "d"), " + `a ~ b + c` + C(g, contr.treatment('x + ~'))", (), (),
    ),
    "Surv(t, d) ~ mystrata(x)": (("t", "d"), " + mystrata(x)", (), ()),
    " Surv( t , d ) ~ . ": (("t", "d"), " + .", (), ()),
}  # fmt: skip


@pytest.mark.parametrize("formula", PARSED)
def test_parts_of_a_formula(formula):
    assert parse_formula(formula) == ParsedFormula(*PARSED[formula])


REFUSED = {
    "age ~ sex": "its left side is `age`.*Surv",
    "Surv(time, dead)": "has 0 `~`",
    "Surv(t, d) ~ a ~ b": "has 2 `~`",
    "~ age": "its left side is ``",
    "Surv(time) ~ age": r"Surv\(\) has 1 argument",
    "Surv(a, b, c, d) ~ age": r"Surv\(\) has 4 argument",
    "Surv(t, event=d) ~ age": "plain arguments",
    "Surv(t, d) + 1 ~ age": "plain arguments",
    "Surv(t, ) ) ~ age": "no|open|expression",
    "Surv(t, d 2) ~ age": "not a Python expression",
    "Surv(t, d) ~ (age": "open bracket",
    "Surv(t, d) ~ 'age": "open bracket or quote",
    "Surv(t, d) ~": "right side is incomplete",
    "Surv(t, d) ~ age +": "right side is incomplete",
    "Surv(t, d) ~ age:strata(g)": "has no meaning.*only be added",
    "Surv(t, d) ~ age * strata(g)": "has no meaning",
    "Surv(t, d) ~ age - offset(o)": "has no meaning",
    "Surv(t, d) ~ strata(g):age": "has no meaning",
    "Surv(t, d) ~ age + strata()": r"strata\(\) is empty",
    "Surv(t, d) ~ age + cluster(id)": r"cluster\(\) is not supported",
    "Surv(t, d) ~ frailty(id)": r"frailty\(\) is not supported",
    "Surv(t, d) ~ tt(age)": r"tt\(\) is not supported",
}


@pytest.mark.parametrize("formula", REFUSED)
def test_formulas_that_are_refused(formula):
    with pytest.raises(InvalidArgumentError, match=rf"^`formula`: .*({REFUSED[formula]})"):
        parse_formula(formula)


def test_a_formula_that_is_no_text():
    with pytest.raises(InvalidArgumentError, match="`formula`: it is of type int"):
        parse_formula(3)


def test_expressions_see_columns_names_and_nothing_else():
    data = pd.DataFrame({"a b": [1.0, 2.0], "x": [3, 4], "len": [5, 6]})
    assert evaluate("`a b` * 2 + x", data, {}).tolist() == [5.0, 8.0]
    assert evaluate("twice(len)", data, {"twice": lambda v: 2 * v}).tolist() == [10, 12]
    assert variable_names("`a b` + log(x)") == {"a b", "log", "x"}
    for expression in ("y", "open('f')", "x +", "`c`"):
        with pytest.raises(InvalidArgumentError, match="cannot be evaluated"):
            evaluate(expression, data, {})
    with pytest.raises(InvalidArgumentError, match="not one value for each of the 2 rows"):
        evaluate("1 + 1", data, {})


# ---- against R ---------------------------------------------------------------------------

MODELS = {
    "lung: factor, NA": (
        "lung",
        "Surv(time, status) ~ age + C(sex) + `ph.ecog` + `wt.loss`",
        "Surv(time, status) ~ age + factor(sex) + ph.ecog + wt.loss",
    ),
    "lung: strata with NA, offset": (
        "lung",
        "Surv(time, status == 2) ~ sex + strata(inst) + offset(age / 50)",
        "Surv(time, status == 2) ~ sex + strata(inst) + offset(age / 50)",
    ),
    "veteran: interaction": (
        "veteran",
        "Surv(time, status) ~ celltype * karno + trt - trt",
        "Surv(time, status) ~ celltype * karno",
    ),
    "veteran: factor without intercept": (
        "veteran",
        "Surv(time, status) ~ 0 + celltype + strata(trt, prior)",
        "Surv(time, status) ~ 0 + celltype + strata(trt, prior)",
    ),
    "cgd: intervals": (
        "cgd",
        "Surv(tstart, tstop, status) ~ treat + sex + np.log(weight) + strata(`hos.cat`)",
        "Surv(tstart, tstop, status) ~ treat + sex + log(weight) + strata(hos.cat)",
    ),
    "heart: intervals": (
        "heart",
        "Surv(start, stop, event) ~ age*surgery + transplant + I(year**2)",
        "Surv(start, stop, event) ~ age*surgery + transplant + I(year^2)",
    ),
    "colon: weights, log, strata": (
        "colon",
        "Surv(time, status) ~ rx + log(age) + nodes + strata(etype)",
        "Surv(time, status) ~ rx + log(age) + nodes + strata(etype)",
    ),
    "mgus: text": (
        "mgus",
        "Surv(futime, death) ~ age + sex + alb + creat",
        "Surv(futime, death) ~ age + sex + alb + creat",
    ),
}

COXPH = """
data <- getExportedValue("survival", name)
fit <- eval(bquote(coxph(.(as.formula(formula)), data, weights = .(as.name(weights)),
                         robust = FALSE)))
list(coef = unname(coef(fit)), var = fit$var, loglik = fit$loglik, score = fit$score,
     wald = fit$wald.test, iter = fit$iter, n = fit$n, events = fit$nevent,
     missing = length(fit$na.action), residuals = unname(residuals(fit)),
     lp = unname(predict(fit, type = "lp", reference = "sample")))
"""


def coxph(r, name, formula, weights="unweighted"):
    return r(f"unweighted <- NULL; {COXPH}", name=name, formula=formula, weights=weights)


@pytest.mark.parametrize("case", MODELS)
def test_agrees_with_coxph(r, case):
    name, ours, formula = MODELS[case]
    theirs = coxph(r, name, formula)
    data = r.frame(name)
    model = CoxPH.from_formula(ours, data, device="cpu")
    assert relative_difference(model.coef_, np.atleast_1d(theirs["coef"])) < AGREES
    assert relative_difference(model.variance_, theirs["var"]) < AGREES
    assert relative_difference(model.loglik_, theirs["loglik"]) < AGREES
    assert relative_difference(model.martingale_residuals_, theirs["residuals"]) < AGREES
    assert relative_difference(model.linear_predictors_, theirs["lp"]) < AGREES
    assert relative_difference([model.score_test_], theirs["score"]) < AGREES
    assert relative_difference([model.wald_test_], theirs["wald"]) < AGREES
    counts = [model.n_iter_, model.n_, model.n_events_, model.n_missing_]
    assert counts == [theirs[part][0] for part in ("iter", "n", "events", "missing")]


def test_weights_by_name_or_by_value(r):
    data = r.frame("lung")
    theirs = coxph(r, "lung", "Surv(time, status) ~ sex + ph.karno", "age")
    formula = "Surv(time, status) ~ sex + `ph.karno`"
    for weights in ("age", data["age"], data["age"].to_numpy(), "age * 1.0"):
        model = CoxPH.from_formula(formula, data, weights=weights, device="cpu")
        assert relative_difference(model.coef_, theirs["coef"]) < AGREES
        assert model.n_missing_ == 1
    with pytest.raises(InvalidArgumentError, match=r"`weights`: its shape is \(3,\) for 228"):
        CoxPH.from_formula(formula, data, weights=[1, 2, 3])
    with pytest.raises(InvalidArgumentError, match="`weights`: `ages` cannot be evaluated"):
        CoxPH.from_formula(formula, data, weights="ages")


# ---- rows, levels, new data --------------------------------------------------------------


@pytest.fixture
def frame():
    rng = np.random.default_rng(4)
    n = 60
    return pd.DataFrame(
        {
            "time": rng.integers(1, 30, n).astype(float),
            "dead": rng.random(n) < 0.7,
            "age": rng.normal(60, 8, n),
            "arm": rng.choice(["control", "high", "low"], n),
            "site": pd.Categorical(rng.choice(["x", "y"], n)),
            "py": rng.uniform(1, 3, n),
        }
    )


FORMULA = "Surv(time, dead) ~ age + arm + strata(site) + offset(np.log(py))"


def test_a_formula_equals_its_columns(frame):
    by_formula = CoxPH.from_formula(FORMULA, frame, device="cpu", ties="breslow")
    X = pd.DataFrame({"age": frame["age"], "high": frame["arm"] == "high"})
    X["low"] = frame["arm"] == "low"
    by_columns = CoxPH(device="cpu", ties="breslow").fit(
        X, frame[["time", "dead"]], strata=frame["site"], offset=np.log(frame["py"])
    )
    assert by_formula.get_params() == by_columns.get_params()
    assert relative_difference(by_formula.coef_, by_columns.coef_) < 1e-12
    assert by_formula.feature_names_in_.tolist() == ["age", "arm[T.high]", "arm[T.low]"]


def test_all_other_columns(frame):
    data = frame[["age", "dead", "arm", "time"]]
    model = CoxPH.from_formula("Surv(time, dead) ~ .", data, device="cpu")
    assert model.feature_names_in_.tolist() == ["age", "arm[T.high]", "arm[T.low]"]


def test_no_covariates(r, frame):
    model = CoxPH.from_formula("Surv(time, dead) ~ 1", frame, device="cpu")
    theirs = r(
        "coxph(Surv(time, dead) ~ 1)$loglik", time=frame["time"], dead=frame["dead"].astype(int)
    )
    assert model.loglik_ == pytest.approx(np.repeat(theirs, 2), rel=1e-12)
    assert model.coef_.shape == (0,)
    assert "null model" in str(model.summary())
    assert model.predict(frame).tolist() == [0.0] * len(frame)


@pytest.mark.parametrize("column", ["time", "age", "arm", "site", "py", "dead"])
def test_rows_with_missing_values_are_counted(frame, column):
    holes = frame.astype({column: object}) if column == "dead" else frame.copy()
    holes.loc[[3, 7], column] = None
    holes.index = holes.index + 100
    model = CoxPH.from_formula(FORMULA, holes, device="cpu")
    complete = CoxPH.from_formula(FORMULA, frame.drop(index=[3, 7]), device="cpu")
    assert (model.n_missing_, model.n_) == (2, 58)
    assert "(2 rows left out for missing values)" in str(model.summary())
    assert np.array_equal(model.coef_, complete.coef_)
    with pytest.raises(InvalidArgumentError, match=r"`data`: 2 row\(s\).*first is row 3.*drop"):
        CoxPH.from_formula(FORMULA, holes, na_action="raise")


def test_missing_values_everywhere(frame):
    with pytest.raises(InvalidArgumentError, match="no row is left"):
        CoxPH.from_formula(FORMULA, frame.assign(age=np.nan))
    with pytest.raises(InvalidArgumentError, match="`na_action`: 'omit' is not"):
        CoxPH.from_formula(FORMULA, frame, na_action="omit")


def test_infinite_values_are_an_error(frame):
    with pytest.raises(InvalidArgumentError, match=r"`formula`: 1 row.*infinite"):
        CoxPH.from_formula("Surv(time, dead) ~ z", frame.assign(z=[np.inf, *[1.0] * 59]))


def test_rows_of_errors_say_how_they_are_counted(frame):
    holes = frame.assign(begin=0.0)
    holes.loc[2, "age"], holes.loc[5, "begin"] = np.nan, 99.0
    with pytest.raises(InvalidArgumentError, match=r"row 4 .* without 1 incomplete ones"):
        CoxPH.from_formula("Surv(begin, time, dead) ~ age", holes)


def test_prediction_from_new_data(frame):
    model = CoxPH.from_formula("Surv(time, dead) ~ poly(age, 2) + arm", frame, device="cpu")
    assert relative_difference(model.predict(frame), model.linear_predictors_) < 1e-12
    few = frame[["arm", "age"]].iloc[[5, 9, 11]].copy()
    assert relative_difference(model.predict(few), model.linear_predictors_[[5, 9, 11]]) < 1e-12
    few.iloc[1, 1] = np.nan
    assert np.isnan(model.predict(few)).tolist() == [False, True, False]
    few["arm"] = ["low", "low", None]
    assert np.isnan(model.predict(few)).tolist() == [False, True, True]


def test_prediction_with_the_formulas_offset(frame):
    model = CoxPH.from_formula(FORMULA, frame, device="cpu")
    assert relative_difference(model.predict(frame), model.linear_predictors_) < 1e-12
    doubled = model.predict(frame.assign(py=2 * frame["py"]))
    np.testing.assert_allclose(doubled - model.predict(frame), np.log(2))
    given = model.predict(frame, offset=np.log(frame["py"]))
    assert np.array_equal(given, model.predict(frame))


def test_new_data_that_do_not_fit(frame):
    model = CoxPH.from_formula(FORMULA, frame, device="cpu")
    with pytest.raises(InvalidArgumentError, match=r"^`X`: .*'none'"):
        model.predict(frame.assign(arm="none"))
    with pytest.raises(InvalidArgumentError, match=r"^`X`: .*age"):
        model.predict(frame.drop(columns="age"))
    with pytest.raises(InvalidArgumentError, match=r"^`X`: it is of type ndarray"):
        model.predict(np.ones((2, 3)))


def test_levels_that_no_row_has(frame):
    """A category without rows is a column of zeros, NaN as R's NA."""
    site = pd.Categorical(frame["site"], categories=["x", "y", "z"])
    model = CoxPH.from_formula("Surv(time, dead) ~ site", frame.assign(site=site), device="cpu")
    assert np.isnan(model.coef_).tolist() == [False, True]


def test_names_of_the_context(frame):
    model = CoxPH.from_formula(
        "Surv(years(time), dead) ~ per(age)",
        frame,
        context={"per": _per_decade, "years": lambda days: days / 365.25},
        device="cpu",
    )
    plain = CoxPH.from_formula("Surv(time, dead) ~ I(age / 10)", frame, device="cpu")
    assert relative_difference(model.coef_, plain.coef_) < AGREES


def _per_decade(age):
    return age / 10


def test_data_that_are_no_frame_or_ambiguous(frame):
    with pytest.raises(InvalidArgumentError, match="`data`: it is of type dict"):
        CoxPH.from_formula(FORMULA, dict(frame))
    twice = pd.concat([frame, frame[["age"]]], axis=1)
    with pytest.raises(InvalidArgumentError, match='`data`: it has two columns "age"'):
        CoxPH.from_formula(FORMULA, twice)


@pytest.mark.parametrize(
    ("formula", "finding"),
    [
        ("Surv(time, dead) ~ nosuch", "nosuch"),
        ("Surv(nosuch, dead) ~ age", "`nosuch` cannot be evaluated"),
        ("Surv(time, dead) ~ age + strata(nosuch)", "`nosuch` cannot be evaluated"),
        ("Surv(time, dead) ~ age +* arm", "cannot be"),
    ],
)
def test_what_cannot_be_evaluated(frame, formula, finding):
    with pytest.raises(InvalidArgumentError, match=f"^`formula`: .*{finding}"):
        CoxPH.from_formula(formula, frame)


def test_events_coded_otherwise(frame):
    with pytest.raises(InvalidArgumentError, match=r"y \(event\).*the value 3"):
        CoxPH.from_formula("Surv(time, code) ~ age", frame.assign(code=[0, 3] * 30))
    with pytest.raises(InvalidArgumentError, match=r"y \(event\).*not a number"):
        CoxPH.from_formula("Surv(time, arm) ~ age", frame)


def test_parameters_are_checked_before_anything_is_fitted(frame):
    with pytest.raises(InvalidArgumentError, match="CoxPH has no such parameter"):
        CoxPH.from_formula(FORMULA, frame, tie="efron")


def test_a_fit_by_formula_survives_a_pickle(frame):
    model = CoxPH.from_formula(FORMULA, frame, device="cpu")
    again = pickle.loads(pickle.dumps(model))
    assert np.array_equal(again.predict(frame), model.predict(frame))


WITHOUT_FORMULAIC = """
import sys
sys.modules["formulaic"] = None
import pandas as pd
from survivalgpu import CoxPH, MissingDependencyError
data = pd.DataFrame({"time": [1.0, 2.0, 3.0], "dead": [1, 1, 0], "x": [0.0, 1.0, 0.5]})
try:
    CoxPH.from_formula("Surv(time, dead) ~ x", data)
except MissingDependencyError as error:
    print(error)
CoxPH(device="cpu").fit(data[["x"]], (data["time"], data["dead"]))
"""


def test_without_formulaic_the_message_says_what_to_install():
    printed = run_python(WITHOUT_FORMULAIC)
    assert "`formulaic`" in printed
    assert "pip install survivalgpu[formula]" in printed
    assert issubclass(MissingDependencyError, ImportError)
