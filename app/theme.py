"""Gradio's variables, said in the tokens of ``static/css/studio.css``.

The tokens change between light and dark by themselves, so that each variable
has one value here and both of its twins are set to it.
"""

from __future__ import annotations

import inspect

import gradio as gr
from gradio.themes.utils.fonts import LocalFont

_SANS = (LocalFont("IBM Plex Sans", (400, 600, 700)), "Noto Sans CJK SC", "Noto Sans SC", "PingFang SC")
_MONO = (LocalFont("IBM Plex Mono", (400, 600)), "ui-monospace", "Consolas", "monospace")

# A judgement: dense enough that tables and forms fit into a window, large enough for a finger.
_SIZES = {
    "layout_gap": "16px",
    "form_gap_width": "0px",
    "block_radius": "10px",
    "block_padding": "12px 14px",
    "container_radius": "10px",
    "input_radius": "8px",
    "input_padding": "8px 10px",
    "checkbox_border_radius": "4px",
    "checkbox_label_padding": "6px 12px",
    "table_radius": "8px",
    "button_large_radius": "8px",
    "button_large_padding": "8px 18px",
    "button_large_text_size": "15px",
    "button_medium_radius": "8px",
    "button_medium_padding": "6px 14px",
    "button_medium_text_size": "14px",
    "button_small_radius": "8px",
    "button_small_padding": "4px 12px",
    "button_small_text_size": "13.5px",
    "button_small_text_weight": "600",
}

_VARIABLES = {
    "body_background_fill": "var(--ts-bg)",
    "body_text_color": "var(--ts-text)",
    "body_text_color_subdued": "var(--ts-muted)",
    "background_fill_primary": "var(--ts-surface)",
    "background_fill_secondary": "var(--ts-raised)",
    "border_color_primary": "var(--ts-border)",
    "border_color_accent": "var(--ts-accent)",
    "border_color_accent_subdued": "var(--ts-border-strong)",
    "color_accent": "var(--ts-accent-text)",
    "color_accent_soft": "var(--ts-accent-soft)",
    "link_text_color": "var(--ts-accent-text)",
    "link_text_color_hover": "var(--ts-accent-strong)",
    "link_text_color_active": "var(--ts-accent-strong)",
    "link_text_color_visited": "var(--ts-accent-text)",
    "code_background_fill": "var(--ts-raised)",
    "shadow_drop": "none",
    "shadow_drop_lg": "var(--ts-shadow)",
    "shadow_inset": "none",
    "shadow_spread": "0px",
    "block_background_fill": "var(--ts-surface)",
    "block_border_color": "var(--ts-border)",
    "block_border_width": "1px",
    "block_info_text_color": "var(--ts-muted)",
    "block_label_background_fill": "transparent",
    "block_label_border_color": "transparent",
    "block_label_border_width": "0px",
    "block_label_text_color": "var(--ts-muted)",
    "block_label_text_weight": "600",
    "block_shadow": "none",
    "block_title_background_fill": "transparent",
    "block_title_text_color": "var(--ts-text)",
    "block_title_text_weight": "600",
    "panel_background_fill": "transparent",
    "panel_border_color": "var(--ts-border)",
    "accordion_text_color": "var(--ts-text)",
    "table_text_color": "var(--ts-text)",
    "table_even_background_fill": "var(--ts-surface)",
    "table_odd_background_fill": "var(--ts-surface)",
    "table_border_color": "var(--ts-border)",
    "table_row_focus": "var(--ts-accent-soft)",
    "stat_background_fill": "var(--ts-accent-soft)",
    "checkbox_background_color": "var(--ts-field)",
    "checkbox_background_color_focus": "var(--ts-field)",
    "checkbox_background_color_hover": "var(--ts-field)",
    "checkbox_background_color_selected": "var(--ts-accent)",
    "checkbox_border_color": "var(--ts-field-border)",
    "checkbox_border_color_focus": "var(--ts-accent)",
    "checkbox_border_color_hover": "var(--ts-accent)",
    "checkbox_border_color_selected": "var(--ts-accent)",
    "checkbox_label_background_fill": "var(--ts-surface)",
    "checkbox_label_background_fill_hover": "var(--ts-raised)",
    "checkbox_label_background_fill_selected": "var(--ts-accent-soft)",
    "checkbox_label_border_color": "var(--ts-border)",
    "checkbox_label_border_color_hover": "var(--ts-border-strong)",
    "checkbox_label_border_color_selected": "var(--ts-accent)",
    "checkbox_label_text_color": "var(--ts-text)",
    "checkbox_label_text_color_selected": "var(--ts-text)",
    "checkbox_shadow": "none",
    "error_background_fill": "var(--ts-bad-soft)",
    "error_border_color": "var(--ts-bad)",
    "error_text_color": "var(--ts-bad)",
    "error_icon_color": "var(--ts-bad)",
    "input_background_fill": "var(--ts-field)",
    "input_background_fill_focus": "var(--ts-field)",
    "input_background_fill_hover": "var(--ts-field)",
    "input_border_color": "var(--ts-field-border)",
    "input_border_color_focus": "var(--ts-accent)",
    "input_border_color_hover": "var(--ts-muted)",
    "input_border_width": "1px",
    "input_placeholder_color": "var(--ts-muted)",
    "input_shadow": "none",
    "input_shadow_focus": "0 0 0 3px var(--ts-focus)",
    "loader_color": "var(--ts-accent)",
    "slider_color": "var(--ts-accent)",
    "button_border_width": "1px",
    "button_primary_background_fill": "var(--ts-accent)",
    "button_primary_background_fill_hover": "var(--ts-accent-strong)",
    "button_primary_border_color": "var(--ts-accent)",
    "button_primary_border_color_hover": "var(--ts-accent-strong)",
    "button_primary_text_color": "var(--ts-on-accent)",
    "button_primary_text_color_hover": "var(--ts-on-accent)",
    "button_primary_shadow": "none",
    "button_primary_shadow_hover": "none",
    "button_primary_shadow_active": "none",
    "button_secondary_background_fill": "var(--ts-surface)",
    "button_secondary_background_fill_hover": "var(--ts-raised)",
    "button_secondary_border_color": "var(--ts-border-strong)",
    "button_secondary_border_color_hover": "var(--ts-muted)",
    "button_secondary_text_color": "var(--ts-text)",
    "button_secondary_text_color_hover": "var(--ts-text)",
    "button_secondary_shadow": "none",
    "button_secondary_shadow_hover": "none",
    "button_secondary_shadow_active": "none",
    "button_cancel_background_fill": "var(--ts-surface)",
    "button_cancel_background_fill_hover": "var(--ts-bad-soft)",
    "button_cancel_border_color": "var(--ts-bad)",
    "button_cancel_border_color_hover": "var(--ts-bad)",
    "button_cancel_text_color": "var(--ts-bad)",
    "button_cancel_text_color_hover": "var(--ts-bad)",
    "button_cancel_shadow": "none",
    "button_cancel_shadow_hover": "none",
    "button_cancel_shadow_active": "none",
}


def theme() -> gr.themes.Base:
    """The look of every Gradio component, light and dark."""
    base = gr.themes.Base(
        primary_hue="teal",
        neutral_hue="slate",
        spacing_size=gr.themes.sizes.spacing_sm,
        radius_size=gr.themes.sizes.radius_sm,
        text_size=gr.themes.sizes.text_md,
        font=_SANS,
        font_mono=_MONO,
    )
    # Not every variable has a dark twin, and Gradio refuses a name that it does not know.
    known = inspect.signature(base.set).parameters
    dark = {f"{name}_dark": value for name, value in _VARIABLES.items() if f"{name}_dark" in known}
    return base.set(**_SIZES, **_VARIABLES, **dark)
