"""The plan of a search: made and checked before anything starts, written for workers elsewhere, and its points."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import prod
from pathlib import Path
from typing import Any, get_args

from pydantic import TypeAdapter, ValidationError

from glassnet.data import Splits
from glassnet.errors import DataError, GlassnetError, InputError, RecipeError, RunError
from glassnet.experiment.auto_recipe import as_recipe
from glassnet.experiment.overrides import OUTSIDE, SHORT, changed, path_to
from glassnet.experiment.recipe import Recipe
from glassnet.experiment.run import read_splits
from glassnet.experiment.search.records import Method, Pruner, SearchPlan
from glassnet.experiment.search.space import Parameter, Settings, canonical, draw, grid, parse_parameter, shown
from glassnet.experiment.sections import SECTIONS
from glassnet.support.checks import whole_number
from glassnet.support.i18n import tr
from glassnet.support.registry import unknown
from glassnet.training.arguments import check_labels

PLAN = "search.json"  # the plan in the folder of a search
TRIALS = 50  # where a space has ranges
MOST_CHECKED = 256  # combinations of values and ends of ranges that are checked before a search; more, one key at a time
ATTEMPTS = 20  # random points drawn for each one wanted, as a small space gives some twice

Over = Sequence[str | Parameter] | Mapping[str, Any]


@dataclass(frozen=True)
class Point:
    """`number`: from 0; `settings`: None where suggested as the trial begins; `identity`: of recipe, folds, seeds."""

    number: int
    settings: Settings | None
    identity: str


def make_plan(
    recipe: str | Path | Recipe,
    over: Over,
    *,
    method: Method | None = None,
    trials: int | None = None,
    pruner: Pruner = "none",
    folds: int = 1,
    seeds: int = 1,
    seed: int = 0,
) -> SearchPlan:
    """The plan of a search for the best values of some keys of a recipe.

    `over`: texts as `parse_parameter` takes them, parameters, or {key: list of values, or text}. `method`: by default a grid
    where all keys have values and `trials` reaches their product, else TPE. `trials`: by default the grid's size, or 50.
    All points of a grid, and the ends of ranges, are checked as recipes. Raises `RecipeError` and `InputError`.
    """
    chosen = as_recipe(recipe)
    space = _space(over, chosen)
    for name, value in (("trials", trials), ("folds", folds), ("seeds", seeds)):
        if value is not None:
            _check_count(name, value, 1)
    _check_count("seed", seed, 0)
    for what, word, kinds in ((tr("method"), method, Method), (tr("pruner"), pruner, Pruner)):
        if word is not None and word not in get_args(kinds):
            raise unknown(what, word, get_args(kinds), "search")
    size = None if any(parameter.is_range for parameter in space) else prod(len(one.values or ()) for one in space)
    if method is None:
        method = "grid" if size is not None and (trials is None or trials >= size) else "tpe"
    maximise = _check_data(read_splits(chosen), chosen, folds)
    plan = SearchPlan(
        recipe=chosen,
        space=space,
        method=method,
        trials=TRIALS if trials is None else trials,
        pruner=pruner,
        folds=folds,
        seeds=seeds,
        seed=seed,
        maximise=maximise,
    )
    _check_points(plan)
    if method == "grid":
        count = len(points(plan))
        if trials is not None and trials < count:
            raise InputError(
                tr("The grid has more points than trials."),
                where="--trials",
                expected=tr("{count} or more", count=count),
                received=trials,
                hint=tr("--method random or tpe, or fewer values"),
            )
        return replace(plan, trials=count)
    return replace(plan, trials=len(points(plan)))


def _space(over: Over, recipe: Recipe) -> tuple[Parameter, ...]:
    """The parameters; each is read with the first values of those before it, which may be what gives its key a meaning."""
    if isinstance(over, str):
        over = [over]
    given = [_parameter(key, values) for key, values in over.items()] if isinstance(over, Mapping) else over
    space: dict[str, Parameter] = {}
    for each in given:
        parameter = parse_parameter(each, recipe) if isinstance(each, str) else each
        path = parameter.key if parameter.key in SHORT else ".".join(path_to(parameter.key, SECTIONS))
        if path in space:
            raise RecipeError(tr("A key is listed twice."), where=f"--over {parameter.key}", expected=tr("each key once"))
        space[path] = parameter
        try:
            recipe = recipe.changed({parameter.key: parameter.ends[0]})
        except GlassnetError as error:
            raise _refused(error, {parameter.key: parameter.ends[0]}) from None
    if not space:
        raise InputError(tr("A search needs keys to search over."), where="search", hint="--over hidden=10,30,100")
    return tuple(space.values())


def _parameter(key: str, values: Any) -> str | Parameter:
    if isinstance(values, Parameter):
        return values
    return f"{key}={values}" if isinstance(values, str) else Parameter(key=key, values=tuple(values))


def _check_count(name: str, value: int, least: int) -> None:
    what = tr("{name} must be a whole number of at least {least}.", name=name, least=least)
    whole_number(value, what, f"search({name})", tr("{least} or more", least=least), least)


def _check_data(splits: Splits, recipe: Recipe, folds: int) -> bool:
    """Whether the value is an accuracy. Raises `DataError` without validation data."""
    if splits.validation is None and folds == 1:
        raise DataError(
            tr("A search needs validation data, and this recipe has none."),
            where=f"recipe {recipe.name}, data",
            expected=tr("a validation part, or k-fold cross-validation"),
            hint="--set data.fractions=[0.7,0.15,0.15] | --folds 5",
        )
    return splits.classes is not None


def _check_points(plan: SearchPlan) -> None:
    """Check all points of a grid, else the ends of all ranges, as recipes and as networks."""
    ends = [[(parameter.key, value) for value in parameter.ends] for parameter in plan.space]
    if plan.method == "grid":
        checked: Iterable[Settings] = grid(plan.space)
    elif prod(map(len, ends)) <= MOST_CHECKED:
        checked = map(dict, itertools.product(*ends))
    else:
        first = dict(each[0] for each in ends)
        checked = [first, *(first | dict([end]) for each in ends for end in each[1:])]
    splits, seen = read_splits(plan.recipe), set()
    for settings in checked:
        try:
            recipe = plan.recipe.changed(settings)
            section = recipe.network.model_dump_json()
            if section not in seen and recipe.data == plan.recipe.data:
                network = recipe.make_network(splits)
                network.rows(splits.train.images[:1])  # refuses images of another size
                check_labels(network, splits.train, "network")
            seen.add(section)
        except GlassnetError as error:
            raise _refused(error, settings) from None


def _refused(error: GlassnetError, settings: Settings) -> RecipeError:
    return error.at(f"--over {text_of(settings)}" + (f"; {error.where}" if error.where else ""), RecipeError)


def text_of(settings: Settings) -> str:
    """The settings in one line."""
    return ", ".join(f"{key}={shown(value)}" for key, value in settings.items())


def points(plan: SearchPlan) -> list[Point]:
    """The points of a search in their order, none twice; those of TPE without settings.

    The first points do not depend on how many there are.
    """
    if plan.method == "tpe":
        whole = fingerprint(plan)
        return [Point(number, None, f"tpe-{whole}-{number}") for number in range(plan.trials)]
    if plan.method == "grid":
        candidates: Iterable[Settings] = grid(plan.space)
    else:
        candidates = (draw(plan.space, plan.seed, index) for index in range(ATTEMPTS * plan.trials))
    found: dict[str, Settings] = {}
    values = plan.recipe.model_dump(exclude_none=True)
    for settings in candidates:
        identity = _identity(changed(values, SECTIONS, settings), plan)
        found.setdefault(identity, settings)
        if plan.method == "random" and len(found) == plan.trials:
            break
    return [Point(number, settings, identity) for number, (identity, settings) in enumerate(found.items())]


def _identity(values: Mapping[str, Any], plan: SearchPlan) -> str:
    recipe = {key: value for key, value in values.items() if key not in (*OUTSIDE, "overridden")}
    return _hash([recipe, plan.folds, plan.seeds])


def fingerprint(plan: SearchPlan) -> str:
    """What tells plans apart whose trials differ. A random search and TPE may go on with more trials."""
    values = _PLANS.dump_python(plan, mode="json", exclude_none=True)
    values["recipe"] = {key: value for key, value in values["recipe"].items() if key not in (*OUTSIDE, "overridden")}
    del values["trials"]
    return _hash(values)


def _hash(value: Any) -> str:
    return hashlib.sha256(canonical(value).encode()).hexdigest()[:16]


def continues(plan: SearchPlan, folder: Path) -> bool:
    """Whether a folder holds a search with this plan, apart from its trials. Raises `RunError` for another search."""
    if not (folder / PLAN).is_file():
        return False
    if fingerprint(read_plan(folder)) != fingerprint(plan):
        raise RunError(
            tr("There is another search in this folder."),
            where=folder,
            expected=tr("a new or empty folder, or the same search"),
            hint=tr("choose another with --out"),
        )
    return True


_PLANS = TypeAdapter(SearchPlan)


def plan_text(plan: SearchPlan) -> str:
    """The plan as JSON, which `read_plan` reads."""
    return _PLANS.dump_json(plan, indent=1, exclude_none=True).decode() + "\n"


def read_plan(path: str | Path) -> SearchPlan:
    """The plan in a file, or in the folder of a search. Raises `RunError` for what is none."""
    found = Path(path) if Path(path).is_file() else Path(path) / PLAN
    try:
        return _PLANS.validate_json(found.read_bytes())
    except FileNotFoundError:
        received: str = tr("no such folder") if not found.parent.exists() else tr("no {file} in it", file=found.name)
    except OSError as error:
        received = str(error)
    except ValidationError as problems:
        problem = problems.errors()[0]
        received = f"{'.'.join(map(str, problem['loc']))}: {problem['msg']}"
    raise RunError(
        tr("This is not the folder of a search."),
        where=Path(path),
        expected=tr("a folder with a {file}, written by glassnet search", file=PLAN),
        received=received,
    )
