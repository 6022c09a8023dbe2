"""``label``: projects, what to judge next, votes, and what becomes of them; labelling without a page."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from app.cli import keeping, label_create, label_judge, label_rounds
from app.cli.output import AsJson, Home, listed, opened, print_fields, print_json, print_rows
from studio_core.base.errors import BadInput
from studio_core.data import store
from studio_core.data.shapes import Shape
from studio_core.keeping.projects import PROJECTS
from studio_core.labeling import (
    assignment,
    exports,
    imports,
    items,
    outcomes,
    projects,
    statistics,
    undoing,
    votes,
)
from studio_core.labeling.assignment import Showing
from studio_core.labeling.records import SHAPE_OF, SHAPES
from studio_core.labeling.votes import Verdict
from studio_core.texts import text

cli = typer.Typer(help="Labelling: projects, votes, agreement, export.")
label_create.add_to(cli)
label_judge.add_to(cli)
label_rounds.add_to(cli)
keeping.add_to(cli, PROJECTS, lambda studio, name: projects.get(studio, name).id)

Project = Annotated[str, typer.Option(help="Name or number of the project.")]
Judges = Annotated[
    bool | None,
    typer.Option(help="Use judge labels where nobody voted (default: the project's setting)."),
]
Annotator = Annotated[str, typer.Option(help="Annotator name.")]


@cli.command("list")
def list_(as_json: AsJson = False, home: Home = None) -> None:
    """List all projects, newest first."""
    with opened(home) as studio:
        rows = [
            {
                "project": project.name,
                "mode": project.mode,
                "items": items.count(studio, project.id),
                "votes_wanted": projects.settings_of(project).votes,
                "created_at": project.created_at,
            }
            for project in projects.all_projects(studio)
        ]
    print_json(rows) if as_json else print_rows(
        rows, ["project", "mode", "items", "votes_wanted", "created_at"]
    )


@cli.command("import")
def import_(
    file: Annotated[Path, typer.Argument(help="File with answer pairs, in any format of data import.")],
    project: Project,
    votes_wanted: Annotated[int | None, typer.Option("--votes", help="Votes per pair.")] = None,
    as_json: AsJson = False,
    home: Home = None,
) -> None:
    """Import answer pairs for labelling; creates the project if needed."""
    with opened(home) as studio:
        if not file.is_file():
            raise BadInput("cli.file_missing", path=file)
        settings = {} if votes_wanted is None else {"votes": votes_wanted}
        project_ = imports.project_for(studio, project, settings)
        dataset = store.import_file(studio, file, name=f"{project_.name}-pairs", source=file.name).dataset
        if dataset.shape != Shape.PREFERENCE:
            raise BadInput("labeling.not_pairs", dataset=dataset.name, shape=dataset.shape)
        added = imports.from_dataset(studio, project_.id, dataset)
    document = {"project": project_.name, **vars(added)}
    print_json(document) if as_json else print(text("labeling.imported", **document))


@cli.command("next")
def next_(project: Project, annotator: Annotator, as_json: AsJson = False, home: Home = None) -> None:
    """Print the next item of an annotator, and reserve it for them."""
    with opened(home) as studio:
        shown = assignment.next_item(studio, project, annotator)
    document = _shown(shown)
    if as_json:
        print_json(document)
    elif shown is None:
        print(text("labeling.nothing_left"))
    else:
        print_fields(document)


def _shown(shown: Showing | None) -> dict[str, Any]:
    if shown is None:
        return {"pair": None}
    answers = [answer["text"] for answer in shown.answers]
    sides = {"left": answers[0], "right": answers[1]} if len(answers) == 2 else {"answers": answers}
    return {
        "pair": shown.item.id,
        "number": shown.item.number,
        "prompt": shown.item.prompt,
        **sides,
        "until": shown.until,
        "draft": shown.draft,
    }


@cli.command("vote")
def vote(
    project: Project,
    annotator: Annotator,
    pair: Annotated[int, typer.Option(help="Pair number, as printed by label next.")],
    verdict: Annotated[
        str,
        typer.Option(help="left, right, tie, both_bad or skip; rated or ranked in projects of that mode."),
    ],
    reason: Annotated[
        list[str] | None, typer.Option(help="A reason defined in the project. Repeatable.")
    ] = None,
    strength: Annotated[str, typer.Option(help="slightly or clearly, if the project asks for it.")] = "",
    rating: Annotated[int | None, typer.Option(help="Rating of a single answer.")] = None,
    ranking: Annotated[str, typer.Option(help="Answer positions, best first: 3,1,2.")] = "",
    comment: Annotated[str, typer.Option(help="Comment.")] = "",
    edit_left: Annotated[str | None, typer.Option(help="Corrected left answer.")] = None,
    edit_right: Annotated[str | None, typer.Option(help="Corrected right answer.")] = None,
    as_json: AsJson = False,
    home: Home = None,
) -> None:
    """Vote on the reserved item."""
    edits = {place: better for place, better in enumerate((edit_left, edit_right)) if better is not None}
    vote = Verdict(
        verdict=verdict,
        strength=strength,
        rating=rating,
        ranking=_places(ranking),
        edits=edits,
        reasons=reason or [],
        comment=comment,
    )
    with opened(home) as studio:
        cast = votes.cast(studio, project, annotator, pair, vote)
    document = {"vote": cast.id, "pair": pair, "verdict": cast.verdict, "seconds": round(cast.seconds, 1)}
    print_json(document) if as_json else print(text("labeling.voted", **document))


def _places(ranking: str) -> list[int]:
    if not ranking:
        return []
    try:
        return [int(place) - 1 for place in ranking.split(",")]
    except ValueError as error:
        raise BadInput("labeling.bad_ranking", answers=ranking[:40]) from error


@cli.command("undo")
def undo(project: Project, annotator: Annotator, as_json: AsJson = False, home: Home = None) -> None:
    """Undo the annotator's last action; the pair is reserved for them again."""
    with opened(home) as studio:
        shown = undoing.undo(studio, project, annotator)
    document = _shown(shown)
    print_json(document) if as_json else print_fields(document)


@cli.command("stats")
def stats(project: Project, as_json: AsJson = False, home: Home = None) -> None:
    """Show votes, agreement and biases, per project and annotator, and win rates of sources."""
    with opened(home) as studio:
        document = statistics.document(statistics.of_project(studio, project))
        document["sources"] = outcomes.sources_document(studio, projects.get(studio, project))
    print_json(document) if as_json else print_fields(document)


@cli.command("export")
def export(
    project: Project,
    out: Annotated[Path, typer.Option(help="JSONL file to write.")],
    shape: Annotated[str, typer.Option(help=f"{listed(SHAPES)}.")] = "preference",
    min_votes: Annotated[int, typer.Option(help="Minimum votes per item.", min=1)] = 1,
    min_agreement: Annotated[
        float, typer.Option(help="Minimum agreement: share of votes for the majority.", min=0, max=1)
    ] = 0.0,
    judges: Judges = None,
    as_json: AsJson = False,
    home: Home = None,
) -> None:
    """Export votes as training data, or all votes for an audit."""
    with opened(home) as studio:
        rows, counts = exports.write(
            studio,
            project,
            shape,
            out.absolute(),
            min_votes=min_votes,
            min_agreement=min_agreement,
            judges=judges,
        )
    document = {"file": str(out), "rows": rows, "counts": counts}
    print_json(document) if as_json else print_fields(document)


@cli.command("dataset")
def dataset(
    project: Project,
    shape: Annotated[str, typer.Option(help=f"{listed(SHAPE_OF)}.")] = "preference",
    name: Annotated[str, typer.Option(help="Dataset name (default: the project's name).")] = "",
    judges: Judges = None,
    as_json: AsJson = False,
    home: Home = None,
) -> None:
    """Create a dataset version from votes, and one of the held-out prompts."""
    with opened(home) as studio:
        versions = exports.make_dataset(studio, project, shape, name=name, judges=judges)
    rows = [
        {"dataset": version.name, "version": version.version, "rows": version.rows} for version in versions
    ]
    print_json(rows) if as_json else print_rows(rows, ["dataset", "version", "rows"])
