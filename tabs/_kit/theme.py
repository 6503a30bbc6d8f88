"""One look: Gradio's theme from the same values as the style sheet, with fonts that are already on the machine."""

from __future__ import annotations

import gradio as gr

FONTS = ("Hiragino Sans", "Noto Sans CJK JP", "Noto Sans JP", "Yu Gothic UI", "Meiryo", "IPAGothic", "sans-serif")
MONOSPACED = ("ui-monospace", "SFMono-Regular", "Menlo", "Consolas", "Noto Sans Mono CJK JP", "monospace")


def theme() -> gr.themes.Base:
    """Indigo on neutral greys, corners of 8 px, no shadows."""
    return gr.themes.Base(
        primary_hue=gr.themes.colors.indigo,
        neutral_hue=gr.themes.colors.slate,
        radius_size=gr.themes.sizes.radius_md,
        font=list(FONTS),
        font_mono=list(MONOSPACED),
    ).set(
        block_shadow="none",
        block_border_width="0px",
        block_background_fill="transparent",
        block_label_background_fill="transparent",
        # Small print is read too: at least 4.5 to 1 on its ground.
        block_info_text_color="*neutral_600",
        block_info_text_color_dark="*neutral_300",
        block_label_text_color="*neutral_700",
        block_label_text_color_dark="*neutral_200",
        block_title_text_color="*neutral_700",
        block_title_text_color_dark="*neutral_200",
        body_text_color_subdued="*neutral_600",
        body_text_color_subdued_dark="*neutral_300",
        button_primary_background_fill="*primary_600",
        button_primary_background_fill_hover="*primary_700",
        body_background_fill="*neutral_50",
        body_background_fill_dark="*neutral_950",
    )
