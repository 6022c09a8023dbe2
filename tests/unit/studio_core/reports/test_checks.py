"""Single checks, by texts whose answer is known."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from studio_core.data.words import Words, words
from studio_core.reports.answers import is_refusal
from studio_core.reports.languages import language_of
from studio_core.reports.quality import LOW, marks_of, quality


@pytest.mark.parametrize(
    "answer",
    [
        "I'm sorry, but I can't help with that.",
        "I’m sorry, but as an AI language model I cannot do this.",
        "As an AI language model, I don't have feelings.",
        "I cannot provide instructions for that.",
        "Unfortunately, I cannot share this.",
        "I am unable to assist with this request.",
        "I must decline. I won't write that.",
        "抱歉，我无法回答这个问题。",
        "对不起，作为人工智能语言模型，我不能提供这些信息。",
        "我不能提供此类帮助。",
    ],
)
def test_refusals_are_told(answer: str) -> None:
    assert is_refusal(answer)


@pytest.mark.parametrize(
    "answer",
    [
        "Sorry to hear that! Here is what you can do about it.",
        "I can't wait to show you this recipe.",
        "You cannot provide two arguments to this function.",
        "The model cannot help but overfit.",
        "我能提供帮助。",
        "很抱歉听到这个消息，希望你早日康复。",
        "Here is the answer. " * 30 + "I'm sorry, but I can't help with that.",
    ],
)
def test_what_is_no_refusal_is_none(answer: str) -> None:
    assert not is_refusal(answer)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("The cat sat on the mat and it was happy there.", "en"),
        ("猫坐在垫子上。", "zh"),
        ("ねこはマットの上にすわっています。", "ja"),
        ("고양이가 매트 위에 앉아 있습니다.", "ko"),
        ("Die Katze sitzt auf der Matte und ist sehr zufrieden mit ihrem Leben.", "de"),
        ("Le chat est assis sur le tapis et il est très content de sa vie.", "fr"),
        ("Кошка сидит на коврике и очень довольна своей жизнью.", "ru"),
        ("Use `pip install` 然后运行 main.py 文件，就可以看到结果了，非常简单。", "zh"),
        ("42", ""),
        ("ok", ""),
        ("", ""),
    ],
)
def test_languages_are_told_and_doubt_is_said(text: str, code: str) -> None:
    assert language_of(text, words(text)) == code


GOOD = (
    "A heap is a tree in which each node is at most as large as its children. To take the smallest element, "
    "remove the root, put the last leaf in its place and let it sink. Both take logarithmic time."
)


@pytest.mark.parametrize(
    ("text", "lowest"),
    [
        (GOOD, None),
        ("堆是一种树，其中每个节点都不大于它的子节点。要取出最小的元素，就移去根，再让最后一片叶子下沉。", None),
        ("no", 0),
        ("the same again and " * 60, 1),
        ("== >> << ++ -- // ** && || %% ^^ ~~ a b c d e f", 2),
        ("This sentence goes on for quite a while and tells of this and that, so that it has the length that is "
         "needed to judge how it ends, but then it breaks off in the very middle of the", 3),
        (GOOD + " &nbsp;<br>", 4),
        (GOOD + " I hope this helps!", 4),
        ("", 0),
    ],
)  # fmt: skip
def test_quality_is_marked_down_where_something_is_wrong(text: str, lowest: int | None) -> None:
    marks = marks_of(text, words(text))
    if lowest is None:
        assert quality(text, words(text)) == 1
    else:
        assert marks.index(min(marks)) == lowest and min(marks) < 1


def test_what_says_the_same_for_ever_is_of_low_quality() -> None:
    assert quality("I am good. " * 50, words("I am good. " * 50)) < LOW


@given(st.text(max_size=300))
def test_marks_lie_between_nothing_and_one(text: str) -> None:
    assert all(0 <= mark <= 1 for mark in marks_of(text, words(text)))


def test_words_of_scripts_with_and_without_spaces() -> None:
    assert words("Don't STOP_me: 3.14 Ünïcode") == ["don", "t", "stop", "me", "3", "14", "ünïcode"]
    assert words("我有2只cats。") == ["我", "有", "2", "只", "cats"]


@given(st.lists(st.lists(st.sampled_from(["a", "b", "c", "dd"]), max_size=8), min_size=1, max_size=6))
def test_grams_are_those_of_each_text(texts: list[list[str]]) -> None:
    made = Words(texts)
    for length in (1, 3):
        for short in (False, True):
            grams, offsets = made.grams(made.starts[:-1], made.starts[1:], length, short=short)
            for place, text in enumerate(texts):
                expected = [tuple(text[at : at + length]) for at in range(len(text) - length + 1)]
                if short and 0 < len(text) < length:
                    expected = [tuple(text)]
                found = grams[offsets[place] : offsets[place + 1]].tolist()
                assert len(found) == len(expected)
                # Equal runs have equal hashes, and different ones different hashes.
                assert len(set(zip(found, expected, strict=True))) == len(set(found)) == len(set(expected))
