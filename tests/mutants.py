"""Errors put into the library by hand, each with the test that must see it: ``python tests/mutants.py`` tries them all.

Each is put into a copy of ``src``, and the test must fail there; all these tests must pass on ``src`` as it is.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
MARCH = "neural_scaling/dmft/march.py"
TABLE = "tests/dmft/test_table_of_oracles.py::test_"
INPUTS = "tests/inputs/test_inputs.py::test_"

#: File below src, text that occurs there once, what is put in its place, the test that sees it.
MUTANTS = [
    (  # gradient flow: what the change of sigma adds to the errors
        "neural_scaling/dmft/flow.py",
        "points**powers * part for part in (powers * found[:-1], passed * found[1:])",
        "points**powers * part for part in (found[:-1], passed * found[1:])",
        "tests/dmft/test_flow.py::test_equals_an_integration_in_plain_time",
    ),
    (  # gradient flow: steps too long for their polynomial
        "neural_scaling/dmft/flow.py",
        "_STEP = 0.15",
        "_STEP = 1.5",
        "tests/dmft/test_flow.py::test_shorter_steps_change_no_more_than_is_stated",
    ),
    (  # comparison of laws: runs of one point above the limit never drawn again
        "neural_scaling/fits/held_out.py",
        "if not inside.all():",
        "if False:",
        "tests/test_scaling_law.py::test_runs_of_one_point_are_drawn_again_on_the_side_that_is_held_out",
    ),
    (  # the drive: the part of the weights' correlation lost
        MARCH,
        "drive = right + gamma * drive",
        "drive = right",
        TABLE + "unit_steps[online-unit steps-rich-N-B]",
    ),
    (  # the drive: sign of the memory of the features
        MARCH,
        "return np.eye(high)[low:high] + self.setting.gamma * kernel @",
        "return np.eye(high)[low:high] - self.setting.gamma * kernel @",
        TABLE + "unit_steps[online-unit steps-rich]",
    ),
    (  # the responses: sign
        MARCH,
        "identity - self.setting.per_width * summed",
        "identity + self.setting.per_width * summed",
        TABLE + "unit_steps[online-unit steps-lazy-N]",
    ),
    (  # roots of the responses: another one than the last iterate's
        "neural_scaling/dmft/march.py",
        "followed(root * x / before, x)",
        "followed(root, before)",
        "tests/dmft/test_log_grid.py::test_a_root_followed_from_the_last_iterate_is_the_one_found_from_the_axis",
    ),
    (  # the responses: that of the data lost
        MARCH,
        "self.response[cell, upto] @ self.data_response[upto, upto]",
        "self.response[cell, upto]",
        TABLE + "unit_steps[reuse-unit steps-lazy-P]",
    ),
    (  # the correlations: noise of the width lost from the loss
        MARCH,
        '@ mean**2 + np.einsum("k,ksl,ksl->s", 1 / nodes, driven, learned)',
        "@ mean**2",
        TABLE + "unit_steps[online-unit steps-lazy-N]",
    ),
    (  # the correlations: power of the eigenvalue in the signal of C2
        MARCH,
        "rows += (targets * nodes**2 * mean.T) @ earlier",
        "rows += (targets * nodes * mean.T) @ earlier",
        TABLE + "unit_steps[online-unit steps-rich]",
    ),
    (  # the noise of a batch: sign of one of the products
        MARCH,
        "rows = -np.tensordot(nodes, back, axes=1)",
        "rows = np.tensordot(nodes, back, axes=1)",
        TABLE + "unit_steps[online-unit steps-rich-N-B]",
    ),
    (  # the noise of a batch, in an implicit cell: its own row lost
        MARCH,
        "back -= np.eye(high)[cell] * noise[:, None, :]",
        "back -= 0",
        TABLE + "continuous_time[online-log-spaced-rich-B]",
    ),
    (  # the fourth moment: lost from the noise of the rest
        MARCH,
        "of_rest = scale * self.loss[:high] + nodes * scale * rest[:, :high]",
        "of_rest = scale * self.loss[:high]",
        TABLE + "unit_steps[fourth moment-unit steps-lazy-B]",
    ),
    (  # the fourth moment: sign of the noise of the width
        MARCH,
        'rest[:, cell] += np.einsum("ksl,ksl->ks", driven, learned)',
        'rest[:, cell] -= np.einsum("ksl,ksl->ks", driven, learned)',
        TABLE + "unit_steps[fourth moment-unit steps-lazy-N-B]",
    ),
    (  # reused samples: the columns of the own row lost
        MARCH,
        "if self.grid.explicit:  # the columns",
        "if False:  # the columns",
        TABLE + "unit_steps[reuse-unit steps-rich-N-P]",
    ),
    (  # reused samples: sign of the direct noise
        MARCH,
        "(noisy - weights[:, None, None] * fresh)",
        "(noisy + weights[:, None, None] * fresh)",
        TABLE + "unit_steps[reuse-unit steps-rich-N-P]",
    ),
    (  # an implicit cell: the coupling to the past through the width lost
        MARCH,
        "coupled = self.setting.per_width * total",
        "coupled = 0 * total",
        TABLE + "continuous_time[online-log-spaced-rich-N]",
    ),
    (  # an implicit cell: sign of the samples in its own responses
        MARCH,
        "max(0.0, 1 - per_sample * learned)",
        "max(0.0, 1 + per_sample * learned)",
        TABLE + "continuous_time[reuse-log-spaced-lazy-P]",
    ),
    (  # an implicit cell: the recoil of white noise within it lost
        MARCH,
        "- self.on_grid) + self.cell_noise.recoil",
        "- self.on_grid)",
        TABLE + "noise_within_a_cell_is_more_than_its_grid_makes_of_it[rich]",
    ),
    (  # an implicit cell: the drift of white noise within it lost
        MARCH,
        "@ own.T) + self.cell_noise.drift",
        "@ own.T)",
        TABLE + "noise_within_a_cell_is_more_than_its_grid_makes_of_it[rich]",
    ),
    (  # an implicit cell: sign of what white noise within it adds to the loss
        MARCH,
        "self.loss[cell] += self._noise_of_cell(low, high, before)",
        "self.loss[cell] -= self._noise_of_cell(low, high, before)",
        TABLE + "noise_within_a_cell_is_more_than_its_grid_makes_of_it[lazy]",
    ),
    (  # the relaxation of white noise: its rate
        "neural_scaling/dmft/fast_noise.py",
        "_relaxation_weights(2 * rate * width)",
        "_relaxation_weights(rate * width)",
        TABLE + "noise_within_a_cell_is_more_than_its_grid_makes_of_it[lazy]",
    ),
    (  # responses stored: sign
        "neural_scaling/dmft/learned.py",
        "(rows - of_modes)",
        "(rows + of_modes)",
        TABLE + "continuous_time[online-log-spaced-lazy]",
    ),
    (  # responses from Y alone: earlier chunks lost
        "neural_scaling/dmft/learned.py",
        "left = rows[:, :, low:high] - earlier",
        "left = rows[:, :, low:high]",
        TABLE + "unit_steps[online-unit steps-lazy-N]",
    ),
    (  # a whole number: fractions let through
        "neural_scaling/base/checks.py",
        "(isinstance(number, Integral) or float(number).is_integer())",
        "True",
        INPUTS + "wrong_values_are_refused_by_name[theory.self_consistent.level_curve]",
    ),
    (  # arrays: the caller's own instead of a copy
        "neural_scaling/base/checks.py",
        "return np.array(found, dtype=np.float64, ",
        "return np.asarray(found, dtype=np.float64, ",
        "tests/test_checks.py::test_an_array_is_a_copy_that_nobody_changes",
    ),
    (  # arrays: masked values unmasked
        "neural_scaling/base/checks.py",
        'require(not masked, argument, "masked values", "remove or fill them")',
        "",
        INPUTS + "wrong_values_are_refused_by_name[theory.exponents.chi]",
    ),
    (  # a truth value: any object taken for one
        "neural_scaling/theory/compute_optimal.py",
        'finite_batch = flag(finite_batch, "finite_batch")',
        "finite_batch = bool(finite_batch)",
        INPUTS + "wrong_values_are_refused_by_name[theory.compute_optimal.compute_optimum]",
    ),
    (  # a long call: signals are not looked at meanwhile
        "neural_scaling/runs/execution.py",
        "self.safe_point(state)\n                except",
        "pass\n                except",
        "tests/runs/test_interruption.py::test_a_signal_ends_a_call_that_has_no_safe_points",
    ),
    (  # a result replaced: the one before forgotten while its arrays stand
        "neural_scaling/runs/store.py",
        "[_sealed(body | {_BEFORE: before})]",
        "[_sealed(body)]",
        "tests/runs/test_runs.py::test_whatever_files_of_a_result_are_replaced_a_reader_has_the_old_one_or_the_new",
    ),
    (  # a result replaced between two looks: taken for damaged
        "neural_scaling/runs/store.py",
        "if body is None or body == seen:",
        "if True:",
        "tests/runs/test_runs.py::test_a_reader_between_whose_looks_a_result_is_replaced_has_the_new_one",
    ),
    (  # provenance: its checksum not looked at
        "neural_scaling/runs/store.py",
        "if seal is not None and seal != _checksum(body):",
        "if False:",
        "tests/runs/test_runs.py::test_provenance_stands_under_a_checksum_and_older_files_have_none",
    ),
    (  # a state on a log-spaced grid: what a cell keeps of its noise lost
        MARCH,
        '    "weight_norm_correction",\n)',
        ")",
        "tests/dmft/test_log_grid.py::test_a_solution_that_is_stopped_goes_on_to_the_same_bits",
    ),
    (  # a kernel: blocks added before a stop added once more
        "neural_scaling/networks/cnn.py",
        "if self._block > self._done:",
        "if True:",
        "tests/runs/test_every_kind.py::test_a_run_goes_on_from_its_state_to_the_same_bits[image kernel]",
    ),
    (  # gradient flow: the next step chosen anew after a stop
        "neural_scaling/dmft/infinite.py",
        'solver.h_abs = float(kept["next step"])',
        "pass",
        "tests/runs/test_every_kind.py::test_a_run_goes_on_from_its_state_to_the_same_bits[gradient flow]",
    ),
    (  # the commit: that of a surrounding repository
        "neural_scaling/runs/provenance.py",
        'if not Path(_git(root, "rev-parse", "--show-toplevel")).samefile(root):',
        "if False:",
        "tests/runs/test_commit.py::test_a_surrounding_or_a_named_repository_is_never_taken_for_it",
    ),
    (  # promotion: everything that is not current is deleted
        "neural_scaling/runs/promotion.py",
        "described.stem not in current and _is_result(described)",
        "described.stem not in current",
        "tests/runs/test_runs.py::test_promotion_deletes_only_what_it_wrote",
    ),
    (  # the cache: cleared under a run
        "neural_scaling/cli.py",
        "with nothing_running():",
        "if True:",
        "tests/test_cli.py::test_the_cache_is_not_cleared_while_a_run_is_on",
    ),
    (  # pages: small values under the name of full ones
        "companion/notebook.py",
        "        nearest == plan.scale,\n",
        "        True,\n",
        "tests/pipeline/test_page_parameters.py::test_small_values_are_not_called_full",
    ),
    (  # claims: markup in their text takes effect
        "companion/claims/shown.py",
        '"Of": _said(claim.quantity)',
        '"Of": of_paper(claim.quantity)',
        "tests/test_claims.py::TestEscaping",
    ),
    (  # claims: one seed has an error
        "companion/claims/measurement.py",
        'checks.real(standard_error, "standard_error", "take two seeds or more", least=0.0)',
        "standard_error",
        "tests/test_claims.py::TestNoNumber::test_one_seed_has_no_error",
    ),
]


def place(file, old):
    """Return the text of a file; its ``old`` must occur exactly once."""
    text = (ROOT / "src" / file).read_text()
    assert text.count(old) == 1, f"{file}: {old!r} occurs {text.count(old)} times"
    return text


def copied(folder):
    """Copy the code, and the notebooks and claims, which it reads; return the folder of the code."""
    for name in ("src", "notebooks", "data/claims"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__", "references"))
    return folder / "src"


def failed(source, tests):
    """Say whether tests fail with the library of a folder; an error of pytest itself counts as neither."""
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *tests]
    environment = os.environ | {"PYTHONPATH": str(source), "OMP_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1"}
    ended = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    if ended.returncode not in (0, 1):
        raise SystemExit(f"{' '.join(command)}\n{ended.stdout}{ended.stderr}")
    return ended.returncode == 1


def main():
    """Try all; exit with 1 if a mutant survives or a test fails without one."""
    if failed(ROOT / "src", sorted({test for *_, test in MUTANTS})):
        raise SystemExit("the tests fail without a mutant already")
    survived = 0
    for file, old, new, test in MUTANTS:
        with tempfile.TemporaryDirectory() as folder:
            source = copied(Path(folder))
            (source / file).write_text(place(file, old).replace(old, new))
            killed = failed(source, [test])
        survived += not killed
        print(f"{'killed' if killed else 'SURVIVED'}  {file}: {old}  ->  {new}  by  {test}", flush=True)
    return 1 if survived else 0


if __name__ == "__main__":
    sys.exit(main())
