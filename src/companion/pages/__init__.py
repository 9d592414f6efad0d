"""The pages of the book: ``pages/fig02.py`` holds what ``notebooks/fig02.py`` runs, measures, claims and draws."""
