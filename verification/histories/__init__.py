"""Histories of concurrent operation: a checker, and what one order is allowed to answer."""
