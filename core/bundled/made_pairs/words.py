"""Words that matter to more than one way of taking sentences apart and changing them."""

from __future__ import annotations

import re


def word_set(*lines: str) -> frozenset[str]:
    """The words of several lines."""
    return frozenset(" ".join(lines).split())


TIME_WORDS = word_set(
    "昨日 今日 明日 今朝 今夜 今晩 昨夜 昨晩 先週 今週 来週 先月 今月 来月 昨年 今年 去年 来年 一昨年 翌年",
    "翌日 翌月 同年 同日 当時 現在 最近 今 夏 冬 春 秋 朝 夜 夕方 午前 午後 週末 その後",
)
RELATIONAL = word_set(
    "上 下 中 前 後 間 内 外 横 隣 側 部 方 点 時 頃 際 為 事 物 者 人 日 年 所 場 訳 他 一つ 一部 全体 以上",
    "以下 一方 多数 大半 うち もの こと とき ところ 人物 部分 種類 一種 名 子 元 先 末 周り 周辺 近く 状況",
    "状態 傾向 感 気 形 意味 存在 対象 原因 理由 結果 影響 方法 必要 様子 印象 声 率 割合 動き 問題 関係 話",
    "場所 側面 面 分 度 数 量 目 手 力 役 例 型 代 的 性 化 感じ 度合い 歳 月 半 一人 二人 誰 何 人々 彼 彼女",
    "自分 私 僕 方々 皆 上記 両方 双方 可能 能力 機会 余地 権利 義務 目的 予定 計画 意向 考え 旨 向き 程度",
    "過程 効果 姿 姿勢 立場 部類 時期 時間 時点 時代 扱い 別枠 世代 内容 一環 由来 格好 割 ほう 向こう 真ん中 奥",
    "手前",
)
ANAPHORIC = re.compile(r"^(?:そ[のうれこ]|こ[のうれこ]|また|しかし|さらに|なお|だが|ただ|例えば|他|同|両)")
