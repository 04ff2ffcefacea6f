"""A spec with the blocks of other files written into it is one file, and the same network."""

import pytest

from convcalc.analysis.count import count
from convcalc.catalogue import catalogue_files
from convcalc.cli import run
from convcalc.errors import UserError
from convcalc.language.builder import build
from convcalc.language.document_loader import load, parse
from convcalc.language.edit import extract_variant, inline_includes
from convcalc.language.overrides import Overrides
from convcalc.language.sources import File, Files
from convcalc.loader import graph as graph_of
from convcalc.rewrites import left_out, suggest


def rows(document):
    return [(row.path, row.output, row.tallies) for row in count(build(document, Overrides())).rows]


NETWORKS = [name for name, path in catalogue_files().items() if path.parent.name != "blocks"]


@pytest.mark.parametrize("name", NETWORKS)
def test_every_network_of_the_catalogue(name):
    document = load(name)
    whole = inline_includes(document)
    assert whole.get("include") is None
    assert rows(whole) == rows(document)
    assert not document.text("include") or all(block.home is whole for block in whole.blocks.values())


def files(tmp_path, **texts):
    for name, text in texts.items():
        (tmp_path / f"{name}.yaml").write_text(text, newline="")
    return load(str(tmp_path / "net.yaml"))


def test_the_text_to_the_letter(tmp_path):
    found = files(
        tmp_path,
        net="# mine\ninput: 3x8x8\ninclude:\n  - ./one.yaml\n  - ./two.yaml  # both\n"
        "blocks:\n    own: {layers: [outer]}  # here\n\n# then\nlayers: [own, relu]\n",
        one="# from a paper\n\nblocks:\n  outer:\n    # a body\n    layers: [inner]   # twice\n  x: {layers: []}\n",
        two="blocks: {inner: {args: {k: 3}, layers: [conv: {filters: 4, kernel: '${k}'}]}}\n",
    )
    assert inline_includes(found).node.source.text == (
        "# mine\ninput: 3x8x8\nblocks:\n    own: {layers: [outer]}  # here\n"
        "    inner: {args: {k: 3}, layers: [conv: {filters: 4, kernel: '${k}'}]}\n"
        "    # from a paper\n    outer:\n      # a body\n      layers: [inner]   # twice\n"
        "\n# then\nlayers: [own, relu]\n"
    )


def test_windows_line_ends_and_no_last_one(tmp_path):
    one = "blocks:\r\n  a:\r\n    layers: [relu]\r\n"
    found = files(tmp_path, net="input: 3x8x8\r\nlayers: [a]\r\ninclude: ./one.yaml", one=one)
    text = inline_includes(found).node.source.text
    assert text == "input: 3x8x8\r\nlayers: [a]\r\n" + one


def test_what_cannot_be_written_into_one_file(tmp_path):
    one = "vars: {k: 3}\nblocks:\n  a: {layers: [conv: {filters: '${k}', kernel: 1}]}\n"
    found = files(tmp_path, net="input: 3x8x8\ninclude: ./one.yaml\nlayers: [a]\n", one=one)
    with pytest.raises(UserError, match="the block 'a' uses the variable 'k' of its own file"):
        inline_includes(found)
    assert "the variable 'k'" in left_out(found, Files())
    braces = files(tmp_path, net="{input: 3x8x8, include: ./one.yaml, layers: [a]}\n", one=one.replace("'${k}'", "3"))
    with pytest.raises(UserError, match="'include' stands inside"):
        inline_includes(braces)


def test_suggestions_reach_into_included_blocks(tmp_path):
    found = suggest(load("nin_imagenet"), Overrides(), Files())
    assert {one.place.source.name.rpartition("/")[2] for one in found} == {"mlpconv.yaml"}
    before = count(build(load("nin_imagenet"), Overrides()))
    for one in found:
        document = parse(File("new.yaml", one.text.encode(), str(tmp_path)))
        assert document.get("include") is None
        assert one.weights == count(build(document, Overrides())).figure("weights") - before.figure("weights") < 0


def test_the_projection_after_the_pooling_of_a_naive_module(tmp_path):
    net = "input: 192x28x28\ninclude: inception\nlayers:\n" + "  - inception_naive: {c1: 64, c3: 128, c5: 32}\n" * 2
    document = files(tmp_path, net=net + "  - global_avg_pool\n  - flatten\n  - linear: 10\n")
    found = {one.what: one for one in suggest(document, Overrides(), Files())}
    one = found["1x1 to 1/4 of the channels after the pooling"]
    first = 64 + 128 + 32 + 192 // 4  # what the second module sees, in place of 416
    second = 64 + 128 + 32 + first // 4
    added = 192 * 48 + first * (first // 4)
    assert one.weights == added + (first - 416) * (64 + 9 * 128 + 25 * 32) + 10 * (second - (416 + 224))
    assert "max_pool: {name: pool" in one.text and '{name: pool_project, filters: "${channels // 4}"' in one.text
    assert one.text.index("pool_project") < one.text.index("relu", one.text.index("pool_project"))


def test_shown_in_one_file(tmp_path, capsys):
    assert run(["show", "googlenet", "--inline"]) == 0
    text = capsys.readouterr().out
    assert "include:" not in text and "  inception:\n" in text and "inception_naive" not in text
    (tmp_path / "mine.yaml").write_text(text)
    assert rows(load(str(tmp_path / "mine.yaml"))) == rows(load("googlenet"))
    assert run(["show", "nosuch", "--inline"]) == 2


VARIANTS = [(name, variant) for name in NETWORKS for variant in load(name).variants]


@pytest.mark.parametrize(("name", "variant"), VARIANTS, ids=map("@".join, VARIANTS))
def test_a_variant_as_a_spec_of_its_own(name, variant):
    whole = parse(File("mine.yaml", extract_variant(load(name), variant).encode(), ""))
    assert not whole.variants and whole.text("name").endswith(variant)
    graph, expected = build(whole, Overrides()), build(load(name), Overrides(variant=variant))
    assert [(layer.path, layer.output) for layer in graph.layers] == [(one.path, one.output) for one in expected.layers]
    assert count(graph).figure("params") == count(expected).figure("params")
    found, published = graph.provenance.expect, expected.provenance.expect
    assert (found and found.plain()) == (published and published.plain())


def test_names_written_with_their_variant(tmp_path, capsys):
    assert run(["show", "resnet18"]) == 0
    text = capsys.readouterr().out
    assert "name: ResNet 18\n" in text and "variants:" not in text and "deep: 0" in text
    (tmp_path / "mine.yaml").write_text(text)
    for spec in (str(tmp_path / "mine.yaml"), "resnet18", "resnet@18", "resnet_18"):
        assert count(graph_of(spec)).figure("params") == 11_689_512
    assert run(["show", "resnet5"]) == 2
    assert "resnet.yaml has no variant '5'" in capsys.readouterr().err
    assert run(["params", "vggg"]) == 2
    assert "vgg.yaml has no variant 'g'" in capsys.readouterr().err
