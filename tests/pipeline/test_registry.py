"""Items, scales and overrides: what can be asked for, and what a wrong question is answered with."""

import pytest

from bookkit import commands, registry
from bookkit.problems import Problem


def test_items_and_values_are_found(project):
    assert registry.items(project) == ["tiny"]
    job = registry.job(project, "tiny", "full")
    assert dict(job.values) == {"scale": "full", "power": 2.0, "count": 5}
    assert (job.page, job.folder) == ("tiny_full", "tiny-full")


def test_overrides_are_parsed_checked_and_name_the_folder(project):
    job = registry.job(project, "tiny", "small", {"power": "3", "count": "7"})
    assert dict(job.values) == {"scale": "small", "power": 3, "count": 7}
    again = registry.job(project, "tiny", "small", {"count": "7", "power": "3"})
    other = registry.job(project, "tiny", "small", {"count": "8", "power": "3"})
    assert job.folder == again.folder != other.folder
    assert job.folder.startswith("tiny-small-changed-") and len(job.folder) == len("tiny-small-changed-") + 8


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["tony"], "unknown item 'tony'. Did you mean 'tiny'? Valid: tiny."),
        (["tiny", "--scale", "ful"], "unknown scale of tiny 'ful'. Did you mean 'full'? Valid: full, small."),
        (["tiny", "-p", "powr", "1"], "unknown parameter in the command line for tiny 'powr'. Did you mean 'power'?"),
        (
            ["tiny", "-p", "count", "1.5"],
            "the command line for tiny: count: got 1.5; give a whole number of at least 1.",
        ),
        (["tiny", "-p", "count", "["], "parameter 'count': '[' is not valid YAML"),
    ],
)
def test_the_command_line_answers_a_wrong_question_in_one_message(project, capsys, arguments, message):
    assert commands.main(["--root", str(project.root), "execute", *arguments]) == 1
    error = capsys.readouterr().err
    assert message in error
    assert "Traceback" not in error
    assert not project.runs.exists()


def test_a_sound_project_passes(project):
    assert registry.check(project) == []
    commands.check_items(project)


def test_each_thing_that_is_wrong_is_reported(project):
    (project.parameters / "tiny.reduced.yaml").write_text("scale: full\npower: 3.0\n")
    (project.parameters / "tiny.small.yaml").write_text("")
    (project.parameters / "tiny.huge.yaml").write_text("")
    source = project.notebooks / "tiny.py"
    header = "# ---\n# jupyter:\n#   neural_scaling:\n#     reads: [data/none.json]\n# ---\n\n"
    source.write_text(header + source.read_text() + "\n# %%\n# %matplotlib inline\n")
    wrong = "\n".join(registry.check(project))
    assert "tiny.reduced.yaml: scale is 'full'" in wrong
    assert "tiny.small.yaml belongs to no notebook or scale" in wrong
    assert "tiny.huge.yaml belongs to no notebook or scale" in wrong
    assert "the cell starting '%matplotlib inline' is not plain Python" in wrong
    assert "the header reads 'data/none.json', which does not exist" in wrong


def test_the_table_of_contents_must_name_every_notebook_and_no_other(project):
    (project.notebooks / "other.py").write_text((project.notebooks / "tiny.py").read_text())
    (project.parameters / "other.full.yaml").write_text((project.parameters / "tiny.full.yaml").read_text())
    project.toc.write_text(project.toc.read_text() + "  - file: book/pages/tiny_full\n")
    with pytest.raises(Problem) as problem:
        commands.check_items(project)
    assert "_toc.yml does not name book/pages/other. Add it" in str(problem.value)
    assert "_toc.yml names book/pages/tiny_full, but no notebook makes it" in str(problem.value)


def test_shipped_results_bring_a_page_to_their_scale(project):
    assert registry.book_scales(project, "tiny") == ["small"]
    project.results("tiny").mkdir(parents=True)
    assert registry.book_scales(project, "tiny") == ["small"]
    (project.results("tiny") / "x.json").write_text("{}")
    assert registry.book_scales(project, "tiny") == ["small", "full"]
    text = (project.parameters / "tiny.full.yaml").read_text()
    (project.parameters / "tiny.reduced.yaml").write_text(text)
    assert registry.book_scales(project, "tiny") == ["small", "reduced"]
    assert ["tiny.reduced.yaml: scale is 'full'" in line for line in registry.check(project)] == [True]
    (project.parameters / "tiny.reduced.yaml").write_text(text.replace("scale: full", "scale: reduced"))
    assert registry.check(project) == []
    assert registry.job(project, "tiny", "reduced").page == "tiny_reduced"
