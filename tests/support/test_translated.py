"""The comparison of translations finds what it looks for: each check, and a text with that one fault."""

import pytest

from tests.support.translated import (
    bold_that_stays_stars,
    disagreements,
    english_left,
    first_uses,
    impolite,
    other_words,
    terms_of,
)

ENGLISH = """## Build

**Patches.** A cell has 16 patches, half of 32, and $x_i \\text{ of all}$ is `x`: see [lesson 01](01_tensors.ipynb).

- One gradient. <!-- printed -->

| a | b |

```python
y = 2 * x
```
"""
KOREAN = """## 만들기

**패치.** 셀 하나에 패치(patch)가 16개, 32의 2분의 1만큼 있고 $x_i \\text{ 전체}$는
`x`입니다. [레슨 01](01_tensors.ipynb)을 보세요.

- 기울기(gradient) 1개입니다. <!-- printed -->

| 가 | 나 |

```python
y = 2 * x
```
"""


def test_a_faithful_translation_has_no_fault():
    assert disagreements(ENGLISH, KOREAN) == []
    assert english_left(KOREAN) == impolite(KOREAN) == bold_that_stays_stars(KOREAN) == []


@pytest.mark.parametrize(("right", "wrong", "kind"), [
    ("16개", "18개", "number"), ("16개", "여러 개", "number"), ("32의 ", "", "number"), ("x_i", "x_j", "formula"),
    ("`x`", "`y`", "code"), ("`x`", "x", "code"), ("01_tensors", "02_autograd", "link"), ("## ", "### ", "heading"),
    ("- 기울기", "기울기", "list item"), ("| 가 | 나 |", "", "row of a table"), ("2 * x", "3 * x", "code block"),
])
def test_what_differs_is_named(right, wrong, kind):
    assert right in KOREAN
    found = disagreements(ENGLISH, KOREAN.replace(right, wrong, 1))
    assert found
    assert all(kind in line for line in found)


@pytest.mark.parametrize("left", [
    "No error.", "It is 0.", "이 셀은 the weights of every layer를 봅니다.", "## Where the weights are now",
    "| 줄 | what the backward pass needs |", "- Nothing moves in memory",
    "여기서 token and channel을 봅니다.", "Use it",
])
def test_english_that_is_left_is_found(left):
    assert len(english_left(f"{KOREAN}\n{left}\n")) == 1


@pytest.mark.parametrize("name", [
    "AdamW", "Mixer-B/16", "`np.argmax` (the first of several)", "*An all-MLP Architecture*",
    "Intel Xeon 서버에서 쟀습니다.", "[arXiv 2105.01601](https://arxiv.org/abs/2105.01601)",
])
def test_names_are_not_taken_for_english_that_is_left(name):
    assert english_left(f"{KOREAN}\n{name}\n") == []


@pytest.mark.parametrize("wrong", [
    "모델을 학습한다.", "모델을 학습해요.", "이것은 무엇인가요?", "이제 끝났다!", "왜 더하지?",
])
def test_another_style_is_found(wrong):
    assert impolite(f"{KOREAN}\n{wrong}\n") == [wrong]


@pytest.mark.parametrize("right", [
    "학습합니다.", "학습해 봅시다.", "보세요.", "왜 더할까요?", "무엇입니까?", "손실 하나.", "`x`입니다.",
])
def test_the_one_style_is_not_a_fault(right):
    assert impolite(right) == []


@pytest.mark.parametrize("wrong", ["**패치(patch)**는", "**`eps`**가", "것은** 앞**입니다", "이것**(하나)**"])
def test_stars_that_would_show_are_found(wrong):
    assert len(bold_that_stays_stars(wrong)) == 1


@pytest.mark.parametrize("right", ["**패치**(patch)는", "**첫째 검사: 유한 차분.** 이제", "**왜 더할까요?** 그것은"])
def test_stars_that_make_bold_are_no_fault(right):
    assert bold_that_stays_stars(right) == []


def test_a_term_without_english_at_its_first_use_is_found():
    terms = [("토큰", "token"), ("토큰 믹싱", "token mixing")]
    assert first_uses("**토큰**(token)과 토큰 믹싱(token mixing), 그리고 토큰", terms) == []
    assert first_uses("# 토큰\n\n[토큰](a.md) `토큰` 토큰(tokens)", terms) == []
    assert len(first_uses("토큰 믹싱(token mixing)과 토큰", terms)) == 1
    assert len(first_uses("토큰 믹싱과 토큰(token)", terms)) == 1
    assert len(first_uses("토큰(patch)", terms)) == 1


def test_a_word_for_which_the_glossary_has_another_is_found():
    assert other_words("파라미터의 기울기를 층마다 구합니다.") == []
    assert other_words("매개변수의 기울기를 구합니다.") == ["매개변수: the glossary says 파라미터"]


def test_terms_are_read_from_both_tables_of_the_glossary():
    glossary = "| 한국어 | 영어 | 뜻 |\n| --- | --- | --- |\n| 패치 | patch | 조각. |\n| AdamW | AdamW | 이름. |\n\n" \
               "| 한국어 | 영어 |\n| --- | --- |\n| 층 | layer |\n\n| 기호 | 뜻 |\n| --- | --- |\n| x | 입력 |\n"
    assert terms_of(glossary) == [("패치", "patch"), ("층", "layer")]
