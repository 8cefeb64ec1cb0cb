"""Mutation testing: break the product in every small way, and the tests must notice."""
