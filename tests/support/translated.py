"""Compare a translated text with its English text: what must be the same, and what must not be English any more."""

import re
from collections import Counter

COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
FENCE = re.compile(r"^```.*?^```", re.DOTALL | re.MULTILINE)
SPAN = re.compile(r"(`+)(.+?)\1", re.DOTALL)
FORMULA = re.compile(r"\$\$.+?\$\$|\$.+?\$", re.DOTALL)
IMAGE_TEXT = re.compile(r"!\[[^]]*\]")
TARGET = re.compile(r"\]\(([^)\s]+)\)|<(https?://[^>]+)>")
TAG = re.compile(r"</?\w[^>]*>")
NUMBER = re.compile(r"\d+(?:[.,]\d+)*")
UNITS = {"million": 10**6, "billion": 10**9, "만(?!큼)": 10**4, "억": 10**8}
WITH_UNIT = re.compile(rf"(?:\d[\d,]*\s?(?:{'|'.join(UNITS)})\s?)+")        # 17 million, 1억 1600만
LINES = {"heading": r"^ *(#+) ", "list item": r"^ *([-*]|\d\d?\.) ", "row of a table": r"^ *(\|)"}

# Numbers that English writes as words: a translation may write digits there.
IN_WORDS = {"zeros?": "0", "one": "1", "once": "1", "two": "2", "twice": "2", "three": "3", "four": "4", "five": "5",
            "six": "6", "seven": "7", "eight": "8", "nine": "9", "ten": "10", "twelve": "12", "forty": "40",
            "hundred": "100", "half": "2 1", "half a minute": "30", "thirds?": "3 1", "quarters?": "4 1",
            "fifths?": "5 1", "tenths?": "10 1"}

# What may be Latin in a translated text: what stands in parentheses or italics, and these names.
ASIDE = re.compile(r"\([^()]*\)|(?<!\*)\*(?!\*)[^*]+\*(?!\*)")
NAMES = {"Tolstikhin et al", "arXiv"}
WORD = re.compile(r"[A-Za-z][A-Za-z'’-]+")
MOST_WORDS = 3              # Latin words in a row: a name such as "Intel Xeon" has fewer, a forgotten sentence more
SMALL_WORDS = re.compile(r"\b(?:the|is|are|of|and|or|it|its|that|this|to|with|for|from|our|only|then|use|on|by)\b",
                         re.IGNORECASE)
HANGUL = re.compile(r"[가-힣]")


def taken_out(pattern, text, found, kind, show=lambda match: match[0]):
    """The text without what a pattern finds, which is counted under a kind; a sign stays where code was."""
    def take(match):
        found[kind, " ".join(show(match).split())] += 1
        return "`" if kind == "code" else " "
    return pattern.sub(take, text)


def facts(text):
    """How often each thing stands in a text that no translation may change, and the text without them."""
    found = Counter()
    text = taken_out(FENCE, text, found, "code block")
    text = COMMENT.sub(" ", text)
    text = taken_out(SPAN, text, found, "code")
    text = taken_out(FORMULA, text, found, "formula", lambda match: re.sub(r"\\text\{[^}]*\}", r"\\text", match[0]))
    text = IMAGE_TEXT.sub("![]", text)
    text = TARGET.sub(lambda link: taken_out(TARGET, link[0], found, "link", lambda m: m[1] or m[2]) + "]", text)
    text = taken_out(TAG, text, found, "tag")
    for kind, pattern in LINES.items():
        found.update((kind, mark[:1] if kind == "list item" and mark[0].isdigit() else mark)
                     for mark in re.findall(pattern, text, re.MULTILINE))
    written_out = WITH_UNIT.sub(lambda match: f"{value(match[0])} ", text)
    found.update(("number", number) for number in NUMBER.findall(written_out))
    return found, text


def value(written):
    """The number that digits with units make: 1억 1600만 is 116000000."""
    return sum(int(re.match(r"\d+", part.replace(",", ""))[0]) * factor for unit, factor in UNITS.items()
               for part in re.findall(rf"\d[\d,]*\s?(?={unit})", written))


def disagreements(english, translated):
    """Say which facts of an English text the translated one lacks, and which it adds."""
    (wanted, words), (there, _) = facts(english), facts(translated)
    may_be = Counter(("number", digits) for word, numbers in IN_WORDS.items() for digits in numbers.split()
                     for _ in re.findall(rf"\b{word}\b", words, re.IGNORECASE))
    return [*(f"missing: {kind} {what!r}" for kind, what in (wanted - there)),
            *(f"not in the English text: {kind} {what!r}" for kind, what in (there - wanted - may_be))]


def pieces(text):
    """The sentences, headings, list items and cells of tables of a text, without code, formulas, links and asides."""
    plain = ASIDE.sub(" ", facts(text)[1])
    for name in NAMES:
        plain = plain.replace(name, " ")
    plain = re.sub(r"^ *(#+|[-*]|\d+\.) ", "\n\n", plain, flags=re.MULTILINE)
    return [piece for block in re.split(r"\n\s*\n|\||^", plain) for piece in re.split(r"(?<=[.!?:])\s+", block.strip())
            if piece.strip()]


def english_left(translated):
    """The pieces that look English: with a small word such as "the", or more than three Latin words in a row.

    What stands in code, formulas, parentheses and italics does not count.  A piece without Hangul may only be one name
    of up to two words, such as "AdamW" or a row's "Mixer block".
    """
    found = []
    for piece in pieces(translated):
        if SMALL_WORDS.search(piece):
            found.append(piece)
        elif HANGUL.search(piece):
            runs = re.split(r"[^A-Za-z'’ ,-]+", piece)
            found += [piece] * any(len(WORD.findall(run)) > MOST_WORDS for run in runs)
        else:
            ends_like_a_sentence = piece.rstrip("* ").endswith((".", "!", "?"))
            found += [piece] * (len(WORD.findall(piece)) > (0 if ends_like_a_sentence else 2))
    return found


def impolite(translated):
    """The Korean sentences that end in another style than -니다 and -시다, -세요 for requests, -까 for questions."""
    other = re.compile(r"(?<![니시])다[.!]$|(?<![세까])요[.!?]$|(?<!까)(?<!까요)\?$")
    return [piece for piece in pieces(translated)
            if HANGUL.search(piece) and other.search(re.sub(r"[\s*`)\]]+$", "", piece))]


def bold_that_stays_stars(translated):
    """Bold whose stars Markdown would show: a closing ``**`` after a sign and before a letter, or the reverse."""
    text = SPAN.sub("`", FENCE.sub(" ", translated))
    parts = text.split("**")
    faults = []
    for before, inside, after in zip(parts[::2], parts[1::2], parts[2::2], strict=False):
        closes = not inside[-1:].isalnum() and after[:1].isalnum()
        opens = not inside[:1].isalnum() and before[-1:].isalnum()
        faults += [f"**{inside}**{after[:1]}"] * (closes or opens or inside != inside.strip())
    return faults


def first_uses(text, terms):
    """Say which Korean terms stand in a text for the first time without the English term in parentheses.

    Headings, links and code do not count.  ``terms`` are pairs, Korean and English.
    """
    plain = re.sub(r"\[[^]]*\]\([^)]*\)", " ", re.sub(r"^#+ .*$", "", without_facts(text), flags=re.MULTILINE))
    plain = " ".join(plain.split())
    found = []
    for korean, english in sorted(terms, key=lambda pair: -len(pair[0])):
        pattern = re.compile(rf"(?<![가-힣]){re.escape(korean)}")
        first = pattern.search(plain)
        if first and not re.match(rf"\**\s?\({re.escape(english)}", plain[first.end():], re.IGNORECASE):
            found.append(f"{korean} stands first without ({english}): {plain[first.start():first.end() + 20]!r}")
        plain = pattern.sub(lambda match: "_" * len(match[0]), plain)       # a longer term hides a shorter one
    return found


# Words of other Korean books for what the glossary calls otherwise.
OTHER_WORDS = {
    "매개변수": "파라미터", "그래디언트": "기울기", "그레이디언트": "기울기", "그라디언트": "기울기", "레이어": "층",
    "학습율": "학습률", "에포크": "에폭", "최적화기": "옵티마이저", "은닉층": "은닉 유닛", "라벨": "레이블",
    "미니배치": "배치", "형상": "모양", "트랜스포즈": "전치", "단축 연결": "스킵 연결", "표준 편차": "표준편차",
    "교차엔트로피": "교차 엔트로피", "오차역전파": "역전파",
}


def other_words(text):
    """The words of a text for which the glossary has another one."""
    return [f"{word}: the glossary says {ours}" for word, ours in OTHER_WORDS.items() if word in without_facts(text)]


def without_facts(text):
    """A text without code blocks, comments, code and formulas."""
    for pattern in (FENCE, COMMENT, SPAN, FORMULA):
        text = pattern.sub(" ", text)
    return text


def terms_of(glossary):
    """The Korean terms of a glossary with their English ones: the rows of tables that begin with 한국어 and 영어."""
    tables = re.findall(r"^\| 한국어 \| 영어 \|.*\n\|.*\n((?:\|.*\n)+)", glossary, re.MULTILINE)
    rows = [[cell.strip() for cell in row.strip("| ").split(" | ")] for table in tables for row in table.splitlines()]
    return [(row[0], row[1]) for row in rows if row[0] != row[1]]
