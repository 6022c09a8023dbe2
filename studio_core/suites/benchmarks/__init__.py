"""Benchmarks of agents, each asked and scored by its own program. This list is the only one that names them."""

from __future__ import annotations

from studio_core.suites.base import Suite
from studio_core.suites.benchmarks.bfcl_multi_turn import BFCL_MULTI_TURN
from studio_core.suites.benchmarks.nexusbench import NEXUSBENCH
from studio_core.suites.benchmarks.taubench import TAUBENCH
from studio_core.suites.benchmarks.toolsandbox import TOOLSANDBOX

BENCHMARKS: tuple[Suite, ...] = (*TAUBENCH, TOOLSANDBOX, NEXUSBENCH, *BFCL_MULTI_TURN)
