"""How images are divided: the same everywhere, every class alike."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minimixer.data import DataError
from minimixer.data.notes import Notes
from minimixer.data.parts import check_shares, cut, to_cut, wanted_classes
from minimixer.errors import UsageError

NAMES = ("cat", "dog", "owl")


def quiet():
    return Notes("toy", quiet=True)


@given(counts=st.lists(st.integers(0, 40), min_size=3, max_size=3).filter(lambda c: max(c) > 1),
       share=st.floats(0.01, 0.99), seed=st.integers(0, 99))
def test_every_class_gives_its_share(counts, share, seed):
    labels = np.random.default_rng(0).permutation(np.repeat(np.arange(3), counts))
    kept, drawn = cut("test", share, seed, labels, NAMES, quiet())
    assert sorted([*kept, *drawn]) == list(range(len(labels)))
    assert (np.diff(kept) > 0).all()
    assert (np.diff(drawn) > 0).all()
    for number, count in enumerate(counts):
        got = (labels[drawn] == number).sum()
        assert abs(got - share * count) <= 1 or count == 0
        assert (got > 0) == (count > 1)
        assert got < count or count == 0


def test_the_cut_follows_from_seed_part_and_class_alone():
    labels = np.repeat(np.arange(3), 30)
    drawn = cut("test", 0.2, 0, labels, NAMES, quiet())[1]
    assert np.array_equal(drawn, cut("test", 0.2, 0, labels, NAMES, quiet())[1])
    for other in (cut("test", 0.2, 1, labels, NAMES, quiet()), cut("validation", 0.2, 0, labels, NAMES, quiet())):
        assert not np.array_equal(drawn, other[1])
    two = cut("test", 0.2, 0, labels[30:] - 1, NAMES[1:], quiet())[1]       # the first class is gone
    assert np.array_equal(two + 30, drawn[drawn >= 30])
    assert drawn[:6].tolist() == [1, 3, 7, 8, 13, 23]                       # on every machine, in every version


def test_single_images_stay_in_training():
    notes = quiet()
    kept, drawn = cut("test", 0.5, 0, np.array([0, 1, 1]), NAMES[:2], notes)
    assert 0 in kept
    assert len(drawn) == 1
    assert notes == ["the test part is 1 of 3 images, 50% of each class, drawn by seed 0"]
    with pytest.raises(DataError, match="toy has one training image per class: expected at least two"):
        cut("validation", 0.5, 0, np.array([0, 1]), NAMES[:2], quiet())


def test_only_what_is_missing_and_wanted_is_cut():
    assert to_cut({"train"}, 0.1, 0.2) == [("test", 0.2), ("validation", 0.1)]
    assert to_cut({"train", "test"}, 0.0, 0.2) == []


@pytest.mark.parametrize(("options", "message"), [
    ((1.0, 0.2, 0), "validation is 1.0: expected a share of the training images, from 0"),
    ((-0.1, 0.2, 0), "validation is -0.1"), ((10, 0.2, 0), "validation is 10"),
    ((float("nan"), 0.2, 0), "validation is nan"),
    ((0.0, 0.0, 0), r"test_share is 0.0: expected a share of the images, above 0 and below 1, such as 0.2"),
    ((0.0, 20, 0), "test_share is 20"), ((0.0, 0.2, -1), "seed is -1: expected a whole number"),
    ((0.0, 0.2, 0.5), "seed is 0.5")])
def test_shares_out_of_range(options, message):
    with pytest.raises(UsageError, match=message):
        check_shares(*options)


def test_classes_are_chosen_by_name_and_in_order():
    assert wanted_classes(None, NAMES, "toy") is None
    assert wanted_classes("owl, cat", NAMES, "toy") == wanted_classes(["owl", "cat"], NAMES, "toy") == ["owl", "cat"]
    for given_, message in (("cats,dog", r"toy has no class 'cats'; did you mean 'cat'\?"),
                            ("cat,cat", "classes names 'cat' twice"), ("cat", "classes names 1 class: expected"),
                            ("", "toy has no class ''; expected one of cat, dog, owl"), ("3", "toy has no class '3'")):
        with pytest.raises(UsageError, match=message):
            wanted_classes(given_, NAMES, "toy")
