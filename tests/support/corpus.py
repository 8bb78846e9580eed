"""300 varied texts, the same ones in every run."""
# ruff: noqa: RUF001, SIM905

from __future__ import annotations

import random

__all__ = ["LONG", "varied_texts"]

_WORDS = (
    "apple orange lightning river mountain quickly sings violet engine contract harbour winter analysis "
    "protein galaxy mortgage kitchen senator rainfall quantum bicycle orchestra tundra copper lantern "
    "whispered between under nobody seventeen reconciliation antidisestablishmentarianism naïve café"
).split()
_EMOJI = "😀🎉🚀👩‍👩‍👧‍👦🇩🇪👍🏽❤️🔥🫠🦄⚡🍎🍊"
_CJK = "今天天气很好我们去公园散步東京特許許可局で働く人々はとても忙しい漢字仮名交じり文"
_HANGUL = "안녕하세요 오늘은 날씨가 정말 좋네요 한국어 문장을 시험합니다"
_OTHERS = (
    "שלום עולם, מה שלומך היום?",
    "مرحبا بالعالم، كيف حالك اليوم؟",
    "این یک آزمایش است",
    "สวัสดีชาวโลก วันนี้อากาศดี",
    "नमस्ते दुनिया, आज मौसम अच्छा है",
    "Привет, мир! Как дела сегодня?",
    "Γειά σου Κόσμε, τι κάνεις;",
    "İstanbul'da ILIK bir gün",
)
_CODE = (
    "def f(x: int) -> int:\n    return x ** 2  # square\n",
    'for (let i = 0; i < n; i++) { console.log(`${i}: "${a[i]}"`); }',
    "SELECT id, COUNT(*) FROM t WHERE a <> 'b' GROUP BY 1;",
    "<div class='x'>&nbsp;<b>bold</b></div>",
    "\\frac{\\partial u}{\\partial t} = \\alpha \\nabla^2 u",
    "$ grep -rE '^[a-z]+\\b' ./src | awk '{print $1}'",
    '{"a": [1, 2.5e-3, null], "b": {"c": "\\u00e9"}}',
    "#include <stdio.h>\nint main(void) { return 0; }",
)
_CONTROL = [*map(chr, range(0x20)), "\x7f", "\x85", "\u200b", "\u200e", "\u2028", "\ufeff", "\ufffd"]
_SINGLES = [*"aZ7?.é ß中한ש", "😀", "\u0301", "\x00", "\n", "𝔘", "ﬁ", "½", "ı"]
_PUNCTUATION = "!?.,;:-_()[]{}<>/\\|@#$%^&*+=~`'\"…—¿«»"


def varied_texts() -> list[str]:
    """Return 300 texts that differ in length, script and tidiness."""
    chance = random.Random(20_240_501)

    def some(of: str | list[str] | tuple[str, ...], least: int, most: int, glue: str) -> str:
        return glue.join(chance.choices(of, k=chance.randint(least, most)))

    texts = [some(_WORDS, 1, 12, " ") for _ in range(60)]
    texts += [some(_WORDS, 580, 620, " ").capitalize() + "." for _ in range(10)]
    texts += [f"{some(_WORDS, 0, 3, ' ')} {some(_EMOJI, 1, 8, '')}" for _ in range(24)]
    texts += [some(_CJK, 1, 60, "") for _ in range(24)]
    texts += [some(_CJK, 400, 400, "") for _ in range(2)]
    texts += [some(_HANGUL, 2, 40, "") for _ in range(14)]
    texts += [" ".join(chance.sample(_OTHERS, k=chance.randint(1, 3))) for _ in range(30)]
    texts += [some(_CODE, 1, 3, "\n") for _ in range(30)]
    texts += [some([*_WORDS, *_CONTROL], 2, 12, chance.choice(("", " "))) for _ in range(30)]
    texts += [some(_PUNCTUATION, 1, 30, "") for _ in range(20)]
    texts += [str(chance.uniform(-1e6, 1e6)) for _ in range(8)]
    texts += [some("aeiouxyz", 90, 300, "") for _ in range(8)]
    texts += [
        some([word + mark for word in _WORDS for mark in ("\u0301", "\u0308", "\t", "  \r\n")], 1, 9, " ")
        for _ in range(12)
    ]
    texts += [f"https://example.org/{some(_WORDS, 1, 4, '/')}?q={some(_WORDS, 1, 2, '+')}" for _ in range(9)]
    texts += _SINGLES
    assert len(texts) == 300, len(texts)
    return texts


LONG = " ".join(_WORDS * 12)
"""About 600 tokens of plain words."""
