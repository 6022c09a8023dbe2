"""The Data page in a real browser: upload, correct, import, look, take out."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Locator, Page, Route, expect

from studio_core.data import store, uploads
from tests.browser.conftest import Served, choose, screenshot, visit
from tests.conftest import wait_until

pytestmark = pytest.mark.browser

HOSTILE = (
    "<img src=x onerror=\"document.title='run'\"><script>document.title='run'</script>${alert(1)}{{name}}"
)


def jsonl(path: Path, rows: list[object]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def upload(page: Page, *paths: Path) -> None:
    page.locator("#data-file [data-part=input-files]").set_input_files(paths)


def fill(page: Page, id: str, text: str) -> None:
    page.locator(f"#{id} textarea, #{id} input").fill(text)


def role(page: Page, column: str) -> Locator:
    """The choice in a column's header."""
    return page.locator("#data-columns").get_by_label(f"Mapping of column {column}", exact=True)


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
    expect(role(page, "instruction")).to_have_value("prompt")
    expect(page.locator("#data-rejected td").first).to_have_text("5")
    expect(page.locator("#data-rejected")).to_contain_text("the answer in 'output' is empty (turn 1)")
    expect(page.locator("#data-preview mark.ts-trained").nth(1)).to_have_text("I am 0, {{name}}.<|end|>")
    fill(page, "data-fill-0", "Ada")
    page.locator("#data-name textarea, #data-name input").focus()
    expect(page.locator("#data-preview mark.ts-trained").nth(1)).to_have_text("I am 0, Ada.<|end|>")
    expect(page.locator("#data-name textarea, #data-name input")).to_have_value("my-file")
    fill(page, "data-name", "browser-sft")
    page.get_by_role("button", name="Import the valid rows (29)").click()
    expect(page.locator("#data-answer")).to_contain_text("Imported 29 records as browser-sft, version 1.")
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
    page.get_by_role("tab", name="Tokens").click()
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


def test_roles_are_chosen_in_the_headers_of_the_columns(page: Page, served: Served, tmp_path: Path) -> None:
    rows: list[object] = [{"frage": "q", "gut": "a", "schlecht": "b", "thema": "Vögel"}] * 2
    visit(page, "/data")
    upload(page, jsonl(tmp_path / "odd.jsonl", rows))
    expect(page.locator("#data-found")).to_contain_text("Map a column to")
    expect(page.locator("#data-import")).to_be_disabled()
    pick(page, "data-shape", "preference pairs")
    expect(role(page, "gut").locator("option", has_text="Chosen")).to_have_count(1)
    for column, part in (("frage", "chosen"), ("gut", "chosen"), ("schlecht", "rejected")):
        role(page, column).select_option(part)
    expect(role(page, "frage")).to_have_value("")
    expect(page.locator("#data-import")).to_be_disabled()
    page.locator("#data-written").get_by_role("button").click()
    fill(page, "data-text-prompt", "{{thema}}: {{frage}}?")
    page.locator("#data-name textarea, #data-name input").focus()
    expect(page.locator("#data-preview")).to_contain_text("Vögel: q?")
    page.get_by_role("button", name="Import all rows (2)").click()
    expect(page.locator("#data-answer")).to_contain_text("Imported 2 records as odd, version 1.")
    [record, _] = store.records(served.studio, store.get(served.studio, "odd"))
    assert [record[key][0]["content"] for key in ("prompt", "chosen", "rejected")] == ["Vögel: q?", "a", "b"]


def test_a_thousand_columns_do_not_break_the_page(page: Page, tmp_path: Path) -> None:
    visit(page, "/data")
    upload(page, jsonl(tmp_path / "wide.jsonl", [{f"column{n}": f"value {n}" for n in range(1000)}]))
    expect(page.locator("#data-columns select")).to_have_count(50)
    page.locator("#data-narrow textarea, #data-narrow input").press_sequentially("column99")
    expect(page.locator("#data-columns select")).to_have_count(11)
    role(page, "column990").select_option("prompt")
    expect(page.get_by_text("Map a column to: Answer.")).to_be_visible()
    page.locator("#data-narrow textarea, #data-narrow input").fill("column77")  # Pasted.
    expect(page.locator("#data-columns select")).to_have_count(12)  # Those found, and what has a role.
    expect(role(page, "column990")).to_have_value("prompt")
    role(page, "column770").select_option("completion")
    expect(page.locator("#data-preview mark.ts-trained").nth(1)).to_contain_text("value 770", timeout=60_000)


def test_several_files_are_one_dataset(page: Page, served: Served, tmp_path: Path) -> None:
    visit(page, "/data")
    paths = [jsonl(tmp_path / f"part{n}.jsonl", [{"prompt": f"q{n}", "completion": "a"}]) for n in range(3)]
    upload(page, *paths)
    expect(page.locator("#data-file [data-part=name]")).to_have_text("3 files")
    expect(page.locator("#data-found h2")).to_have_text("part0.jsonl, part1.jsonl, part2.jsonl")
    page.get_by_role("button", name="Import all rows (3)").click()
    expect(page.locator("#data-answer")).to_contain_text("Imported 3 records as part0, version 1.")
    records = store.records(served.studio, store.get(served.studio, "part0"))
    assert [record["prompt"][0]["content"] for record in records] == ["q0", "q1", "q2"]
    assert not [one for one in uploads.uploads(served.studio.settings) if one.name.startswith("part")]


def test_an_upload_is_paused_and_goes_on_after_a_reload(page: Page, served: Served, tmp_path: Path) -> None:
    text = "x" * 1000
    path = jsonl(
        tmp_path / "big.jsonl", [{"prompt": f"{n} {text}", "completion": "a"} for n in range(11_000)]
    )
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    visit(page, "/data")
    page.route(lambda address: "offset=8388608" in address, hold)
    upload(page, path)
    expect(page.locator("[data-part=figures]")).to_contain_text("8.4 MB / 11.4 MB")
    page.get_by_role("button", name="Pause").click()
    expect(page.locator("[data-part=figures]")).to_contain_text("paused")
    expect(page.get_by_role("button", name="Resume")).to_be_visible()
    held[0].abort("aborted")
    page.unroute_all()
    page.reload()
    expect(page.locator("[data-part=open-list]")).to_have_text("big.jsonl: 8.4 MB of 11.4 MB")
    chunks: list[str] = []
    page.on("request", lambda asked: chunks.append(asked.url) if asked.method == "PUT" else None)
    upload(page, path)
    expect(page.locator("#data-found")).to_contain_text("11,000")
    assert [address.rpartition("=")[2] for address in chunks] == ["8388608"]
    [arrived] = [one for one in uploads.uploads(served.studio.settings) if one.name == "big.jsonl"]
    assert arrived.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    page.get_by_role("button", name="Remove").click()
    expect(page.locator("#data-understood")).to_be_hidden()
    expect(page.get_by_role("button", name="Choose files")).to_be_focused()
    wait_until(lambda: not arrived.path.exists(), what="the upload is gone")


def test_text_is_pasted(page: Page, served: Served) -> None:
    visit(page, "/data")
    page.get_by_role("tab", name="Paste").click()
    for text, kind in (("prompt,completion\nq,a\n", "CSV"), ('{"prompt": "q", "completion": "a"}', "JSON")):
        fill(page, "data-paste", text)
        page.get_by_role("button", name="Use this text").click()
        expect(page.locator("#data-found .ts-stat").first).to_contain_text(kind)
    fill(page, "data-name", "from-text")
    page.get_by_role("button", name="Import all rows (1)").click()
    expect(page.locator("#data-answer")).to_contain_text("Imported 1 record as from-text, version 1.")


def test_a_table_is_typed(page: Page, served: Served) -> None:
    visit(page, "/data")
    page.get_by_role("tab", name="Table").click()
    pick(page, "data-table-shape", "preference pairs")
    expect(page.locator("#data-table")).to_contain_text("rejected")
    for place, text in enumerate(("Who?", "Ada.", "Bob.")):
        cell = page.locator(f"#data-table [data-testid='cell-0-{place}']").filter(visible=True)
        cell.dblclick()
        cell.locator("input, textarea").fill(text)
        page.keyboard.press("Enter")
        expect(cell).to_contain_text(text)
    page.get_by_role("button", name="Use these rows").click()
    fill(page, "data-name", "typed-pairs")
    page.get_by_role("button", name="Import all rows (1)").click()
    expect(page.locator("#data-answer")).to_contain_text("Imported 1 record as typed-pairs, version 1.")
    [record] = store.records(served.studio, store.get(served.studio, "typed-pairs"))
    assert [record[key][0]["content"] for key in ("prompt", "chosen", "rejected")] == ["Who?", "Ada.", "Bob."]


def test_a_folder_of_this_computer(page: Page, served: Served, tmp_path: Path) -> None:
    visit(page, "/data")
    page.get_by_role("tab", name="Folder").click()
    fill(page, "data-path", "/etc")
    page.get_by_role("button", name="Preview").click()
    expect(page.get_by_text("/etc is outside the folders data may be read from")).to_be_visible()
    expect(page.locator("#data-understood")).to_be_hidden()


def test_a_bad_file_is_refused_in_a_sentence(page: Page, served: Served, tmp_path: Path) -> None:
    before = len(store.all_datasets(served.studio))
    visit(page, "/data")
    for name, content, sentence in (
        ("empty.jsonl", b"\n", "empty.jsonl is empty."),
        ("cut.json", b'[{"text": "a"}, {"text"', "ends in the middle of row 2: it is truncated"),
        ("binary.csv", b"text\0\1\2", "is not a text file: byte 4 is zero"),
    ):
        (tmp_path / name).write_bytes(content)
        upload(page, tmp_path / name)
        expect(page.locator("#data-answer [role=alert]")).to_contain_text(sentence)
        expect(page.locator("#data-import")).to_be_hidden()
        page.locator("#data-file").get_by_role("button", name="Remove").click()
        expect(page.locator("#data-answer [role=alert]")).to_have_count(0)
    assert len(store.all_datasets(served.studio)) == before


def test_a_name_that_will_not_do_loses_nothing(page: Page, tmp_path: Path) -> None:
    visit(page, "/data")
    upload(page, jsonl(tmp_path / "a.jsonl", [{"text": "t"}]))
    button = page.get_by_role("button", name="Import all rows (1)")
    expect(button).to_be_enabled()
    fill(page, "data-name", "../../etc")
    button.click()
    expect(page.get_by_text("The name '../../etc' is not allowed")).to_be_visible()
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
    rejected = "未导入" if language == "zh-CN" else "Skipped rows"
    expect(page.locator("#data-rejected summary")).to_contain_text(rejected)
    expect(page.locator("#data-preview .ts-tokens")).to_contain_text("<script>")
    screenshot(page, f"data-{language}-{theme}")
    page.locator("#data-import").click()
    page.locator("#data-answer a").first.click()
    expect(page.locator("#data-records tbody tr").first).to_contain_text("<script>")
    assert page.title() != "run"
    assert (
        page.locator("#data-records img, #data-preview img, #data-rejected img, #data-columns img").count()
        == 0
    )


def test_an_address_that_names_no_dataset(page: Page) -> None:
    visit(page, "/dataset?id=nothing")
    expect(page.locator("#dataset-head")).to_contain_text("There is no dataset 'nothing'.")
    expect(page.locator("#dataset-tabs")).to_be_hidden()
