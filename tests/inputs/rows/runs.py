"""Experiments, results and where they are kept."""

import tempfile
from pathlib import Path

from inputs.kinds import Shared, choice, flag, instance, path, real, several, text, whole
from inputs.table import row
from neural_scaling import runs
from neural_scaling.models.runs import ToyModelRun
from neural_scaling.runs import Engine, Result
from neural_scaling.runs.provenance import provenance

FOLDER = tempfile.TemporaryDirectory(prefix="neural-scaling-inputs-")
RUN = ToyModelRun(1.5, 0.5, 20.0, 0.125, 1.0, 4, 4)
RECORD = provenance(1.0, "cpu")
ARRAYS = Shared(lambda: runs.obtain(RUN, "inputs", "small").arrays)
RESULT = Shared(lambda: Result(ARRAYS.get(), RECORD, "computed"))
IDENTITY = runs.canonical_json(RUN)

run, sweep = instance(RUN), several([RUN])
item, scale = text("inputs"), choice("small")
key, identity = text(runs.experiment_key(RUN)), text(IDENTITY).also("no JSON")
folder = path(Path(FOLDER.name))

ROWS = [
    row(runs.canonical_json, experiment=run),
    row(runs.experiment_key, experiment=run),
    row(
        Engine,
        kind=choice("dask").named("engine"),
        workers=whole(2).or_none(),
        scheduler=text("tcp://127.0.0.1:8786").also("tcp://elsewhere:8786").or_none(),
    ),
    row(runs.Index, item=item),
    row(runs.Index.look_up, Shared(lambda: runs.Index("inputs")), experiment=run),
    row(runs.obtain, None, lambda found: found.arrays, experiment=run, item=item, scale=scale),
    row(
        runs.obtain_all,
        None,
        lambda found: found[RUN].arrays,
        experiments=several([RUN], empty=True),
        item=item,
        scale=scale,
        engine=instance(Engine()).or_none(),
        force=flag(True),
        together=text("two runs"),
    ),
    row(runs.describe, results=several(Shared(lambda: [RESULT.get()]))),
    row(runs.provenance, None, lambda found: found.keys(), seconds=real(1.0, least=0), device=text("cpu")),
    row(runs.read_result, folder=folder, key=key, identity=identity),
    row(runs.write_result, folder=folder, key=key, identity=identity, arrays=instance(ARRAYS), record=instance(RECORD)),
]

EXEMPT = {
    **dict.fromkeys((runs.Found, runs.Lookup, runs.Result), "a result that users read"),
    runs.promote: "of the developer: replaces what is shipped",
    runs.recompute_slice: "of the developer: recomputes what is shipped",
}
