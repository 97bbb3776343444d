"""The paper's claims, re-tested small: ``python -m minimixer.experiments NAME`` measures one and draws it."""
