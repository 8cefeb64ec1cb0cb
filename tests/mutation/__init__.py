"""Mutation testing: `python -m tests.mutation` breaks the product in every small way, and the tests must notice."""
