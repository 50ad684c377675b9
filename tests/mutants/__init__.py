"""Mechanisms that promises rest upon, each broken in turn: `make mutants`."""

from tests.mutants import access, backbone, money

ALL = backbone.MUTANTS + money.MUTANTS + access.MUTANTS
