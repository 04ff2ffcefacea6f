"""The JSON schema of a spec, for editors: completion, descriptions, and the errors that need no computation."""

from __future__ import annotations

from typing import Any

from convcalc import bits
from convcalc.analysis import expect
from convcalc.analysis.memory.precision import NAMES as PRECISIONS
from convcalc.budgets import limits as budget
from convcalc.kinds import KINDS, Kind
from convcalc.kinds.fields import LARGEST
from convcalc.language.bits import PARTS, SCOPES
from convcalc.language.choices import CHOICE_KEYS
from convcalc.language.document import BLOCK_KEYS, BRANCH_KEYS, COMMON_FIELDS, KEYS, REPEAT_KEYS
from convcalc.language.input_shapes import MOST_AXES
from convcalc.language.input_shapes import PATTERN as SHAPE_PATTERN
from convcalc.language.layer_builder import PARALLEL_KEYS

Schema = dict[str, Any]

FORMULA: Schema = {"type": "string", "pattern": "\\$\\{"}
TEXT: Schema = {"anyOf": [{"type": ["string", "number", "boolean"]}, {"type": "array", "items": {"type": "string"}}]}
SIZE: Schema = {"anyOf": [{"type": "integer", "minimum": 1, "maximum": LARGEST}, FORMULA]}
FIXED_SIZE: Schema = SIZE["anyOf"][0]
FIXED_SHAPE: Schema = {
    "anyOf": [
        {"type": "string", "pattern": f"^(?:{SHAPE_PATTERN})$"},
        FIXED_SIZE,
        {"type": "array", "items": FIXED_SIZE, "minItems": 1, "maxItems": MOST_AXES},
    ]
}
SHAPE: Schema = {
    "anyOf": [*FIXED_SHAPE["anyOf"], FORMULA, {"type": "array", "items": SIZE, "minItems": 1, "maxItems": MOST_AXES}]
}
NOTHING: Schema = {"type": "null", "description": "the argument or variable of this name"}
VALUE: Schema = {"type": ["number", "string", "boolean", "array"]}
NAMES: Schema = {"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]}
LAYERS: Schema = {"type": "array", "items": {"$ref": "#/definitions/layer"}}
SHARED: Schema = {"anyOf": [{"type": "string"}, {"type": "object", "additionalProperties": SIZE, "minProperties": 1}]}
_PART: Schema = {"anyOf": [{"type": "integer", "minimum": 1, "maximum": bits.LARGEST}, FORMULA]}
_PARTS: Schema = {"type": "object", "properties": dict.fromkeys(PARTS, _PART), "additionalProperties": False}
BITS: Schema = {"anyOf": [*_PART["anyOf"], {"type": "string", "pattern": f"^(?:{bits.PATTERN})$"}, _PARTS]}
COMMON: dict[str, Schema] = {
    "name": {"type": ["string", "integer"]},
    "from": {"anyOf": [{"type": ["string", "integer"]}, {"type": "array", "items": {"type": ["string", "integer"]}}]},
    "share": {"anyOf": [{"type": "string"}, {"type": "object", "additionalProperties": SHARED, "minProperties": 1}]},
    "via": {"enum": ["module", "function"]},
    "bits": BITS,
    "when": {"anyOf": [{"type": ["boolean", "integer"]}, FORMULA]},
}


def schema() -> Schema:
    """Make the schema of a whole spec (draft 7)."""
    kinds = {name: _described(_kind(kind), _about(kind)) for name, kind in sorted(KINDS.items())}
    repeat = _object(_loop(), REPEAT_KEYS)
    fields = {key: value for key, value in _common().items() if key in PARALLEL_KEYS}
    side_by_side: Schema = {"type": "object", "properties": {**fields, "branches": _branches()}}
    side_by_side |= {"additionalProperties": False, "required": ["branches"]}
    repeat["properties"].update(_common())
    alternative: Schema = {"anyOf": [LAYERS, LAYERS["items"]]}
    choice = _object({"of": {**_mapping(alternative), "minProperties": 1}}, CHOICE_KEYS)
    choice["properties"].update({key: value for key, value in _common().items() if key in ("from", "when")})
    layer: Schema = {
        "anyOf": [
            {"enum": sorted(KINDS)},
            {"type": "string", "description": "a block without arguments"},
            {
                "type": "object",
                "minProperties": 1,
                "maxProperties": 1,
                "properties": {
                    **kinds,
                    "repeat": {
                        **repeat,
                        "required": ["layers"],
                        "anyOf": [{"required": ["times"]}, {"required": ["over"]}],
                    },
                    "parallel": {"anyOf": [_branches(), side_by_side]},
                    "choice": {**choice, "required": ["name", "of"]},
                },
                "additionalProperties": {"description": "a block with its arguments"},
            },
        ]
    }
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "convcalc spec",
        "description": "A network as a list of layers, for convcalc.",
        **_object(_top(), {key: about for key, (_, about) in KEYS.items()}),
        "definitions": {"layer": layer},
    }


def rules_schema() -> Schema:
    """Make the schema of a file of rules for operators (draft 7)."""
    from convcalc.importers.onnx.rule_file import KEYS, OPERATOR

    expression: Schema = {"type": ["integer", "number", "string"]}
    shape: Schema = {"anyOf": [{"type": "string"}, {"type": "array", "items": expression, "minItems": 1}]}
    number: Schema = {"type": ["number", "null"]}
    special: dict[str, Schema] = {
        "inputs": _mapping({"anyOf": [{"type": "array", "items": {"type": ["string", "integer"]}}, {"type": "null"}]}),
        "attributes": _mapping({"anyOf": [number, {"type": "string"}, NAMES, _mapping(number)]}),
        "ignore": NAMES,
        "output": shape,
        "outputs": {"type": "array", "items": shape, "minItems": 1},
        "override": {"type": "boolean"},
    }
    rule = _object({key: special.get(key, expression) for key in KEYS}, KEYS)
    rule["oneOf"] = [{"required": ["output"]}, {"required": ["outputs"]}]
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "convcalc rules",
        "description": "What operators of models give and cost, for convcalc.",
        "type": "object",
        "patternProperties": {f"^{OPERATOR.pattern}$": rule},
        "additionalProperties": False,
        "minProperties": 1,
    }


def _top() -> dict[str, Schema]:
    """The schemas of the top-level keys, by the type that `language.document.KEYS` gives."""
    block = _object(
        {"args": {"type": ["object", "array", "null"]}, "inputs": NAMES, "outputs": NAMES, "layers": LAYERS}, BLOCK_KEYS
    )
    special: dict[str, Schema] = {
        "vars": {"type": ["object", "null"], "additionalProperties": VALUE},
        "variants": _mapping(_mapping({})),
        "blocks": _mapping({**block, "required": ["layers"]}),
        "layers": LAYERS,
        "expect": _expect(),
        "budget": _budget(),
        "bits": _bits(),
        "input": {"anyOf": [*SHAPE["anyOf"], _mapping(SHAPE)]},
    }
    by_type = {"text": TEXT, "names": NAMES, "mapping": {"type": "object"}}
    return {key: special.get(key) or by_type[holds] for key, (holds, _) in KEYS.items()}


def _expect() -> Schema:
    figure: Schema = {"anyOf": [{"type": "integer"}, _text(expect.ROUNDED)]}
    properties = {key: FIXED_SHAPE if key == "output" else figure for key in expect.KEYS}
    return {"type": "object", "properties": properties, "additionalProperties": False}


def _budget() -> Schema:
    """Limits of the network, of layers and of kinds: units and fields as `budgets.limits` reads them."""
    figures = {figure: _limit(figure) for figure in budget.FIGURES}
    scoped = _mapping({"type": "object", "properties": figures, "additionalProperties": False})
    others: dict[str, Schema] = {
        "output": FIXED_SHAPE,
        "precision": {"enum": list(PRECISIONS)},
        **{figure: _limit(figure) for figure in budget.NETWORK_FIGURES},
        "layers": scoped,
        "kinds": scoped,
    }
    described = {key: _described({**figures, **others}[key], about) for key, about in budget.KEYS.items()}
    return {"type": "object", "properties": described, "additionalProperties": False}


def _bits() -> Schema:
    """Bits of the network, of kinds and of layers."""
    parts = dict.fromkeys(PARTS, _PART)
    return {
        "anyOf": [*BITS["anyOf"][:-1], _object({**parts, **dict.fromkeys(SCOPES, _mapping(BITS))}, {**PARTS, **SCOPES})]
    }


def _limit(figure: str) -> Schema:
    """A limit: an amount, or a mapping with at least one of at_most, max_increase and ratchet."""
    units = budget.limit_pattern(figure)
    amount: Schema = {"anyOf": [{"type": "integer", "minimum": 0}, _text(units)]}
    both = f"(?:{units})\\s+and\\s+{budget.PERCENT}|{budget.PERCENT}\\s+and\\s+(?:{units})"
    fields: dict[str, Schema] = {
        "at_most": amount,
        "max_increase": {"anyOf": [*amount["anyOf"], _text(f"{budget.PERCENT}|{both}")]},
        "ratchet": {"type": "boolean"},
        "level": {"enum": list(budget.LEVELS)},
        "message": {"type": ["string", "integer"]},
    }
    limits: list[Schema] = [{"required": ["at_most"]}, {"required": ["max_increase"]}]
    limits.append({"required": ["ratchet"], "properties": {"ratchet": {"const": True}}})
    return {"anyOf": [*amount["anyOf"], {**_object(fields, budget.FIELDS), "anyOf": limits}]}


def _text(pattern: str) -> Schema:
    return {"type": "string", "pattern": f"^\\s*(?:{pattern})\\s*$"}


def _kind(kind: type[Kind]) -> Schema:
    """The value of a kind's key: nothing, its fields, its bare field, or its branches."""
    properties = {
        name: _described({"anyOf": [field.schema(), FORMULA]}, field.doc) for name, field in kind.fields.items()
    }
    branches = _branches()
    if kind.has_branches:
        properties["branches"] = branches
    if kind.like_field:
        properties["like"] = {"type": "string", "description": "the layer whose size the output has"}
    named = {
        name: {**property_, "anyOf": [*property_["anyOf"], NOTHING]}
        for name, property_ in properties.items()
        if name in kind.fields
    }
    fields: Schema = {
        "type": "object",
        "properties": {**properties, **named, **_common()},
        "additionalProperties": False,
    }
    required = [name for name, field in kind.fields.items() if field.is_required]
    if required:
        others = ["share", *["like"] * bool(kind.like_field)]
        fields["anyOf"] = [{"required": required}, *({"required": [name]} for name in others)]
    bare = [properties[name] for name, field in kind.fields.items() if field.bare]
    choices = [fields, *bare, *([branches] if kind.has_branches else []), *([] if required else [{"type": "null"}])]
    return {"anyOf": choices} if len(choices) > 1 else fields


def _branches() -> Schema:
    """Branches of a join: lists of layers, or mappings with conditions and loops."""
    branch = _object({**_loop(), "from": COMMON["from"], "when": COMMON["when"], "else": LAYERS}, BRANCH_KEYS)
    text = "branches, each a list of layers; [] is the skip"
    return {"type": "array", "items": {"anyOf": [LAYERS, branch]}, "description": text}


def _loop() -> dict[str, Schema]:
    items: Schema = {"anyOf": [{"type": "array"}, FORMULA]}
    names = _mapping({"anyOf": [*items["anyOf"], {"type": "integer", "minimum": 0}]})
    times: Schema = {"anyOf": [{"type": "integer", "minimum": 0}, FORMULA]}
    return {"times": times, "over": {"anyOf": [*items["anyOf"], names]}, "layers": LAYERS}


def _common() -> dict[str, Schema]:
    return {name: _described(COMMON[name], about) for name, about in COMMON_FIELDS.items()}


def _mapping(values: Schema) -> Schema:
    return {"type": "object", "additionalProperties": values}


def _object(properties: dict[str, Schema], about: dict[str, str]) -> Schema:
    """An object with these properties and no others; those without a schema of their own are text."""
    described = {key: _described(properties.get(key, TEXT), text) for key, text in about.items()}
    return {"type": "object", "properties": described, "additionalProperties": False}


def _described(schema: Schema, text: str) -> Schema:
    return {**schema, "description": text} if text else schema


def _about(kind: type[Kind]) -> str:
    return (kind.__doc__ or "").partition("\n")[0]
