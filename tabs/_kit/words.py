"""Words on the page: labels that Gradio translates in the browser, and HTML that carries both languages."""

from __future__ import annotations

import html
import re

import gradio as gr
from gradio.i18n import I18nData

from core.i18n import DEFAULT_LOCALE, LOCALES, Locale, as_locale, preferred_locale, translate, words

LANGUAGE_COOKIE = "lab-language"


def catalogue(page: gr.Blocks) -> gr.I18n:
    """The words that Gradio translates on `page`, and no others: they travel with every first load."""
    keys = sorted(set(re.findall(r'"translation_metadata", "key": "([^"]+)"', str(page.get_config_file()))))
    return gr.I18n(**{locale: {key: words(locale)[key] for key in keys} for locale in LOCALES})


def t(key: str) -> I18nData:
    """The word `key` as a label, translated in the visitor's browser; for use while the page is built.

    Raises:
        KeyError: the catalogue lacks it; better here than an empty label there.
    """
    if key not in words(DEFAULT_LOCALE):
        raise KeyError(key)
    return I18nData(key)


def both(key: str, tag: str = "span") -> str:
    """The word `key` as HTML in both languages; the style sheet shows the visitor's."""
    return "".join(f'<{tag} lang="{locale}">{html.escape(translate(key, locale))}</{tag}>' for locale in LOCALES)


def locale_of(request: gr.Request | None) -> Locale:
    """The visitor's language: what they chose on the page, else what their browser asks for, else Japanese."""
    if request is None or request.request is None:
        return DEFAULT_LOCALE
    return as_locale(request.cookies.get(LANGUAGE_COOKIE)) or preferred_locale(
        request.headers.get("accept-language", "")
    )
