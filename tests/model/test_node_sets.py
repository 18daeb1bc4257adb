"""Node sets come from the gateway: what is none is refused, at a cost that its length bounds."""

from __future__ import annotations

import contextlib
import itertools
import re
import tracemalloc
from pathlib import Path

import pytest
from ClusterShell.NodeSet import RESOLVER_NOGROUP, NodeSet
from hypothesis import given
from hypothesis import strategies as st

from reframe_firecrest.model import node_sets
from reframe_firecrest.model.node_sets import LONGEST_SET, check_node_set, expand_nodes, numbers_in
from tests.fuzzing import examples


@pytest.mark.parametrize(
    ("nodes", "names"),
    [
        ("", []),
        ("nid001", ["nid001"]),
        ("nid[008-010],login1", ["login1", "nid008", "nid009", "nid010"]),
        ("x1000c0s0b[0-1]n0", ["x1000c0s0b0n0", "x1000c0s0b1n0"]),
        ("n[9-11],n10", ["n9", "n10", "n11"]),
        ("r[1-2]n[01-02]-ib,c.d_e-f", ["c.d_e-f", "r1n01-ib", "r1n02-ib", "r2n01-ib", "r2n02-ib"]),
        ("n[1,3,07-08]", ["n1", "n3", "n07", "n08"]),
    ],
)
def test_a_node_set_is_expanded_without_slurm(nodes: str, names: list[str]) -> None:
    assert sorted(expand_nodes(nodes)) == sorted(names)
    assert len(expand_nodes(nodes)) == len(names)


def test_names_are_in_the_order_of_their_numbers() -> None:
    assert expand_nodes("n[9-11],login2,login10") == ["login2", "login10", "n9", "n10", "n11"]


@pytest.mark.parametrize("name", ["@all", "@x:y", "@x'; touch {pwned}; '", "*", "n*", "n[1-2]!n1", "n1&n2"])
def test_what_a_gateway_reports_reaches_no_node_group_and_no_shell(name: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="is not a node set"):
        expand_nodes(name.format(pwned=tmp_path / "pwned"))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "nodes",
    [
        "n[1 - 3000000]",
        "n[\uff11-\uff13]",
        "n\u0661",
        "n[+1-3]",
        "n[1_0-9_9]",
        "n[0x1-3]",
        "n[1-9/2]",
        "n[3-1]",
        "n[001-10]",
        "n[01-100]",
        "n[]",
        "n[1-]",
        "n[1,,2]",
        "n[",
        "n]",
        "n[1[2]]",
        "n1,",
        ",n1",
        "n1,,n2",
        " n1",
        "n1\n",
        "nid\x1bc001",
        "nid\u202e001",
        "n;rm",
        "$(n)",
        "n" * 256,
        "n[0-00]",
        "-x",
        "n1,-x",
        "n[1]" * 20,
    ],
)
def test_what_is_outside_slurms_grammar_is_no_node_set(nodes: str) -> None:
    for work in (check_node_set, expand_nodes):
        with pytest.raises(ValueError, match="is not a node set") as caught:
            work(nodes)
        assert str(caught.value).isprintable()


@pytest.mark.parametrize(
    "nodes",
    [
        "n[0-9999999999]",
        "n[1-1000]x[1-1000]",
        "n[0-99999],m[0-99999]",
        "n[1,2-200000]",
        "n[0-999999999999999]" * 2,
    ],
)
def test_a_node_set_without_end_is_not_expanded(nodes: str) -> None:
    with pytest.raises(ValueError, match="more than 100000 nodes"):
        expand_nodes(nodes)


@pytest.mark.parametrize(
    "nodes", ["n[" + "1," * 5_000_000 + "1]", "n," * 5_000_000 + "n", "[" * 10_000_000, "n[1-2]" * 2_000_000]
)
def test_a_long_text_costs_no_more_than_its_length(nodes: str) -> None:
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match="not a node set"):
            check_node_set(nodes)
        assert tracemalloc.get_traced_memory()[1] < 10 << 20
    finally:
        tracemalloc.stop()


def test_a_set_that_is_refused_makes_no_names(monkeypatch: pytest.MonkeyPatch) -> None:
    def made(*_parts: object) -> None:
        raise AssertionError("names are made")

    monkeypatch.setattr(itertools, "product", made)
    monkeypatch.setattr(node_sets._Numbers, "__iter__", made)
    with pytest.raises(ValueError, match="not a node set"):
        expand_nodes("a[1-90000],b[1-90000]")
    check_node_set("a[1-40000],b[00001-40000],c[1-10]d[1-10]")


def test_a_large_system_is_expanded() -> None:
    assert len(expand_nodes("a[1-40000],b[00001-40000],c[1-10]d[1-10]")) == 80_100


NAMES = st.from_regex(r"[a-z]{1,4}(\[[0-9]{1,2}(-[0-9]{2})?\])?(-[a-z])?", fullmatch=True)


@given(st.lists(NAMES, min_size=1, max_size=4).map(",".join))
@examples(100)
def test_what_slurm_writes_is_read_as_clustershell_reads_it(text: str) -> None:
    with contextlib.suppress(ValueError):
        names = expand_nodes(text)
        assert set(names) == set(NodeSet(text, resolver=RESOLVER_NOGROUP))


@given(st.text(max_size=30) | st.text(alphabet="n1[]09-,@*!&^/% ?._+\x1b\uff11", max_size=30))
@examples(300)
def test_any_text_is_a_list_of_names_or_no_node_set(text: str) -> None:
    assert len(text) < LONGEST_SET
    with contextlib.suppress(ValueError):
        for name in expand_nodes(text):
            assert re.fullmatch(r"[A-Za-z0-9._-]{1,255}", name)


@pytest.mark.parametrize(("text", "numbers"), [("0-3,8", {0, 1, 2, 3, 8}), ("5", {5}), ("0-0", {0})])
def test_lists_of_numbers_are_read(text: str, numbers: set[int]) -> None:
    assert numbers_in(text) == numbers


@pytest.mark.parametrize(
    "text", ["", "0-999999999", "0 - 3", "+1", "1_0", "\uff11", "3-1", "0-3/2", "x", "9" * 20]
)
def test_what_is_no_list_of_numbers_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"not a list|not a range|more than"):
        numbers_in(text)
