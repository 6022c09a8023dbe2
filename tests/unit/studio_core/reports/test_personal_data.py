"""Personal data is found where it is, and numbers that only look like it are left alone."""

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from studio_core.reports.personal_data import KINDS, find_personal_data, mask_personal_data
from tests.work import work

GITHUB = "ghp_" + "a1B2c3D4e5F6" * 3
JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NSJ9.dozjgNryP4J3jVmNHl0w5N"
PRIVATE_KEY = "-----BEGIN RSA PRIVATE KEY-----\nMIIEow\nIBAAK+/=\n-----END RSA PRIVATE KEY-----"


@pytest.mark.parametrize(
    ("text", "kind", "part"),
    [
        ("Write to ann.lee+news@mail.example.co.uk.", "email", "ann.lee+news@mail.example.co.uk"),
        ("邮箱是wang_wei@163.com，谢谢", "email", "wang_wei@163.com"),
        ("<a href='mailto:x@y.org'>", "email", "x@y.org"),
        ("tel=13812345678", "phone", "13812345678"),
        ("card_number = 4111111111111111", "card", "4111111111111111"),
        ("电话13812345678。", "phone", "13812345678"),
        ("手机 138-1234-5678", "phone", "138-1234-5678"),
        ("+86 138 1234 5678", "phone", "+86 138 1234 5678"),
        ("008613812345678", "phone", "008613812345678"),
        ("ring +44 20 7946 0958, please", "phone", "+44 20 7946 0958"),
        ("+49 (30) 901820-0", "phone", "+49 (30) 901820-0"),
        ("+14155552671", "phone", "+14155552671"),
        ("(415) 555-2671", "phone", "(415) 555-2671"),
        ("1-800-555-0199", "phone", "1-800-555-0199"),
        ("415.555.2671", "phone", "415.555.2671"),
        ("card 4111 1111 1111 1111, thanks", "card", "4111 1111 1111 1111"),
        ("4111111111111111", "card", "4111111111111111"),
        ("3782-822463-10005", "card", "3782-822463-10005"),
        ("5555-5555-5555-4444", "card", "5555-5555-5555-4444"),
        ("身份证号11010519491231002X。", "national_id", "11010519491231002X"),
        ("SSN: 078-05-1120", "national_id", "078-05-1120"),
        ("DE89 3704 0044 0532 0130 00", "iban", "DE89 3704 0044 0532 0130 00"),
        ("GB82WEST12345698765432", "iban", "GB82WEST12345698765432"),
        ("key=AKIAIOSFODNN7EXAMPLE", "secret", "AKIAIOSFODNN7EXAMPLE"),
        (f"token {GITHUB}", "secret", GITHUB),
        ("sk-proj-abcdefghij1234567890ABCDEFG", "secret", "sk-proj-abcdefghij1234567890ABCDEFG"),
        (f"Bearer {JWT}", "secret", JWT),
        (f"x\n{PRIVATE_KEY}\ny", "secret", PRIVATE_KEY),
        ("postgres://bob:hunter2@db.internal/x", "secret", "bob:hunter2"),
        ("from 45.33.32.156: denied", "ip_address", "45.33.32.156"),
    ],
)
def test_it_is_found_where_it_stands(text: str, kind: str, part: str) -> None:
    assert [(span.kind, text[span.start : span.end]) for span in find_personal_data(text)] == [(kind, part)]


@pytest.mark.parametrize(
    "text",
    [
        "clone git@github.com:someone/thing.git",
        "icon@2x.png",
        "A@B.inverse(x)",
        "user@localhost, @decorator, a @ b.c",
        "4111111111111112 fails the check digit",
        "110105194912310021 fails its check character",
        "1234567890123456 and 9999999999999999",
        "pi is 3.14159265358979, e is 2.71828182845904",
        "at 1700000000 or 1700000000123 ms",
        "2020-01-15 12:00:00 and 2020-01-1234",
        "987-65-4321, 000-12-3456, 123-00-4567",
        "ISBN 978-3-16-148410-0",
        "1,381,234,567 people and 13,812,345,678 more",
        "order 313812345678901",
        "2+1234567 = 1234569; +1234567",
        "DE89 3704 0044 0532 0130 01",
        "version 1.2.3.4, section 10.2.3.1",
        "192.168.0.1, 127.0.0.1, 10.20.30.240, 300.1.2.3, 255.255.255.0",
        "sk-learn-is-a-library-for-people",
        "sk_live_short, ghp_short, AKIA123",
        "eyJhbGciOiJIUzI1NiJ9 alone",
        "-----BEGIN PUBLIC KEY-----",
        "https://example.org:8080/a@b",
        "0.4155552671 and 4155552671",
        "472547338\n+960397912423686\n-------",
        "1646615806005 =\n\nThe result is:\n\n4212883012996",
        "2 + 4111111111111111 = 13812345678 - 4",
        "13812345678 * 2 = 27624691356",
    ],
)
def test_what_only_looks_like_it_is_left_alone(text: str) -> None:
    assert find_personal_data(text) == []


def test_masking_names_the_kind_and_counts() -> None:
    text, counts = mask_personal_data(
        f"Ann (ann@example.org, +44 20 7946 0958) uses {GITHUB}; bob@example.org too."
    )
    assert text == "Ann ([EMAIL], [PHONE]) uses [SECRET]; [EMAIL] too."
    assert counts == {"email": 2, "phone": 1, "secret": 1}


@settings(max_examples=200, deadline=None)
@given(st.text(st.sampled_from("0123456789+-.() @/:abXZ中\n"), max_size=80))
def test_spans_are_in_order_apart_and_gone_once_masked(text: str) -> None:
    spans = find_personal_data(text)
    assert all(span.kind in KINDS and span.start < span.end for span in spans)
    assert all(one.end <= other.start for one, other in pairwise(spans))
    hidden, counts = mask_personal_data(text)
    assert counts.total() == len(spans)
    assert hidden.count("[") == len(spans)


@pytest.mark.parametrize(
    "piece",
    ["a", "1", "1 ", "1-", "a.", "+1", "@a.", "A1", "://a:", "eyJ", "-----BEGIN PRIVATE KEY-----", "sk-"],
)
def test_no_text_takes_long(piece: str) -> None:
    text = piece * (200_000 // len(piece)) + "@"
    assert work(lambda: find_personal_data(text)) < 1000
