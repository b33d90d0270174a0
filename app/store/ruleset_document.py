"""Rulesets as JSON documents: to be stored, exported, edited; and back, naming the path of each wrong value.

The domain keeps plain dataclasses; here pydantic reads and writes them. Called by the roots, web and pipeline.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Annotated, Any, TypeAlias, cast

from pydantic import BaseModel, ConfigDict, ValidationError, ValidatorFunctionWrapHandler, WrapValidator

from app.domain.check_ruleset import WHOLE, check_ruleset, in_order
from app.domain.messages import Message, in_english, message
from app.domain.ruleset import Ruleset
from app.domain.ruleset_checks.remark import Remark
from app.domain.snapshot import PortalDictionary
from app.errors import OgonError

_PLAIN_CONFIG = ConfigDict(extra="forbid", allow_inf_nan=False)
DOCUMENT_CONFIG = _PLAIN_CONFIG | ConfigDict(use_attribute_docstrings=True)
"""For the API's models that hold a ruleset: reaches down to the domain's dataclasses, which have no pydantic of their
own, with their docstrings for the reference. To find those takes a tenth of a second a model at every start."""


def _as_it_came(document: Any, _validate: ValidatorFunctionWrapHandler) -> Any:
    return document


RulesetDocument: TypeAlias = Annotated[Ruleset, WrapValidator(_as_it_came)]
"""For the API's models: described in the reference as what it is, and handed over as the bare JSON that came."""

_ROOT = "ruleset"
_MANY = 100
_Location: TypeAlias = tuple[int | str, ...]


class _Strict(BaseModel):
    model_config = _PLAIN_CONFIG
    ruleset: Ruleset


class _Kept(BaseModel):
    """Documents in the database: keys that this version does not know are left out, absent ones have defaults."""

    model_config = _PLAIN_CONFIG | ConfigDict(extra="ignore")
    ruleset: Ruleset


class RulesetInvalid(OgonError):  # noqa: N818 - reads as the state it is
    """A rule document is wrong. `remarks` tell of each wrong value, e.g. at `minimum.profit`."""

    def __init__(self, remarks: Iterable[Remark]) -> None:
        self.remarks = tuple(remarks)
        listed = "; ".join(f"{one.path or 'the document'}: {in_english(one.said)}" for one in self.remarks)
        super().__init__(f"The rules were not taken, correct these values: {listed}")


@dataclass(frozen=True, slots=True)
class Examined:
    """A document that was looked at: its ruleset, None when anything is wrong, and all there is to say about it."""

    ruleset: Ruleset | None
    remarks: tuple[Remark, ...]

    @property
    def wrong(self) -> tuple[Remark, ...]:
        """What keeps it from being published."""
        return tuple(remark for remark in self.remarks if remark.wrong)

    @property
    def warnings(self) -> tuple[Remark, ...]:
        """What is only told."""
        return tuple(remark for remark in self.remarks if not remark.wrong)


def ruleset_to_document(ruleset: Ruleset) -> dict[str, Any]:
    """The ruleset as JSON values; numbers that must stay exact are texts."""
    return cast("dict[str, Any]", _Strict.model_construct(ruleset=ruleset).model_dump(mode="json")[_ROOT])


def ruleset_from_document(document: Any) -> Ruleset:
    """Read what `ruleset_to_document` wrote, or what a person edited. Raises RulesetInvalid.

    The values have the right shape then; whether they can be meant is told by `examine`.
    """
    try:
        return _Strict.model_validate({_ROOT: document}).ruleset
    except ValidationError as error:
        raise RulesetInvalid(_shape_remarks(error)) from None


def kept_ruleset(document: Mapping[str, Any], version: int) -> Ruleset:
    """A published document as its version, whichever release of Ogon wrote it. Raises RulesetInvalid."""
    try:
        return replace(_Kept.model_validate({_ROOT: document}).ruleset, version=version)
    except ValidationError as error:
        raise RulesetInvalid(_shape_remarks(error)) from None


def examine(document: Any, portal: PortalDictionary | None) -> Examined:
    """Everything that is wrong or odd in a document, at once. Never raises."""
    try:
        ruleset = ruleset_from_document(document)
    except RulesetInvalid as invalid:
        remarks = [*invalid.remarks, *_other_remarks(document, invalid.remarks, portal)]
        return Examined(None, tuple(in_order(remarks)))
    found = Examined(ruleset, tuple(check_ruleset(ruleset, portal)))
    return replace(found, ruleset=None) if found.wrong else found


def _other_remarks(document: Any, wrong: Iterable[Remark], portal: PortalDictionary | None) -> list[Remark]:
    """What else there is to say: of the document without the values whose shape is wrong."""
    wrong = list(wrong)
    if not isinstance(document, dict) or len(wrong) > _MANY:
        return []
    rest = _Rest(cast("dict[str, Any]", document))
    for remark in wrong:
        rest.leave_out(remark.path)
    try:
        ruleset = ruleset_from_document(rest.document())
    except RulesetInvalid:
        return []
    return [told for remark in check_ruleset(ruleset, portal) if (told := rest.told(remark)) is not None]


class _Rest:
    """A document with values left out, that still knows where each of its list's items stood."""

    # What is said about one of these sections follows from all of it, so nothing is said when a part is left out.
    _WHOLE_OR_NOT: Mapping[str, tuple[str, ...]] = {"facts": ("facts", "client", "request"), "grades": ("grades",)}

    def __init__(self, document: dict[str, Any]) -> None:
        self._document = dict(document)
        self._left_out: list[str] = []
        self._silent: set[str] = set()
        self._gone: dict[str, set[int]] = {}

    def leave_out(self, path: str) -> None:
        """Take away the value, or the whole item of a list that it is in."""
        self._left_out.append(path)
        section, *parts = path.split(".")
        self._silent |= set(self._WHOLE_OR_NOT.get(section, ()))
        value = self._document.get(section)
        if section in self._WHOLE_OR_NOT:
            self._document.pop(section, None)
        elif isinstance(value, list) and parts and parts[0].isdecimal():
            self._gone.setdefault(section, set()).add(int(parts[0]))
        else:
            _without(self._document, path.split("."))

    def document(self) -> dict[str, Any]:
        """What is left."""
        for section, gone in self._gone.items():
            self._document[section] = [item for at, item in enumerate(self._document[section]) if at not in gone]
        return self._document

    def told(self, remark: Remark) -> Remark | None:
        """The remark with the path that the whole document has; None when it follows from what was left out."""
        section, *parts = remark.path.split(".")
        if section in self._silent:
            return None
        if section in self._gone and parts:
            left = [at for at in range(int(parts[0]) + 1 + len(self._gone[section])) if at not in self._gone[section]]
            parts[0] = str(left[int(parts[0])])
        path = ".".join([section, *parts])
        related = (_inside(path, other) or _inside(other, path) for other in self._left_out)
        return None if path != WHOLE and any(related) else replace(remark, path=path)


def _inside(path: str, other: str) -> bool:
    return f"{path}.".startswith(f"{other}.")


def _without(document: dict[str, Any], keys: list[str]) -> None:
    """Take away what stands deepest on the way that `keys` name."""
    holder = document
    for key, deeper in pairwise(keys):
        value = holder.get(key)
        if not isinstance(value, dict) or deeper not in value:
            holder.pop(key, None)
            return
        # The groups on the way are copied: what was handed in stays as it is.
        holder[key] = dict(cast("dict[str, Any]", value))
        holder = holder[key]
    holder.pop(keys[-1], None)


def _shape_remarks(error: ValidationError) -> Iterator[Remark]:
    seen: set[str] = set()
    for item in error.errors(include_url=False, include_input=False):
        path = _path(item["loc"])
        if path not in seen:
            seen.add(path)
            yield Remark(path, _said(item["type"], item["msg"], item.get("ctx", {}), of_field=_of_field(item["loc"])))


def _path(location: _Location) -> str:
    parts = [str(part) for part in location[1:] if part != "[key]"]
    # A route's value may be of several kinds, and is told of once for each.
    return ".".join(parts[:-1] if _of_field(location) else parts)


def _of_field(location: _Location) -> bool:
    return len(location) > 2 and location[-3] == "fields"


def _said(kind: str, text: str, context: Mapping[str, Any], *, of_field: bool) -> Message:
    if of_field:
        return message("must be a text, a number or true or false")
    match kind:
        case "missing":
            return message("is missing")
        case "unexpected_keyword_argument":
            return message("There is no such key here; check the spelling.")
        case "string_type":
            return message("must be a text")
        case "int_type" | "int_parsing" | "int_from_float" | "int_parsing_size":
            return message("must be a whole number")
        case "decimal_type" | "decimal_parsing" | "float_type" | "float_parsing" | "finite_number":
            return message("must be a number")
        case "bool_type" | "bool_parsing":
            return message("must be true or false")
        case "enum" | "literal_error":
            return message("must be {expected}", expected=str(context.get("expected", "")).replace("'", ""))
        case "tuple_type" | "list_type":
            return message("must be a list")
        case "dataclass_type" | "dict_type" | "mapping_type":
            return message("must be a group of keys with values")
        case _:
            return message("{detail}", detail=text)
