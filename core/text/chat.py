"""The chat template of a tokenizer, to look at: what a conversation becomes before the model sees it."""

from __future__ import annotations

from collections.abc import Sequence

from core.errors import InvalidInput
from core.text.tokenization import tokenize
from core.text.tokenizers import SubwordTokenizer
from core.text.types import ChatPreview

MARK = "<|im_start|>"
# ChatML, the format of OpenAI's first chat models, which many open models have taken over.
CHATML = (
    "{% for message in messages %}<|im_start|>{{ message.role }}\n{{ message.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def chat_template(tokenizer: SubwordTokenizer, messages: Sequence[tuple[str, str]]) -> ChatPreview | None:
    """Render (role, content) messages by the tokenizer's own chat template; None where it has none.

    Raises:
        InvalidInput: ``error.text.chat`` (reason): the template refuses these messages, e.g. two of one role in a row.
    """
    from jinja2 import TemplateError

    if not tokenizer.model.chat_template:
        return None
    try:
        template = tokenizer.model.get_chat_template()
        return ChatPreview(template, _render(tokenizer, template, messages))
    except (TemplateError, ValueError, TypeError) as error:
        raise InvalidInput("error.text.chat", reason=str(error)) from error


def example_template(tokenizer: SubwordTokenizer, messages: Sequence[tuple[str, str]]) -> ChatPreview:
    """The same by ChatML, for a tokenizer without a template, and how it cuts the mark that begins a message."""
    pieces = tuple(token.piece for token in tokenize(MARK, tokenizer).content())
    return ChatPreview(CHATML, _render(tokenizer, CHATML, messages), own=False, mark=MARK, pieces=pieces)


def _render(tokenizer: SubwordTokenizer, template: str, messages: Sequence[tuple[str, str]]) -> str:
    turns = [{"role": role, "content": content} for role, content in messages]
    rendered: str = tokenizer.model.apply_chat_template(
        turns, chat_template=template, tokenize=False, add_generation_prompt=True
    )
    return rendered
