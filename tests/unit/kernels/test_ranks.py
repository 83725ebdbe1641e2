"""How ranks divide a mini-batch, and what they exchange: the tree over partial sums comes out as in one process."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, strategies as st

import glassnet as gn
from glassnet.compiler import assemble, cuts, nodes, share
from glassnet.compiler.ranks import GRADIENTS, JOINTS, OF_IMAGES, OF_WEIGHTS, Gather
from glassnet.kernels import opcodes as op
from glassnet.runtime.exchange import check_worth

OPCODES = {number for name, number in vars(op).items() if isinstance(number, int)}


def test_every_operation_is_shared_in_one_way() -> None:
    """Those of predictions are in no program that trains, and those of ranks are added to it."""
    predicting = {op.OUTPUT, op.BATCH_NORM_RUNNING, op.DENSE_PANELS, op.PAIR_PANELS, op.DENSE_INT8, op.QUAD_WEIGHTS}
    elsewhere = predicting | {op.SUM_OWN_PARTS, op.EXCHANGE}
    ways = [OF_IMAGES, OF_WEIGHTS, set(JOINTS), set(GRADIENTS), elsewhere]
    assert set().union(*ways) == OPCODES
    assert sum(map(len, ways)) == len(OPCODES)


def test_an_operation_that_is_not_known_is_refused() -> None:
    net = gn.Network([4, 2], seed=1)
    with pytest.raises(LookupError, match=f"the operation {op.OUTPUT} is not known"):
        share(assemble(net, 4, is_bytes=False, purpose="raw"))


@pytest.mark.parametrize(
    ("images", "ranks", "partitions", "found"),
    [
        (64, 4, {8}, [0, 16, 32, 48, 64]),
        (64, 4, set(), [0, 16, 32, 48, 64]),
        (100, 2, {4, 8}, [0, 50, 100]),
        (64, 3, {8, 4}, [0, 16, 48, 64]),
        (10, 3, set(), [0, 3, 7, 10]),
        (64, 8, {4}, [0, 0, 16, 16, 32, 32, 48, 48, 64]),  # half of the ranks have none
    ],
)
def test_ranks_have_whole_partitions(images: int, ranks: int, partitions: set[int], found: list[int]) -> None:
    assert cuts(images, ranks, frozenset(partitions)) == found


def tree(parts: list[Any]) -> Any:
    """The definition in kernels/reduce.py."""
    if len(parts) == 1:
        return parts[0]
    left = 1
    while 2 * left < len(parts):
        left *= 2
    return (tree(parts[:left]), tree(parts[left:]))


def add(parts: list[Any], count: int, wanted: Any) -> None:
    """As the kernels do: by strides, those nodes whose parts `wanted` says."""
    stride = 1
    while stride < count:
        for part in range(0, count - stride, 2 * stride):
            if wanted(part, min(part + 2 * stride, count)):
                parts[part] = (parts[part], parts[part + stride])
        stride *= 2


@given(images=st.integers(1, 40), count=st.integers(1, 12), ranks=st.integers(1, 6), other=st.integers(1, 8))
def test_what_is_exchanged_makes_the_whole_tree(images: int, count: int, ranks: int, other: int) -> None:
    """Sums are pairs here: (a, b) is a + b. Each rank joins its own parts, gets the others' nodes, and joins these."""
    bounds = cuts(images, ranks, frozenset({count, other}))
    owned = [tuple(-(-image * count // images) for image in pair) for pair in pairwise(bounds)]

    def owner(first: int, end: int) -> int:
        return next((rank for rank, (low, high) in enumerate(owned) if low <= first and end <= high), -1)

    held = []
    for rank, (low, high) in enumerate(owned):
        parts: list[Any] = [part if low <= part < high else None for part in range(count)]
        add(parts, count, lambda first, end, rank=rank: owner(first, end) == rank)
        held.append(parts)
    gather = Gather(0, 1, count)
    got: list[Any] = [None] * count
    for rank, (low, high) in enumerate(pairwise(bounds)):
        place, size = nodes(gather, images, low, high)
        got[place : place + size] = held[rank][place : place + size]
    if ranks > 1:
        add(got, count, lambda first, end: owner(first, end) < 0)
    assert got[0] == tree(list(range(count)))


def test_rows_of_images_are_sent_by_their_owner() -> None:
    assert nodes(Gather(0, 5), 10, 2, 6) == (10, 20)
    assert nodes(Gather(0, 5), 10, 6, 6) == (30, 0)


def test_steps_smaller_than_their_messages_are_refused() -> None:
    net = gn.Network([784, 30, 10], seed=1)
    shared = share(assemble(net, 10, is_bytes=True, purpose="train"))
    work = 3 * 10 * sum(net.operations())
    with pytest.raises(gn.GlassnetError) as caught:
        check_worth(shared, work)
    text = str(caught.value)
    for part in ("too small to share", "4 exchanges, 40 µs", "about 14 µs in one process", "--seeds 8 --ranks 4"):
        assert part in text
    check_worth(shared, 100 * work)
