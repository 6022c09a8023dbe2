"""IFEval: each kind of instruction followed and not, strictly and loosely."""

from __future__ import annotations

import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from studio_core.suites import SUITES
from studio_core.suites.base import Item
from studio_core.suites.ifeval import figures
from studio_core.suites.instruction_checks import CHECKS
from studio_core.suites.instruction_checks.counting import sentences, tokens, words

# fmt: off
CASES: dict[str, list[tuple[dict[str, Any], str, str]]] = {
    "keywords:existence": [
        ({"keywords": ["Mom", "mother"]}, "My MOTHER is a mom.", "My mother"),
        ({"keywords": ["grow"]}, "It is growing.", "It grew."),
    ],
    "keywords:frequency": [
        ({"keyword": "war", "frequency": 2, "relation": "at least"}, "War, wars", "war"),
        ({"keyword": "war", "frequency": 2, "relation": "less than"}, "war", "war war"),
    ],
    "keywords:forbidden_words": [
        ({"forbidden_words": ["rock", "a.b"]}, "rocket acb", "It ROCKS: a rock!"),
    ],
    "keywords:letter_frequency": [
        ({"letter": "t", "let_frequency": 2, "let_relation": "less than"}, "The house", "That house"),
        ({"letter": "#", "let_frequency": 2, "let_relation": "at least"}, "##", "# one"),
    ],
    "language:response_language": [
        ({"language": "de"}, "Der Zug fährt heute Abend nicht mehr nach Hause, weil es schneit.",
         "The train does not run any more tonight, because it is snowing."),
    ],
    "length_constraints:number_sentences": [
        ({"num_sentences": 3, "relation": "at least"}, "One. Two! Three?", "Mr. Smith came at 3.30 p.m. on Monday."),
        ({"num_sentences": 2, "relation": "less than"}, "Only one, e.g. this", "One. Two."),
    ],
    "length_constraints:number_paragraphs": [
        ({"num_paragraphs": 2}, "One\n***\nTwo\n***", "One\n\nTwo"),
        ({"num_paragraphs": 2}, "***\nOne\n\nstill one\n***\nTwo", "One *** *** Two"),
    ],
    "length_constraints:number_words": [
        ({"num_words": 3, "relation": "at least"}, "one two, three", "one two"),
        ({"num_words": 3, "relation": "less than"}, "one two", "one well-known"),
    ],
    "length_constraints:nth_paragraph_first_word": [
        ({"num_paragraphs": 2, "nth_paragraph": 2, "first_word": "elm"}, "One\n\n\"Elm, ash", "One\n\nAn elm"),
        ({"num_paragraphs": 2, "nth_paragraph": 1, "first_word": "elm"}, "elm\n\n\n\nash", "elm\n\nash\n\noak"),
        ({"num_paragraphs": 2, "nth_paragraph": 2, "first_word": "elm"}, "ash\n\n\u201cElm\u201d", "elm\n\n"),
    ],
    "detectable_content:number_placeholders": [
        ({"num_placeholders": 2}, "[name], [address] and [city]", "[name] only"),
        ({"num_placeholders": 2}, "[[name] of [town]", "[na\nme] [[only]"),
    ],
    "detectable_content:postscript": [
        ({"postscript_marker": "P.S."}, "Bye.\nP. S. Write soon", "Bye. PS write"),
        ({"postscript_marker": "P.P.S"}, "P.P.S. and more", "P.S. no more"),
        ({"postscript_marker": "N.B."}, "n.b. this", "note this"),
    ],
    "detectable_format:number_bullet_lists": [
        ({"num_bullets": 2}, "List:\n* one\n  - two", "* one\n* two\n* three"),
        ({"num_bullets": 1}, "- one", "**bold** and 1. one"),
    ],
    "detectable_format:constrained_response": [
        ({}, "Well. My answer is maybe.", "My answer is: yes"),
    ],
    "detectable_format:number_highlighted_sections": [
        ({"num_highlights": 2}, "*one* and **two**", "*one* and ** **"),
    ],
    "detectable_format:multiple_sections": [
        ({"section_spliter": "SECTION", "num_sections": 2}, "SECTION 1\na\nSECTION 2\nb", "SECTION 1\na\nSection 2"),
    ],
    "detectable_format:json_format": [
        ({}, '```json\n{"a": [1]}\n```', 'Here it is: {"a": 1}'),
        ({}, '{"a": 1}', "{'a': 1}"),
    ],
    "detectable_format:title": [
        ({}, "<<A poem>>\nIt begins", "<< >>\n<A poem>"),
        ({}, "Title: << >> <<A poem>>", "<<A\npoem>>"),
    ],
    "combination:two_responses": [
        ({}, "One\n******\nTwo", "One\n******\nOne"),
        ({}, "******One******Two******", "One ****** Two ****** Three"),
        ({}, "One ****** Two", "One ****** ****** Two"),
    ],
    "combination:repeat_prompt": [
        ({"prompt_to_repeat": "Write a poem. "}, "write a poem.\nRoses", "Sure! Write a poem."),
    ],
    "startend:end_checker": [
        ({"end_phrase": "Any questions?"}, 'Done. "any questions?"', "Any questions? Ask!"),
    ],
    "startend:quotation": [
        ({}, ' "All of it" ', '"Half" of it'),
        ({}, '""', '"'),
    ],
    "change_case:capital_word_frequency": [
        ({"capital_frequency": 3, "capital_relation": "at least"}, "I SAID WELL-KNOWN", "I said SO"),
        ({"capital_frequency": 1, "capital_relation": "less than"}, "None here", "One HERE"),
    ],
    "change_case:english_capital": [
        ({}, "THE TRAIN DOES NOT RUN TO THE TOWN TONIGHT.", "The train does not run."),
        ({}, "IT IS THAT", "DER ZUG FÄHRT HEUTE ABEND NICHT MEHR NACH HAUSE, WEIL ES SCHNEIT."),
    ],
    "change_case:english_lowercase": [
        ({}, "the train does not run to the town tonight.", "the train does not run to the Town."),
        ({}, "it is that", "der zug fährt heute abend nicht mehr nach hause, weil es schneit."),
    ],
    "punctuation:no_comma": [
        ({}, "One; two", "One, two"),
    ],
}
LANGUAGES = {
    "ar": "القطار لا يسير الليلة إلى المدينة بسبب الثلوج الكثيفة على الطريق",
    "bg": "Влакът няма да тръгне тази вечер към града, защото вали силен сняг и пътят е затворен",
    "bn": "আজ রাতে ট্রেন শহরে যাবে না কারণ রাস্তায় অনেক তুষার পড়েছে",
    "de": "Der Zug fährt heute Abend nicht in die Stadt, weil auf der Strecke viel Schnee liegt",
    "en": "The train does not go to the town tonight because there is much snow on the line",
    "fa": "قطار امشب به شهر نمی‌رود چون برف زیادی در راه است و ما باید صبر کنیم",
    "fi": "Juna ei kulje tänä iltana kaupunkiin, koska radalla on paljon lunta ja meidän täytyy odottaa",
    "gu": "આજે રાત્રે ટ્રેન શહેરમાં જશે નહીં કારણ કે રસ્તા પર ઘણો બરફ છે",
    "hi": "आज रात ट्रेन शहर नहीं जाएगी क्योंकि रास्ते पर बहुत बर्फ है और हमें इंतज़ार करना होगा",
    "it": "Il treno stasera non va in città perché sulla linea c'è molta neve e dobbiamo aspettare",
    "kn": "ಇಂದು ರಾತ್ರಿ ರೈಲು ನಗರಕ್ಕೆ ಹೋಗುವುದಿಲ್ಲ ಏಕೆಂದರೆ ದಾರಿಯಲ್ಲಿ ತುಂಬಾ ಹಿಮವಿದೆ",
    "ko": "오늘 밤에는 눈이 많이 와서 기차가 시내로 가지 않습니다",
    "mr": "आज रात्री गाडी शहरात जाणार नाही कारण रस्त्यावर खूप बर्फ आहे आणि आपल्याला थांबावे लागेल",
    "ne": "आज राति रेल सहर जाँदैन किनभने बाटोमा धेरै हिउँ छ र हामीले पर्खनु पर्छ",
    "pa": "ਅੱਜ ਰਾਤ ਰੇਲ ਗੱਡੀ ਸ਼ਹਿਰ ਨਹੀਂ ਜਾਵੇਗੀ ਕਿਉਂਕਿ ਰਸਤੇ ਵਿੱਚ ਬਹੁਤ ਬਰਫ਼ ਹੈ",
    "pt": "O trem não vai à cidade esta noite porque há muita neve na linha e nós temos de esperar",
    "ru": "Поезд сегодня вечером не пойдёт в город, потому что на дороге очень много снега",
    "sw": "Treni haitaenda mjini usiku huu kwa sababu kuna theluji nyingi njiani na lazima tusubiri",
    "ta": "இன்று இரவு ரயில் நகரத்திற்குச் செல்லாது ஏனெனில் பாதையில் நிறைய பனி உள்ளது",
    "te": "ఈ రాత్రి రైలు పట్టణానికి వెళ్ళదు ఎందుకంటే దారిలో చాలా మంచు ఉంది",
    "th": "คืนนี้รถไฟจะไม่ไปในเมืองเพราะมีหิมะตกหนักบนทางรถไฟ",
    "ur": "آج رات ریل گاڑی شہر نہیں جائے گی کیونکہ راستے میں بہت برف ہے اور ہمیں انتظار کرنا ہوگا",
    "vi": "Tối nay tàu không vào thành phố vì trên đường có rất nhiều tuyết và chúng tôi phải chờ",
}
# fmt: on


def test_there_are_cases_of_all_25_kinds() -> None:
    assert [*CASES] == [*CHECKS] and len(CHECKS) == 25


@pytest.mark.parametrize("kind", CHECKS)
def test_a_kind_is_followed_or_not(kind: str) -> None:
    for values, followed, missed in CASES[kind]:
        assert CHECKS[kind](followed, **values), followed
        assert not CHECKS[kind](missed, **values), missed


def test_every_language_of_the_benchmark_is_told() -> None:
    check = CHECKS["language:response_language"]
    assert [code for code, text in LANGUAGES.items() if not check(text, language=code)] == []
    other = dict(zip(LANGUAGES, [*LANGUAGES][1:] + [*LANGUAGES][:1], strict=True))
    assert [code for code, text in LANGUAGES.items() if check(text, language=other[code])] == []
    # What cannot be told, as in the benchmark.
    assert check("1 2 3", language="de")


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("", 0),
        ("No end", 1),
        ("One. Two.", 2),
        ('He said "stop." Then he left.', 2),
        ("Dr. Who met J. R. Smith vs. the U.S. team. It was 3.5 to 2.", 2),
        ("He said no. Then yes.", 2),
        ("1. Bread\n2. Milk", 1),
        ("Wait... what? Yes!!!", 2),
        ("A heading\n\nand a sentence.", 1),
        ("你好。很高兴认识你！", 2),
        ("यह एक है। यह दो है।", 2),
        ("...", 0),
    ],
)
def test_sentences(text: str, count: int) -> None:
    assert len(sentences(text)) == count, sentences(text)


def test_words_are_counted_in_parts_and_capitals_whole() -> None:
    assert len(words("It's a well-known fact")) == 6
    assert tokens("DON'T buy WELL-KNOWN U.S.A. cars") == ["DON'T", "buy", "WELL-KNOWN", "U.S.A", "cars"]


def item(*instructions: tuple[str, dict[str, Any]], **changes: Any) -> Item:
    record = {
        "prompt": "Write.",
        "instruction_id_list": [name for name, _ in instructions],
        "kwargs": [values for _, values in instructions],
    }
    return SUITES["ifeval"].item("ifeval", {**record, **changes}, 7)


TITLE, SHORT = (
    ("detectable_format:title", {}),
    ("length_constraints:number_words", {"num_words": 5, "relation": "less than"}),
)


def test_an_answer_is_right_that_follows_all_and_else_the_first_miss_is_named() -> None:
    asked, score = item(TITLE, SHORT), SUITES["ifeval"].score
    assert asked.question == "Write." and asked.kind == "2 instructions"
    assert score(asked, "<<One>> two").value == 1.0
    assert score(asked, "one two three four five").values == {"instruction": TITLE[0]}
    assert score(asked, "<<one>> two three four five").values == {"instruction": SHORT[0]}
    assert score(asked, "").value == 0.0


def test_empty_columns_of_a_table_are_no_values() -> None:
    values = {"num_words": 5, "relation": "less than", "keywords": None, "language": None}
    assert SUITES["ifeval"].right(item((SHORT[0], values)), "one")


def test_the_four_figures() -> None:
    items = [item(TITLE, SHORT), item(TITLE), item(("startend:quotation", {}))]
    answers = ["<<One>> two", "<<* *>>", 'Sure:\n"quoted"']
    assert figures(items, answers) == {
        "prompt_strict": pytest.approx(2 / 3),
        "instruction_strict": pytest.approx(3 / 4),
        # Without its first line the last one is all in quotation marks.
        "prompt_loose": 1.0,
        "instruction_loose": 1.0,
    }
    assert figures([], []) == {}


@pytest.mark.parametrize(
    ("changes", "wrong"),
    [
        ({"instruction_id_list": ["keywords:rhyme"]}, "keywords:rhyme"),
        ({"instruction_id_list": []}, r"\[\]"),
        ({"kwargs": []}, "does not fit"),
        ({"kwargs": [{"num_titles": 3}]}, "num_titles"),
        ({"instruction_id_list": [SHORT[0]], "kwargs": [{"num_words": 5, "relation": "about"}]}, "about"),
        (
            {"instruction_id_list": [SHORT[0]], "kwargs": [{"num_words": "five", "relation": "at least"}]},
            "five",
        ),
    ],
)
def test_what_is_no_record_is_refused_with_its_value(changes: dict[str, Any], wrong: str) -> None:
    with pytest.raises(ValueError, match=wrong):
        item(TITLE, **changes)


@pytest.mark.parametrize("unit", ["\n", "*", "<<", "[", "1.", "\n1. ", '"', "A.", "```", "-\n"])
def test_no_answer_holds_up_the_checks(unit: str) -> None:
    answer, start = unit * 10_000, time.process_time()
    for kind, cases in CASES.items():
        CHECKS[kind](answer, **cases[0][0])
    # Of processor time, and some twenty times what it takes.
    assert time.process_time() - start < 5


@pytest.mark.real_data
def test_every_record_of_the_benchmark_can_be_checked(real_data: Path) -> None:
    items = SUITES["ifeval"].read(real_data / "ifeval" / "input_data.jsonl")
    kinds = Counter(name for each in items for name in each.record["instruction_id_list"])
    assert len(items) == 541 and sum(kinds.values()) == 834 and set(kinds) == set(CHECKS)
    text = "This is what I think of it. It has no marks; but it has two sentences."
    shares = figures(items, [text] * len(items))
    assert 0 < shares["prompt_strict"] <= shares["prompt_loose"] < shares["instruction_loose"] < 0.5
