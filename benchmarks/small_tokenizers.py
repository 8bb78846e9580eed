"""Small tokenizers with the parts of real ones: normalizer, splitting, special tokens, template, class.

Each is trained in a moment on the words of the benchmarks and a few lines in other scripts. What a real
vocabulary adds is size alone, so a model of a tiny width with one of these stands for the real one.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from workloads import texts

__all__ = ["TOKENIZERS", "TokenizerKind", "write_tokenizer"]

_SIZE = 700
_QWEN_PATTERN = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+"
    r"|\s+(?!\S)|\s+"
)
_OTHER_SCRIPTS = (
    "naïve café, façade: Ärger über Öl!",
    "Привет, мир! Как дела сегодня?",
    "今天天气很好我们去公园散步",
    "שלום עולם مرحبا بالعالم",
    "0123456789 (a + b) * c = 42; x != y && f(z)",
)


@dataclass(frozen=True, slots=True)
class TokenizerKind:
    """The parts of a model family's tokenizer.

    `specials` are the first tokens of the vocabulary, in the order of their ids; `names` says what each is
    for. `template` shows what stands around a text, each token with its segment if that is not 0.
    """

    train: Callable[[Sequence[str]], Any]
    specials: tuple[str, ...]
    template: str
    names: Mapping[str, str]
    class_name: str = "PreTrainedTokenizerFast"
    settings: Mapping[str, Any] = field(default_factory=dict)


def write_tokenizer(folder: Path, kind: str, max_tokens: int, **settings: Any) -> dict[str, int]:
    """Write a tokenizer of a kind named in `TOKENIZERS`.

    Returns what the model's configuration says of it: `vocab_size`, and ids as `pad_token_id`.
    """
    parts = TOKENIZERS[kind]
    trained = _trained(kind)
    trained.save(str(folder / "tokenizer.json"))
    config = {
        **parts.names,
        "tokenizer_class": parts.class_name,
        "model_max_length": max_tokens,
        **parts.settings,
        **settings,
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(config, indent=2), "utf-8")
    ids = {f"{purpose}_id": trained.token_to_id(token) for purpose, token in parts.names.items()}
    # Where a family has no such names, the tokens around a text are begin and end.
    ids = {"bos_token_id": ids.get("cls_token_id"), "eos_token_id": ids.get("sep_token_id")} | ids
    known = {name: number for name, number in ids.items() if number is not None}
    return {"vocab_size": trained.get_vocab_size()} | known


@cache
def _trained(kind: str) -> Any:
    from tokenizers.processors import TemplateProcessing

    parts = TOKENIZERS[kind]
    tokenizer = parts.train(parts.specials)
    if parts.template != "$A":
        used = {piece.partition(":")[0] for piece in parts.template.split()} - {"$A"}
        tokenizer.post_processor = TemplateProcessing(
            single=parts.template,
            pair=f"{parts.template} $B:1",
            special_tokens=[(token, tokenizer.token_to_id(token)) for token in sorted(used)],
        )
    return tokenizer


def _corpus() -> list[str]:
    lines = texts("12 words", 300)
    return [*lines, *(line.capitalize() + "." for line in lines[:100]), *_OTHER_SCRIPTS * 3]


def _word_pieces(specials: Sequence[str]) -> Any:
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

    unknown = next(token for token in specials if "unk" in token.lower())
    tokenizer = Tokenizer(models.WordPiece(unk_token=unknown))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    trainer = trainers.WordPieceTrainer(vocab_size=_SIZE, special_tokens=list(specials), show_progress=False)
    tokenizer.train_from_iterator(_corpus(), trainer)
    return tokenizer


def _bytes(specials: Sequence[str], pattern: str | None = None) -> Any:
    from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    if pattern is None:
        tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    else:
        tokenizer.normalizer = normalizers.NFC()
        split = pre_tokenizers.Split(Regex(pattern), "isolated")
        whole = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
        tokenizer.pre_tokenizer = pre_tokenizers.Sequence([split, whole])
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=_SIZE,
        special_tokens=list(specials),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(_corpus(), trainer)
    return tokenizer


def _unigram(specials: Sequence[str]) -> Any:
    from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.Unigram())
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.NFKC(), normalizers.Replace(Regex(" {2,}"), " ")]
    )
    metaspace = pre_tokenizers.Metaspace(replacement="▁", prepend_scheme="always")
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), metaspace])
    tokenizer.decoder = decoders.Metaspace()
    unknown = next(token for token in specials if "unk" in token.lower())
    trainer = trainers.UnigramTrainer(
        vocab_size=_SIZE, special_tokens=list(specials), unk_token=unknown, show_progress=False
    )
    tokenizer.train_from_iterator(_corpus(), trainer)
    return tokenizer


def _byte_fallback(specials: Sequence[str]) -> Any:
    """Return a BPE of characters, with spaces as ▁ and a token for each byte of what it does not know."""
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

    learner = Tokenizer(models.BPE())
    spaces = normalizers.Replace(" ", "▁")
    split = pre_tokenizers.Split("▁", "merged_with_next")
    learner.normalizer, learner.pre_tokenizer = spaces, split
    learner.train_from_iterator(_corpus(), trainers.BpeTrainer(vocab_size=_SIZE, show_progress=False))
    learned = json.loads(learner.to_str())["model"]
    names = [*specials, *(f"<0x{byte:02X}>" for byte in range(256))]
    names += [token for token in sorted(learned["vocab"], key=learned["vocab"].get) if token not in names]
    model = models.BPE(
        vocab={token: number for number, token in enumerate(names)},
        merges=[tuple(merge) for merge in learned["merges"]],
        unk_token="<unk>",
        fuse_unk=True,
        byte_fallback=True,
    )
    tokenizer = Tokenizer(model)
    tokenizer.normalizer = spaces
    tokenizer.pre_tokenizer = pre_tokenizers.Split(" ", "merged_with_previous")
    tokenizer.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()]
    )
    tokenizer.add_special_tokens(list(specials))
    return tokenizer


def _named(**tokens: str) -> dict[str, str]:
    return {f"{purpose}_token": token for purpose, token in tokens.items()}


_BERT = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
_BERT_NAMES = _named(pad="[PAD]", unk="[UNK]", cls="[CLS]", sep="[SEP]", mask="[MASK]")
_ROBERTA = ("<s>", "<pad>", "</s>", "<unk>", "<mask>")
_ROBERTA_NAMES = _named(bos="<s>", eos="</s>", cls="<s>", sep="</s>", pad="<pad>", unk="<unk>", mask="<mask>")
_QWEN = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
_ALBERT = ("<pad>", "<unk>", "[CLS]", "[SEP]", "[MASK]")
_ALBERT_NAMES = _named(pad="<pad>", unk="<unk>", cls="[CLS]", sep="[SEP]", mask="[MASK]")
_GEMMA = ("<pad>", "<eos>", "<bos>", "<unk>", "<mask>")
_GEMMA_NAMES = _named(pad="<pad>", eos="<eos>", bos="<bos>", unk="<unk>", mask="<mask>")


def _qwen(specials: Sequence[str]) -> Any:
    return _bytes(specials, _QWEN_PATTERN)


TOKENIZERS: dict[str, TokenizerKind] = {
    "bert": TokenizerKind(_word_pieces, _BERT, "[CLS] $A [SEP]", _BERT_NAMES, "BertTokenizer"),
    "distilbert": TokenizerKind(_word_pieces, _BERT, "[CLS] $A [SEP]", _BERT_NAMES, "DistilBertTokenizer"),
    "mpnet": TokenizerKind(
        _word_pieces,
        ("<s>", "<pad>", "</s>", "[UNK]", "<mask>"),
        "<s> $A </s>",
        _named(bos="<s>", eos="</s>", cls="<s>", sep="</s>", pad="<pad>", unk="[UNK]", mask="<mask>"),
        "MPNetTokenizer",
    ),
    # Funnel puts the class token into a segment of its own.
    "funnel": TokenizerKind(
        _word_pieces,
        ("<pad>", "<unk>", "<cls>", "<sep>", "<mask>"),
        "<cls>:2 $A <sep>",
        _named(pad="<pad>", unk="<unk>", cls="<cls>", sep="<sep>", mask="<mask>"),
        "FunnelTokenizer",
    ),
    "roberta": TokenizerKind(_bytes, _ROBERTA, "<s> $A </s>", _ROBERTA_NAMES, "RobertaTokenizer"),
    "modernbert": TokenizerKind(_bytes, _BERT, "[CLS] $A [SEP]", _BERT_NAMES),
    "deberta": TokenizerKind(
        _bytes,
        ("[CLS]", "[PAD]", "[SEP]", "[UNK]", "[MASK]"),
        "[CLS] $A [SEP]",
        _BERT_NAMES,
        "DebertaTokenizer",
    ),
    "gpt2": TokenizerKind(
        _bytes,
        ("<|endoftext|>",),
        "$A",
        _named(bos="<|endoftext|>", eos="<|endoftext|>", unk="<|endoftext|>", pad="<|endoftext|>"),
        "GPT2Tokenizer",
    ),
    "opt": TokenizerKind(
        _bytes,
        ("<s>", "<pad>", "</s>", "<unk>"),
        "</s> $A",
        _named(bos="</s>", eos="</s>", unk="</s>", pad="<pad>"),
    ),
    "bloom": TokenizerKind(
        _bytes,
        ("<unk>", "<s>", "</s>", "<pad>"),
        "$A",
        _named(bos="<s>", eos="</s>", unk="<unk>", pad="<pad>"),
    ),
    "qwen": TokenizerKind(
        _qwen,
        _QWEN,
        "$A <|endoftext|>",
        _named(eos="<|im_end|>", pad="<|endoftext|>"),
        "Qwen2Tokenizer",
        {"padding_side": "left"},
    ),
    "llama3": TokenizerKind(
        _qwen,
        ("<|begin_of_text|>", "<|end_of_text|>", "<|mask|>"),
        "<|begin_of_text|> $A <|end_of_text|>",
        _named(bos="<|begin_of_text|>", eos="<|end_of_text|>", pad="<|end_of_text|>", mask="<|mask|>"),
    ),
    "xlm-roberta": TokenizerKind(_unigram, _ROBERTA, "<s> $A </s>", _ROBERTA_NAMES, "XLMRobertaTokenizer"),
    "camembert": TokenizerKind(_unigram, _ROBERTA, "<s> $A </s>", _ROBERTA_NAMES, "CamembertTokenizer"),
    "t5": TokenizerKind(
        _unigram,
        ("<pad>", "</s>", "<unk>"),
        "$A </s>",
        _named(eos="</s>", pad="<pad>", unk="<unk>"),
        "T5Tokenizer",
        {"extra_ids": 0},
    ),
    "albert": TokenizerKind(_unigram, _ALBERT, "[CLS] $A [SEP]", _ALBERT_NAMES, "AlbertTokenizer"),
    "rembert": TokenizerKind(_unigram, _ALBERT, "[CLS] $A [SEP]", _ALBERT_NAMES, "RemBertTokenizer"),
    # Without a mask, as the model takes none.
    "fnet": TokenizerKind(_unigram, _ALBERT, "[CLS] $A [SEP]", _ALBERT_NAMES, "FNetTokenizer"),
    "bigbird": TokenizerKind(
        _unigram,
        _ALBERT,
        "[CLS] $A [SEP]",
        _ALBERT_NAMES | _named(bos="[CLS]", eos="[SEP]"),
        "BigBirdTokenizer",
    ),
    "deberta-v2": TokenizerKind(
        _unigram,
        ("[PAD]", "[CLS]", "[SEP]", "[UNK]", "[MASK]"),
        "[CLS] $A [SEP]",
        _BERT_NAMES,
        "DebertaV2Tokenizer",
    ),
    # The class token comes last, in a segment of its own, and padding on the left.
    "xlnet": TokenizerKind(
        _unigram,
        ("<unk>", "<s>", "</s>", "<cls>", "<sep>", "<pad>", "<mask>"),
        "$A <sep> <cls>:2",
        _named(bos="<s>", eos="</s>", cls="<cls>", sep="<sep>", pad="<pad>", unk="<unk>", mask="<mask>"),
        "XLNetTokenizer",
    ),
    "mistral": TokenizerKind(
        _byte_fallback,
        ("<unk>", "<s>", "</s>"),
        "<s> $A </s>",
        _named(bos="<s>", eos="</s>", unk="<unk>", pad="</s>"),
        settings={"padding_side": "left"},
    ),
    "gemma": TokenizerKind(_byte_fallback, _GEMMA, "<bos> $A <eos>", _GEMMA_NAMES, "GemmaTokenizer"),
}
