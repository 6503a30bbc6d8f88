"""The cards of the models that come with a task: made of the files in their folders, with no number typed by hand."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from string import Template
from types import MappingProxyType
from typing import Any

from core.bundled.corpus import SOURCES
from core.bundled.files import read_json
from core.bundled.foundation_cards import FRONT, draw_rows, tell_earlier

TRAINING = "training.json"

CARD = Template(
    """\
# $japanese_title

$japanese
$parameters_million 百万パラメータの教材であり、判断に使ったり、事実を答えさせたりするためのものではありません。

# $english_title

$english It is teaching material: small, quickly trained, and not fit to decide or to state facts.

```python
$code
```

## Size

$architecture; $parameters parameters, $size.
Stored in half precision, loaded in single precision.

## Training

$training

## Results

Measured by `python -m core.bundled evaluate $name --data DIR` on validation splits, whose rows are not among those it
was trained on ($chosen), beside baselines that learn no representation,
and beside what the book reports for BERT-base (111 million parameters, partly on other data).
↓ marks numbers of which less is better.

$table
$details
## Limits

$limits

## Data and licence

The weights are released under CC BY-SA 4.0, the licence of the most demanding of their sources.

$data
"""
)

CODE = """\
from core.tasks.loaded import load_task_model, predict
from core.data.examples import $examples

model = load_task_model("$name")
print(predict(model, [$call])[0])"""


@dataclass(frozen=True, slots=True)
class Subject:
    """What a card says in words: what the model does, how it is called, and where it is weak."""

    japanese_title: str
    japanese: str
    english_title: str
    english: str
    examples: str  # the class of its examples
    call: str  # one example as code
    limits: tuple[str, ...]
    tags: str


_SENTENCE = "「画像の説明文」のような短い文"
_CAPTIONS = "It has read captions of pictures for the most part; other kinds of sentences are judged less well."
_RARE = "Rare names and loan words fall into many small pieces and are missed more often."
SUBJECTS: Mapping[str, Subject] = MappingProxyType(
    {
        "decoder": Subject(
            "小さな日本語デコーダ",
            "続きの言葉をひとつずつ予測する、GPT の仲間の言語モデルです(書籍 3.2)。",
            "A small Japanese decoder",
            "A language model of GPT's kind that predicts one token after another (book 3.2).",
            "PlainText",
            'PlainText("京都は古くから")',
            (
                "It writes Japanese that reads well for a sentence or two; what it says is true only by chance.",
                "It has not been taught to follow instructions or to avoid harm.",
                "It can repeat the views and the dated wording of its sources: nothing was filtered for that.",
            ),
            "llama, text-generation, japanese",
        ),
        "seq2seq": Subject(
            "小さな日本語エンコーダ・デコーダ",
            "隠された区間を書き戻すことを学んだ、T5 の仲間の言語モデルです(書籍 3.4)。",
            "A small Japanese encoder-decoder",
            "A language model of T5's kind that writes out hidden spans (book 3.4).",
            "PlainText",
            'PlainText("京都は古くから都として栄えた。")',
            (
                "It is a base for fine-tuning; by itself it restores short gaps and copies how a paragraph begins.",
                "It did not find out by itself how to copy: before the first step a head of its encoder and one layer "
                "of its decoder were set to look up what follows the token written last.",
                "It can repeat the views and the dated wording of its sources: nothing was filtered for that.",
            ),
            "t5, text2text-generation, japanese",
        ),
        "sentiment": Subject(
            "感情分析",
            "文章が肯定的か否定的かを答えます(書籍 5.2)。",
            "Sentiment",
            "Tells whether a text is positive or negative (book 5.2).",
            "LabelledText",
            'LabelledText("駅前の店は味も接客も良かった。", "positive")',
            (
                "It knows two answers only: a neutral or undecided text is called one of them.",
                "Most of what it learned from are comments on business conditions; praise and blame of other things is "
                "judged less well.",
            ),
            "bert, text-classification, sentiment-analysis, japanese",
        ),
        "inference": Subject(
            "自然言語推論",
            f"{_SENTENCE}の組が、含意・矛盾・中立のどれかを答えます(書籍 5.4.1)。",
            "Natural language inference",
            "Tells whether a sentence follows from another, contradicts it, or neither (book 5.4.1).",
            "LabelledPair",
            'LabelledPair("犬が公園を走っている。", "公園に動物がいる。", "entailment")',
            (
                "Half of what it has read are captions of pictures, most of the rest was made by rule: it judges "
                "by the words. Pairs that one has to know something for are judged hardly better than by chance.",
                "It leans on shared words: negation, numbers and changed roles are often missed.",
                "Many of the pairs stand with a similarity in JSTS, which related models learned from; the pairs that "
                "do not are scored apart.",
            ),
            "bert, text-classification, natural-language-inference, japanese",
        ),
        "similarity": Subject(
            "意味的類似度",
            f"{_SENTENCE}の組がどれだけ似ているかを 0 から 5 で答えます(書籍 5.4.2)。",
            "Semantic similarity",
            "Tells how alike two sentences are, from 0 to 5, reading both at once (book 5.4.2).",
            "ScoredPair",
            'ScoredPair("犬が公園を走っている。", "公園で犬が走る。", 4.5)',
            (_CAPTIONS, "It leans on shared words: sentences that differ by one decisive word are scored too high."),
            "bert, sentence-similarity, japanese",
        ),
        "choice": Subject(
            "多肢選択式質問応答",
            "常識を問う問題の選択肢から一つを選びます(書籍 5.4.3)。",
            "Multiple choice",
            "Picks one of several answers to a question of common sense (book 5.4.3).",
            "ChoiceQuestion",
            'ChoiceQuestion("雨の日に差すものは？", ("傘", "皿", "机"), 0)',
            ("Common sense is what a model of this size has least of: many of its answers are guesses.",),
            "bert, multiple-choice, japanese",
        ),
        "tagging": Subject(
            "固有表現認識",
            "文中の人名・地名など八種類の名前に印を付けます(書籍 6.3)。",
            "Named entities",
            "Marks names of eight types, decoded by argmax or by Viterbi under the rules of BIO (book 6.3).",
            "TaggedText",
            'TaggedText("夏目漱石は松山で教えた。", ())',
            (
                "It has learned from sentences of an encyclopedia; headlines, chat and lists are tagged less well.",
                _RARE,
            ),
            "bert, token-classification, named-entity-recognition, japanese",
        ),
        "tagging-crf": Subject(
            "固有表現認識(CRF)",
            "文中の人名・地名など八種類の名前に、CRF で印を付けます(書籍 6.3.7)。",
            "Named entities with a CRF",
            "Marks names of eight types with a conditional random field over the labels (book 6.3.7).",
            "TaggedText",
            'TaggedText("夏目漱石は松山で教えた。", ())',
            (
                "It has learned from sentences of an encyclopedia; headlines, chat and lists are tagged less well.",
                _RARE,
            ),
            "bert, token-classification, crf, named-entity-recognition, japanese",
        ),
        "simcse": Subject(
            "文埋め込み(教師なし SimCSE)",
            "文をベクトルにします。正解の付いたデータを使わずに学んでいます(書籍 8.3.1)。",
            "Sentence vectors, unsupervised SimCSE",
            "Turns sentences into vectors, learned without any labels (book 8.3.1).",
            "ScoredPair",
            'ScoredPair("犬が公園を走っている。", "公園で犬が走る。", 4.5)',
            (
                "Beside the book's contrast it has learned to rank sentences as the characters they share do.",
                "Vectors tell topics and words rather than who does what to whom; negation hardly moves them.",
            ),
            "bert, sentence-similarity, simcse, japanese",
        ),
        "simcse-supervised": Subject(
            "文埋め込み(教師あり SimCSE)",
            "文をベクトルにします。含意と矛盾の組から学んでいます(書籍 8.3.2)。",
            "Sentence vectors, supervised SimCSE",
            "Turns sentences into vectors, learned from pairs that follow from or contradict each other (book 8.3.2).",
            "ScoredPair",
            'ScoredPair("犬が公園を走っている。", "公園で犬が走る。", 4.5)',
            (
                _CAPTIONS,
                "It starts from the unsupervised model; the book's starts from BERT.",
                "Vectors tell topics and words rather than who does what to whom; negation hardly moves them.",
            ),
            "bert, sentence-similarity, simcse, japanese",
        ),
        "headline": Subject(
            "見出し生成",
            "ニュース記事の本文から見出しを書きます(書籍 7.4)。",
            "Headlines",
            "Writes a headline for a news article (book 7.4).",
            "Article",
            'Article("市は3日、駅前に新しい図書館を開くと発表した。", "")',
            (
                "It can name persons, places and numbers that the article does not hold: read the article.",
                "It has learned from a few thousand articles of 2003 to 2017 and writes in their style.",
            ),
            "t5, summarization, japanese",
        ),
        "retrieval": Subject(
            "質問に答える段落の検索(BPR)",
            "質問と段落をビット列にして、答えのある段落を探します(書籍 9.4)。",
            "Passage retrieval, BPR",
            "Finds the passage that answers a question, by bits and then by the question's own vector (book 9.4).",
            "Passage, RetrievalQuestion",
            'RetrievalQuestion("松山で教えた作家は？", Passage("夏目漱石", "夏目漱石は松山で教えた。"))',
            (
                "Questions of its training were written with the passage in view and share words with it; where they "
                "do not, it finds less.",
                "Search by words is hard to beat at this size; the two together serve best where the table says so.",
                "The table cuts passages into windows of whole sentences, at most 120 characters, and ranks each by "
                "its best one (`core.search.windows`): one vector for a whole paragraph finds less.",
            ),
            "bert, feature-extraction, retrieval, japanese",
        ),
        "reading": Subject(
            "機械読解",
            "段落の中から、質問の答えを抜き出します(書籍 9.1)。",
            "Reading comprehension",
            "Finds the answer to a question in a passage, as a span of it (book 9.1).",
            "Answer, ReadingQuestion",
            'ReadingQuestion("教えた町は？", "夏目漱石は松山で教えた。", (Answer("松山", 5),))',
            (
                "It always answers, even when the passage does not hold the answer.",
                "Questions that need two sentences, or a calculation, are mostly answered wrongly.",
            ),
            "bert, question-answering, japanese",
        ),
    }
)


def write_card(
    folder: Path,
    metrics: Mapping[str, Any],
    config: Mapping[str, Any],
    *,
    table: str,
    shortfalls: Sequence[str] = (),
) -> str:
    """Write the card of one model.

    Args:
        folder: with the weights, and ``training.json``, what training left.
        metrics: what lies in ``metrics.json``.
        config: the model's configuration.
        table: the lines of the table that are about it.
        shortfalls: sentences on what it does not reach, computed from its numbers.
    """
    subject = SUBJECTS[folder.name]
    path = folder / TRAINING
    training = read_json(path) if path.is_file() else dict(metrics.get("training", {}))
    parameters = count_parameters(folder)
    limits = [*subject.limits, *shortfalls]
    code = Template(CODE).substitute(name=folder.name, examples=subject.examples, call=subject.call)
    return FRONT.replace("$tags", subject.tags) + CARD.substitute(
        name=folder.name,
        japanese_title=subject.japanese_title,
        japanese=subject.japanese,
        english_title=subject.english_title,
        english=subject.english,
        code=code,
        architecture=describe_architecture(config),
        parameters=f"{parameters:,}",
        parameters_million=f"{parameters / 1e6:.1f}",
        size=describe_size(folder),
        training=describe_training(training),
        chosen=f"its best checkpoint was chosen by {training.get('judges') or 'them where it has one'}",
        table=table,
        details=describe_details(metrics.get("details", {})),
        limits="\n".join(f"- {limit}" for limit in limits),
        data=draw_data(training),
    )


def list_weights(folder: Path) -> tuple[Path, ...]:
    """The files of weights of a model, also those that lie in the folder of the model it was trained from."""
    index = folder / "model.safetensors.index.json"
    if not index.is_file():
        return tuple(sorted(folder.glob("*.safetensors")))
    return tuple(sorted({(folder / name).resolve() for name in read_json(index)["weight_map"].values()}))


def count_parameters(folder: Path) -> int:
    """Count the numbers in the weights, from their headers."""
    from safetensors import safe_open

    total = 0
    for path in list_weights(folder):
        with safe_open(path, framework="numpy") as file:
            total += sum(math.prod(file.get_slice(name).get_shape()) for name in list(file.keys()))
    return total


def describe_size(folder: Path) -> str:
    """Say what the weights take, and what of it lies in another model's folder."""
    sizes: Counter[str] = Counter()
    for path in list_weights(folder):
        sizes[path.parent.name] += path.stat().st_size
    own = sizes.pop(folder.resolve().name, 0)
    shared = "".join(f", and {size / 1e6:.1f} MB that it shares with `{name}`" for name, size in sizes.items())
    return f"{own / 1e6:.1f} MB{shared}"


def describe_architecture(config: Mapping[str, Any]) -> str:
    """Name the kind of model, its layers, width and vocabulary."""

    def first(*names: str) -> Any:
        return next((config[name] for name in names if config.get(name) is not None), "?")

    kind = str(config.get("model_type", "?"))
    heads, inner = first("num_attention_heads", "num_heads"), first("intermediate_size", "d_ff")
    both = f" and {config['num_decoder_layers']}" if config.get("num_decoder_layers") else ""
    vocabulary = config.get("vocab_size", 0)
    return (
        f"{kind}: {first('num_hidden_layers', 'num_layers')}{both} layers, width {first('hidden_size', 'd_model')}, "
        f"{heads} heads, inner width {inner}, {vocabulary:,} tokens"
    )


def describe_training(training: Mapping[str, Any]) -> str:
    """Say from what the model started, how long it trained, and with which settings."""
    if not training:
        return "How it was trained was not recorded."
    parts = []
    if base := training.get("base"):
        shipped = base == "encoder" or base in SUBJECTS
        named = "whose card names what it learned from" if shipped else "a model on the way that is not shipped"
        parts.append(f"Started from `{base}`, {named}.")
    if (steps := training.get("steps")) is not None:
        took = f" in {_tell_time(float(training['seconds']))}" if training.get("seconds") else ""
        seen = f" of {int(training['tokens_per_step']):,} tokens" if training.get("tokens_per_step") else ""
        earlier = tell_earlier(training.get("earlier"))
        parts.append(f"Trained for {int(steps):,} steps{seen}{took}, seed {training.get('seed', '?')}{earlier}.")
    settings = [
        f"{name.replace('_', ' ')} {value}"
        for name, value in _flatten({**training.get("shape", {}), **training.get("config", {})})
        if value not in (0, 0.0, False, "", None)
    ]
    if settings:
        parts.append(f"Settings: {', '.join(settings)}.")
    if notes := training.get("notes"):
        parts.append(str(notes))
    return "\n".join(parts)


def _flatten(settings: Mapping[str, Any]) -> Iterator[tuple[str, str | int | float]]:
    for name, value in settings.items():
        if isinstance(value, Mapping):
            yield from _flatten(value)
        elif isinstance(value, (str, int, float)):
            yield name, value


def _tell_time(seconds: float) -> str:
    return f"{seconds / 60:.0f} minutes" if seconds >= 90 else f"{seconds:.0f} seconds"


def describe_details(details: Mapping[str, float]) -> str:
    """Draw the further numbers, the weakest first."""
    if not details:
        return ""
    ordered = sorted(details.items(), key=lambda item: item[1])
    metric = ordered[0][0].partition(".")[0]
    rows = draw_rows((name.partition(".")[2], f"{value:.3f}") for name, value in ordered)
    return f"\nBy kind, the weakest first:\n\n| | {metric} |\n|---|--:|\n{rows}\n"


def draw_data(training: Mapping[str, Any]) -> str:
    """Draw the table of what the model learned from."""
    if isinstance(megabytes := training.get("megabytes"), Mapping):
        drawn = [
            (source.name, f"{megabytes[source.name]} MB", source.credit, source.licence)
            for source in SOURCES
            if megabytes.get(source.name)
        ]
        return "| source | amount | credit | licence |\n|---|--:|---|---|\n" + draw_rows(drawn)
    rows = [
        (
            entry.get("folder") or entry.get("source", "?"),
            entry.get("kind", ""),
            f"{int(entry['rows']):,}",
            entry.get("credit", ""),
            entry.get("licence", ""),
        )
        for entry in training.get("data", ())
    ]
    if not rows:
        return "What it learned from was not recorded."
    return "| source | what | rows | credit | licence |\n|---|---|--:|---|---|\n" + draw_rows(rows)
