"""The public names of ``nn``: the new ones are listed, the old ones still work and say so."""

import pytest

import minimixer as mm
from minimixer import nn


@pytest.mark.parametrize(("old", "new"), [
    ("Gelu", "GELU"), ("Convolution", "Conv2d"), ("shipped", "list_pretrained"), ("CLASSES", "MODEL_CLASSES"),
    ("VARIANTS", "MIXERS"), ("VIT_VARIANTS", "VITS"), ("CONVNET_VARIANTS", "CONVNETS")])
def test_an_old_name_works_and_names_the_new_one(old, new):
    with pytest.warns(DeprecationWarning, match=rf"nn\.{old} is now called nn\.{new}") as caught:
        assert getattr(nn, old) is getattr(nn, new)
    assert caught[0].filename == __file__           # the warning points at the user's line
    assert old not in dir(nn)
    assert old not in nn.__all__
    assert new in dir(nn)
    assert new in nn.__all__


def test_an_old_name_can_be_imported():
    with pytest.warns(DeprecationWarning, match=r"nn\.GELU"):
        from minimixer.nn import Gelu
    assert Gelu is mm.nn.GELU


def test_a_name_that_never_was_is_an_attribute_error():
    with pytest.raises(AttributeError, match=r"module 'minimixer\.nn' has no attribute 'Transformer'"):
        nn.Transformer          # noqa: B018


def test_all_is_sorted_and_exists():
    assert all(hasattr(nn, name) for name in nn.__all__)
    assert len(set(nn.__all__)) == len(nn.__all__)
