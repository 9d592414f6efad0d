"""The book's own code: pages, claims, errata, explorer, style. It imports the library, never the other way round."""
