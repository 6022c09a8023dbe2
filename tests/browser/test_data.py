"""The Data page in a real browser: upload, correct, import, look, take out."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from studio_core.data import store
from tests.browser.conftest import Served, choose, screenshot, visit

pytestmark = pytest.mark.browser

HOSTILE = (
    "<img src=x onerror=\"document.title='run'\"><script>document.title='run'</script>${alert(1)}{{name}}"
)


def jsonl(path: Path, rows: list[object]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def upload(page: Page, path: Path) -> None:
    page.locator("#data-file input[type=file]").set_input_files(path)


def fill(page: Page, id: str, text: str) -> None:
    page.locator(f"#{id} textarea, #{id} input").fill(text)


def pick(page: Page, id: str, option: str) -> None:
    page.locator(f"#{id} input").click()
    # The list of the dropdown before may still be on its way out.
    page.get_by_role("option", name=option, exact=True).last.click()


def test_a_file_is_understood_imported_and_shown(page: Page, served: Served, tmp_path: Path) -> None:
    rows: list[object] = [
        {"instruction": f"Who is {n}?", "output": f"I am {n}, {{{{name}}}}."} for n in range(30)
    ]
    rows[4] = {"instruction": "Who?", "output": ""}
    visit(page, "/data")
    upload(page, jsonl(tmp_path / "my file.jsonl", rows))
    found = page.locator("#data-found")
    expect(found).to_contain_text("JSONL")
    expect(found).to_contain_text("It has the Alpaca columns instruction and output.")
    expect(page.locator("#data-shape input")).to_have_value("prompts with answers")
    expect(page.locator("#data-part-prompt input")).to_have_value("instruction")
    expect(page.locator("#data-rejected td").first).to_have_text("5")
    expect(page.locator("#data-rejected")).to_contain_text("the answer in 'output' is empty (turn 1)")
    expect(page.locator("#data-preview mark.ts-trained").nth(1)).to_have_text("I am 0, {{name}}.<|end|>")
    fill(page, "data-fill-0", "Ada")
    page.locator("#data-name textarea, #data-name input").focus()
    expect(page.locator("#data-preview mark.ts-trained").nth(1)).to_have_text("I am 0, Ada.<|end|>")
    expect(page.locator("#data-name textarea, #data-name input")).to_have_value("my-file")
    fill(page, "data-name", "browser-sft")
    page.get_by_role("button", name="Import the good rows (29)").click()
    expect(page.locator("#data-answer")).to_contain_text("Stored 29 rows as browser-sft, version 1.")
    expect(page.locator("#data-list")).to_contain_text("browser-sft")
    dataset = store.get(served.studio, "browser-sft")
    assert (dataset.rows, dataset.rejected_count, dataset.shape) == (29, 1, "prompt-completion")
    assert store.records(served.studio, dataset, limit=1)[0]["completion"][0]["content"] == "I am 0, Ada."

    page.locator("#data-answer").get_by_role("link", name="Open").click()
    expect(page.locator("#data-records tbody tr")).to_have_count(25)
    page.locator("#data-next").click()
    expect(page.locator("#data-position")).to_contain_text("26 to 29 of 29")
    expect(page.locator("#data-records tbody tr")).to_have_count(4)
    page.locator("#data-records tbody tr").last.click()
    page.get_by_role("tab", name="As the model sees it").click()
    fill(page, "data-preview-limit", "8")
    expect(page.locator("#data-preview del.ts-cut").nth(1)).to_be_visible()
    page.get_by_role("tab", name="Export").click()
    with page.expect_download() as download:
        page.get_by_role("link", name="Download browser-sft-v1.jsonl").click()
    lines = Path(download.value.path()).read_text(encoding="utf-8").splitlines()
    assert [json.loads(line) for line in lines] == store.records(served.studio, dataset)
    assert download.value.suggested_filename == "browser-sft-v1.jsonl"
    assert list(served.studio.settings.uploads.glob("*.jsonl")) == []
    expect(page.locator("#dataset-head").get_by_role("link", name="Train on this")).to_have_attribute(
        "href", "/train?dataset=browser-sft@1"
    )


def test_columns_with_other_names_are_assigned_by_hand(page: Page, served: Served, tmp_path: Path) -> None:
    visit(page, "/data")
    upload(page, jsonl(tmp_path / "odd.jsonl", [{"frage": "q", "gut": "a", "schlecht": "b"}] * 2))
    expect(page.locator("#data-found")).to_contain_text("Choose which column is")
    expect(page.locator("#data-import")).to_be_disabled()
    pick(page, "data-shape", "preference pairs (chosen and rejected)")
    for part, column in (("prompt", "frage"), ("chosen", "gut"), ("rejected", "schlecht")):
        expect(page.locator(f"#data-part-{part} input")).to_be_visible()
        pick(page, f"data-part-{part}", column)
    page.get_by_role("button", name="Import all rows (2)").click()
    expect(page.locator("#data-answer")).to_contain_text("Stored 2 rows as odd, version 1.")
    [record, _] = store.records(served.studio, store.get(served.studio, "odd"))
    assert [record[key][0]["content"] for key in ("prompt", "chosen", "rejected")] == ["q", "a", "b"]


def test_a_bad_file_is_refused_in_a_sentence(page: Page, served: Served, tmp_path: Path) -> None:
    before = len(store.all_datasets(served.studio))
    visit(page, "/data")
    for name, content, sentence in (
        ("empty.jsonl", b"\n", "empty.jsonl is empty."),
        ("cut.json", b'[{"text": "a"}, {"text"', "ends in the middle of row 2: it was cut off"),
        ("latin.csv", "text,b\ncafé au lait,1\n".encode("latin-1"), "is not UTF-8: byte 10 does not fit"),
    ):
        (tmp_path / name).write_bytes(content)
        upload(page, tmp_path / name)
        expect(page.locator("#data-answer [role=alert]")).to_contain_text(sentence)
        expect(page.locator("#data-import")).to_be_hidden()
        page.locator("#data-file").get_by_role("button", name="Clear").click()
        expect(page.locator("#data-answer [role=alert]")).to_have_count(0)
    assert len(store.all_datasets(served.studio)) == before


def test_a_name_that_will_not_do_loses_nothing(page: Page, tmp_path: Path) -> None:
    visit(page, "/data")
    upload(page, jsonl(tmp_path / "a.jsonl", [{"text": "t"}]))
    button = page.get_by_role("button", name="Import all rows (1)")
    expect(button).to_be_enabled()
    fill(page, "data-name", "../../etc")
    button.click()
    expect(page.get_by_text("The name '../../etc' does not do")).to_be_visible()
    expect(button).to_be_enabled()


@pytest.mark.parametrize(("language", "theme"), [("en", "dark"), ("zh-CN", "light")])
def test_texts_of_data_are_never_run(
    page: Page, context: BrowserContext, served: Served, tmp_path: Path, language: str, theme: str
) -> None:
    choose(context, served.url, language=language, theme=theme)
    rows: list[object] = [
        {
            HOSTILE: "x",
            "messages": [{"role": "user", "content": HOSTILE}, {"role": "assistant", "content": HOSTILE}],
        },
        {"messages": [{"role": HOSTILE, "content": HOSTILE}]},
    ]
    visit(page, "/data")
    upload(page, jsonl(tmp_path / f"hostile-{theme}.jsonl", rows))
    rejected = "未采用" if language == "zh-CN" else "Rows left out"
    expect(page.locator("#data-rejected summary")).to_contain_text(rejected)
    expect(page.locator("#data-preview .ts-tokens")).to_contain_text("<script>")
    screenshot(page, f"data-{language}-{theme}")
    page.locator("#data-import").click()
    page.locator("#data-answer a").first.click()
    expect(page.locator("#data-records tbody tr").first).to_contain_text("<script>")
    assert page.title() != "run"
    assert page.locator("#data-records img, #data-preview img, #data-rejected img").count() == 0


def test_an_address_that_names_no_dataset(page: Page) -> None:
    visit(page, "/dataset?id=nothing")
    expect(page.locator("#dataset-head")).to_contain_text("There is no dataset 'nothing'.")
    expect(page.locator("#dataset-tabs")).to_be_hidden()
