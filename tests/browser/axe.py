"""What axe-core complains of on a page as it is, and names of controls that say nothing."""

from __future__ import annotations

import re
from typing import Any

from axe_playwright_python.base import AXE_SCRIPT
from playwright.sync_api import Page

COLOURS = ["color-contrast", "link-in-text-block"]
AXE = """async ([only, without]) => {
	const rules = Object.fromEntries(without.map((rule) => [rule, { enabled: false }]));
	const some = only.length ? { runOnly: only } : {};
	const found = await axe.run(document, { resultTypes: ["violations"], rules, ...some });
	return found.violations.flatMap((rule) => rule.nodes.map((node) => {
		const why = [...node.any, ...node.all, ...node.none].map((one) => one.message).join("; ");
		return `${rule.id}: ${node.target.join(" ")}: ${why}`;
	}));
}"""
CONTROLS = {"button", "checkbox", "combobox", "link", "radio", "radiogroup", "searchbox", "slider",
            "spinbutton", "tab", "textbox"}  # fmt: skip
# As Gradio names them: by their kind, by their place among others, in English only, with a drawn arrow.
SAYS_NOTHING = re.compile(
    r"^(textbox|radio|radio group|checkbox|checkbox group|dropdown|number|slider|)$|^(remove|移除) ?\d+$"
    r"|^(range slider|number input) for|^reset to default|▼",
    re.I,
)


def told(page: Page, colours: bool = True) -> list[str]:
    """Every complaint of the page as it is; of its ``colours`` in the theme it is in and in the other one.

    Colours are the most of what axe computes, and the same in each language: they are asked for in one.
    """
    page.evaluate(AXE_SCRIPT)
    found = page.evaluate(AXE, [[], [] if colours else COLOURS])
    if colours:
        found += _in_the_other_theme(page)
    nodes = page.context.new_cdp_session(page).send("Accessibility.getFullAXTree")["nodes"]
    return found + [f"a name that says nothing: {role} {name!r}" for role, name in names(nodes)]


def _in_the_other_theme(page: Page) -> list[str]:
    page.evaluate("""() => {
        const dark = !document.documentElement.classList.contains("dark");
        if (window.tunesmith) window.tunesmith.setTheme(dark ? "dark" : "light");
        else document.documentElement.classList.toggle("dark", dark);
    }""")
    return [f"the other theme, {line}" for line in page.evaluate(AXE, [COLOURS, []])]


def names(nodes: list[dict[str, Any]]) -> list[tuple[str, str]]:
    """Roles and names of controls whose name says nothing."""
    controls = [
        (node["role"]["value"], str((node.get("name") or {}).get("value", "")).strip())
        for node in nodes
        if not node.get("ignored") and node.get("role", {}).get("value") in CONTROLS
    ]
    return [(role, name) for role, name in controls if SAYS_NOTHING.search(name)]
