"""Embedded servers and the supervisor, for `exchange up` and the tests alone."""
