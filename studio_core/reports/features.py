"""The features file of a dataset version: one row for each record, in order.

``datasets/<sha256>.features.parquet``, beside the records. The report writes it; browsing and filtering
read it. It can always be made again.
"""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa

SCHEMA = pa.schema(
    [
        pa.field("row", pa.int64(), nullable=False),  # From 1.
        pa.field("characters", pa.int32()),  # Of the whole record.
        pa.field("prompt_characters", pa.int32()),
        pa.field("answer_characters", pa.int32()),  # Of a pair: of the chosen side.
        pa.field("words", pa.int32()),  # Of the answer; a CJK character counts as a word.
        pa.field("turns", pa.int16()),
        pa.field("language", pa.string()),  # ISO 639-1; empty: cannot be told.
        pa.field("quality", pa.float32()),  # 0 to 1, by rules.
        pa.field("duplicate_of", pa.int64()),  # First row that it repeats exactly or nearly; else null.
        pa.field("findings", pa.list_(pa.string())),  # Names of what the checks found.
    ]
)

SUFFIX = ".features.parquet"


def features_path(dataset_file: Path) -> Path:
    """Where the features of a dataset's Parquet file are."""
    return dataset_file.with_name(dataset_file.stem + SUFFIX)
