"""The run that is shown as a script: its configuration, the command, and the metrics of what it left behind."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

KEY = 8  # letters of a run's key, which are enough for a folder of one's own


def write_script(record: Mapping[str, Any]) -> str:
    """A script for the project's folder; of a recorded run it reads what was recorded, unless told to train."""
    config, recorded = record["config"], record["recorded"]
    name = record["key"] if recorded else record["key"][:KEY]
    written = json.dumps(config, ensure_ascii=False, indent=2).replace("\\", "\\\\").replace("'''", "\\'\\'\\'")
    trained = f'folder = Path("runs/{name}")'
    if recorded:
        choice = (
            "TRAIN_ANEW = False  # True: train it here, in about a minute on two free cores\n"
            f'{trained} if TRAIN_ANEW else Path("assets/runs/{name}")\n'
        )
    else:
        choice = f"TRAIN_ANEW = True\n{trained}\n"
    missing = _name_files(config)
    return f"""import json
import os
import subprocess
import sys
from pathlib import Path

from core.tasks.registry import find_task
from core.training.trainer import read_predictions, score

config = json.loads('''{written}''')
{missing}{choice}if TRAIN_ANEW:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(config, ensure_ascii=False, indent=2), encoding="utf-8")
    one_thread = os.environ | {{"OMP_NUM_THREADS": "1"}}  # as the app trains: with more, sums are rounded otherwise
    subprocess.run([sys.executable, "-m", "core.training", str(folder)], env=one_thread, check=True)

task = find_task(config["task"])
predictions = read_predictions(folder / "predictions.jsonl")  # of the best checkpoint, on the validation part
metrics = score(task, predictions)
result = {{"metric": task.metric, "value": round(metrics[task.metric], 4), "examples": len(predictions)}}
print(result)
"""


def _name_files(config: Mapping[str, Any]) -> str:
    """What has to lie beside the script: files of one's own are named by their names alone."""
    data = config["data"]
    files = [data[part] for part in ("train", "validation", "test") if data[part] and ":" not in data[part]]
    return f"# beside this script: {', '.join(files)}\n" if files else ""
