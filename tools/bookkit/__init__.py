"""The pipeline of the book: from the notebooks' sources to executed notebooks, references, ledger and pages.

Modules by role: :mod:`~bookkit.environment` (the shared virtual environment), :mod:`~bookkit.project` (where things
are), :mod:`~bookkit.parameters` and :mod:`~bookkit.registry` (what can be run, with which values),
:mod:`~bookkit.notebooks` (what is run), :mod:`~bookkit.stamps` (whether it must be
run), :mod:`~bookkit.execution` (running it), :mod:`~bookkit.references` and :mod:`~bookkit.ledger` (what is
committed of it), :mod:`~bookkit.arithmetic` (with which kernels it is run again), :mod:`~bookkit.sphinx_book` and
:mod:`~bookkit.pages` (the pages), :mod:`~bookkit.stages` and :mod:`~bookkit.commands` (what a command of ``nox`` does).
"""
