"""For the tests of applications: a pytest fixture, and contracts that providers of built-in ports keep."""
