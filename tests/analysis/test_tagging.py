"""Tags that are kept: for one visitor and one source, in an order that stays, and never half a change."""

from __future__ import annotations

import threading
from functools import partial
from pathlib import Path

import pytest

from core.analysis.tagging import Kept, change_kept, read_kept
from core.analysis.tags import LONGEST_TAG, MOST_REMEMBERED, Tags
from core.errors import InvalidInput


def test_tags_are_there_the_next_time_with_what_can_be_undone(tmp_path: Path) -> None:
    change_kept(tmp_path, "sentiment", lambda tags: tags.toggle("皮肉", 3))
    change_kept(tmp_path, "sentiment", lambda tags: tags.give("否定", [3, 4]))
    kept = read_kept(tmp_path, "sentiment")
    assert kept.tags.marks == {3: ("否定", "皮肉"), 4: ("否定",)}
    assert kept.names == ("皮肉", "否定")
    assert change_kept(tmp_path, "sentiment", Tags.undo).tags.marks == {3: ("皮肉",)}
    assert change_kept(tmp_path, "sentiment", Tags.redo) == kept
    assert read_kept(tmp_path, "inference") == Kept()
    assert read_kept(tmp_path / "another", "sentiment") == Kept()


def test_a_name_keeps_its_place_as_long_as_it_can_come_back(tmp_path: Path) -> None:
    for name in "cab":
        change_kept(tmp_path, "s", partial(Tags.toggle, tag=name, row=1))
    assert read_kept(tmp_path, "s").names == ("c", "a", "b")
    assert change_kept(tmp_path, "s", lambda tags: tags.take("a", [1])).names == ("c", "a", "b")
    for _ in range(4):
        change_kept(tmp_path, "s", Tags.undo)
    assert read_kept(tmp_path, "s").names == ("c", "a", "b")
    assert change_kept(tmp_path, "s", lambda tags: tags.give("d", [1])).names == ("d",)


def test_a_tag_that_cannot_be_changes_nothing(tmp_path: Path) -> None:
    change_kept(tmp_path, "s", lambda tags: tags.give("a", [1]))
    for name in (" ", "x" * (LONGEST_TAG + 1)):
        with pytest.raises(InvalidInput, match=r"error\.analysis\.tag"):
            change_kept(tmp_path, "s", partial(Tags.give, tag=name, rows=[1]))
    assert read_kept(tmp_path, "s").tags.marks == {1: ("a",)}


def test_two_tabs_at_once_lose_no_tag(tmp_path: Path) -> None:
    def give(start: int) -> None:
        for row in range(start, 60, 3):
            change_kept(tmp_path, "s", partial(Tags.give, tag="a", rows=[row]))

    threads = [threading.Thread(target=give, args=(start,)) for start in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert read_kept(tmp_path, "s").tags.rows_with("a") == tuple(range(60))


def test_what_can_be_undone_is_bounded_by_rows_too(tmp_path: Path) -> None:
    many = MOST_REMEMBERED // 2
    tags = Tags().give("a", range(many)).give("b", range(many)).give("c", range(many))
    assert [change.tag for change in tags.done] == ["b", "c"]
    assert Tags().give("a", range(2 * MOST_REMEMBERED)).undo().marks == {}
