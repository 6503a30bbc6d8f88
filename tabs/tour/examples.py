"""What there is to try at a touch: a sentence with everything the tasks ask for."""

from __future__ import annotations

import json
from dataclasses import dataclass

from core.settings import ROOT

SAMPLES = ROOT / "assets" / "samples" / "articles.jsonl"


@dataclass(frozen=True)
class Example:
    """The texts of one chip; the fields of the exhibit's query have the same names.

    Of the hypotheses the first follows from the text, the second contradicts it, the third may be so or not.
    """

    text: str
    hypotheses: str
    other: str
    article: str


def _read_article(name: str) -> str:
    """The body of a sample article, written for this project."""
    rows = map(json.loads, SAMPLES.read_text(encoding="utf-8").splitlines())
    return str(next(row["body"] for row in rows if row["id"] == name))


CAFE = Example(
    "作家の高橋健一も通ったという京都の鴨川沿いの喫茶店は、コーヒーの香りがとても良くて大満足だった。",
    "高橋健一は喫茶店に通っていた。\nコーヒーの香りは良くなかった。\n喫茶店では毎週ピアノの演奏がある。",
    "鴨川の近くの喫茶店で、香りの良いコーヒーを楽しんだ。",
    _read_article("article-43"),
)
NEWS = Example(
    "神奈川県と横浜市は8日、来年4月に新しい図書館を桜木町駅の近くに開き、夜9時まで利用できるようにすると発表した。",
    "図書館は駅から近い。\n新しい図書館は夜は利用できない。\n横浜市では本の貸し出しが増えている。",
    "桜木町の駅のそばに来春、夜まで使える図書館ができる。",
    _read_article("article-16"),
)
NAMES = Example(
    "川端康成は大阪市に生まれ、東京帝国大学を卒業したあと、小説『雪国』を書いた。",
    "川端康成は大学で学んだ。\n川端康成は小説を書いたことがない。\n川端康成の父は医者だった。",
    "大阪生まれの川端康成は、大学を出てから『雪国』という小説を発表した。",
    _read_article("article-27"),
)
IRONY = Example(
    "特典のうちわが涼しくて最高。音楽のほうは、まあ、うちわが涼しくて最高でした。",
    "うちわは役に立った。\nうちわは涼しくなかった。\n会場は駅から近い。",
    "おまけのうちわだけが良くて、音楽は褒めるところがなかった。",
    _read_article("article-54"),
)
EXAMPLES = (CAFE, NEWS, NAMES, IRONY)
# What the predictions ask about: not to be seen in any example before.
HOURS = "横浜市に新しい図書館ができる。\n図書館は夜7時に閉まる。\n図書館には漫画が多い。"  # the second contradicts NEWS
OPPOSITE = "作家の高橋健一も通ったという京都の鴨川沿いの喫茶店は、コーヒーの香りがとても悪くて大不満だった。"  # of CAFE
SUMO = _read_article("article-25")
