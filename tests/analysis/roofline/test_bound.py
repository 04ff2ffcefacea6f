"""The least time on a device: figures by hand, and what holds for every network."""

from __future__ import annotations

from math import prod

import pytest
from helpers.networks import example

from convcalc.analysis.count import count
from convcalc.analysis.memory.live import memory
from convcalc.analysis.memory.precision import PRECISIONS
from convcalc.analysis.memory.profile import profile
from convcalc.analysis.memory.program import stored_layers
from convcalc.analysis.roofline.bound import SECOND, roof
from convcalc.analysis.roofline.device import Device, load_device
from convcalc.analysis.roofline.energy import DRAM, TABLE, energy
from convcalc.analysis.roofline.traffic import TRAFFIC, works
from convcalc.catalogue import catalogue_paths
from convcalc.deploy import deploy
from convcalc.errors import SpecError
from convcalc.kinds import KINDS
from convcalc.loader import load, read

INT8, FLOAT32 = PRECISIONS["int8"], PRECISIONS["float32"]
SOME = sorted(catalogue_paths("networks"))[::6]


def test_a_convolution_by_hand():
    network = read("{input: 16x10x10, layers: [{conv: {filters: 32, kernel: 3, padding: same}}]}")
    (work,) = works(network, TRAFFIC["operators"], FLOAT32)
    macs = 16 * 9 * 32 * 100
    assert (work.macs, work.flops) == (macs, 2 * macs + 32 * 100)
    assert (work.weight_bytes, work.read_bytes, work.written_bytes) == (4 * (16 * 9 * 32 + 32), 6_400, 12_800)
    device = Device("d", {"float32": 10**9}, 10**9, None, {})
    (least,) = roof([work], device, FLOAT32).least
    assert (least.compute, least.memory) == (work.flops * 1000, work.bytes * 1000)
    assert (least.bound, least.time) == ("compute", work.flops * 1000)


def test_the_batch_multiplies_activations_and_work_not_weights():
    text = "{input: 16x10x10, layers: [{conv: {filters: 32, kernel: 3}}]}"
    one, eight = (works(load_batch(text, batch), TRAFFIC["operators"], INT8)[0] for batch in (1, 8))
    assert eight.weight_bytes == one.weight_bytes
    assert (eight.flops, eight.read_bytes, eight.written_bytes) == (
        8 * one.flops,
        8 * one.read_bytes,
        8 * one.written_bytes,
    )


def load_batch(text, batch):
    network = read(text)
    network.batch = batch
    return network


def test_weights_used_twice_are_read_twice():
    text = "{input: 8, layers: [{linear: {name: a, features: 8}}, {linear: {features: 8, share: a}}]}"
    assert [work.weight_bytes for work in works(read(text), TRAFFIC["operators"], INT8)] == [64 + 4 * 8] * 2


def test_an_embedding_reads_the_rows_that_it_looks_up():
    few, many = (
        works(read(f"{{input: {words}, layers: [{{embedding: {{entries: 100, features: 4}}}}]}}"), traffic, INT8)[0]
        for traffic, words in ((TRAFFIC["operators"], 7), (TRAFFIC["operators"], 1000))
    )
    assert (few.weight_bytes, many.weight_bytes) == (7 * 4, 100 * 4)


def test_a_learned_table_is_read_by_the_layer_that_uses_it():
    text = "{input: 7x8, layers: [{parameter: {name: positions, shape: 7x8}}, {add: {from: [input, positions]}}]}"
    (work,) = works(read(text), TRAFFIC["operators"], INT8)
    assert (work.path, work.weight_bytes, work.read_bytes) == ("add1", 56, 56)


def test_conventions_of_what_is_moved():
    text = "{input: 4x8x8, layers: [{conv: {filters: 4, kernel: 1}}, batch_norm, {conv: {filters: 2, kernel: 1}}]}"
    moved = {}
    for name, traffic in TRAFFIC.items():
        found = works(read(text), traffic, INT8)
        moved[name] = [(work.path, work.read_bytes, work.written_bytes) for work in found]
    assert moved["operators"] == [("conv1", 256, 256), ("conv2", 256, 128)]
    assert moved["layers"] == [("conv1", 256, 256), ("batch_norm1", 256, 256), ("conv2", 256, 128)]
    assert moved["outputs"] == [("conv1", 0, 256), ("batch_norm1", 0, 256), ("conv2", 0, 128)]
    assert moved["network"] == [("conv1", 256, 0), ("conv2", 0, 128)]


@pytest.mark.parametrize("name", SOME)
def test_what_holds_for_a_network_on_every_device(name):
    network = load(name)
    whole = memory(network, profile("tflm"), INT8)
    found = works(network, TRAFFIC["operators"], INT8)
    deployed = count(deploy(network))
    stored = stored_layers(deployed.graph)
    running = [row for row in deployed.rows if row.layer.index not in stored]
    assert sum(work.macs for work in found) == sum(row.figure("macs") for row in running)
    assert sum(work.flops for work in found) == sum(row.figure("flops") for row in running)
    moved = sum(work.read_bytes + work.written_bytes for work in found)
    assert moved == sum(whole.bytes_of(one.reads) + whole.bytes_of(one.writes) for one in whole.program.operators)
    for device in ("stm32h743", "h100"):
        one = roof(found, load_device(device), INT8)
        assert one.time == sum(least.time for least in one.least)
        assert one.time >= sum(work.flops * SECOND // one.peak for work in found)
        assert one.time >= sum(work.bytes * SECOND // one.device.bandwidth for work in found)
        faster = one.device._replace(bandwidth=2 * one.device.bandwidth)
        assert roof(found, faster, INT8).time <= one.time


@pytest.mark.parametrize("traffic", TRAFFIC)
@pytest.mark.parametrize("kind", sorted(KINDS))
def test_every_kind_has_work_that_is_that_of_its_layer(kind, traffic):
    one = example(KINDS[kind])
    found = works(one, TRAFFIC[traffic], INT8)
    run = deploy(one) if TRAFFIC[traffic].is_deployed else one
    stored = stored_layers(run)
    running = [row for row in count(run).rows if row.layer.index not in stored]
    assert sum(work.flops for work in found) == sum(row.figure("flops") for row in running)
    assert sum(work.macs for work in found) == sum(row.figure("macs") for row in running)
    entering = one.batch * sum(map(prod, one.inputs.values()))
    if found and traffic == "network":
        assert sum(work.read_bytes for work in found) <= entering


def test_the_energy_of_an_operation_is_in_the_table():
    network = read("{input: 16x10x10, layers: [{conv: {filters: 32, kernel: 3, bias: false}}]}")
    for name in TABLE:
        found = works(network, TRAFFIC["operators"], PRECISIONS[name])
        spent = energy(found, PRECISIONS[name])
        assert spent.arithmetic == found[0].macs * (TABLE[name].product + TABLE[name].accumulation)
        assert spent.traffic == found[0].bytes * DRAM
    with pytest.raises(SpecError, match="no float64"):
        energy(found, PRECISIONS["float64"])
