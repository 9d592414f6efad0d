"""The parameters cell and the values for it: what is refused, and with which words."""

import ast

import jupytext
import pytest

from bookkit import parameters
from bookkit.problems import Problem


def notebook(*cells: str):
    return jupytext.reads("\n\n".join(f'# %% tags=["parameters"]\n{cell}' for cell in cells), fmt="py:percent")


def declared(cell: str):
    return parameters.declared(notebook(cell), "here.py")


def test_parameters_are_read_with_their_types():
    names = declared("a: float = 1.0  # first\nb: list[int] = [1, 2]\nc: str | None = None\nd: float = 2 * 3")
    assert {name: ast.unparse(annotation) for name, annotation in names.items()} == {
        "a": "float",
        "b": "list[int]",
        "c": "str | None",
        "d": "float",
    }


def test_a_missing_tag_is_refused():
    with pytest.raises(Problem, match=r"here\.py: 0 cells carry the tag 'parameters'.*Give exactly one"):
        parameters.declared(jupytext.reads("# %%\na = 1", fmt="py:percent"), "here.py")


def test_a_second_tagged_cell_is_refused():
    with pytest.raises(Problem, match="2 cells carry the tag"):
        parameters.declared(notebook("a: int = 1", "b: int = 1"), "here.py")


@pytest.mark.parametrize("cell", ["a = 1", "a: int", "import os", "a: int = 1\nprint(a)"])
def test_anything_but_an_annotated_assignment_is_refused(cell):
    with pytest.raises(Problem, match="Write each parameter as `name: type = value`"):
        declared(cell)


@pytest.mark.parametrize("annotation", ["list", "np.ndarray", "tuple[int, int]", "Any"])
def test_a_type_that_values_cannot_be_checked_against_is_refused(annotation):
    with pytest.raises(Problem, match="parameter 'a' is declared"):
        declared(f"a: {annotation} = 1")


@pytest.mark.parametrize(
    ("annotation", "value"),
    [
        ("float", 1),
        ("float", float("inf")),
        ("int", 3),
        ("bool", True),
        ("list[float]", [1, 2.5]),
        ("list[list[int]]", [[1], []]),
        ("dict[str, float]", {"x": 1.0}),
        ("int | None", None),
    ],
)
def test_values_that_fit(annotation, value):
    parameters.check_values({"a": value}, declared(f"a: {annotation} = 1"), "here.yaml")


@pytest.mark.parametrize(
    ("annotation", "value"),
    [
        ("int", 1.5),
        ("int", True),
        ("float", "1e-3"),
        ("float", None),
        ("str", 1),
        ("bool", 1),
        ("list[float]", 1.0),
        ("list[float]", [1.0, "x"]),
        ("dict[str, float]", {"x": "y"}),
        ("int | None", "none"),
    ],
)
def test_a_value_of_another_type_is_refused_by_name(annotation, value):
    with pytest.raises(Problem, match=r"here\.yaml: parameter 'a' is .* declares `"):
        parameters.check_values({"a": value}, declared(f"a: {annotation} = 1"), "here.yaml")


def test_the_float_that_yaml_takes_for_text_is_explained():
    value = parameters.parse_override("1e-3", "a")
    with pytest.raises(Problem, match=r"write 1\.0e-3"):
        parameters.check_values({"a": value}, declared("a: float = 1.0"), "here.yaml")


def test_an_unknown_name_is_refused_with_the_nearest_one():
    with pytest.raises(Problem, match=r"unknown parameter in here\.yaml 'beta_had'\. Did you mean 'beta_hard'\?"):
        parameters.check_values({"beta_had": 1.0}, declared("beta_hard: float = 1.0"), "here.yaml")


def test_values_of_the_cell():
    cell = 'a: int = 1\nb: list[float] = [float("inf"), -2.0]\nc: str = "x"  # a letter'
    assert parameters.cell_values(notebook(cell)) == {"a": 1, "b": [float("inf"), -2.0], "c": "x"}


def test_a_value_that_stands_in_the_notebook_is_not_repeated():
    parameters.check_no_repetition({"scale": "full", "a": 2}, {"scale": "small", "a": 1, "b": 2}, "here.yaml")
    with pytest.raises(Problem, match=r"here\.yaml: b repeats the notebook\. Remove the line\."):
        parameters.check_no_repetition({"a": 2, "b": 2}, {"a": 1, "b": 2}, "here.yaml")


@pytest.mark.parametrize(("text", "message"), [("[1, 2]", "is not a mapping"), ("a: [", "is not valid YAML")])
def test_a_file_that_is_no_mapping_is_refused(tmp_path, text, message):
    (tmp_path / "x.yaml").write_text(text)
    with pytest.raises(Problem, match=message):
        parameters.read_values(tmp_path / "x.yaml")
