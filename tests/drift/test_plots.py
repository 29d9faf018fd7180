"""Pictures show the matrix's numbers, draw noise as noise, and are small, plain documents."""

import json
import math
from dataclasses import replace

import numpy as np
import pytest

from runs.drift import find_changes, measure_recovery, score_cell
from runs.plots import forgetting_curves, matrix_heatmap, panels_to_json, recovery_bars, to_json, training_curve
from runs.plots.theme import CLEAR, DARK, LIGHT, TOKENS, between, readable_on
from runs.plots.training import smooth, thin

CHAIN = [
    ("sft", "sft", ("if", "code"), {"if": 0.2, "code": 0.3}),
    ("if_rl", "grpo", ("if",), {"if": 0.8, "code": 0.28}),
    ("code_rl", "grpo", ("code",), {"if": 0.5, "code": 0.7}),
    ("mopd", "mopd", ("if", "code"), {"if": 0.74, "code": 0.69}),
]
TEACHERS = {"if": "if_rl", "code": "code_rl"}


def trace(figure, name: str):
    return next(each for each in figure.data if each.name == name)


def lines(figure) -> list[tuple]:
    return [each for each in figure.data if each.mode == "lines"]


@pytest.mark.parametrize("columns", [1, 2, 4])
def test_curves_show_scores_and_intervals(build, columns: int) -> None:
    matrix = build(CHAIN)
    panels = forgetting_curves(matrix, teachers=TEACHERS, columns=columns)
    points = trace(panels[0], "If")
    cells = [matrix.cells[row.key, "if"] for row in matrix.rows]
    assert list(points.y) == pytest.approx([20, 80, 50, 74])
    high = [100 * cell.interval[1] for cell in cells]
    low = [100 * cell.interval[0] for cell in cells]
    assert np.add(points.y, points.error_y.array) == pytest.approx(high, abs=0.01)
    assert np.subtract(points.y, points.error_y.arrayminus) == pytest.approx(low, abs=0.01)
    assert points.customdata[1] == ["IF_RL", "80.0 [73.9, 85.0] n 200", "if_rl"]


def test_curves_shade_own_stages_and_draw_the_teacher(build) -> None:
    panels = forgetting_curves(build(CHAIN), teachers=TEACHERS)
    bands = [[shape.x0 + 0.5 for shape in panel.layout.shapes if shape.type == "rect"] for panel in panels]
    assert bands == [[1, 3], [2, 3]]
    levels = [shape.y0 for panel in panels for shape in panel.layout.shapes if shape.type == "line"]
    assert levels == pytest.approx([80, 70])


def test_published_levels_are_labelled_and_close_ones_share_a_name(build) -> None:
    published = {
        "Ours": {"if": 0.82, "code": 0.5},
        "Theirs": {"if": 0.81, "code": 0.52},
        "Far": {"if": 0.3, "code": 0.51},
    }
    panel, other = forgetting_curves(build(CHAIN), published=published)
    assert [shape.line.dash for shape in panel.layout.shapes if shape.type == "line"] == ["dashdot"] * 3
    names = [
        [note for note in each.layout.annotations if note.text.startswith("published: ")] for each in (panel, other)
    ]
    assert [note.text for note in names[0]] == ["published: Ours, Theirs", "published: Far 30.0"]
    assert [note.y for note in names[0]] == pytest.approx([82, 30])
    assert [note.text for note in names[1]] == ["published: 3 models, 50.0 to 52.0"]
    assert names[1][0].hovertext == "published: Theirs 52.0, Far 51.0, Ours 50.0; not measured here"


def test_the_lowest_panel_of_each_column_names_the_checkpoints(build) -> None:
    chain = [(key, kind, domains, {**scores, "stem": 0.5}) for key, kind, domains, scores in CHAIN]
    first, second, third = forgetting_curves(build(chain), columns=2)
    assert first.layout.xaxis.ticktext is None  # the third stands below it
    assert second.layout.xaxis.ticktext == third.layout.xaxis.ticktext
    assert "CODE_RL 2" in third.layout.xaxis.ticktext
    assert second.layout.height == third.layout.height > first.layout.height
    # Each draws the same 168 pixels between its margins.
    inner = {panel.layout.height - panel.layout.margin.t - panel.layout.margin.b for panel in (first, second, third)}
    assert inner == {168}


def test_a_line_breaks_where_scores_cannot_be_compared(build) -> None:
    matrix = build(CHAIN)
    whole = lines(forgetting_curves(matrix)[0])[0]
    assert [x for x in whole.x if x is not None] == [0, 1, 1, 2, 2, 3]
    greedy = {key: replace(cell, protocol="greedy" if key[0] == "mopd" else "") for key, cell in matrix.cells.items()}
    for panel in forgetting_curves(replace(matrix, cells=greedy)):
        assert [x for x in lines(panel)[0].x if x is not None] == [0, 1, 1, 2]
        marks = [(note.x, note.hovertext) for note in panel.layout.annotations if note.text == "≠"]
        assert marks == [(2.5, "not joined: scored under another protocol")]
        assert [shape.x0 for shape in panel.layout.shapes if shape.yref == "y domain" and shape.type == "line"] == [2.5]


def test_a_side_branch_hangs_dotted_off_its_start(build) -> None:
    matrix = build(CHAIN)
    rows = (*matrix.rows[:2], replace(matrix.rows[2], parent="if_rl"), replace(matrix.rows[3], parent="if_rl"))
    panel = forgetting_curves(replace(matrix, rows=rows))[0]
    side, main = lines(panel)
    assert (list(side.x), side.line.dash) == ([1, 2, None], "dot")
    assert list(main.x) == [0, 1, None, 1, 3, None]
    points, sibling = [each for each in panel.data if each.name == "If"]
    assert (list(points.x), points.opacity) == ([0, 1, 3], None)
    assert (list(sibling.x), sibling.opacity) == ([2], 0.4)


def test_another_runs_level_is_a_named_line(build) -> None:
    figure, _ = forgetting_curves(build(CHAIN), references={"last of #3": {"if": 0.6}})
    levels = [(shape.yref, shape.y0, shape.line.dash) for shape in figure.layout.shapes if shape.type == "line"]
    assert levels == [("y", pytest.approx(60), "longdash")]
    assert [note.y for note in figure.layout.annotations if note.text == "last of #3"] == [pytest.approx(60)]


def test_curves_of_an_unfinished_run(build) -> None:
    matrix = build(CHAIN)
    cells = {key: cell for key, cell in matrix.cells.items() if key[0] in ("sft", "if_rl")}
    figure, _ = forgetting_curves(replace(matrix, cells=cells), teachers=TEACHERS)
    assert list(trace(figure, "If").x) == [0, 1]
    assert len(figure.layout.xaxis.tickvals) == 4
    json.loads(panels_to_json(forgetting_curves(replace(matrix, cells={}))), parse_constant=pytest.fail)


def test_heatmap_of_scores(build) -> None:
    figure = matrix_heatmap(build(CHAIN))
    assert list(figure.data[1].text) == ["20.0", "30.0", "80.0", "28.0", "50.0", "70.0", "74.0", "69.0"]
    assert list(matrix_heatmap(build(CHAIN), compact=True).data[1].text)[:2] == ["20", "30"]
    assert figure.layout.xaxis.ticktext == ("if", "code")
    assert figure.layout.yaxis.ticktext[1] == "1 IF_RL "


def colours(figure) -> list[list[str]]:
    squares = figure.data[0]
    across = max(squares.x) + 1
    painted = [squares.marker.color[at : at + across] for at in range(0, len(squares.x), across)]
    assert [base + 0.47 for base in squares.base[::across]] == pytest.approx(range(len(painted)))  # a row around each
    return [list(row) for row in painted]


@pytest.mark.parametrize("since", ["start", "previous", "peak", "own"])
def test_changes_within_noise_have_no_colour(build, since: str) -> None:
    matrix = build(CHAIN)
    found, figure = find_changes(matrix, since), matrix_heatmap(matrix, since)
    shown = dict(
        zip([(r.key, c.domain) for r in matrix.rows for c in matrix.columns], figure.data[1].text, strict=True)
    )
    for row, line in zip(matrix.rows, colours(figure), strict=True):
        for column, colour in zip(matrix.columns, line, strict=True):
            change = found[row.key, column.domain]
            assert (colour == CLEAR) == (not change.is_significant)
            if change.difference is not None:
                assert float(shown[row.key, column.domain].replace("−", "-")) == pytest.approx(100 * change.difference)


def test_losses_are_orange_and_gains_are_blue(build) -> None:
    painted = colours(matrix_heatmap(build(CHAIN), "previous"))
    blue, orange = painted[1][0], painted[2][0]  # +60 and -30
    assert blue == LIGHT.gain
    assert orange == between(LIGHT.ground, LIGHT.loss, 0.15 + 0.85 * 0.75)


def test_recovery_shows_scores_and_the_interval_of_the_fraction(build) -> None:
    recovery = measure_recovery(build(CHAIN), "mopd", TEACHERS)
    figure = recovery_bars(recovery)
    assert list(trace(figure, "before").x) == pytest.approx([50, 70])
    assert list(trace(figure, "teacher").x) == pytest.approx([80, 70])
    after = trace(figure, "after")
    assert list(after.x) == pytest.approx([74, 69])
    low, high = recovery.domains[0].interval
    assert after.x[0] + after.error_x.array[0] == pytest.approx(50 + high * 30, abs=0.02)
    assert after.x[0] - after.error_x.arrayminus[0] == pytest.approx(50 + low * 30, abs=0.02)
    assert after.marker.color == (LIGHT.mopd, LIGHT.sft)
    texts = [note.text for note in figure.layout.annotations]
    assert "80 % [70, 90]" in texts
    assert "the start is its own teacher" in texts


def test_a_recovery_within_noise_is_grey_and_says_so(build) -> None:
    chain = [*CHAIN[:3], ("mopd", "mopd", ("if",), {"if": 0.51, "code": 0.7})]
    matrix = build(chain)
    rest = [1.0] * 100 + [0.0] * 100
    cells = {
        **matrix.cells,
        ("mopd", "if"): score_cell("mopd", "if", [0.0] * 12 + rest[12:100] + [1.0] * 14 + rest[114:]),
    }
    figure = recovery_bars(measure_recovery(replace(matrix, cells=cells), "mopd", {"if": "if_rl"}))
    assert trace(figure, "after").marker.color[0] == LIGHT.sft
    assert any("within noise" in note.text for note in figure.layout.annotations)


def test_recovery_of_nothing_is_an_empty_picture(build) -> None:
    figure = recovery_bars(measure_recovery(build(CHAIN), "code_rl", {}), narrow=True)
    json.loads(to_json(figure), parse_constant=pytest.fail)


def test_training_curve_has_the_raw_line_and_a_smooth_one() -> None:
    figure = training_curve({"reward": ([1, 2, 3], [0.0, 1.0, 1.0])}, "Reward", smoothing=0.5, resumes=[2])
    assert list(figure.data[0].y) == [0.0, 1.0, 1.0]
    # 0; (0.5 x 0 + 0.5 x 1) / 0.75 = 0.6667; (0.5 x 0.5 + 0.5) / 0.875 = 0.857143
    assert list(figure.data[1].y) == pytest.approx([0, 2 / 3, 0.857143], abs=1e-4)
    assert figure.layout.shapes[0].x0 == 2


def test_smoothing_a_constant_leaves_it() -> None:
    assert smooth([3.0] * 10, 0.9) == pytest.approx([3.0] * 10)


def test_values_that_are_no_numbers_become_gaps() -> None:
    text = to_json(training_curve({"loss": ([1, 2, 3], [1.0, math.nan, math.inf])}, "Loss"))
    assert json.loads(text, parse_constant=pytest.fail)["data"][0]["y"] == [1.0, None, None]


def test_long_series_are_thinned_and_keep_their_spikes() -> None:
    values = [0.0] * 50_000
    values[31_234] = 9.0
    steps, kept = thin(list(range(50_000)), values)
    assert len(steps) <= 602
    assert kept[steps.index(31_234)] == 9.0
    assert (steps[0], steps[-1]) == (0, 49_999)
    assert len(to_json(training_curve({"loss": (list(range(50_000)), values)}, "Loss"))) < 40_000


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_figures_are_small_and_the_same_each_time(build, theme) -> None:
    matrix = build(CHAIN)
    recovery = measure_recovery(matrix, "mopd", TEACHERS)
    for draw in (
        lambda: panels_to_json(forgetting_curves(matrix, teachers=TEACHERS, theme=theme)),
        lambda: to_json(matrix_heatmap(matrix, "own", theme=theme)),
        lambda: to_json(recovery_bars(recovery, theme=theme)),
    ):
        text = draw()
        assert text == draw()
        assert len(text) < 12_000
        assert "#636efa" not in text.lower()  # the first of Plotly's own colours
        answer = json.loads(text, parse_constant=pytest.fail)
        assert all(figure["layout"]["paper_bgcolor"] == CLEAR for figure in answer.get("panels", [answer]))


@pytest.mark.parametrize("tokens", [LIGHT, DARK])
def test_text_is_readable_on_both_grounds(tokens) -> None:
    def contrast(one: str, other: str) -> float:
        light = [
            sum(w * (int(c[k : k + 2], 16) / 255) ** 2.2 for w, k in ((0.2126, 1), (0.7152, 3), (0.0722, 5)))
            for c in (one, other)
        ]
        return (max(light) + 0.05) / (min(light) + 0.05)

    assert contrast(tokens.text, tokens.ground) > 12
    assert min(contrast(hue, tokens.ground) for hue in (tokens.muted, tokens.mopd)) > 4.5  # AA for text
    assert min(contrast(hue, tokens.ground) for hue in (tokens.sft, tokens.mixed, *tokens.domains)) > 3  # AA for marks
    for end in (tokens.gain, tokens.loss, tokens.high):
        for share in (0.15, 0.4, 0.6, 0.8, 1.0):
            ground = between(tokens.ground, end, share)
            assert contrast(readable_on(ground, tokens), ground) > 4.4


def test_both_themes_have_a_hue_for_each_domain() -> None:
    assert {len(tokens.domains) for tokens in TOKENS.values()} == {8}


def test_scores_from_the_middle_of_a_stage_are_small_points_within_its_band(build) -> None:
    matrix = build(CHAIN)
    rows = tuple(replace(row, steps=40) for row in matrix.rows)
    during = {("code_rl", "if"): {10: matrix.cells["sft", "if"], 20: matrix.cells["mopd", "if"]}}
    panel = forgetting_curves(replace(matrix, rows=rows), during=during)[0]
    points, small = (each for each in panel.data if each.name == "If")
    assert list(points.x) == [0, 1, 2, 3]
    assert small.marker.size < min(points.marker.size)
    assert list(small.x) == [1.625, 1.75]  # code_rl's band is 1.5 to 2.5, its end at 2
    assert list(small.y) == pytest.approx([20, 74])
    assert small.customdata[0][0] == "CODE_RL, step 10"
    unknown = forgetting_curves(matrix, during=during)[0]  # published stages have no steps
    assert len([each for each in unknown.data if each.name == "If"]) == 1
