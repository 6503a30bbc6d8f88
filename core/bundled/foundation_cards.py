"""The cards of what everything else is built on, the encoder and the tokenizers: no number in them is typed by hand."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from string import Template
from typing import Any

from core.bundled.corpus import SOURCES

FRONT = """\
---
language: ja
license: cc-by-sa-4.0
library_name: transformers
tags: [$tags]
---

"""

ENCODER = Template(
    FRONT.replace("$tags", "bert, fill-mask, japanese")
    + """\
# 小さな日本語 BERT

LLM入門ラボに付属する、穴埋め(マスク言語モデリング)だけを学んだ小さな BERT です。書籍で東北大 BERT を使うのと同じ手順
(MeCab + unidic-lite で単語に分け、WordPiece でサブワードに分ける `BertJapaneseTokenizer`)で使えます。
$parameters_million 百万パラメータの教材であり、知識を答えさせたり、判断に使ったりするためのものではありません。

# A small Japanese BERT

It comes with LLM Nyumon Lab, has learned to fill blanks and nothing else, and is used as the book uses Tohoku BERT.

```python
from transformers import AutoModelForMaskedLM, AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained("assets/models/encoder")
model = AutoModelForMaskedLM.from_pretrained("assets/models/encoder")
```

## Architecture

BERT (Devlin et al. 2019): $layers layers, width $width, $heads heads, inner width $inner, $vocabulary tokens, $positions
positions, $parameters parameters with input and output embeddings tied. Words are cut by MeCab with unidic-lite after
NFKC, then by WordPiece. Stored in half precision, loaded in single precision.

## Training

Masked-language modelling alone, $masked_percent % of the tokens, 80/10/10 ([MASK], a random token, unchanged);
$steps$planned steps of $tokens_per_step tokens$replanned, $seen tokens seen of a sample of $sample$earlier.
Rows of $short tokens, half of them at random positions so that every position is trained; from step $first_long on, rows
of $long. Half of the rows are two segments cut after a full stop, so that the embedding of segment 1 is trained; there
is no next-sentence prediction, and the pooler is absent.$repeats Training is short, so it did not start from random numbers
alone: the token embeddings began as word vectors counted from the sample (positive pointwise mutual information,
truncated SVD), the output biases as token frequencies. $optimizer, peak learning rate $rate, linear
warm-up and decay to zero, no dropout; the configuration names a dropout of 0.1 for those who fine-tune.
Made by `python -m core.bundled train encoder --data DIR`, seed $seed.

## Held-out results

Measured on documents that training never saw, by `python -m core.bundled evaluate encoder --data DIR` (seed $held_out_seed): rows of $row_tokens
tokens, $hidden_percent % of the tokens hidden, all behind [MASK], unknown words never. Beside it a unigram baseline, which answers every blank
with the token frequencies of the training sample. Loss in nats; top-1 and top-5 are shares of the hidden tokens. The
mix weighs the sources as training did.

| source | hidden | loss | unigram loss | top-1 | unigram top-1 | top-5 | unigram top-5 | unknown |
|---|--:|--:|--:|--:|--:|--:|--:|--:|
$results

## Limits

- It is small and briefly trained: expect frequent words and particles in the right places, not facts.
- A quarter of its text is literature of about 1890 to 1960 and part of it is chat and survey comments, so it can repeat dated or
  discriminatory wording and the views of those texts. Nothing was filtered for that.
- Much of the encyclopedic text is about Kyoto and its history; names and places of other subjects are weak.
- A word with a rare kanji becomes [UNK] as a whole.

## Data and licence

The weights are released under CC BY-SA 4.0, the licence of the most demanding of their sources.

| source | MB | what | credit | licence |
|---|--:|---|---|---|
$data
"""
)

TOKENIZER = Template(
    FRONT.replace("$tags", "tokenizer, japanese")
    + """\
# $title

$japanese

$english $size tokens, trained on $megabytes MB (every $every. document of the sample described in the encoder's card) by
`python -m core.bundled train tokenizers --data DIR`, seed $seed. On held-out text it spends one token on $characters characters.

```python
from transformers import AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained("assets/tokenizers/$name")
```

## Data and licence

CC BY-SA 4.0, the licence of the most demanding of the sources.

| source | what | credit | licence |
|---|---|---|---|
$data
"""
)


def draw_rows(rows: Iterable[Iterable[object]]) -> str:
    """Draw the rows of a Markdown table."""
    return "\n".join("| " + " | ".join(str(cell) for cell in row) + " |" for row in rows)


def write_encoder_card(metrics: Mapping[str, Any], config: Mapping[str, Any]) -> str:
    """Write the encoder's card from what its training and evaluation left, and from its configuration."""
    training, held_out = metrics["training"], metrics["held_out"]
    steps, shape, plans = training["steps"], training["shape"], training["plans"]
    planned = plans[-1][1]
    followed = [f"{total:,} steps from step {start:,} on" for start, total in plans]
    results = [("**mix**", sum(row["hidden_tokens"] for row in held_out["sources"].values()), held_out["overall"], "")]
    results += [(name, row["hidden_tokens"], row, f"{row['unknown']:.2%}") for name, row in held_out["sources"].items()]
    return ENCODER.substitute(
        parameters=f"{training['parameters']:,}",
        parameters_million=f"{training['parameters'] / 1e6:.1f}",
        layers=config["num_hidden_layers"],
        width=config["hidden_size"],
        heads=config["num_attention_heads"],
        inner=config["intermediate_size"],
        vocabulary=f"{config['vocab_size']:,}",
        positions=config["max_position_embeddings"],
        masked_percent=round(100 * shape["masked"]),
        steps=f"{steps:,}",
        planned="" if steps == planned else f" (of {planned:,} planned)",
        replanned="" if len(plans) == 1 else f" (the learning rate was planned for {', then for '.join(followed)})",
        tokens_per_step=f"{shape['tokens_per_step']:,}",
        seen=f"{steps * shape['tokens_per_step'] / 1e6:.1f} M",
        sample=f"{training['tokens_in_sample'] / 1e6:.1f} M",
        short=shape["short"],
        long=shape["long"],
        first_long=f"{planned - round(planned * shape['share_long']):,}",
        rate=shape["learning_rate"],
        optimizer="Muon for the matrices inside and AdamW for the rest" if "weight_decay" in shape else "AdamW",
        repeats=_tell_repeats(shape.get("repeated", 0.0)),
        earlier=tell_earlier(training.get("earlier")),
        seed=training["seed"],
        held_out_seed=held_out["seed"],
        row_tokens=held_out["row_tokens"],
        hidden_percent=round(100 * held_out["hidden_share"]),
        results=draw_rows(
            (
                name,
                f"{hidden:,}",
                *(
                    f"{row[who][measure]:{form}}"
                    for measure, form in (("loss", ".2f"), ("top1", ".1%"), ("top5", ".1%"))
                    for who in ("model", "unigram")
                ),
                unknown,
            )
            for name, hidden, row, unknown in results
        ),
        data=draw_rows(
            (source.name, training["megabytes"][source.name], source.kind, source.credit, source.licence)
            for source in SOURCES
            if source.name in training["megabytes"]
        ),
    )


def _tell_repeats(share: float) -> str:
    """How many of the pairs are made so that one segment helps to fill the blanks of the other."""
    if not share:
        return ""
    return (
        f" In {share:.0%} of these pairs segment 1 is segment 0 again, in phrases of another order, so that the model "
        "learns to look for the same words across segments."
    )


def tell_earlier(training: Mapping[str, Any] | None) -> str:
    """What the model went on from, where it did not begin anew."""
    seen = 0.0
    while training:
        tokens = training.get("tokens_per_step") or training["shape"]["tokens_per_step"]
        seen += training["steps"] * tokens / 1e6
        training = training.get("earlier")
    return f"; it went on from an earlier state that had seen {seen:.1f} M tokens" if seen else ""


def write_tokenizer_card(metrics: Mapping[str, Any], *, title: str, japanese: str, english: str) -> str:
    """Write the card of one tokenizer."""
    data = draw_rows(
        (source.name, source.kind, source.credit, source.licence)
        for source in SOURCES
        if source.name in metrics["sources"]
    )
    return TOKENIZER.substitute(
        {**metrics} | {"megabytes": f"{metrics['megabytes']:.1f}", "characters": f"{metrics['characters_per_token']:.2f}"},
        title=title, japanese=japanese, english=english, data=data,
    )  # fmt: skip
