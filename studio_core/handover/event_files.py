"""TensorBoard's event files, read without TensorBoard: the scalars in them, and the names of what else there is.

A file is TFRecords, each ``length (u64), CRC of it (u32), data, CRC of the data (u32)``, and each data is a protobuf
``Event``; field numbers are those of ``tensorboard/compat/proto/{event,summary,tensor}.proto``. The CRCs are not
checked: a record that is torn at the end of the file ends it.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO

_RECORD_LIMIT = 64 << 20
"""Bytes of a record that is read: pictures are in there too, and none of a training is larger."""
_EVENT_TIME, _EVENT_STEP, _EVENT_SUMMARY = 1, 2, 5
_SUMMARY_VALUE = 1
_VALUE_TAG, _VALUE_SIMPLE, _VALUE_TENSOR = 1, 2, 8
_TENSOR_KIND, _TENSOR_CONTENT, _TENSOR_FLOAT, _TENSOR_DOUBLE = 1, 4, 5, 6
_FORMATS = {1: "<f", 2: "<d"}
"""Of a tensor of one value, by its type (``DT_FLOAT``, ``DT_DOUBLE``)."""


@dataclass(frozen=True)
class Scalar:
    tag: str
    step: int
    seconds: float
    """Since 1970, when it was written."""
    value: float | None
    """None of what is no number, such as a text or a picture."""


def scalars(file: BinaryIO) -> Iterator[Scalar]:
    """Every value in the order of the file; raises ``ValueError`` for what is no event file."""
    while True:
        head = file.read(12)
        if len(head) < 12:
            return
        (length,) = struct.unpack("<Q", head[:8])
        if length > _RECORD_LIMIT:
            raise ValueError(f"a record of {length} bytes")
        data = file.read(length + 4)
        if len(data) < length + 4:  # Its writer was killed in the middle.
            return
        yield from _of_event(data[:length])


def _of_event(data: bytes) -> Iterator[Scalar]:
    step, seconds, summaries = 0, 0.0, []
    for field, value in _fields(data):
        if field == _EVENT_TIME and isinstance(value, bytes) and len(value) == 8:
            (seconds,) = struct.unpack("<d", value)
        elif field == _EVENT_STEP and isinstance(value, int):
            step = value
        elif field == _EVENT_SUMMARY and isinstance(value, bytes):
            summaries.append(value)
    for summary in summaries:
        for field, value in _fields(summary):
            if field == _SUMMARY_VALUE and isinstance(value, bytes):
                tag, number = _of_value(value)
                yield Scalar(tag, step, seconds, number)


def _of_value(data: bytes) -> tuple[str, float | None]:
    """A tag and its number, if it is one."""
    tag, number = "", None
    for field, value in _fields(data):
        if field == _VALUE_TAG and isinstance(value, bytes):
            tag = value.decode("utf-8", errors="replace")
        elif field == _VALUE_SIMPLE and isinstance(value, bytes) and len(value) == 4:
            (number,) = struct.unpack("<f", value)
        elif field == _VALUE_TENSOR and isinstance(value, bytes):
            number = _of_tensor(value)
    return tag, number


def _of_tensor(data: bytes) -> float | None:
    kind, content = 0, b""
    for field, value in _fields(data):
        if field == _TENSOR_KIND and isinstance(value, int):
            kind = value
        elif field in (_TENSOR_CONTENT, _TENSOR_FLOAT, _TENSOR_DOUBLE) and isinstance(value, bytes):
            content = value
    form = _FORMATS.get(kind, "")
    if not form or len(content) != struct.calcsize(form):
        return None
    return float(struct.unpack(form, content)[0])


def _fields(data: bytes) -> Iterator[tuple[int, Any]]:
    """Fields of a protobuf message: a whole number of a varint, bytes of everything else."""
    at = 0
    while at < len(data):
        key, at = _varint(data, at)
        kind = key & 7
        if kind == 0:
            value: Any
            value, at = _varint(data, at)
        else:
            if kind == 2:
                size, at = _varint(data, at)
            elif kind in (1, 5):
                size = 8 if kind == 1 else 4
            else:
                raise ValueError(f"a field of kind {kind}")
            if at + size > len(data):
                raise ValueError("a field beyond its message")
            value, at = data[at : at + size], at + size
        yield key >> 3, value


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """A whole number of 64 bits, signed, and where it ends."""
    number = 0
    for shift in range(0, 70, 7):
        if at >= len(data):
            raise ValueError("a number beyond its message")
        byte, at = data[at], at + 1
        number |= (byte & 127) << shift
        if byte < 128:
            number &= (1 << 64) - 1
            return (number - (1 << 64) if number >> 63 else number), at
    raise ValueError("a number of more than 64 bits")
