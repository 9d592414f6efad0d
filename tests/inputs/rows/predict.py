"""Predictions for own problems."""

import numpy as np

from inputs.kinds import Shared, array, choice, count, flag, instance, pair, path, real, whole
from inputs.table import row
from neural_scaling import predict
from neural_scaling.runs import Engine
from neural_scaling.spectra import PowerLaw

LAW = PowerLaw(1.5, 0.5, 128).spectrum()
OPTIONS = predict.Options(draws=8, store=False)
PREDICTION = Shared(lambda: predict.from_spectrum(LAW.eigenvalues, LAW.target, options=OPTIONS))
CURVE = Shared(lambda: PREDICTION.get().lazy)
ESTIMATE = Shared(lambda: predict.estimate_spectrum(LAW.eigenvalues, LAW.target))
T = 2.0 ** np.arange(8)

options = instance(OPTIONS).or_none()
spectrum = {"eigenvalues": array(LAW.eigenvalues), "coefficients": array(LAW.target)}


def loss(found):
    """Return what does not hold the time of day."""
    return found.lazy.loss


ROWS = [
    row(predict.from_spectrum, None, loss, **spectrum, window=pair((8.0, 64.0)).or_none(), options=options),
    row(
        predict.from_curves,
        None,
        lambda found: found.source,
        data=array(T, above=0),
        loss=array(T**-0.5, above=0),
        size=array(np.ones(8), above=0).or_none(),
        run=array(np.zeros(8), whole=True).or_none(),
        law=choice("rich"),
        window=pair((1.0, 64.0)).or_none(),
        options=options,
    ),
    row(predict.estimate_spectrum, **spectrum, window=pair((8.0, 64.0)).or_none()),
    row(predict.extended, estimate=instance(ESTIMATE), horizon=real(8.0, above=0)),
    row(predict.save_report, prediction=instance(PREDICTION), folder=path("report")),
    row(
        predict.Options,
        richness=real(1.0, above=0),
        gamma0=real(1.0, above=0).or_none(),
        width=count(64),
        batch=count(64),
        until=real(64.0, above=0).or_none(),
        eta=real(0.5, above=0).or_none(),
        budgets=array([64.0, 128.0], above=0).or_none(),
        draws=whole(8, 8),
        store=flag(False),
        engine=instance(Engine()).or_none(),
    ),
    row(
        predict.Prediction.exponent,
        PREDICTION,
        first=real(2.0, above=0),
        last=real(64.0, above=0),
        rich=flag(True),
    ),
    row(predict.Curve.exponent, CURVE, window=pair((2.0, 64.0))),
    row(predict.Curve.rests_on_tail, CURVE, share=real(0.5, least=0, most=1)),
    row(predict.Curve.edge, CURVE, eta=real(0.5, above=0)),
]

EXEMPT = {
    **dict.fromkeys(
        (
            predict.BestUse,
            predict.Bounds,
            predict.Curve,
            predict.Estimate,
            predict.FittedCurves,
            predict.Prediction,
            predict.Range,
        ),
        "a result that users read",
    ),
    predict.Curve.of: "makes a result",
    predict.Range.of: "makes a result",
    predict.estimate_kernel: "tests/predict/test_estimate.py refuses wrong arguments",
    predict.from_kernel: "arguments are those of estimate_kernel; tests/predict/test_problem.py refuses wrong ones",
    predict.from_network: "arguments are those of sample_kernel; tests/predict/test_problem.py refuses wrong ones",
}
