"""TensorBoard: scalars, texts, and the configuration as hyperparameters, in one folder of event files for each run."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from tensorboard.compat.proto.event_pb2 import Event, SessionLog
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.compat.proto.tensor_pb2 import TensorProto
from tensorboard.compat.proto.tensor_shape_pb2 import TensorShapeProto
from tensorboard.compat.proto.types_pb2 import DT_STRING
from tensorboard.plugins.hparams import api_pb2, metadata, plugin_data_pb2
from tensorboard.plugins.text.metadata import create_summary_metadata
from tensorboard.summary.writer.event_file_writer import EventFileWriter


class Sink:
    def __init__(self, begin: dict[str, Any]) -> None:
        self.run = begin["run"] or begin["name"].replace(" ", "-")
        folder = Path(begin["folder"]) / self.run
        self.where = str(folder)
        self._writer = EventFileWriter(self.where, flush_secs=10)
        self._config: dict[str, Any] = begin["config"]
        self._described, self._step = False, begin["step"]
        if begin["step"]:
            # Whatever an earlier part of the run wrote beyond its checkpoint is struck out.
            self._add(time.time(), begin["step"] + 1, session_log=SessionLog(status=SessionLog.START))

    def metrics(self, step: int, at: float, values: dict[str, float]) -> None:
        self._describe(at)
        self._step = step
        tagged = [Summary.Value(tag=name, simple_value=value) for name, value in values.items()]
        self._add(at, step, summary=Summary(value=tagged))

    def answers(self, step: int, at: float, rows: list[dict[str, Any]]) -> None:
        for row in rows:
            # Indented, or the answer's own Markdown would be drawn, and not what the model wrote.
            said = "\n\n".join(f"**{name}**\n\n{_indented(row[name])}" for name in ("prompt", "answer"))
            self._text(f"answers/{row['index'] + 1}", at, step, said)

    def notice(self, seq: int, at: float, text: str) -> None:
        self._text("notices", at, self._step, text)

    def config(self, values: dict[str, Any]) -> None:
        self._config |= values

    def flush(self) -> None:
        self._writer.flush()

    def end(self, state: str, at: float) -> None:
        self._describe(at)
        self._text("state", at, self._step, state)
        # Of the ends of a session the first counts, and a run that was cancelled may be resumed.
        if state == "succeeded":
            info = plugin_data_pb2.SessionEndInfo(status=api_pb2.STATUS_SUCCESS, end_time_secs=at)
            self._hparams(metadata.SESSION_END_INFO_TAG, at, session_end_info=info)
        self._writer.close()

    def _describe(self, at: float) -> None:
        """The configuration, once: TensorBoard reads the first only, and the worker's part comes before its metrics."""
        if self._described:
            return
        self._described = True
        start = plugin_data_pb2.SessionStartInfo(start_time_secs=at)
        for name, value in self._config.items():
            if isinstance(value, bool):
                start.hparams[name].bool_value = value
            elif isinstance(value, int | float):
                start.hparams[name].number_value = value
            else:
                start.hparams[name].string_value = str(value)
        self._hparams(metadata.SESSION_START_INFO_TAG, at, session_start_info=start)
        self._text("config", at, 0, "\n".join(f"    {name}: {value}" for name, value in self._config.items()))

    def _hparams(self, tag: str, at: float, **data: Any) -> None:
        content = plugin_data_pb2.HParamsPluginData(version=metadata.PLUGIN_DATA_VERSION, **data)
        described = metadata.create_summary_metadata(content)
        value = Summary.Value(tag=tag, metadata=described, tensor=metadata.NULL_TENSOR)
        self._add(at, 0, summary=Summary(value=[value]))

    def _text(self, tag: str, at: float, step: int, text: str) -> None:
        shape = TensorShapeProto(dim=[TensorShapeProto.Dim(size=1)])
        tensor = TensorProto(dtype=DT_STRING, tensor_shape=shape, string_val=[text.encode()])
        described = create_summary_metadata(display_name=tag, description="")
        self._add(
            at, step, summary=Summary(value=[Summary.Value(tag=tag, metadata=described, tensor=tensor)])
        )

    def _add(self, at: float, step: int, **content: Any) -> None:
        self._writer.add_event(Event(wall_time=at, step=step, **content))


def _indented(text: str) -> str:
    return "\n".join(f"    {line}" for line in text.split("\n"))
