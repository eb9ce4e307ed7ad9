"""Campaigns against Oneiric: random hostile inputs and events, each case from its seed, each answer as promised.

python -m tests.attacks [NAME…] [--cases N] [--seed S] [--only INDEX]
"""
