"""Data sets of a Hub, read through the real client from a real server on this machine."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.data.hub_server import HubServer, serve

ROOT = Path(__file__).parents[2]
CONVERTED = "refs/convert/parquet"
README = b"---\nlicense: mit\n---\n"
# The client reads its settings when it is imported, so every visit is a process of its own.
CLIENT = """
import json, sys
from core.data.loading import load_examples, read_source
from core.data.source import DataSource
from core.errors import AppError
from core.tasks.choice import TASK as CHOICE
from core.tasks.classification import TASK as CLASSIFICATION

def told(place, part):
    try:
        table = read_source(place, part=part, seed=1)
        lines = [row.line for row in table.rows[:2]]
        return {"rows": len(table.rows), "second": dict(table.rows[1].values), "lines": lines}
    except AppError as error:
        return {"error": error.key, **error.params}

answers = [told(place, part) for place, part in json.loads(sys.argv[1])]
sentiment = load_examples(CLASSIFICATION, DataSource("hub:llm-book/wrime", "hub:llm-book/wrime"), seed=1)
choice = load_examples(CHOICE, DataSource("hub:llm-book/JGLUE:JCommonsenseQA"), seed=1)
examples = [
    [len(sentiment.train), len(sentiment.validation), sentiment.train[1].label, sentiment.validation[0].text],
    [choice.train[0].choices, choice.train[0].answer],
]
json.dump([answers, examples], sys.stdout)
"""
EXAMPLES = [[20, 4, "negative", "文0"], [["石", "鳥0"], 1]]


def as_parquet(rows: list[dict[str, Any]], labels: list[str] | None = None) -> bytes:
    import datasets

    datasets.disable_progress_bars()
    data = datasets.Dataset.from_list(rows)
    if labels:
        data = data.cast_column("label", datasets.ClassLabel(names=labels))
    file = io.BytesIO()
    data.to_parquet(file)
    return file.getvalue()


@pytest.fixture(scope="module")
def hub() -> Iterator[HubServer]:
    rows = [{"sentence": f"文{number}", "label": number % 2} for number in range(20)]
    sentiment = ["positive", "negative"]
    choices = [
        {"question": f"問{number}", "choice0": "石", "choice1": f"鳥{number}", "label": 1} for number in range(8)
    ]
    pairs = [{"sentence1": f"犬{n}", "sentence2": "猫", "label": n % 3} for n in range(6)]
    script = b"raise SystemExit('a script of the Hub must never run')"
    with serve(
        {
            "llm-book/wrime": {
                "main": {"wrime.py": script, "README.md": README},
                CONVERTED: {
                    ".gitattributes": b"",
                    "default/train/0000.parquet": as_parquet(rows[:12], sentiment),
                    "default/train/0001.parquet": as_parquet(rows[12:], sentiment),
                    "default/validation/0000.parquet": as_parquet(rows[:4], sentiment),
                },
            },
            "llm-book/JGLUE": {
                "main": {"JGLUE.py": script, "README.md": README},
                CONVERTED: {
                    "JNLI/train/0000.parquet": as_parquet(pairs, ["entailment", "contradiction", "neutral"]),
                    "JCommonsenseQA/partial-train/0000.parquet": as_parquet(choices, [f"choice{n}" for n in range(5)]),
                },
            },
            "own/scripted": {"main": {"scripted.py": script, "README.md": README}},
            "own/plain": {
                "main": {
                    "README.md": README,
                    "data/train-00000-of-00001.parquet": as_parquet(rows, sentiment),
                    "data/test-00000-of-00001.parquet": as_parquet(rows[:3], sentiment),
                }
            },
            "own/lines": {
                "main": {
                    "README.md": b"---\nconfigs:\n- config_name: small\n  data_files: small.jsonl\n"
                    b"- config_name: large\n  data_files: large.jsonl\n---\n",
                    "small.jsonl": '{"text": "小"}\n{"text": "さい"}\n'.encode(),
                    "large.jsonl": b"\n".join(json.dumps({"text": f"{n}"}).encode() for n in range(30)),
                }
            },
            "own/asked": {"main": {"README.md": README}},
        }
    ) as server:
        server.gated = frozenset(["own/asked"])
        yield server


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


def visit(places: list[tuple[str, str]], endpoint: str, home: Path) -> Any:
    """What a client sees; none may try again and again, which takes the library minutes."""
    environment = {
        **os.environ,
        "HF_ENDPOINT": endpoint,
        "HF_HOME": str(home),
        "HF_HUB_OFFLINE": "0",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "HF_HUB_DISABLE_XET": "1",
    }
    command = [sys.executable, "-c", CLIENT, json.dumps(places)]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "Retrying" not in done.stderr
    return json.loads(done.stdout)


def test_data_sets_of_the_hub_and_of_its_cache(hub: HubServer, home: Path) -> None:
    places = [
        ("hub:llm-book/wrime", "train"),
        ("hub:llm-book/wrime", "validation"),
        ("hub:llm-book/wrime", "test"),
        ("hub:llm-book/wrime:default:train", "test"),
        ("hub:llm-book/JGLUE:JNLI", "train"),
        ("hub:llm-book/JGLUE:jnli:train", "validation"),
        ("hub:llm-book/JGLUE", "train"),
        ("hub:llm-book/JGLUE:JNLI:test", "train"),
        ("hub:own/scripted", "train"),
        ("hub:own/plain", "train"),
        ("hub:own/plain", "validation"),
        ("hub:own/lines", "train"),
        ("hub:own/lines:small", "train"),
        ("hub:own/asked", "train"),
        ("hub:own/missing", "train"),
        ("hub:../etc/passwd", "train"),
    ]
    answers, examples = visit(places, hub.endpoint, home)
    found = [answer.get("rows", answer.get("error")) for answer in answers]
    assert found == [
        20, 4, 4, 20, 6, 6, "error.data.hub_configuration", "error.data.hub_split", "error.data.hub_script", 20, 3,
        "error.data.hub_configuration", 2, "error.data.hub_gated", "error.data.hub_unknown", "error.data.hub_unknown",
    ]  # fmt: skip
    assert answers[0]["second"] == {"sentence": "文1", "label": "negative"}  # the name behind the number
    assert answers[0]["lines"] == [1, 2]
    assert answers[4]["second"]["label"] == "contradiction"
    assert answers[6]["known"] == "JCommonsenseQA, JNLI"
    assert set(answers[11]["known"].split(", ")) == {"small", "large"}
    # Only the part that was asked for travels.
    first = [request for request in hub.requests if request.startswith("GET /datasets/llm-book/wrime/resolve")]
    assert sum("default/train/0000" in request for request in first) == 1
    assert examples == EXAMPLES

    # With the network gone, what has been fetched is still there, and nobody waits for minutes.
    (cached, absent), examples = visit([places[9], ("hub:own/asked", "train")], "http://127.0.0.1:9", home)
    assert cached["rows"] == 20
    assert absent == {"error": "error.data.hub_offline", "source": "own/asked"}
    assert examples == EXAMPLES
