"""What there is to try at a touch: a sentence with everything the five tasks ask for."""

from __future__ import annotations

import json
from dataclasses import dataclass

from core.settings import ROOT

SAMPLES = ROOT / "assets" / "samples" / "articles.jsonl"


@dataclass(frozen=True)
class Example:
    """The texts of one chip; the fields of the exhibit's query have the same names."""

    text: str
    hypotheses: str
    other: str
    article: str


def _read_article(name: str) -> str:
    """The body of a sample article, written for this project."""
    rows = map(json.loads, SAMPLES.read_text(encoding="utf-8").splitlines())
    return str(next(row["body"] for row in rows if row["id"] == name))


CAFE = Example(
    "京都の鴨川沿いにある佐藤さんの喫茶店は、コーヒーの香りがとても良くて大満足だった。",
    "佐藤さんの喫茶店は京都にある。\nコーヒーの香りは良くなかった。\n佐藤さんには子どもが三人いる。",
    "鴨川の近くの喫茶店で、香りの良いコーヒーを楽しんだ。",
    _read_article("article-43"),
)
NEWS = Example(
    "東京都は8日、来年4月から都立図書館の開館時間を一時間延長すると発表した。",
    "都立図書館の開館時間は長くなる。\n都立図書館の開館時間は短くなる。\n都立図書館では本の貸し出しが増えている。",
    "来春から、東京の都立図書館は今より遅くまで開いている。",
    _read_article("article-16"),
)
NAMES = Example(
    "夏目漱石は松山で教師をしたあと、朝日新聞社に入って小説『三四郎』を書いた。",
    "夏目漱石は小説を書いた。\n夏目漱石は教師をしたことがない。\n夏目漱石は猫を飼っていた。",
    "漱石は新聞社に入社して、『三四郎』という小説を発表した。",
    _read_article("article-27"),
)
IRONY = Example(
    "特典のうちわが涼しくて最高。音楽のほうは、まあ、うちわが涼しくて最高でした。",
    "うちわは涼しかった。\nうちわは涼しくなかった。\n音楽は三時間続いた。",
    "おまけのうちわだけが良くて、音楽は褒めるところがなかった。",
    _read_article("article-54"),
)
EXAMPLES = (CAFE, NEWS, NAMES, IRONY)
