"""The ops: pure array functions, ``forward`` beside ``backward``.  Start with ``op.py``, then ``arithmetic.py``.

An op with one form is a file; an op with several is a folder, and ``registry.py`` chooses among them.  To change what
an op computes, change its ``reference.py`` and every other form in its folder: ``tests/ops/test_forms.py`` compares
them.  Nothing here may know a Tensor, a Module or a device by name.
"""
