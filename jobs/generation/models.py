"""Loaded models: one base in memory serves every adapter on it, and the base itself.

Which adapters may share a base is decided from their configuration, never tried out:

    mixed     plain LoRA: rows of several adapters and of the base go in one batch
    switched  DoRA, and adapters that are no LoRA, which PEFT cannot mix (it would take no notice of whose
              row it is): the base is shared, but a batch belongs to one adapter, and adapters are switched
              between batches. PEFT wraps a model for one kind, so another kind gets a copy of the base
    alone     everything that changes the base while it is loaded (PiSSA, biases ...), that wraps other
              modules (modules_to_save ...) or that was not measured: gets a copy of the base of its own

A base is always told which adapter a forward pass is for, so no side can see another's weights. The base itself
answers from any copy that may be shared.
"""

from __future__ import annotations

import inspect
import json
import time
import weakref
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import peft
import psutil
import torch
import transformers
from peft.tuners.lora.layer import LoraLayer

from jobs import bottleneck  # noqa: F401 (so that PEFT knows that kind of adapter)
from jobs.chat_format import chat_format
from jobs.generation import virtual_tokens
from jobs.generation.stopping import Stops
from jobs.generation.twin import Twin
from jobs.machine import cpu_gains_from_bf16
from studio_core.base.errors import BadInput, NotFound, StudioError
from studio_core.data.chat_format import ChatFormat
from studio_core.data.shapes import Message
from studio_core.models.inspect import require_own_files
from studio_core.runs.spec import ResolvedModel

Sharing = Literal["mixed", "switched", "alone"]

# Initialisations of LoRA that leave the base's weights as they are.
_HARMLESS_INIT = (True, False, "gaussian", "orthogonal")
# Set to anything, these touch more of the base than the matrices beside its linear layers.
_PECULIAR = (
    "layer_replication",
    "velora_config",
    "alora_invocation_tokens",
    "use_qalora",
    "monteclora_config",
    "use_bdlora",
    "arrow_config",
    "kasa_config",
    "megatron_config",
    "modules_to_save",
    "trainable_token_indices",
    "target_parameters",
)
# Adapters that change what a forward pass is given in ways of their own.
_UNKNOWN_FORWARD = ("ADAPTION_PROMPT", "MULTITASK_PROMPT_TUNING", "CPT", "CARTRIDGE")
_UNMIXABLE = ("use_dora", "lora_bias")
_SWITCHED = ("ADALORA", "IA3", "LN_TUNING", "OFT", "VERA")
"""Kinds of adapters that leave the base as it is when they are off, as a test of each shows."""
_KINDS = (None, "LORA", *_SWITCHED)
"""What may be on a base that is shared; nothing yet, or adapters of one kind."""
_MANY_BYTES = 2 << 30
# Each takes memory as long as it is loaded; a chat shows four sides.
_ADAPTERS_PER_BASE = 16


def sharing(config: dict[str, Any]) -> Sharing:
    """How an adapter with this ``adapter_config.json`` may share its base with others."""
    if config.get("peft_type") in _SWITCHED:
        whole = config.get("bias", "none") == "none" and not config.get("modules_to_save")
        return "switched" if whole else "alone"
    plain_init = config.get("init_lora_weights", True) in _HARMLESS_INIT
    plain = config.get("peft_type") == "LORA" and config.get("bias", "none") == "none" and plain_init
    if not plain or any(config.get(name) for name in _PECULIAR):
        return "alone"
    return "switched" if any(config.get(name) for name in _UNMIXABLE) else "mixed"


@dataclass(eq=False)
class Base:
    """A complete model in memory, with the adapters that were put on it."""

    key: tuple[Any, ...]
    model: Any
    device: torch.device
    adapters: dict[str, str] = field(default_factory=dict)
    """Adapter folder (with its version) -> the adapter's name in PEFT, least recently used first."""
    used_at: float = 0.0
    twins: dict[str | None, Twin | StudioError] = field(default_factory=dict)
    """Of this model with one of its adapters on it, by the adapter's name in PEFT, or without any; or why it has none.
    """
    _active: str | None = ""
    _accepts: frozenset[str] = frozenset()
    _hooked: weakref.WeakSet[Any] = field(default_factory=weakref.WeakSet)
    _rows: list[str] | None = None
    """The adapter of each row, while a mixed batch is computed."""

    without_gradients: Callable[[], Any] = torch.inference_mode
    """The context of a pass. A model in training wants ``torch.no_grad``: it may keep what a pass has gathered."""

    def __post_init__(self) -> None:
        parameters = inspect.signature(self.model.forward).parameters
        self._accepts = frozenset(parameters)
        self._accepts_all = any(one.kind is one.VAR_KEYWORD for one in parameters.values())

    @property
    def context(self) -> int | None:
        """Most tokens that the model was made for; None if it does not say."""
        config = getattr(self.plain, "config", None)
        text = config.get_text_config() if config is not None else None
        positions = getattr(text, "max_position_embeddings", None)
        return positions and positions - virtual_tokens.number_of(self.model)

    @property
    def plain(self) -> Any:
        return self.model.get_base_model() if self.adapters else self.model

    def forward(self, adapters: Sequence[str | None], **inputs: Any) -> Any:
        """One pass; ``adapters[row]`` is the adapter of that row of the batch, None the base itself."""
        if not self._accepts_all:
            inputs = {name: value for name, value in inputs.items() if name in self._accepts}
        if virtual_tokens.number_of(self.model):  # Such a model has one adapter, which is asked for always.
            return self.model.get_base_model()(**virtual_tokens.inserted(self.model, inputs))
        if not self.adapters:
            return self.model(**inputs)
        self._activate(next((name for name in adapters if name), None))
        if len(set(adapters)) > 1:
            self._rows = [name or "__base__" for name in adapters]
        try:
            return self.model(**inputs)
        finally:
            self._rows = None

    def _activate(self, adapter: str | None) -> None:
        if adapter == self._active:
            return
        if adapter is None:
            self.model.base_model.disable_adapter_layers()
        else:
            self.model.base_model.enable_adapter_layers()
            self.model.set_adapter(adapter, inference_mode=True)
        self._active = adapter

    def add_adapter(self, folder: str, key: str) -> str:
        """Put the adapter in ``folder`` on this base, unless it is there; returns its name."""
        if key in self.adapters:
            self.adapters[key] = self.adapters.pop(key)
            return self.adapters[key]
        name = f"a{time.monotonic_ns()}"
        if not self.adapters:
            self.model = peft.PeftModel.from_pretrained(self.model, folder, adapter_name=name)
        else:
            self.model.load_adapter(folder, adapter_name=name)
        self.model.eval()
        layers: list[Any] = [module for module in self.model.modules() if isinstance(module, LoraLayer)]
        for layer in layers:
            if layer not in self._hooked:
                layer.register_forward_pre_hook(self._tell_rows, with_kwargs=True)
                self._hooked.add(layer)
        self.adapters[key] = name
        self._active = ""
        return name

    def _tell_rows(self, _module: Any, args: Any, kwargs: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        """Say which row is whose, as PEFT's own hooks do, which it would put on and off for every token."""
        return args, kwargs if self._rows is None else {**kwargs, "adapter_names": self._rows}

    def drop_old_adapters(self) -> None:
        """Forget the adapters unused for longest; more stay than one request can name."""
        for key in list(self.adapters)[:-_ADAPTERS_PER_BASE]:
            name = self.adapters.pop(key)
            self.model.delete_adapter(name)
            self.twins.pop(name, None)
            self._active = ""


@dataclass(frozen=True)
class Opened:
    """A model ready to answer: its base, its adapter on it, and how it reads and writes text."""

    name: str
    base: Base
    adapter: str | None
    mixable: bool
    tokenizer: Any
    chat: ChatFormat | None
    """None: nothing says how conversations become text."""
    stops: Stops

    @property
    def twin(self) -> Twin | None:
        """What computes few rows of it faster; nothing is here until it was compared."""
        known = self.base.twins.get(self.adapter)
        return known if isinstance(known, Twin) else None

    @property
    def why_no_twin(self) -> StudioError | None:
        known = self.base.twins.get(self.adapter)
        return known if isinstance(known, StudioError) else None

    def prompt(self, messages: Sequence[Message], tools: list[Any] | None = None) -> list[int]:
        """The tokens of the conversation up to where the answer begins; ``tools`` as OpenAI defines them."""
        if self.chat is None:
            raise BadInput("chat.no_template", model=self.name)
        try:
            tokens = self.chat.prompt(messages, tools)
        except BadInput as error:  # A template is a program of the model's author: it may refuse anything.
            reason = error.values.get("reason") or error.sentence()
            raise BadInput("chat.template_failed", model=self.name, reason=reason) from error
        if not tokens:
            raise BadInput("chat.template_failed", model=self.name, reason="it produced no text")
        context = self.base.context
        if context is not None and len(tokens) >= context:
            raise BadInput("chat.too_long", model=self.name, tokens=len(tokens), limit=context)
        return tokens


class Models:
    """The models in memory. Not safe for several threads: the server admits one generation at a time."""

    def __init__(self, device: str | None = None, most: int = 4) -> None:
        self.device = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
        self._most = most
        self._bases: dict[tuple[Any, ...], Base] = {}
        self._tokenizers: dict[tuple[str, str], Any] = {}

    def loaded(self, model: ResolvedModel) -> bool:
        """Whether opening it now will be quick. Raises ``StudioError`` if its files cannot be used."""
        _check_files(model)
        base = self._shared(model)
        return base is not None and (not model.adapter or _version(Path(model.adapter)) in base.adapters)

    def open(self, model: ResolvedModel, needed: Iterable[Base] = ()) -> Opened:
        """Load what is not loaded yet; ``needed`` bases stay in memory whatever happens.

        Raises ``StudioError`` with the reason if the model cannot be used.
        """
        try:
            return self._open(model, list(needed))
        except StudioError:
            raise
        except torch.OutOfMemoryError as error:
            raise StudioError("chat.out_of_memory", model=model.name, device=self.device) from error
        except Exception as error:  # Model files come from outside: loading may fail in any way.
            if "trust_remote_code" in str(error):
                raise BadInput("chat.remote_code", model=model.name) from error
            raise StudioError("chat.load_failed", model=model.name, reason=_first_line(error)) from error

    def forget(self, base: Base) -> None:
        """Drop a base from memory, for instance after a pass failed half-way and left it in doubt."""
        self._bases.pop(base.key, None)
        if self.device.type == "cuda":
            torch.cuda.empty_cache()

    def _open(self, model: ResolvedModel, needed: list[Base]) -> Opened:
        _check_files(model)
        base = self._shared(model)
        if base is None:
            self._make_room(model, needed)
            key = _base_key(model)
            base = self._bases[key] = self._load(model, key)
        base.used_at = time.monotonic()
        adapter = None
        if model.adapter:
            try:
                adapter = base.add_adapter(model.adapter, _version(Path(model.adapter)))
            except Exception:  # PEFT may have wrapped the base before it gave up.
                self.forget(base)
                raise
            base.drop_old_adapters()
        tokenizer = self._tokenizer(model)
        return Opened(
            name=model.name,
            base=base,
            adapter=adapter,
            mixable=_sharing_of(model) == "mixed",
            tokenizer=tokenizer,
            chat=chat_format(model, tokenizer) if tokenizer.chat_template or model.chat_template else None,
            stops=Stops.of(base.plain, tokenizer, model.chat_template, model.adapter),
        )

    def _shared(self, model: ResolvedModel) -> Base | None:
        """The base in memory that may serve ``model``: one with adapters of its kind, or without any yet."""
        key = _base_key(model)
        if key in self._bases:
            return self._bases[key]
        alike = (base for other, base in self._bases.items() if other[:2] == key[:2])
        if not model.adapter:
            return next((base for base in alike if base.key[2] in _KINDS), None)
        spare = next((base for base in alike if not base.adapters), None)
        if spare is None or key[2] not in _KINDS:
            return None
        self._bases[key] = self._bases.pop(spare.key)
        spare.key = key
        return spare

    def _load(self, model: ResolvedModel, key: tuple[Any, ...]) -> Base:
        loaded = transformers.AutoModelForCausalLM.from_pretrained(
            model.path,
            dtype=self._dtype(model),
            use_safetensors=True,
            trust_remote_code=model.trust_remote_code,
            device_map={"": self.device},
        )
        return Base(key, loaded.requires_grad_(False), self.device)

    def _dtype(self, model: ResolvedModel) -> torch.dtype:
        """bf16 on a GPU; on a CPU fp32, unless the model is large and the CPU computes bf16 itself."""
        if self.device.type == "cuda":
            return torch.bfloat16
        large = _weight_bytes(Path(model.path)) > _MANY_BYTES
        return torch.bfloat16 if large and cpu_gains_from_bf16() else torch.float32

    def _make_room(self, model: ResolvedModel, needed: list[Base]) -> None:
        """Forget the bases unused for longest until the number and the memory allow another."""
        wanted = _weight_bytes(Path(model.path)) * (2 if self._dtype(model) == torch.float32 else 1)
        while True:
            spare = sorted((b for b in self._bases.values() if b not in needed), key=lambda b: b.used_at)
            enough = _free_memory(self.device) > wanted * 1.1
            if (enough and len(self._bases) < self._most) or not spare:
                break
            self.forget(spare[0])
        if not enough:
            gigabytes = f"{wanted / 1e9:.1f}"
            free = f"{_free_memory(self.device) / 1e9:.1f}"
            raise StudioError("chat.no_memory", model=model.name, needed=gigabytes, free=free)

    def _tokenizer(self, model: ResolvedModel) -> Any:
        """The adapter's own tokenizer if one was saved with it, else the base's."""
        own = model.adapter and (Path(model.adapter) / "tokenizer_config.json").is_file()
        folder = str(model.adapter if own else model.path)
        key = (folder, _version(Path(folder)))
        if key not in self._tokenizers:
            self._tokenizers[key] = transformers.AutoTokenizer.from_pretrained(
                folder, trust_remote_code=model.trust_remote_code
            )
        return self._tokenizers[key]


def _check_files(model: ResolvedModel) -> None:
    for folder in filter(None, (model.path, model.adapter)):
        if not Path(folder).is_dir():
            raise NotFound("chat.model_gone", model=model.name, path=folder)
        require_own_files(Path(folder))
        if not any(Path(folder).glob("*.safetensors")):
            raise BadInput("chat.not_safetensors", model=model.name, path=folder)
    if model.adapter:
        config = _adapter_config(model)
        if config.get("peft_type") in _UNKNOWN_FORWARD:
            raise BadInput("chat.adapter_unsupported", model=model.name, type=config["peft_type"])


def _adapter_config(model: ResolvedModel) -> dict[str, Any]:
    path = Path(model.adapter or "") / "adapter_config.json"
    try:
        config: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise StudioError("chat.load_failed", model=model.name, reason=_first_line(error)) from error
    return config


def _sharing_of(model: ResolvedModel) -> Sharing:
    return sharing(_adapter_config(model)) if model.adapter else "mixed"


def _base_key(model: ResolvedModel) -> tuple[Any, ...]:
    """The base's folder, whether its code runs, and what is on it: the kind of adapters, or the one that is alone."""
    on_it = None
    if model.adapter:
        alone = _sharing_of(model) == "alone"
        on_it = _version(Path(model.adapter)) if alone else _adapter_config(model)["peft_type"]
    return (_version(Path(model.path)), model.trust_remote_code, on_it)


def _version(folder: Path) -> str:
    """The folder and when its weights changed, so that a model replaced on disk is loaded anew."""
    changed = max((p.stat().st_mtime_ns for p in folder.glob("*.safetensors")), default=0)
    return f"{folder.resolve()}@{changed}"


def _weight_bytes(folder: Path) -> int:
    return sum(p.stat().st_size for p in folder.glob("*.safetensors"))


def _free_memory(device: torch.device) -> int:
    if device.type == "cuda":
        free: int = torch.cuda.mem_get_info(device)[0]
        return free
    available: int = psutil.virtual_memory().available
    return available


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0][:300]
