"""Tables of figures. Several runs make one table, whose cells are ranges."""

import dataclasses


@dataclasses.dataclass
class Sheet:
    """One table of one run: a title, a remark, the columns, and the figures of each row."""

    title: str
    remark: str
    columns: list
    rows: dict = dataclasses.field(default_factory=dict)


@dataclasses.dataclass
class Goal:
    """A bound that a figure must keep: at most, or at least where `least` is set."""

    what: str
    bound: float
    got: float
    least: bool = False

    def met(self):
        return self.got >= self.bound if self.least else self.got <= self.bound


def figure(value):
    """Three digits that count."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if value == 0:
        return "0"
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.{1 if abs(value) >= 10 else 2}f}"


def span(values):
    """A figure, or the range of those of several runs."""
    values = [value for value in values if value is not None]
    if not values:
        return ""
    if isinstance(values[0], str):
        return values[0]
    least, most = figure(min(values)), figure(max(values))
    return least if least == most else f"{least}–{most}"


def render(runs):
    """The same sheet of several runs as Markdown."""
    first = runs[0]
    lines = [f"### {first.title}", "", first.remark, ""]
    lines.append(f"| | {' | '.join(first.columns)} |")
    lines.append("|---" * (len(first.columns) + 1) + "|")
    for name in first.rows:
        cells = zip(*(run.rows[name] for run in runs if name in run.rows))
        lines.append(f"| {name} | {' | '.join(map(span, cells))} |")
    return "\n".join(lines) + "\n"


def render_goals(runs):
    """The goals of several runs, each a list, as Markdown."""
    lines = ["| goal | bound | got | met |", "|---|---|---|---|"]
    for same in zip(*runs):
        first = same[0]
        bound = f"{'at least' if first.least else 'at most'} {figure(first.bound)}"
        met = [goal.met() for goal in same]
        word = "yes" if all(met) else "in some runs" if any(met) else "no"
        lines.append(f"| {first.what} | {bound} | {span([goal.got for goal in same])} | {word} |")
    return "\n".join(lines) + "\n"
