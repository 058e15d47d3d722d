"""What `import survivalgpu` gives, and what it says where a package is missing."""

import re
from pathlib import Path

import pytest
from fresh_python import run_python

import survivalgpu

NO_TORCH = "import sys; sys.modules['torch'] = None\n"


def test_exported_names_exist():
    for name in survivalgpu.__all__:
        assert getattr(survivalgpu, name) is not None
    assert set(survivalgpu.__all__) <= set(dir(survivalgpu))
    assert survivalgpu._LAZY.keys() < set(survivalgpu.__all__)
    with pytest.raises(AttributeError, match="'survivalgpu' has no attribute 'CoxPh'"):
        _ = survivalgpu.CoxPh


def test_the_version_is_the_projects():
    root = Path(survivalgpu.__file__).parents[2]
    project = (root / "pyproject.toml").read_text()
    assert re.search(r'^version = "(.+)"$', project, re.MULTILINE)[1] == survivalgpu.__version__


def test_the_package_is_typed():
    assert (Path(survivalgpu.__file__).parent / "py.typed").exists()


def test_importing_loads_neither_torch_nor_pandas():
    code = "import sys, survivalgpu, survivalgpu.api; print({'torch', 'pandas'} & set(sys.modules))"
    assert run_python(code) == "set()\n"


def test_fitting_arrays_needs_neither_pandas_nor_formulaic():
    code = "import sys; sys.modules['pandas'] = sys.modules['formulaic'] = None\n" + (
        "from survivalgpu import CoxPH, MissingDependencyError\n"
        "m = CoxPH(device='cpu').fit([[1.0], [0.0], [1.0]], ([1, 2, 3], [1, 1, 0]))\n"
        "print(m.summary())\n"
        "try:\n    m.summary().as_frame()\n"
        "except MissingDependencyError as error:\n    print(error)\n"
    )
    printed = run_python(code)
    assert "Likelihood ratio test" in printed
    assert "pip install survivalgpu[dataframe]" in printed


@pytest.mark.parametrize("name", ["CoxPH", "fit_coxph", "CoxData"])
def test_without_torch_a_name_says_what_to_install(name):
    code = NO_TORCH + (
        "import survivalgpu\n"
        f"try:\n    survivalgpu.{name}\n"
        "except survivalgpu.MissingTorchError as error:\n    print(error)\n"
        f"try:\n    from survivalgpu import {name}\n"
        "except ImportError as error:\n    print(error)\n"
    )
    lines = run_python(code).splitlines()
    assert len(lines) == 2
    assert all(line.startswith("`torch`: PyTorch cannot be loaded by ") for line in lines)
    assert all(line.endswith("pip install torch.") for line in lines)


def test_without_torch_the_api_answers_r():
    code = NO_TORCH + (
        "from survivalgpu import api\n"
        "answer = api.fit_cox(*[None] * 13)\n"
        "print(answer['ok'], answer['error'])\n"
        "report = api.device_report()\n"
        "print(report['torch'], report['torch_error'], report['numpy'])\n"
    )
    answer, report = run_python(code).splitlines()
    assert answer.startswith("False {'type': 'missing_torch', 'argument': 'torch'")
    assert "pip install torch" in answer
    assert report.startswith("None PyTorch cannot be loaded by ")
