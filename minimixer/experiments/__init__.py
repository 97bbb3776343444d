"""The paper's claims, tested again at small scale; each module is one experiment.

A change here changes a published verdict: run the experiment again, then docs/build_claims.py with its results.
"""
