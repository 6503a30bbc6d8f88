"""The whole evaluation on a tiny family, its files and cards; and what the shipped weights must still say."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from sklearn.metrics import accuracy_score

from core.bundled.__main__ import main
from core.bundled.files import read_json
from core.bundled.held_out import find_part, read_inference, read_searches, read_sentiment, read_similarity
from core.bundled.measures import MEASURES, Measure, load_shipped, measure_sample
from core.bundled.scores import (
    LINES,
    METRICS,
    find_shortfalls,
    is_shipped,
    measure_family,
    read_scores,
    render_card,
    replace_table,
    scores_table,
)
from core.bundled.splits import split_jnli
from core.bundled.task_cards import SUBJECTS
from core.data import examples
from core.data.splits import normalize_content
from core.tasks.registry import find_task
from tests.bundled.family import ASSETS, LABELS, SENTENCES, build_family, write_data, write_rows

PROMISED = tuple(
    """
sentiment.accuracy jnli.accuracy jsts.spearman jsts.pearson jcommonsenseqa.accuracy ner.argmax_f1 ner.viterbi_f1
ner.crf_f1 simcse_unsup.spearman simcse_sup.spearman mean_pooling.spearman headline.rouge1 headline.rouge_l lead.rouge1
headline.bleu headline.bertscore lead.bertscore
retrieval.bm25_recall@1 retrieval.bpr_recall@1 retrieval.hybrid_recall@1 retrieval.bm25_recall@10
retrieval.bpr_recall@10 retrieval.hybrid_recall@10 reader.exact_match reader.f1 encoder.mlm_loss encoder.mlm_accuracy
decoder.perplexity seq2seq.loss
""".split()  # noqa: SIM905 - a list of that many names is harder to read
)
BASELINES = tuple(
    """
sentiment.majority sentiment.naive_bayes jnli.majority jsts.bigram_overlap jcommonsenseqa.majority ner.dictionary
encoder.unigram decoder.unigram decoder.trigram seq2seq.unigram seq2seq.trigram
jnli.own_majority jsts.own_bigram_overlap
""".split()  # noqa: SIM905
)
SHARE_TOLERANCE = 0.041  # two of fifty answers: another processor rounds otherwise
LOSS_TOLERANCE = 0.01
BY_FOLDER = {measure.folder: measure for measure in MEASURES}
SHIPPED = tuple(folder.name for folder in sorted((ASSETS / "models").iterdir()) if is_shipped(folder))


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    write_data(folder)
    return folder


@pytest.fixture(scope="module")
def assets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("assets")
    build_family(folder)
    return folder


@pytest.fixture(scope="module")
def written(data: Path, assets: Path) -> Path:
    """The numbers of the whole family, measured by the command, with everything written."""
    numbers = assets / "numbers.json"
    main(["evaluate", "--data", str(data), "--assets", str(assets), "--json", str(numbers), "--write"])
    return numbers


def flatten(scores: dict[str, dict[str, float]]) -> dict[str, float]:
    return {f"{task}.{metric}": value for task, numbers in scores.items() for metric, value in numbers.items()}


def test_every_promised_number_is_there(written: Path) -> None:
    found = flatten(json.loads(written.read_text(encoding="utf-8")))
    assert [name for name in (*PROMISED, *BASELINES) if name not in found] == []
    assert all(isinstance(value, (int, float)) for value in found.values())
    table = scores_table(read_json(written))
    assert table.count("\n") == len(LINES) + 1
    assert [row for row in table.splitlines()[2:] if "**" not in row.split(" | ")[2]] == []


def test_the_folders_hold_the_same_numbers(written: Path, assets: Path) -> None:
    assert flatten(read_scores(assets)) == flatten(read_json(written))


def test_numbers_are_those_of_the_predictions(written: Path, data: Path, assets: Path) -> None:
    found = flatten(read_json(written))
    sentiment = load_shipped(assets / "models/sentiment", BY_FOLDER["sentiment"])
    economy, _ = read_sentiment(data)
    answers = [prediction.predicted for prediction in sentiment.predict(economy)]
    assert found["sentiment.accuracy"] == pytest.approx(accuracy_score([e.label for e in economy], answers), abs=1e-4)
    assert found["sentiment.examples"] == len(economy) == 32  # the middle mark says neither


def test_retrieval_agrees_with_the_task(written: Path, data: Path, assets: Path) -> None:
    found = flatten(read_json(written))
    retriever = load_shipped(assets / "models/retrieval", BY_FOLDER["retrieval"])
    own = retriever.score(read_searches(data))
    assert found["retrieval.bpr_recall@1"] == pytest.approx(own["recall@1"], abs=1e-4)
    assert found["retrieval.bpr_recall@10"] == pytest.approx(own["recall@10"], abs=1e-4)
    assert found["retrieval.bm25_recall@1"] == 1.0  # each question begins like its passage alone
    assert found["retrieval.hybrid_recall@10"] == 1.0


def test_counting_beats_random_weights(written: Path) -> None:
    # The corpus is formulaic: a trigram model of it must be nearly sure.
    found = flatten(read_json(written))
    assert found["decoder.trigram"] < found["decoder.unigram"] < found["decoder.perplexity"]
    assert found["seq2seq.unigram"] < found["seq2seq.loss"]


def test_cards_are_made_of_the_files(written: Path, assets: Path) -> None:
    assert written.exists()
    for folder in sorted((assets / "models").iterdir()):
        if folder.name == "encoder":
            continue
        card = (folder / "README.md").read_text(encoding="utf-8")
        assert card == render_card(folder, assets)
        assert "$" not in card
        assert "cc-by-sa-4.0" in card
    card = (assets / "models/sentiment/README.md").read_text(encoding="utf-8")
    assert "| own | sentences | 150 | us | CC0 1.0 |" in card
    assert "12 steps" in card
    assert "epochs 3." in card  # what is off is not told
    assert "It does not beat" in card
    assert "ironic" in card


def test_a_new_encoder_changes_what_the_cards_say_of_it(
    written: Path, data: Path, assets: Path, tmp_path: Path
) -> None:
    """SimCSE's card compares it with the bare encoder, whose number is kept once, with the encoder."""
    found = flatten(read_json(written))["mean_pooling.spearman"]
    shutil.copytree(assets / "models", tmp_path / "models")
    metrics, card = (tmp_path / "models" / name for name in ("encoder/metrics.json", "simcse/README.md"))
    fresh, told = read_json(metrics), card.read_text(encoding="utf-8")
    fresh["measured"]["mean_pooling"]["spearman"] = -0.9876
    metrics.write_text(json.dumps(fresh), encoding="utf-8")
    card.write_text(render_card(card.parent, tmp_path), encoding="utf-8")
    assert "mean pooling -0.988" in card.read_text(encoding="utf-8")
    main(["evaluate", "encoder", "--data", str(data), "--assets", str(tmp_path), "--write"])
    assert flatten(read_scores(tmp_path))["mean_pooling.spearman"] == found
    assert card.read_text(encoding="utf-8") == told


@pytest.mark.parametrize("name", SUBJECTS)
def test_the_code_of_a_card_makes_an_example_of_its_task(name: str) -> None:
    subject = SUBJECTS[name]
    example = eval(subject.call, {kind: getattr(examples, kind) for kind in subject.examples.split(", ")})
    task = find_task(BY_FOLDER[name].task)
    row = task.write(example)
    assert row
    if name != "headline":  # an article whose headline is still to be written
        assert task.read(row) == example


def test_what_is_not_shipped_is_told(
    data: Path, assets: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(assets / "models/similarity", tmp_path / "assets/models/similarity")
    numbers = tmp_path / "numbers.json"
    main(["evaluate", "similarity", "tagging", "--data", str(data), "--assets", str(tmp_path / "assets"),
          "--json", str(numbers)])  # fmt: skip
    told = capsys.readouterr().out
    assert "not shipped: tagging" in told
    assert "not shipped: similarity" not in told
    found = flatten(read_json(numbers))
    assert "jsts.spearman" in found
    assert "ner.dictionary" in found
    assert "ner.viterbi_f1" not in found


def test_missing_data_is_told(assets: Path, tmp_path: Path) -> None:
    (outcome,) = measure_family(tmp_path, assets, only=("reading",))
    assert outcome.shipped
    assert not outcome.data
    assert outcome.scores == {}


def test_an_unknown_name_is_refused(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["evaluate", "sentimental", "--data", str(data)])
    assert "sentimental" in capsys.readouterr().err


def test_shortfalls_name_what_is_not_beaten() -> None:
    line = next(line for line in LINES if line.name == "jnli.accuracy")
    assert find_shortfalls({"jnli": {"accuracy": 0.6, "majority": 0.5}}, [line]) == []
    (told,) = find_shortfalls({"jnli": {"accuracy": 0.5, "majority": 0.5}}, [line])
    assert "majority" in told
    lower = next(line for line in LINES if line.name == "decoder.perplexity")
    assert find_shortfalls({"decoder": {"perplexity": 40.0, "trigram": 60.0}}, [lower]) == []
    assert len(find_shortfalls({"decoder": {"perplexity": 70.0, "trigram": 60.0}}, [lower])) == 1


def test_table_goes_between_its_comments() -> None:
    text = "a\n<!-- scores -->\nold\n<!-- /scores -->\nb\n"
    assert replace_table(text, "new") == "a\n<!-- scores -->\nnew\n<!-- /scores -->\nb\n"
    assert replace_table("nothing", "new") == "nothing"


def test_parts_are_found_by_name(tmp_path: Path) -> None:
    write_rows(tmp_path / "set/test.jsonl", [{"text": "a"}])
    write_rows(tmp_path / "set/valid-v1.1.json", [{"text": "a"}])
    write_rows(tmp_path / "set/valid-v1.3.json", [{"text": "b"}])
    assert find_part(tmp_path, "set", ("dev", "valid", "test")) == tmp_path / "set/valid-v1.3.json"
    assert find_part(tmp_path, "set", ("test",)) == tmp_path / "set/test.jsonl"
    assert find_part(tmp_path, "set", ("train",)) is None


def test_jnli_is_read_whole_from_a_test_file_and_in_part_from_the_validation_file(tmp_path: Path) -> None:
    rows = [
        {"sentence1": one, "sentence2": other, "label": LABELS[number % 3], "yjcaptions_id": f"{number}-1-2"}
        for number, (one, other) in enumerate(zip(SENTENCES[::2], SENTENCES[1::2], strict=True))
    ]
    write_rows(tmp_path / "jglue/jnli/valid.jsonl", rows)
    _, kept = split_jnli(rows)
    assert [(pair.first, pair.second) for pair in read_inference(tmp_path)] == [
        (row["sentence1"], row["sentence2"]) for row in kept
    ]
    assert 0 < len(kept) < len(rows) / 4
    write_rows(tmp_path / "jglue/jnli/test.jsonl", rows[:20])
    assert len(read_inference(tmp_path)) == 20


def test_jnli_parts_share_no_sentence_and_no_picture() -> None:
    # Both directions of each pair, chains of shared sentences, and pictures shared by different sentences.
    rows = []
    for number, sentence in enumerate(SENTENCES[:-1]):
        other = SENTENCES[number + 1] if number % 3 else f"{sentence}と言った。"
        for one, two in ((sentence, other), (other, sentence)):
            rows.append({"sentence1": one, "sentence2": two, "yjcaptions_id": f"{number // 4}-1-2"})
    train, kept = split_jnli(rows, share=0.2)
    assert len(train) + len(kept) == len(rows)
    assert 0.1 < len(kept) / len(rows) <= 0.2
    sentences = [
        {normalize_content(row[name]) for row in part for name in ("sentence1", "sentence2")} for part in (train, kept)
    ]
    assert not sentences[0] & sentences[1]
    pictures = [{row["yjcaptions_id"].partition("-")[0] for row in part} for part in (train, kept)]
    assert not pictures[0] & pictures[1]
    again = split_jnli(rows[::-1], share=0.2)[1]
    assert {id(row) for row in again} == {id(row) for row in kept}
    assert {id(row) for row in split_jnli(rows, share=0.2, seed=4)[1]} != {id(row) for row in kept}


def test_pairs_of_jsts_are_read_with_their_label_as_score(data: Path) -> None:
    assert [pair.score for pair in read_similarity(data)[:3]] == [0.0, 0.5, 1.0]


def test_every_shipped_folder_has_a_measure() -> None:
    assert [name for name in SHIPPED if name not in BY_FOLDER] == []


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_weights_still_give_their_numbers(name: str) -> None:
    folder, measure = ASSETS / "models" / name, BY_FOLDER[name]
    kept = read_json(folder / METRICS).get("sample")
    assert kept, f"run: python -m core.bundled evaluate {name} --data DIR --write"
    check_sample(folder, measure, kept)


def check_sample(folder: Path, measure: Measure, kept: dict[str, float]) -> None:
    found = measure_sample(load_shipped(folder, measure), measure)
    assert found.keys() == kept.keys()
    for metric, value in kept.items():
        tolerance = LOSS_TOLERANCE * value if metric.endswith("loss") else SHARE_TOLERANCE
        assert found[metric] == pytest.approx(value, abs=tolerance), metric


def test_a_number_that_moved_is_noticed_and_the_same_is_not(written: Path, assets: Path) -> None:
    assert written.exists()
    kept = read_json(assets / "models/decoder" / METRICS)["sample"]
    with pytest.raises(AssertionError):
        check_sample(assets / "models/decoder", BY_FOLDER["decoder"], kept | {"loss": kept["loss"] * 1.05})
    check_sample(assets / "models/decoder", BY_FOLDER["decoder"], kept)


@pytest.mark.parametrize("name", [name for name in SHIPPED if name != "encoder"])
def test_shipped_cards_are_made_of_their_files(name: str) -> None:
    folder = ASSETS / "models" / name
    assert (folder / "README.md").read_text(encoding="utf-8") == render_card(folder, ASSETS)
