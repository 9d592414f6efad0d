"""The book's own code: pages, claims, errata, explorers, style. It imports the library, never the other way round."""
