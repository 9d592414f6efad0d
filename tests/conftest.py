"""One hypothesis profile for every test: the same examples on every machine, no time limit per example."""

from hypothesis import settings

settings.register_profile("ci", derandomize=True, deadline=None)
settings.load_profile("ci")
