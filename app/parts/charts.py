"""A place for charts, which a script of ours draws with Plotly; the script says in what form its value comes."""

from __future__ import annotations

import gradio as gr

from app.files import PLOTLY, asset
from app.i18n import say

TOOLS = ("log", "csv", "png", "svg", "enlarge")

# Values that come while the script is still on its way wait for it: each may hold points of its own.
_SCRIPT = """
const waiting = [props.value];
let take = (value) => waiting.push(value);
watch('value', () => take(props.value));
tunesmith.waits(import('SCRIPT').then((module) => {
	take = module.mount(element, 'PLOTLY');
	waiting.forEach((value) => take(value));
}));
"""


def charts(elem_id: str, script: str, above: str = "") -> gr.HTML:
    """An empty set of charts; ``script`` is one of ``static/js``, ``above`` our HTML over them."""
    return gr.HTML(
        value="",
        html_template=f'{above}<div class="ts-charts"></div>',
        js_on_load=_SCRIPT.replace("SCRIPT", asset(script)).replace("PLOTLY", asset(PLOTLY)),
        elem_id=elem_id,
        apply_default_css=False,
    )


def words(language: str) -> dict[str, str]:
    """What the buttons beside each chart say."""
    return {name: say(f"charts.{name}", language) for tool in TOOLS for name in (tool, f"{tool}_help")}
