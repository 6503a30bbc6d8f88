"""The same batch as a script: tokens by transformers, the order by the project's own functions."""

from __future__ import annotations

from core.training.config import RunConfig
from core.training.records import publish
from tabs.datasets.scripts import path_in_script


def write_script(config: RunConfig, model: str, number: int) -> str:
    """From rows to what an untrained model says of a batch."""
    settings, data = config.hyperparameters, publish(config)["data"]
    beside = "" if ":" in data["train"] else f"  # {data['train']} has to lie in the project's folder"
    texts = "example.text" if config.task == "classification" else "example.first, example.second"
    group = settings.batch_size if settings.length_grouping else 0
    return f"""import torch

from core.data.loading import load_examples
from core.data.source import DataSource
from core.tasks.heads import load_classifier
from core.tasks.registry import find_task
from core.tasks.tokenizing import load_task_tokenizer
from core.training.batches import order_examples, own_randomness

task = find_task({config.task!r})
source = DataSource({data["train"]!r}, columns={data["columns"]!r}, validation_share={data["validation_share"]}){beside}
train = load_examples(task, source, seed={settings.seed}).train
labels = list(task.labels(train))

# 5.2.3, 5.2.5 texts become ids, what is too long loses its end ------------------
folder = {path_in_script(model)!r}
tokenizer = load_task_tokenizer(folder)  # AutoTokenizer, with segment ids
limit = min({settings.max_length}, tokenizer.model_max_length)
features = [dict(tokenizer({texts}, truncation="longest_first", max_length=limit)) for example in train]
lengths = [len(feature["input_ids"]) for feature in features]


# 5.2.6 batches, each padded to its longest row ------------------------------------
def cut_batches(group):
    order = order_examples(lengths, seed={settings.seed}, epoch=0, group=group)
    return [order[start : start + {settings.batch_size}] for start in range(0, len(order), {settings.batch_size})]


def share_wasted(batches):
    positions = sum(len(members) * max(lengths[index] for index in members) for members in batches)
    return 1 - sum(lengths) / positions


batches = cut_batches({group})
chosen = batches[min({number}, len(batches)) - 1]
batch = tokenizer.pad([features[index] for index in chosen], return_tensors="pt")
gold = torch.tensor([labels.index(train[index].label) for index in chosen])

# 5.2.7 a head of random weights on the base model --------------------------------
with own_randomness({settings.seed}):
    model = load_classifier(folder, labels).eval()
with torch.inference_mode():
    logits = model(**batch).logits  # (B, labels)
names = ("input_ids", "attention_mask", "token_type_ids")
tensors = {{name: batch[name] for name in names if name in batch}} | {{"labels": gold}}
result = {{
    "shapes": {{name: list(values.shape) for name, values in tensors.items()}},
    "input_ids": features[chosen[0]]["input_ids"],
    "labels": [train[index].label for index in chosen],
    "wasted": [round(share_wasted(cut_batches(group)), 4) for group in (0, {settings.batch_size})],
    "loss": round(torch.nn.functional.cross_entropy(logits, gold).item(), 4),
    "scores": [[round(p, 4) for p in row] for row in logits.softmax(-1).tolist()],
}}
print(result)
"""
