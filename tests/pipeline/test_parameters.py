"""The parameters cell and the values for it: what is refused, and with which words."""

import jupytext
import pytest

from bookkit import parameters
from bookkit.problems import Problem


def notebook(*cells: str):
    return jupytext.reads("\n\n".join(f'# %% tags=["parameters"]\n{cell}' for cell in cells), fmt="py:percent")


def declared(cell: str):
    return parameters.declared(notebook(cell), "here.py")


def test_parameters_are_read_with_their_kinds():
    cell = 'a: "Positive" = 1.0  # first\nb: "Counts" = [1, 2]\nc: "Size" = float("inf")\nd: "Positive" = 2 * 3'
    assert declared(cell) == {"a": "Positive", "b": "Counts", "c": "Size", "d": "Positive"}


def test_a_missing_tag_is_refused():
    with pytest.raises(Problem, match=r"here\.py: 0 cells carry the tag 'parameters'.*Give exactly one"):
        parameters.declared(jupytext.reads("# %%\na = 1", fmt="py:percent"), "here.py")


def test_a_second_tagged_cell_is_refused():
    with pytest.raises(Problem, match="2 cells carry the tag"):
        parameters.declared(notebook('a: "Count" = 1', 'b: "Count" = 1'), "here.py")


@pytest.mark.parametrize("cell", ["a = 1", 'a: "Count"', "a: int = 1", "import os", 'a: "Count" = 1\nprint(a)'])
def test_anything_but_an_annotated_assignment_is_refused(cell):
    with pytest.raises(Problem, match='Write each parameter as `name: "Kind" = value`'):
        declared(cell)


def test_a_kind_that_does_not_exist_is_refused_with_the_nearest_one():
    with pytest.raises(Problem, match=r"kind of 'a' in here\.py 'Positve'\. Did you mean 'Positive'\?"):
        declared('a: "Positve" = 1')


@pytest.mark.parametrize(
    ("kind", "value"),
    [("Positive", 1), ("Size", float("inf")), ("Count", 3), ("FromLazy", [0, 2.5]), ("Window", [1, 2])],
)
def test_values_that_fit(kind, value):
    parameters.check_values({"a": value}, {"a": kind}, "here.yaml")


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        *(
            ("Count", 1.5),
            ("Count", True),
            ("Positive", "1e-3"),
            ("Positive", None),
            ("Rising", 1.0),
            ("Rising", [1.0, "x"]),
        ),
        *(("Rising", [2, 1]), ("Falling", [1, 2]), ("FromLazy", [0.5, 1]), ("Window", [2, 1]), ("Window", [1, 2, 3])),
        *(("Seeds", 1), ("HardSource", 1.0), ("EasySource", 1.0), ("Capacity", 1.0), ("Richness", -1.0), ("Seed", -1)),
    ],
)
def test_a_value_of_another_kind_is_refused_by_name(kind, value):
    with pytest.raises(Problem, match=r"here\.yaml: a: .*; \w+ "):
        parameters.check_values({"a": value}, {"a": kind}, "here.yaml")


def test_the_float_that_yaml_takes_for_text_is_explained():
    value = parameters.parse_override("1e-3", "a")
    with pytest.raises(Problem, match=r"write 1\.0e-3"):
        parameters.check_values({"a": value}, {"a": "Positive"}, "here.yaml")


@pytest.mark.parametrize("value", ["-1e-3", "inf", [0.1, "1e-3"]])
def test_so_is_it_with_a_sign_at_infinity_and_in_a_list(value):
    with pytest.raises(Problem, match=r"write 1\.0e-3, and \.inf for infinity"):
        parameters.check_values({"a": value}, {"a": "Positives"}, "here.yaml")


def test_an_unknown_name_is_refused_with_the_nearest_one():
    with pytest.raises(Problem, match=r"unknown parameter in here\.yaml 'beta_had'\. Did you mean 'beta_hard'\?"):
        parameters.check_values({"beta_had": 1.0}, {"beta_hard": "Positive"}, "here.yaml")


def test_values_of_the_cell():
    cell = 'a: "Count" = 1\nb: "Sizes" = [float("inf"), -2.0]\nc: "Text" = "x"  # a letter'
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
