"""Which encoding the bytes of a text are in: by its mark, by its form, or by how well it reads.

An encoding that is only likely is never used: text that was decoded wrongly looks right to every
later check and is trained on.
"""

from __future__ import annotations

import codecs
from collections.abc import Callable, Iterator
from dataclasses import dataclass

# Enough for hundreds of lines, by which even similar encodings differ; read in a moment.
SAMPLE = 200_000
"""Bytes of lines with other characters than ASCII that are looked at."""

# UTF-32 first: its mark begins with that of UTF-16.
_BOMS = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_WIDE = ("utf-32-le", "utf-32-be", "utf-16-le", "utf-16-be")


def by_mark(head: bytes) -> str | None:
    """The encoding that a byte order mark names."""
    return next((name for bom, name in _BOMS if head.startswith(bom)), None)


def by_zeros(head: bytes) -> str | None:
    """The encoding of a text without a mark in which zero bytes stand, as UTF-16 and UTF-32 have them."""
    # Less than a fifth: in UTF-16 nearly every second byte of English is zero.
    if head.count(0) * 5 < len(head) and first_wrong(iter([head])) is None:
        return None  # A text with a few zero bytes reads as Chinese in UTF-16.
    readable = {name: _readable(head, name) for name in _WIDE}
    best = max(_WIDE, key=lambda name: readable[name])
    others = max(readable[name] for name in _WIDE if name != best)
    # Nearly all of it reads, and in no other way more than half does: else nothing is said.
    return best if readable[best] > 0.9 and others < 0.6 else None


def _readable(head: bytes, encoding: str) -> float:
    """Share of characters that texts are made of; most texts have ASCII among them."""
    # Bytes of a sign; what is looked at ends with a whole one.
    width = 4 if "32" in encoding else 2
    try:
        text = head[: len(head) // width * width][:65_536].decode(encoding)
    except UnicodeDecodeError as error:
        # A fault before the end is one; at the end it is the cut.
        if error.end < len(head) - width:
            return 0.0
        text = head[: error.start].decode(encoding)
    # Every text of some length has a space, a line break or a bracket.
    if not any(character in text for character in '\n ",{;\t'):
        return 0.0
    good = sum(
        c in "\t\r\n" or " " <= c <= "~" or (c > "\xa0" and c.isprintable() and not _private(c)) for c in text
    )
    return good / max(1, len(text))


def _private(character: str) -> bool:
    return "\ue000" <= character <= "\uf8ff" or character > "\U000e0000"


def first_wrong(blocks: Iterator[bytes]) -> int | None:
    """Place of the first byte that is not UTF-8; None if all are, or if only the end is cut off."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    offset = 0
    for block in blocks:
        # Bytes of a sign that began in the block before.
        waiting = len(decoder.getstate()[0])
        try:
            decoder.decode(block)
        except UnicodeDecodeError as error:
            return offset - waiting + error.start
        offset += len(block)
    return None


def foreign_lines(lines: Iterator[bytes]) -> tuple[bytes, float]:
    """The first lines that are not ASCII, by which an encoding is told, and the share of such lines."""
    sample = bytearray()
    foreign = count = 0
    for line in lines:
        count += 1
        if not line.isascii():
            foreign += 1
            # A file may be one line.
            sample += line[:SAMPLE]
            if len(sample) >= SAMPLE:
                break
    return bytes(sample), foreign / max(1, count)


@dataclass(frozen=True)
class Verdict:
    encoding: str
    """``utf-8`` also where a few bytes of it are damaged; empty if none is likely."""
    sure: bool
    """False: ``encoding`` is no more than likely, or there are several in one file."""


def by_reading(sample: bytes) -> Verdict:
    """The encoding of lines that are not all UTF-8."""
    text = sample.decode("utf-8", "surrogateescape")
    # Bytes that are not UTF-8 come as lone surrogates, one for each.
    wrong = sum("\udc80" <= character <= "\udcff" for character in text)
    # Five right signs to a wrong byte: no other encoding gives so many by chance.
    if sum(character > "\x7f" for character in text) >= 5 * wrong:
        return Verdict("utf-8", True)
    scores = {name: _score(sample, name, fits) for name, fits in _FITS.items()}
    # Western texts mostly read as well as Central European ones, never the other way round.
    close = {"windows-1252": ("windows-1250",)} if scores["windows-1252"] >= 1 else {}
    best = max(scores, key=lambda name: (name in close, scores[name]))
    second = max(score for name, score in scores.items() if name not in (best, *close.get(best, ())))
    # As good as texts of that encoding are, and clearly better than the next one.
    clear = scores[best] >= 1 and scores[best] - second >= 0.3
    return Verdict(best if scores[best] >= 0.8 else "", clear and not _mixes_encodings(text))


def _mixes_encodings(text: str) -> bool:
    """Whether some of the lines are UTF-8, and others are not: then no one encoding is right."""
    foreign = [line for line in text.splitlines() if not line.isascii()]
    right = sum(not any("\udc80" <= character <= "\udcff" for character in line) for line in foreign)
    # A fifth of the lines by chance is not possible: single lines of other encodings hardly ever are UTF-8.
    return right * 5 > len(foreign)


def _score(sample: bytes, encoding: str, fits: Callable[[str], float]) -> float:
    """How well the sample reads; 1 and more is as well as texts of that encoding do."""
    text = sample.decode(encoding, "surrogateescape")
    wrong = sum("\udc80" <= character <= "\udcff" for character in text)
    # Two in a hundred are damage, more another encoding; control characters from 80 to 9F stand in no text.
    if wrong * 50 > len(sample) or any("\x80" <= c <= "\x9f" and c != "\x85" for c in text):
        return 0.0
    return fits(text)


# 0.4: of real texts at least as many of the signs are among the common ones.
def _share(common: str, low: str = "\x80", need: float = 0.4) -> Callable[[str], float]:
    """Of the characters beyond ASCII, how many are common ones, against how many should be."""
    known = frozenset(common)

    def fits(text: str) -> float:
        foreign = [character for character in text if character > low]
        return sum(c in known for c in foreign) / max(1, len(foreign)) / need

    return fits


def _cyrillic(text: str) -> float:
    """Words of their own in small letters, which another encoding of the script would show as capitals."""
    foreign = [place for place, character in enumerate(text) if character > "\x7f"]
    small = other = common = 0
    for place in foreign:
        character, before, after = text[place], text[place - 1 : place], text[place + 1 : place + 2]
        # A single letter in a Latin word is an accent of another encoding.
        if (before.isascii() and before.isalpha()) or (after.isascii() and after.isalpha()):
            continue
        small += "а" <= character <= "я" or character in "ёіїєґ"
        common += character in "оеаинтсрвлкмі"
        other += "А" <= character <= "Я" or character in "ЁІЇЄҐ«»—–№…“”„"
    # Greek and Hebrew stand at the same codes: there the letters that Russian uses most would be rare.
    fitting = small + min(other, small / 2) if common > small * 0.55 else 0
    # 0.9 of them: real texts have some signs besides.
    return fitting / max(1, len(foreign)) / 0.9


_ACCENTED = frozenset("áàâäãåæçéèêëíìîïñóòôöõøœúùûüßÁÀÂÄÃÅÆÇÉÈÊËÍÎÏÑÓÔÖÕØŒÚÛÜ")
_NEEDS_NEXT = {"œ": "uitds", "õ": "e"}
"""Letters that another encoding would show elsewhere: Polish and Hungarian have theirs at these codes."""
_MARKS = frozenset("‘’“”‚„–—…€£©®™°«»¿¡·•§´ªº½¼¾²³×±µ\xa0")
_CENTRAL = frozenset("ąćęłńóśźżĄĆĘŁŃÓŚŹŻáčďéěíňřšťúůýžÁČĎÉĚÍŇŘŠŤÚŮÝŽőűŐŰöüäßăâîșţţș")


def _western(text: str) -> float:
    """Letters with accents stand among plain ones, not in whole words of their own."""
    foreign = [place for place, character in enumerate(text) if character > "\x7f"]
    good = 0
    for place in foreign:
        character, before, after = text[place], text[place - 1 : place], text[place + 1 : place + 2]
        beside = (before.isascii() and before.isalpha()) or (after.isascii() and after.isalpha())
        if character in _NEEDS_NEXT:
            good += bool(after) and after in _NEEDS_NEXT[character]
        elif character in _ACCENTED:
            good += beside or (character in "éèàáóòôÉÀÈÁÓ" and not before.isalpha() and not after.isalpha())
        elif character in _MARKS:
            # Two in a row, or one inside of a word, are rather halves of other characters.
            inside = before.isalpha() and after.isalpha()
            good += (not inside or character in "’´·\xa0") and not (before > "\xa0" and after > "\xa0")
    return good / max(1, len(foreign)) / 0.93


def _central(text: str) -> float:
    foreign = [character for character in text if character > "\x7f"]
    return sum(c in _CENTRAL or c in "„”“–…" for c in foreign) / max(1, len(foreign)) / 0.95


# The commonest signs of each kind of writing, some 500: they are half and more of any text.
_SIMPLIFIED = (
    "，。！？、；：“”‘’（）《》…—　１２３"
    "的一是不了在人有我他这个们中来上大为和国地到以说时要就出会可也你对生能而子那得于着下自之年过发后作里用道"
    "行所然家种事成方多经么去法学如都同现当没动面起看定天分还进好小部其些主样理心她本前开但因只从想实日军者"
    "意无力它与长把机十民第公此已工使情明性知全三又关点正业外将两高间由问很最重并物手应战向头文体政美相见被"
    "利什二等产或新己制身果加西斯月话合回特代内信表化老给世位次度门任常先海通教儿原东声提立及比员解水名真论处"
    "走义各入几口认条平系气题活尔更别打女变四神总何电数安少报才结反受目太量再感建务做接必场件计管期市直德资命"
    "山金指克许统区保至队形社便空决治展马科司五基眼书非则听白却界达光放强即像难且权思王象完设式色路记南品住告"
    "类求据程北边死张该交规万取拉格望觉术领共确传师观清今切院让识候带导争运请您吗谢写句字语英问答案元钱"
)
_TRADITIONAL = (
    "，。！？、；：「」『』（）《》…—　"
    "的一是不了在人有我他這個們中來上大為和國地到以說時要就出會可也你對生能而子那得於著下自之年過發後作裡用道"
    "行所然家種事成方多經麼去法學如都同現當沒動面起看定天分還進好小部其些主樣理心她本前開但因只從想實日軍者"
    "意無力它與長把機十民第公此已工使情明性知全三又關點正業外將兩高間由問很最重並物手應戰向頭文體政美相見被"
    "利什二等產或新己制身果加西斯月話合回特代內信表化老給世位次度門任常先海通教兒原東聲提立及比員解水名真論處"
    "走義各入幾口認條平系氣題活爾更別打女變四神總何電數安少報才結反受目太量再感建務做接必場件計管期市直資命"
    "山金指許統區保至隊形社便空決治展馬科司五基眼書非則聽白卻界達光放強即像難且權思王象完設式色路記南品住告"
    "類求據程北邊死張該交規萬取拉格望覺術領共確傳師觀清今切院讓識候帶導爭運請您嗎謝寫句字語英答案元錢"
)
_JAPANESE = (
    "".join(chr(code) for code in (*range(0x3041, 0x3097), *range(0x30A1, 0x30FD)))
    + "、。「」『』（）！？・ー…　日本人一大年中会国出上生分時行見月事者手今前間何話言方自学思来気入長高後食水"
)
_KOREAN = (
    "이다는을의에가를고은지하도로사기한리어나자대서시아해니인그라부정스만일보주수전여게있습세요들과원상구제동"
    "으안무신오장교우조모국소선비미내회야성경연할때된거면것등화말생했없당공관저러음문저어떻오늘날씨좋아녕까"
)

# What Windows and old systems wrote where these languages are spoken;
# others are refused by name and not guessed.
_FITS: dict[str, Callable[[str], float]] = {
    "gb18030": _share(_SIMPLIFIED),
    "big5": _share(_TRADITIONAL),
    "shift_jis": _share(_JAPANESE, need=0.5),
    "euc_jp": _share(_JAPANESE, need=0.5),
    "euc_kr": _share(_KOREAN),
    "windows-1251": _cyrillic,
    "koi8-r": _cyrillic,
    "windows-1252": _western,
    "windows-1250": _central,
}
