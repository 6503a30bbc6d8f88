"""The same five answers by transformers alone: a section of the script for each task that has an answer."""

from __future__ import annotations

from collections.abc import Collection

from core.bundled.shards import OWN
from core.models.loading import WEIGHTS
from core.presets import models_folder
from core.settings import ROOT
from core.tasks.registry import find_task
from core.tasks.tour import UNRELATED, Sources, Texts, find_settings, is_bundled

CLASSIFIER, ENCODER = "AutoModelForSequenceClassification", "AutoModel"
TAGGER, WRITER = "AutoModelForTokenClassification", "AutoModelForSeq2SeqLM"
PAIRED = "padding=True, truncation=True, return_token_type_ids=True"


def write_script(texts: Texts, sources: Sources, *, without: Collection[str]) -> str:
    """A script that runs in the project's folder; the tasks in `without` have no answer and are left out."""
    sections = {
        "sentiment": (CLASSIFIER, _judge),
        "inference": (CLASSIFIER, _infer),
        "similarity": (CLASSIFIER, _compare),
        "embedding": (ENCODER, _embed),
        "names": (TAGGER, _find_names),
        "headline": (WRITER, _write),
    }
    told = {task: section for task, section in sections.items() if task not in without}
    kinds = ", ".join(sorted({"AutoTokenizer", *(kind for kind, _ in told.values())}))
    parts = [write(texts, getattr(sources, task)) for task, (_, write) in told.items()]
    return f"""import torch
from transformers import {kinds}

torch.set_grad_enabled(False)  # nothing is trained here


def load(kind, path):
    return AutoTokenizer.from_pretrained(path), kind.from_pretrained(path, dtype=torch.float32)


sentence = {texts.sentence!r}
result = {{}}
{"".join(parts)}
print(result)
"""


def path_in_script(source: str) -> str:
    """What `from_pretrained` is given: a bundled model by its folder, seen from the project's, others by their id."""
    if not is_bundled(source):
        return source
    folder = (models_folder() / source).resolve()
    return folder.relative_to(ROOT).as_posix() if folder.is_relative_to(ROOT) else str(folder)


def _judge(texts: Texts, source: str) -> str:
    return f"""
# 1.1.1 What does the sentence think of it? ------------------------------------
tokenizer, model = load({CLASSIFIER}, {path_in_script(source)!r})
inputs = tokenizer(sentence, truncation=True, max_length={find_settings(source).max_length}, return_tensors="pt")
probabilities = model(**inputs).logits[0].softmax(dim=-1).tolist()
result["sentiment"] = {{model.config.id2label[n]: round(p, 4) for n, p in enumerate(probabilities)}}
"""


def _infer(texts: Texts, source: str) -> str:
    return f"""
# 1.1.2 What follows from it? ---------------------------------------------------
hypotheses = {list(texts.hypotheses)!r}
tokenizer, model = load({CLASSIFIER}, {path_in_script(source)!r})
# Without segment ids BERT would take a pair for one long sentence, and tokenizers do not always hand them out.
pair = dict({PAIRED}, max_length={find_settings(source).max_length}, return_tensors="pt")
inputs = tokenizer([sentence] * len(hypotheses), hypotheses, **pair)
rows = model(**inputs).logits.softmax(dim=-1).tolist()
result["inference"] = [{{model.config.id2label[n]: round(p, 4) for n, p in enumerate(row)}} for row in rows]
"""


def _compare(texts: Texts, source: str) -> str:
    return f"""
# 1.1.3 How alike are two sentences? One model reads both, and gives a number from 0 to 5 -----------------
others = [{texts.other!r}, {UNRELATED!r}]
tokenizer, model = load({CLASSIFIER}, {path_in_script(source)!r})
pair = dict({PAIRED}, max_length={find_settings(source).max_length}, return_tensors="pt")
inputs = tokenizer([sentence] * len(others), others, **pair)
result["similarity"] = [round(score, 4) for score in model(**inputs).logits[:, 0].tolist()]
"""


def _embed(texts: Texts, source: str) -> str:
    path, setup = path_in_script(source), find_settings(source)
    pooled = "hidden[:, 0]  # the vector of [CLS]"
    if setup.options.get("pooling", "cls") == "mean":
        pooled = "(hidden * mask).sum(dim=1) / mask.sum(dim=1)  # the mean of all tokens, (3, D)"
    projected = ""
    if source == "simcse-supervised":
        shared = (models_folder() / source / OWN).is_file()  # its word vectors lie with the encoder's
        projected = f"""
from safetensors.torch import load_file

own = load_file("{path}/{OWN if shared else WEIGHTS}")  # this model has a layer that AutoModel does not know
vectors = torch.tanh(vectors @ own["projection.weight"].float().T + own["projection.bias"].float())"""
    return f"""
# 1.1.3 The other way: a vector for each sentence, and the angle between them ---
sentences = [sentence, {texts.other!r}, {UNRELATED!r}]
tokenizer, model = load({ENCODER}, {path!r})
inputs = tokenizer(sentences, padding=True, truncation=True, max_length=512, return_tensors="pt")
hidden = model(**inputs).last_hidden_state  # (3, T, D)
mask = inputs["attention_mask"][..., None]  # (3, T, 1)
vectors = {pooled}{projected}
vectors = torch.nn.functional.normalize(vectors, dim=-1)
result["embedding"] = [round(cosine, 4) for cosine in (vectors[1:] @ vectors[0]).tolist()]
"""


def _find_names(texts: Texts, source: str) -> str:
    return f"""
# 1.1.4 Who and what is named? ---------------------------------------------------
tokenizer, model = load({TAGGER}, {path_in_script(source)!r})
inputs = tokenizer(sentence, return_tensors="pt")
scores = model(**inputs).logits[0, 1:-1]  # (T, L), without [CLS] and [SEP]
pieces = tokenizer.convert_ids_to_tokens(inputs["input_ids"][0, 1:-1].tolist())
labels = [model.config.id2label[n] for n in range(model.config.num_labels)]
# The best sequence in which "inside" (I-) only follows "begin" or "inside" of the same type (6.3.6).
start = torch.tensor([-100.0 if label.startswith("I-") else 0.0 for label in labels])
follows = [[new[:2] != "I-" or (old != "O" and old[2:] == new[2:]) for new in labels] for old in labels]
penalty = torch.where(torch.tensor(follows), 0.0, -100.0)  # (L, L)
best, back = start + scores[0], []
for row in scores[1:]:
    arriving = best[:, None] + penalty
    back.append(arriving.argmax(dim=0))
    best = arriving.amax(dim=0) + row
path = [int(best.argmax())]
for step in reversed(back):
    path.append(int(step[path[-1]]))
names = []
for place, label in enumerate(reversed(path)):
    if labels[label] == "O":
        continue
    if labels[label].startswith("B-"):
        names.append([labels[label][2:], [], []])
    names[-1][1].append(pieces[place].removeprefix("##"))
    names[-1][2].append(scores[place].softmax(dim=-1)[label].item())
result["names"] = [["".join(found), kind, round(sum(sure) / len(sure), 4)] for kind, found, sure in names]
"""


def _write(texts: Texts, source: str) -> str:
    setup = find_settings(source)
    options = find_task("headline").options
    settings = ", ".join(f"{option.name}={setup.options.get(option.name, option.default)}" for option in options)
    return f"""
# 1.1.5 What would its headline be? (an article of its own) ---------------------
article = {texts.article!r}
tokenizer, model = load({WRITER}, {path_in_script(source)!r})
inputs = tokenizer(article, truncation=True, max_length={setup.max_length}, return_tensors="pt")
written = model.generate(inputs["input_ids"], attention_mask=inputs["attention_mask"], do_sample=False, {settings})
result["headline"] = tokenizer.decode(written[0], skip_special_tokens=True, clean_up_tokenization_spaces=False).strip()
"""
