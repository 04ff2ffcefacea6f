# ruff: noqa: SIM905  (lists of words read better as words)
"""Mutated specs and options: whatever is written, a network is counted or a SpecError says why not, and soon.

By hand, for longer: `python tests/language/test_fuzz.py COUNT`, as `tests/helpers/fuzzing.py` says.
"""

import contextlib
import io
import json
import sys
import tempfile
import time
from pathlib import Path
from random import Random

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from convcalc.analysis.count import FIGURES, by_kind, count, fold
from convcalc.analysis.explain import explain_layer
from convcalc.cli import BAD, FINE, run
from convcalc.errors import SpecError
from convcalc.kinds import KINDS
from convcalc.loader import read
from convcalc.syntax.yaml import read as read_yaml

SECONDS = 10  # for one spec: far more than any needs, far less than for ever
SEEDS = [
    """\
name: plain
source: [a paper, a table]
input: 3x32x32
layers:
  - conv: {name: stem, filters: 16, kernel: [3, 3], stride: 2, padding: [[0, 1], 1], bias: false}
  - batch_norm
  - relu
  - max_pool: {kernel: 2, ceil_mode: true}
  - conv: {kernel: 3, groups: channels, dilation: 2, padding: same}
  - transposed_conv: {filters: 8, kernel: 2, stride: 2, output_padding: 1}
  - add: [[{conv: {filters: 8, kernel: 1}}], []]
  - concat: {name: both, branches: [[relu], [{avg_pool: {kernel: 3, stride: 1, padding: 1}}], []]}
  - global_avg_pool
  - flatten
  - dropout: 0.5
  - linear: 10
  - softmax
""",
    """\
input: 3x${size}x${size}
vars: {width: 1.0, size: 32, base: "${make_divisible(32 * width, 8)}", kinds: relu}
variants:
  half: {width: 0.5}
  tiny: {width: 0.25, input: 3x16x16, expect: {params: 100}}
blocks:
  unit:
    args: {filters: , stride: 1, act: "${kinds}"}
    source: a paper
    layers:
      - conv: {name: a, filters: "${filters}", kernel: 3, stride: "${stride}", padding: 1}
      - "${act}"
      - conv: {filters: "${filters}", kernel: 1, from: input, when: "${stride > 1 or filters != channels}", stride: 2}
  unused: {layers: [{choice: {name: c, of: {a: relu}}}, {add: [[tanh], []]}, {repeat: {times: 2, layers: [relu]}}]}
  merge:
    inputs: [left, right]
    layers:
      - add: {from: [left, right]}
layers:
  - unit: {name: first, filters: "${base}"}
  - unit: {name: second, filters: "${channels * 2}", stride: 2}
  - repeat:
      name: stage
      times: 3
      layers:
        - unit: "${base * index}"
        - relu: {name: "r${index}"}
  - merge: {from: [stage, stage]}
  - choice: {name: pick, of: {one: [{conv: {filters: 8, kernel: 1}}], two: [{unit: 8}], none: []}}
  - split: {name: s, parts: 2, from: stage}
  - multiply: {from: [s.0, s.1]}
  - conv: {name: last, filters: 8, kernel: 1}
  - conv: {share: first/a, from: input}
expect: {params: 1.2M, macs: 3000}
budget: {params: 2M}
""",
    """\
input: {image: 3x16x16, tokens: [7, 32], word: 5}
layers:
  - attention: {name: att, heads: 4, from: tokens}
  - layer_norm
  - lstm: {features: 16}
  - linear: {features: 8, axis: last}
  - permute: [1, 0]
  - embedding: {entries: 100, features: 16, from: word}
  - upsample: {scale: 2, from: image}
  - pixel_shuffle: {factor: 1}
  - reshape: [-1]
  - matmul: {from: [tokens, tokens], transpose: true}
  - group_norm: {groups: 3, from: image}
  - channel_shuffle: {groups: 3}
  - crop: {amount: 1}
  - pad: {amount: 1}
  - lrn: 5
""",
    """\
input: 3x16x16
vars: {filters: 4, extra: 0, acts: [relu, tanh]}
outputs: [fused, out2]
blocks:
  fuse:
    inputs: any
    outputs: [mixed, last]
    args: {filters: , side: "${input.0.height // 2}"}
    layers:
      - parallel:
        - over: {i: "${inputs}"}
          from: "input.${i - 1}"
          layers: [conv: {filters, kernel: 1}]
      - add: {name: mixed}
      - adaptive_avg_pool: {name: last, size: ["${side}", "${width}"]}
layers:
  - repeat:
      name: down
      over: {filters: [4, 8], stride: [1, 2]}
      layers: [conv: {filters, kernel: 3, stride, padding: 1}]
  - repeat: {over: "${acts}", layers: ["${item}"]}
  - upsample: {name: up, like: down/1}
  - add:
    - - conv: {name: a, filters, kernel: 1}
    - when: "${extra}"
      layers: [conv: {filters, kernel: 1}]
    - {when: "${up.channels != filters}", layers: [conv: {filters, kernel: 1}], else: []}
    - {from: down/1}
    - {times: 2, layers: [conv: {name: "t${index}", share: t1, filters, kernel: 1}]}
  - fuse: {name: fused, from: [add1, down/1], filters}
  - concat: {from: [down/1, fused/mixed]}
  - parallel: [{over: [2, 3], layers: [conv: {name: "out${item}", filters: "${item}", kernel: 1}]}, []]
""",
]
TOKENS = r"""
: , - [ ] { } # & * ! | > ' " % @ ` ~ ? << &a *a !!x \t \r \0 \x85 \u2028 \ud7ff é 😀 ${ } ${w} ${index} ${channels}
${a.b} // 0 -1 1 2 3 7 1e9 1e400 .5 .inf 010 0x1f 99999999999 9223372036854775807 1:30 2024-01-01 true no null
else over outputs parallel like item any
name from share when repeat times layers blocks args inputs include input vars variants relu conv add concat filters
kernel stride padding same channels index input.0 x.1 --- ... %YAML 3x3 3xx 1x1x1x1x1x1x1 [[]] [[],[]] {} \\x \\ud800
""".split()
TOKENS = [" ", "\n", *(token.encode().decode("unicode_escape") if token[:1] == "\\" else token for token in TOKENS)]
VALUES = json.loads(
    r"""[
null, true, false, 0, 1, -1, 2, 3, 7, 250, 1000000000, 1000000000000, 9223372036854775808, 0.5, 1.0, -0.5, 1e-9,
"", "3", "x", "same", "channels", "relu", "conv", "input", "a/b", "1x1", "3x8x8", "\u202e",
"${", "${1+}", "${width}", "${index}", "${channels // 3}", "${1 // 0}", "${0 - 5}", "${stage}",
[], [1], [[1, 2]], [[], []], ["relu"], [0, 0], [3, 3, 3], {}, {"conv": 3}, {"a": 1}, {"from": "input"},
{"repeat": {"times": 2, "layers": ["relu"]}}, {"from": ["input", "input"]}, {"name": "x"}]"""
)
KEYS = (
    "else over outputs like any name from share when times layers filters kernel stride padding groups branches axis"
    " input vars variants blocks args inputs include expect budget unit merge x 0"
).split(" ")


def mutate_text(text: str, random: Random) -> str:
    """The text with a few pieces cut out, put in, doubled or moved."""
    for _ in range(random.randint(1, 5)):
        at = random.randint(0, len(text))
        end = min(len(text), at + random.randint(0, 12))
        way = random.randint(0, 5)
        if way == 0:
            text = text[:at] + text[end:]
        elif way <= 2:
            text = text[:at] + random.choice(TOKENS) + text[end if way == 1 else at :]
        elif way == 3:
            text = text[:end] + text[at:end] * random.randint(1, 3) + text[end:]
        else:
            lines = text.split("\n")
            one, other = random.randrange(len(lines)), random.randrange(len(lines))
            if way == 4:
                lines[one], lines[other] = lines[other], lines[one]
            else:
                lines[one] = " " * random.randint(0, 3) + lines[one].removeprefix("  ")
            text = "\n".join(lines)
    return text


def holders(value):
    """Every list and mapping inside a value, itself included."""
    if isinstance(value, (dict, list)):
        yield value
        for inner in value.values() if isinstance(value, dict) else value:
            yield from holders(inner)


def copied(value):
    text = json.dumps(value)
    return json.loads(text) if len(text) < 2_000 else 1


def mutate_structure(spec, random: Random) -> str:
    """The spec with a few values, keys or items exchanged, as JSON, which is YAML too."""
    for _ in range(random.randint(1, 4)):
        holder = random.choice(list(holders(spec)))
        keys = list(holder) if isinstance(holder, dict) else list(range(len(holder)))
        way = random.randint(0, 4)
        if way == 0 and keys:
            del holder[random.choice(keys)]
        elif way == 1 and isinstance(holder, dict) and keys:
            holder[random.choice([*KEYS, *KINDS])] = holder.pop(random.choice(keys))
        elif way == 2:
            donor = random.choice(list(holders(spec)))
            value = copied(donor)
            if isinstance(holder, dict):
                holder[random.choice(KEYS)] = value
            else:
                holder.insert(random.randint(0, len(holder)), value)
        elif keys:
            holder[random.choice(keys)] = copied(random.choice([*VALUES, random.choice(sorted(KINDS))]))
    return json.dumps(spec, ensure_ascii=False)


def plain(text: str):
    """A spec as JSON knows it."""
    return json.loads(json.dumps(read_yaml(text).plain(), default=float))


STRUCTURES = [json.dumps(plain(text)) for text in SEEDS]


NUMBERS = (
    "0 1 2 3 7 8 64 1e9 1000000001 1e99999999999999999999 1e-31 0.5 -1 .5 ${w} ${w*8} ${channels} ${index}".split()
)
NUMBERS += [
    "9" * 31,
    "9" * 4_301,
    "${" + "(" * 30 + "1" + ")" * 30 + "}",
    "${" + "-" * 150 + "1}",
    "[3, 1]",
    "[1,1,1,1,1,1,1,1]",
]

JOINS = ("add", "concat", "multiply", "matmul")


def any_entry(random: Random, depth: int) -> str:
    """A layer of any kind, in flow style: its example's fields, or others, after whatever is above."""
    way = random.random()
    if depth and way < 0.25:
        inside = ", ".join(any_entry(random, depth - 1) for _ in range(random.randint(0, 3)))
        holders_of = (
            f"{{repeat: {{times: {random.choice(NUMBERS[:5])}, layers: [{inside}]}}}}",
            f"{{choice: {{name: c{random.randint(0, 2)}, of: {{a: [{inside}], b: []}}}}}}",
            f"{{{random.choice(JOINS)}: [[{inside}], [{any_entry(random, depth - 1)}]]}}",
        )
        return random.choice(holders_of)
    if way < 0.35:
        return f"{{b{random.randint(0, 5)}: {{name: n{random.randint(0, 30)}}}}}"
    if way < 0.45:
        fields = random.choice(("", ", shape: [4, 8, 8]", ", ports: 2", ", params: 5"))
        return f"{{opaque: {{operator: Magic{fields}}}}}"
    kind = KINDS[random.choice(sorted(KINDS))]
    fields = {key: json.dumps(value, default=str) for key, value in kind.example[1].items()}
    for key in random.sample(sorted(kind.fields), min(len(kind.fields), random.choice((0, 0, 0, 1, 2)))):
        fields[key] = json.dumps(random.choice(NUMBERS)) if random.random() < 0.5 else random.choice(NUMBERS[:12])
    if random.random() < 0.2:
        names = ("input", "n1", f"n1.{random.choice(NUMBERS[:4])}", "n1." + "9" * 4_301, "[input, input]", "[n1, n2]")
        fields["from"] = random.choice(names)
    if random.random() < 0.2:
        fields["name"] = f"n{random.randint(0, 30)}"
    return f"{{{kind.name}: {{{', '.join(f'{key}: {value}' for key, value in fields.items())}}}}}"


def grammar_spec(random: Random) -> str:
    """A spec by the grammar: kinds in any order, opaque layers, blocks in blocks, chains of variables, any numbers."""
    deep = random.choice((0, 1, 2, 2, 3, 10, 14))
    blocks = [
        f"  b{at}: {{layers: [{any_entry(random, deep)}, b{at + 1}]}}" for at in range(random.choice((5, 5, 5, 31, 40)))
    ]
    names = random.choice((1, 1, 2, 2, 5, 99, 150))
    chain = [f'  w{at}: "${{w{at + 1}}}"' for at in range(names)]
    shape = random.choice(
        ("3x8x8", "[4]", "16x64", "4x8x8x8", "1x1", "2x2x2x2x2x2", f"3x{random.choice(NUMBERS[:11])}")
    )
    layers = [f"  - {any_entry(random, deep)}" for _ in range(random.randint(1, 8))]
    text = [f"input: {shape}", "vars:", '  w: "${w0}"', *chain, f"  w{names}: {random.choice(NUMBERS[:9])}"]
    return "\n".join([*text, "blocks:", *blocks, f"  b{len(blocks)}: {{layers: [relu]}}", "layers:", *layers]) + "\n"


def spec_of(random: Random) -> str:
    if random.randint(0, 2) == 0:
        text = grammar_spec(random)
        return mutate_text(text, random) if random.randint(0, 3) == 0 else text
    at = random.randrange(len(SEEDS))
    if random.randint(0, 2):
        text = mutate_structure(json.loads(STRUCTURES[at]), random)
        return mutate_text(text, random) if random.randint(0, 4) == 0 else text
    return mutate_text(SEEDS[at], random)


def check(text: str) -> bool:
    """Count a spec; whether it could be. What it says where it could not must point into the file."""
    began = time.process_time()
    try:
        counted = count(read(text))
    except SpecError as error:
        assert error.problems
        assert str(error)
        for problem in error.problems:
            if problem.place is not None and problem.place.source.name == "<text>":
                lines = text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n").split("\n")
                assert 1 <= problem.place.line <= max(1, len(lines))
                assert 1 <= problem.place.column <= len(lines[problem.place.line - 1]) + 1
        return False
    finally:
        assert time.process_time() - began < SECONDS
    for name in FIGURES:
        for rows in (counted.rows, fold(counted, 1), by_kind(counted)):
            assert sum(row.figure(name) for row in rows) == counted.figure(name)
        assert isinstance(counted.figure(name), int)
        assert counted.figure(name) >= 0
    for layer in counted.graph.layers[:50]:
        explain_layer(layer)
    return True


def test_the_seeds_hold_something_to_mutate():
    assert all(map(check, SEEDS))


@settings(max_examples=1_500, database=None, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.randoms(use_true_random=False))
def test_a_mutated_spec_is_counted_or_refused(random):
    check(spec_of(random))


WORDS = "--set --input --variant --columns --sort --batch --depth --by -f --exact --color".split(" ")
OPTION_VALUES = [
    *("", "width=[1", "width={a: 1}", "width=\x00", "\x1b[31m", "width=${a} b", "³x8x8", "é"),
    *"= width= width=2 width=${a} width=1e400 size=17 size=0 input=3x8x8 3x16x16 16 x -1 0 1 9 3x x3".split(),
    *"99999999999999999999 half tiny nosuch name,macs all all,all , name, macs_share -macs -- kind table json".split(),
    *"image=3x8x8 csv markdown latex never always -".split(),
]


def options_of(random: Random) -> list[str]:
    words = []
    for _ in range(random.randint(1, 4)):
        words += [random.choice(WORDS), random.choice(OPTION_VALUES)]
    return words


def check_options(words: list[str], folder: Path) -> None:
    path = folder / "net.yaml"
    if not path.exists():
        path.write_text(SEEDS[1], "utf-8")
    assert run(["params", str(path), *words]) in (FINE, BAD), words


@settings(max_examples=300, database=None, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.randoms(use_true_random=False))
def test_options_are_taken_or_refused(tmp_path_factory, random):
    check_options(options_of(random), Path(tmp_path_factory.getbasetemp()))


def try_seed(seed: int) -> bool:
    """Count the spec of a seed, and for every tenth try options too; whether it could be counted."""
    good = check(spec_of(Random(seed)))
    if seed % 10 == 0:
        with (
            tempfile.TemporaryDirectory() as folder,
            contextlib.redirect_stdout(io.StringIO()),
            contextlib.redirect_stderr(io.StringIO()),
        ):
            check_options(options_of(Random(seed)), Path(folder))
    return good


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[1]))
    from helpers.fuzzing import main

    main(try_seed)
