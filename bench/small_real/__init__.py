"""How the sample rows of the preset small-real were made: python -m bench.small_real.

A module per domain, each a table that was written by hand and the few lines that make rows of it, in the form in which public
data of the domain comes. Every answer is right by its grader: tests/training/test_small_real.py asks them all.
"""
