"""Tests of events leave the engines as they are."""

from tests.unit.events.restoring import restored as restored  # a fixture
