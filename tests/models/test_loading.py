from __future__ import annotations

import json
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from core.errors import ModelUnavailable
from core.models import loading
from core.models.loading import NO_HEAD, Head, LoadedModel, ModelCache, find_architecture, find_folder, load_model
from core.presets import MODELS
from core.text.tokenizers import load_tokenizer

ROOT = Path(__file__).parent.parent.parent
Edit = Callable[[Path], object]


def test_a_model_is_shared_read_only_and_in_full_precision(folder: Path, tiny: LoadedModel) -> None:
    assert load_model(str(folder)) is tiny
    assert not tiny.model.training
    assert {(p.dtype, p.requires_grad) for p in tiny.model.parameters()} == {(torch.float32, False)}
    assert tiny.parameters == sum(p.numel() for p in tiny.model.parameters())
    assert tiny.megabytes == pytest.approx(tiny.parameters * 4e-6)
    assert (tiny.layers, tiny.heads, tiny.positions) == (3, 4, 64)
    assert torch.get_num_threads() == 1


def test_new_weights_in_the_same_folder_are_loaded_anew(folder: Path, tmp_path: Path) -> None:
    place = Path(shutil.copytree(folder, tmp_path / "model"))
    first = load_model(str(place))
    (place / "model.safetensors").touch()
    assert load_model(str(place)) is not first


def _edit_config(**changes: object) -> Edit:
    def edit(place: Path) -> None:
        config = json.loads((place / "config.json").read_text())
        (place / "config.json").write_text(json.dumps(config | changes))

    return edit


def _to_pickle(place: Path) -> None:
    from safetensors.torch import load_file

    torch.save(load_file(place / "model.safetensors"), place / "pytorch_model.bin")
    (place / "model.safetensors").unlink()


@pytest.mark.parametrize(
    ("edit", "key"),
    [
        (lambda place: (place / "config.json").unlink(), "error.model.not_a_model"),
        (lambda place: (place / "config.json").write_text("{"), "error.model.not_a_model"),
        (lambda place: (place / "config.json").write_text("[]"), "error.model.not_a_model"),
        (lambda place: (place / "adapter_config.json").write_text("{}"), "error.model.not_a_model"),
        (lambda place: (place / "model.safetensors").unlink(), "error.model.no_weights"),
        (lambda place: (place / "model.safetensors").write_bytes(b"torn"), "error.model.unreadable"),
        (_to_pickle, "error.model.pickle"),
        (_edit_config(transformers_weights="adapter_model.bin"), "error.model.pickle"),
        (_edit_config(auto_map={"AutoModel": "code.Model"}), "error.model.remote_code"),
        (_edit_config(model_type="no-such-kind"), "error.model.unsupported"),
        (_edit_config(is_encoder_decoder=True), "error.model.unsupported"),
        (_edit_config(model_type="gpt2"), "error.model.no_head"),
        (_edit_config(hidden_size=48), "error.model.unreadable"),
    ],
)
def test_what_a_folder_is_turned_away_for(folder: Path, tmp_path: Path, edit: Edit, key: str) -> None:
    place = Path(shutil.copytree(folder, tmp_path / "model"))
    edit(place)
    with pytest.raises(ModelUnavailable) as refusal:
        load_model(str(place))
    assert refusal.value.key == key


def test_a_folder_that_is_not_there() -> None:
    with pytest.raises(ModelUnavailable, match="not_a_model"):
        load_model("/no/such/folder")


def test_an_encoder_without_a_head_can_only_be_loaded_as_a_base(folder: Path, tmp_path: Path) -> None:
    from transformers import BertModel

    place = Path(shutil.copytree(folder, tmp_path / "model"))
    BertModel.from_pretrained(folder, add_pooling_layer=False).save_pretrained(place)
    with pytest.raises(ModelUnavailable, match="no_head"):
        load_model(str(place))
    assert load_model(str(place), head="base").head == "base"


@pytest.mark.parametrize(
    ("kind", "architecture", "head"),
    [
        ("folder", "encoder", "masked-lm"),
        ("decoder", "decoder", "causal-lm"),
        ("writer", "seq2seq", "seq2seq-lm"),
    ],
)
def test_a_model_of_any_kind_has_its_own_head(
    kind: str, architecture: str, head: Head, request: pytest.FixtureRequest
) -> None:
    place = str(request.getfixturevalue(kind))
    loaded = load_model(place, head=None)
    assert (loaded.architecture, loaded.head) == (architecture, head)
    assert load_model(place, head=head) is loaded
    for other in set(NO_HEAD) - {head}:
        with pytest.raises(ModelUnavailable) as refusal:
            load_model(place, head=other)
        assert refusal.value.key in (NO_HEAD[other], "error.model.unsupported")


def test_an_encoder_that_looks_back_only_is_a_decoder() -> None:
    assert find_architecture({"model_type": "bert"}) == "encoder"
    assert find_architecture({"model_type": "bert", "is_decoder": True}) == "decoder"
    assert find_architecture({"model_type": "t5", "is_encoder_decoder": True}) == "seq2seq"


def test_each_file_of_an_index_is_looked_up_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = [f"model-{number}.safetensors" for number in (1, 2)]
    for name in names:
        (tmp_path / name).touch()
    weights = {f"weight.{number}": names[number % 2] for number in range(1_000)}
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps({"weight_map": weights}), encoding="utf-8")
    looked: list[Path] = []
    resolve = Path.resolve

    def counted(path: Path, *, strict: bool = False) -> Path:
        looked.append(path)
        return resolve(path, strict=strict)

    monkeypatch.setattr(Path, "resolve", counted)
    assert loading.list_shards(tmp_path) == tuple(tmp_path / name for name in names)
    assert len(looked) < 10


def test_a_model_beyond_the_budget_is_refused_before_it_is_read(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loading, "MEMORY_BYTES", 10_000)
    with pytest.raises(ModelUnavailable) as refusal:
        load_model(str(folder))
    assert refusal.value.key == "error.model.too_large"


def test_nothing_is_asked_of_the_network_unless_allowed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import socket

    from huggingface_hub import constants

    def refuse(*_: object) -> None:
        pytest.fail("the network was asked")

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    with pytest.raises(ModelUnavailable, match="not_downloaded"):
        load_model("someone/some-model")
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(ModelUnavailable, match="offline"):
        find_folder("someone/some-model", MODELS, allow_download=True)


def test_the_least_recently_used_model_goes_first(tiny: LoadedModel) -> None:
    cache: ModelCache[LoadedModel] = ModelCache(2_000_000)
    loads: list[str] = []

    def get(name: str) -> LoadedModel:
        def load() -> LoadedModel:
            loads.append(name)
            return replace(tiny, source=name, megabytes=0.9)

        return cache.get(name, load)

    for name in ("a", "b", "a", "c", "a", "b"):
        assert get(name).source == name
    assert loads == ["a", "b", "c", "b"]
    assert len(cache) == 2


def test_many_visitors_cause_one_load(tiny: LoadedModel) -> None:
    cache: ModelCache[LoadedModel] = ModelCache(2_000_000)
    loads: list[int] = []
    gate = threading.Barrier(8)

    def load() -> LoadedModel:
        loads.append(1)
        return tiny

    def visit() -> None:
        gate.wait()
        cache.get("a", load)

    threads = [threading.Thread(target=visit) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(loads) == 1


# In a fresh interpreter, so that every import and every cache is really met for the first time.
FIRST_VISITORS = """
import json
import sys
import threading

from core.models.loading import load_model
from core.text.tokenizers import load_tokenizer

folders = sys.argv[1:]
gate = threading.Barrier(3 * len(folders))
loaded, tokenizers, failures = [], [], []

def visit(folder, kind):
    gate.wait()
    try:
        if kind == "tokenizer":
            tokenizers.append(load_tokenizer(folder))
        else:
            loaded.append(load_model(folder, head=kind))
    except BaseException as error:
        failures.append(repr(error))

kinds = ("base", "masked-lm", "tokenizer")
threads = [threading.Thread(target=visit, args=(folder, kind)) for folder in folders for kind in kinds]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()

from transformers import PreTrainedModel

headed = [one.model for one in loaded if one.head == "masked-lm"]
states = [{name.removeprefix("bert."): tensor for name, tensor in one.model.state_dict().items()} for one in loaded]
words = states[0]["embeddings.word_embeddings.weight"]
print(json.dumps({
    "failures": failures,
    "models": len(loaded),
    "distinct": len({id(one) for one in loaded}),
    "tokenizers": len(tokenizers),
    "tied": [model.get_output_embeddings().weight is model.get_input_embeddings().weight for model in headed],
    "equal": all(state["embeddings.word_embeddings.weight"].equal(words) for state in states),
    "decoder": all(model.get_output_embeddings().weight.equal(words) for model in headed),
    "ties_still": PreTrainedModel.tie_weights.__name__,
}))
"""


def test_visitors_who_load_a_first_model_at_once_all_get_a_whole_one(folder: Path, tmp_path: Path) -> None:
    """Also the imports: the first thread that asks for a part of transformers must not make the others miss one."""
    places = [str(shutil.copytree(folder, tmp_path / name)) for name in "abcd"]
    run = subprocess.run(
        [sys.executable, "-c", FIRST_VISITORS, *places, places[0]],  # one folder twice: that model is shared
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    told = json.loads(run.stdout.splitlines()[-1])
    assert told == {
        "failures": [],
        "models": 10,
        "distinct": 8,
        "tokenizers": 5,
        "tied": [True] * 5,
        "equal": True,
        "decoder": True,
        "ties_still": "tie_weights",
    }


def test_models_never_load_at_once(tiny: LoadedModel) -> None:
    """Not even for two caches: what transformers patches while it loads is the same for all."""
    inside: list[int] = []
    most: list[int] = []

    def load() -> LoadedModel:
        inside.append(1)
        most.append(len(inside))
        time.sleep(0.05)
        inside.pop()
        return tiny

    threads = [threading.Thread(target=ModelCache[LoadedModel](2_000_000).get, args=("a", load)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == [1, 1, 1, 1]


def test_models_of_tasks_and_bare_ones_share_one_budget(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from core.tasks import loaded
    from core.tasks.registry import find_task
    from core.tasks.task import Setup

    setup, place = Setup(labels=("a", "b")), tmp_path / "judge"
    task = find_task("classification")
    task.load(str(folder), setup).save_pretrained(place)
    load_tokenizer(str(folder)).model.save_pretrained(place)
    loaded.write_setup(place, "classification", setup)
    cache: ModelCache[Any] = ModelCache(loading.MEMORY_BYTES)
    for module in (loading, loaded):
        monkeypatch.setattr(module, "SHARED", cache)
    bare, judge = load_model(str(folder)), loaded.load_task_model(str(place))
    assert len(cache) == 2 and loaded.SHARED is loading.SHARED
    assert loaded.load_task_model(str(place)) is judge and load_model(str(folder)) is bare
    cache.budget_bytes = int(judge.megabytes * 1e6)  # there is room for one
    other = Path(shutil.copytree(place, tmp_path / "other"))
    loaded.load_task_model(str(other))
    assert len(cache) == 1
    assert load_model(str(folder)) is not bare


@pytest.mark.parametrize(
    ("edit", "key"),
    [
        (lambda place: (place / "config.json").unlink(), "error.model.not_a_model"),
        (lambda place: (place / "adapter_config.json").write_text("{}"), "error.model.not_a_model"),
        (lambda place: (place / "model.safetensors").unlink(), "error.model.no_weights"),
        (lambda place: (place / "model.safetensors").write_bytes(b"torn"), "error.model.unreadable"),
        (_to_pickle, "error.model.pickle"),
        (_edit_config(auto_map={"AutoModel": "code.Model"}), "error.model.remote_code"),
        (_edit_config(model_type="no-such-kind"), "error.model.unsupported"),
        (lambda place: (place / "task.json").unlink(), "error.model.no_task"),
    ],
)
def test_a_model_of_a_task_is_turned_away_for_the_same(folder: Path, tmp_path: Path, edit: Edit, key: str) -> None:
    from core.tasks.loaded import load_task_model, write_setup
    from core.tasks.task import Setup

    place = Path(shutil.copytree(folder, tmp_path / "model"))
    write_setup(place, "classification", Setup(labels=("a", "b")))
    edit(place)
    with pytest.raises(ModelUnavailable) as refusal:
        load_task_model(str(place))
    assert refusal.value.key == key


@pytest.mark.parametrize("name", ["nothing/../../elsewhere", "sub/../elsewhere"])
def test_a_name_is_no_way_out_of_the_folder_of_models(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """What is not named as a path is a bundled model's own name or an id of the Hub."""
    from huggingface_hub import constants

    shutil.copytree(folder, tmp_path / "models/elsewhere")
    (tmp_path / "models/sub").mkdir()
    monkeypatch.setenv("LAB_MODELS", str(tmp_path / "models"))
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    assert find_folder("elsewhere", ()).path == (tmp_path / "models/elsewhere").resolve()
    with pytest.raises(ModelUnavailable):
        find_folder(name, ())
