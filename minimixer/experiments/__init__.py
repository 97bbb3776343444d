"""The paper's claims, tested again at small scale; each module is one experiment."""
