from __future__ import annotations

import json
from pathlib import Path

import pytest

from core.errors import InvalidInput
from core.text.chat import chat_template, example_template
from core.text.tokenizers import load_tokenizer
from tests.text.tiny import folder, tiny


def test_a_template_is_shown_and_rendered() -> None:
    preview = chat_template(tiny("byte-bpe"), [("user", "こんにちは"), ("assistant", "<b>はい</b>")])
    assert preview is not None
    assert "{{ m.role }}" in preview.template
    assert preview.text == "<user>こんにちは<assistant><b>はい</b><assistant>"


@pytest.mark.parametrize("family", ["mecab", "unigram"])
def test_a_tokenizer_without_template_has_none_but_an_example_that_says_so(family: str) -> None:
    tokenizer, turns = tiny(family), [("user", "猫"), ("assistant", "{{ 1 }}")]
    assert chat_template(tokenizer, turns) is None
    example = example_template(tokenizer, turns)
    assert not example.own
    assert example.text == (
        "<|im_start|>user\n猫<|im_end|>\n<|im_start|>assistant\n{{ 1 }}<|im_end|>\n<|im_start|>assistant\n"
    )
    ids = tokenizer.model(example.mark, add_special_tokens=False)["input_ids"]
    assert example.pieces == tuple(tokenizer.model.convert_ids_to_tokens(ids))
    assert tokenizer.model.chat_template is None, "a shared tokenizer stays as it was"


@pytest.mark.parametrize("template", ["{{ raise_exception('no') }}", "{% if %}", "{{ ''.__class__.__mro__ }}"])
def test_a_template_that_refuses_or_reaches_out_is_an_error(tmp_path: Path, template: str) -> None:
    for file in folder("byte-bpe").iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    (tmp_path / "chat_template.jinja").write_text(template, encoding="utf-8")
    configuration = json.loads((tmp_path / "tokenizer_config.json").read_text(encoding="utf-8"))
    configuration.pop("chat_template", None)
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(configuration), encoding="utf-8")
    with pytest.raises(InvalidInput) as caught:
        chat_template(load_tokenizer(str(tmp_path)), [("user", "猫")])
    assert caught.value.key == "error.text.chat"
