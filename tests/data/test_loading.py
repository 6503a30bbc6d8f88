"""From a source to examples: samples and files, broken rows, and the part that is drawn."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from core.data.examples import LabelledText, ReadingQuestion, RetrievalQuestion, ScoredPair
from core.data.loading import load_examples
from core.data.source import DataSource
from core.data.splits import normalize_content
from core.errors import AppError, InvalidInput
from core.i18n import LOCALES, translate
from core.tasks.choice import TASK as CHOICE
from core.tasks.classification import TASK as CLASSIFICATION
from core.tasks.pairs import TASKS as PAIRS
from core.tasks.registry import TASKS, find_task

SAMPLE_TASKS = (
    ("classification", "reviews"), ("classification", "articles"), ("pair-classification", "inference"),
    ("similarity", "similarity"), ("multiple-choice", "choices"), ("tagging", "entities"),
    ("tagging-crf", "entities"), ("headline", "articles"), ("simcse", "passages"), ("simcse", "inference"),
    ("simcse-supervised", "inference"), ("retrieval", "quiz"), ("reading", "quiz"), ("reading-generative", "quiz"),
    ("causal-lm", "passages"), ("masked-lm", "passages"), ("span-corruption", "passages"),
)  # fmt: skip


def put(folder: Path, name: str, rows: list[dict[str, Any]]) -> str:
    (folder / name).write_text("\n".join(json.dumps(row, ensure_ascii=False) for row in rows), encoding="utf-8")
    return str(folder / name)


def reviews(count: int) -> list[dict[str, Any]]:
    return [{"text": f"映画その{number}", "label": ("よい", "わるい")[number % 4 == 0]} for number in range(count)]


def failure(source: DataSource, task: Any = CLASSIFICATION) -> AppError:
    with pytest.raises(AppError) as caught:
        load_examples(task, source, seed=1)
    for locale in LOCALES:
        assert translate(caught.value.key, locale, **caught.value.params)
    return caught.value


@pytest.mark.parametrize(("name", "sample"), SAMPLE_TASKS)
def test_every_task_has_a_sample(name: str, sample: str) -> None:
    task = find_task(name)
    splits = load_examples(task, DataSource(f"sample:{sample}"), seed=42)
    assert splits.broken == ()
    assert len(splits.train) >= 40
    assert len(splits.validation) == pytest.approx(0.1 * (len(splits.train) + len(splits.validation)), abs=1)
    assert load_examples(task, DataSource(f"sample:{sample}"), seed=42) == splits
    assert load_examples(task, DataSource(f"sample:{sample}"), seed=43).validation != splits.validation
    for example in splits.train[:3]:
        assert task.read(task.write(example)) == example


def test_no_task_goes_without_a_sample() -> None:
    assert {name for name, _ in SAMPLE_TASKS} == set(TASKS)


def test_the_reviews_keep_their_test_part() -> None:
    splits = load_examples(CLASSIFICATION, DataSource("sample:reviews"), seed=1)
    assert (len(splits.train) + len(splits.validation), len(splits.test)) == (400, 200)
    given = load_examples(CLASSIFICATION, DataSource("sample:reviews", "sample:reviews"), seed=1)
    assert (len(given.train), given.validation) == (400, splits.test)


def test_quiz_questions_come_with_passages() -> None:
    for example in load_examples(find_task("reading"), DataSource("sample:quiz"), seed=1).train:
        assert isinstance(example, ReadingQuestion)
        assert example.answers
        for answer in example.answers:
            assert answer.start < 0 or example.context[answer.start : answer.start + len(answer.text)] == answer.text
        assert any(answer.start >= 0 for answer in example.answers)
    for example in load_examples(find_task("retrieval"), DataSource("sample:quiz"), seed=1).train:
        assert isinstance(example, RetrievalQuestion)
        assert example.negatives
        assert not any(answer in passage.text for passage in example.negatives for answer in example.answers)


def test_a_file_with_columns_of_its_own(tmp_path: Path) -> None:
    path = tmp_path / "評判.csv"
    path.write_bytes("本文;星\nよい;5\nわるい;1\nふつう;3\n".encode("cp932"))
    source = DataSource(
        str(path), columns={"text": "本文", "label": "星"}, label_names={"5": "よい", "1": "わるい", "3": ""},
        validation_share=0.0,
    )  # fmt: skip
    splits = load_examples(CLASSIFICATION, source, seed=1)
    assert splits.train == (LabelledText("よい", "よい"), LabelledText("わるい", "わるい"))
    assert splits.validation == splits.test == ()


def test_the_validation_part_is_drawn_from_every_label(tmp_path: Path) -> None:
    path = put(tmp_path, "a.jsonl", reviews(100))
    splits = load_examples(CLASSIFICATION, DataSource(path, validation_share=0.2), seed=3)
    counts = {label: sum(example.label == label for example in splits.validation) for label in ("よい", "わるい")}
    assert counts == {"よい": 15, "わるい": 5}
    assert not {example.text for example in splits.train} & {example.text for example in splits.validation}
    assert sorted((*splits.train, *splits.validation), key=lambda e: e.text) == sorted(
        (CLASSIFICATION.read(row) for row in reviews(100)), key=lambda e: e.text
    )


def test_the_same_text_is_never_on_both_sides(tmp_path: Path) -> None:
    rows = [{"text": f"映画 {number // 3}", "label": "よい"} for number in range(90)]
    rows[1]["text"] = "映画０"  # the same after NFKC and without white space
    path = put(tmp_path, "a.jsonl", rows)
    for seed in range(5):
        splits = load_examples(CLASSIFICATION, DataSource(path), seed=seed)
        sides = [{normalize_content(example.text) for example in part} for part in (splits.train, splits.validation)]
        assert not sides[0] & sides[1]
        assert 6 <= len(splits.validation) <= 9


def test_a_pair_in_the_other_direction_stays_on_its_side(tmp_path: Path) -> None:
    rows = [{"sentence1": f"犬{n}", "sentence2": f"猫{n}", "score": 1} for n in range(30)]
    rows += [{"sentence1": row["sentence2"], "sentence2": row["sentence1"], "score": 1} for row in rows]
    splits = load_examples(PAIRS[1], DataSource(put(tmp_path, "a.jsonl", rows), validation_share=0.3), seed=1)
    held_out = {frozenset((pair.first, pair.second)) for pair in splits.validation}
    assert len(splits.validation) == 18
    assert not held_out & {frozenset((pair.first, pair.second)) for pair in splits.train}


def test_a_limit_is_drawn_by_the_seed(tmp_path: Path) -> None:
    path = put(tmp_path, "a.jsonl", reviews(100))
    first = load_examples(CLASSIFICATION, DataSource(path, limit=20), seed=1)
    assert (len(first.train), len(first.validation)) == (20, 10)
    assert first == load_examples(CLASSIFICATION, DataSource(path, limit=20), seed=1)
    assert first.train != load_examples(CLASSIFICATION, DataSource(path, limit=20), seed=2).train


@pytest.mark.parametrize("own_part", [True, False])
def test_so_many_are_judged_by_and_nothing_else_changes(tmp_path: Path, own_part: bool) -> None:
    path = put(tmp_path, "train.jsonl", reviews(200))
    other = put(tmp_path, "validation.jsonl", reviews(50)) if own_part else ""
    source = DataSource(path, validation=other, validation_share=0.2)
    whole, cut = (load_examples(CLASSIFICATION, replace(source, validation_limit=n), seed=1) for n in (0, 7))
    assert len(cut.validation) == 7 and set(cut.validation) < set(whole.validation)
    assert cut.train == whole.train
    assert cut == load_examples(CLASSIFICATION, replace(source, validation_limit=7), seed=1)


def test_broken_rows_are_told_with_line_and_reason(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    bad = ["よい,", "よい", f"{'あ' * 1_000_001},a", ",a"]
    path.write_text("\n".join(["text,label", *(f"文{n},a" for n in range(10)), *bad]), encoding="utf-8")
    splits = load_examples(CLASSIFICATION, DataSource(str(path)), seed=1)
    assert len(splits.train) + len(splits.validation) == 10
    assert [(row.part, row.line, row.key) for row in splits.broken] == [
        ("train", 12, "error.data.empty_cell"), ("train", 13, "error.data.cells"),
        ("train", 14, "error.data.long_cell"), ("train", 15, "error.data.empty_cell"),
    ]  # fmt: skip
    for row in splits.broken:
        assert translate(row.key, "ja", **row.params)


def test_thirty_megabytes_in_one_cell_are_a_broken_row(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(b"text,label\n" + b"x" * 30_000_000 + b",a\nb,a\nc,a\n")
    splits = load_examples(CLASSIFICATION, DataSource(str(tmp_path / "a.csv"), validation_share=0), seed=1)
    assert [(row.line, row.key) for row in splits.broken] == [(2, "error.data.long_cell")]
    assert len(splits.train) == 2


def test_bytes_that_are_no_text_break_their_row_only(tmp_path: Path) -> None:
    lines = [b"text,label", *(f"文{n},a".encode() for n in range(6)), b"\x93\xfa\xff,a"]
    (tmp_path / "a.csv").write_bytes(b"\n".join(lines))
    splits = load_examples(CLASSIFICATION, DataSource(str(tmp_path / "a.csv"), validation_share=0), seed=1)
    assert [(row.line, row.key) for row in splits.broken] == [(8, "error.data.surrogate")]
    assert len(splits.train) == 6


def test_an_unknown_label_breaks_its_row(tmp_path: Path) -> None:
    train = put(tmp_path, "train.jsonl", reviews(20))
    rows = [{"text": "新しい", "label": "よい"}, {"text": "別の", "label": "よいよい"}]
    splits = load_examples(CLASSIFICATION, DataSource(train, put(tmp_path, "dev.jsonl", rows)), seed=1)
    assert len(splits.validation) == 1
    (broken,) = splits.broken
    assert (broken.part, broken.line, broken.key) == ("validation", 2, "error.data.unknown_label")
    assert broken.params == {"label": "よいよい", "known": "よい, わるい"}
    fixed = load_examples(CLASSIFICATION, DataSource(train, labels=("よい",)), seed=1)
    assert {example.label for example in fixed.train} == {"よい"}
    assert len(fixed.broken) == 5


def test_when_nothing_is_left_the_first_reason_is_told(tmp_path: Path) -> None:
    rows = [{"sentence1": "a", "sentence2": "b", "score": "高い"}] * 3
    error = failure(DataSource(put(tmp_path, "a.jsonl", rows)), PAIRS[1])
    assert (error.key, error.params) == ("error.data.all_broken", {"source": "a.jsonl", "rows": 3, "line": 1})
    assert isinstance(error.__cause__, InvalidInput)
    assert error.__cause__.key == "error.data.not_number"
    (tmp_path / "b.jsonl").write_text("{\n[1]", encoding="utf-8")
    assert failure(DataSource(str(tmp_path / "b.jsonl"))).key == "error.data.all_broken"


def test_sources_that_cannot_be_used_are_told(tmp_path: Path) -> None:
    rows = reviews(4)
    path = put(tmp_path, "a.jsonl", rows)
    assert failure(DataSource("")).key == "error.data.no_training_part"
    assert failure(DataSource("sample:novels")).params["name"] == "novels"
    assert failure(DataSource(path, columns={"text": "本文"})).params["columns"] == "text, label"
    assert failure(DataSource(path), CHOICE).key == "error.data.missing_column"
    assert failure(DataSource(path, label_names={"よい": "", "わるい": ""})).key == "error.data.empty"
    assert failure(DataSource(path, str(tmp_path / "none.csv"))).key == "error.data.no_file"
    (tmp_path / "b.parquet").write_bytes(b"PAR1")
    assert failure(DataSource(str(tmp_path / "b.parquet"))).key == "error.data.parquet"
    assert failure(DataSource("hub:owner/never-seen")).key == "error.data.hub_offline"  # tests run without network


def test_official_jglue_files(tmp_path: Path) -> None:
    jsts = [{"sentence_pair_id": "0", "yjcaptions_id": "1", "sentence1": "犬", "sentence2": "猫", "label": 2.4}] * 2
    jsts[1] = jsts[1] | {"sentence1": "鳥"}
    path = put(tmp_path, "train-v1.1.json", jsts)
    splits = load_examples(PAIRS[1], DataSource(path, validation_share=0), seed=1)
    assert splits.train == (ScoredPair("犬", "猫", 2.4), ScoredPair("鳥", "猫", 2.4))
    jcqa = [{"q_id": n, "question": f"問{n}", **{f"choice{c}": f"{n}{c}" for c in range(5)}, "label": n % 5}
            for n in range(6)]  # fmt: skip
    train = load_examples(CHOICE, DataSource(put(tmp_path, "valid.json", jcqa), validation_share=0), seed=1).train
    assert train[3].choices == ("30", "31", "32", "33", "34")
    assert train[3].answer == 3
    entities = [{"name": "東京", "span": [0, 2], "type": "地名"}]
    ner = tmp_path / "ner.json"
    ner.write_text(json.dumps([{"curid": "1", "text": "東京へ行く", "entities": entities}] * 3), encoding="utf-8")
    tagged = load_examples(find_task("tagging"), DataSource(str(ner), validation_share=0), seed=1).train
    assert [(e.start, e.end, e.label) for e in tagged[0].entities] == [(0, 2, "地名")]
