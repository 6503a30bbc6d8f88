"""The chat template of a tokenizer, to look at: what a conversation becomes before the model sees it."""

from __future__ import annotations

from collections.abc import Sequence

from core.errors import InvalidInput
from core.text.tokenizers import SubwordTokenizer
from core.text.types import ChatPreview


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
        text = tokenizer.model.apply_chat_template(
            [{"role": role, "content": content} for role, content in messages],
            tokenize=False,
            add_generation_prompt=True,
        )
    except (TemplateError, ValueError, TypeError) as error:
        raise InvalidInput("error.text.chat", reason=str(error)) from error
    return ChatPreview(template, text)
