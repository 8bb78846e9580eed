"""The packed engine's forward pass: the vectors of sentence-transformers, and the same bits in any pack."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from safetensors.numpy import load_file, save_file
from support import tiny_models as tiny
from support.benchmark_modules import benchmark_modules
from support.corpus import LONG

from engines.conftest import cosines
from simil.embedders.local.packed.packed_attention import grouped_attention, varlen_attention
from simil.embedders.local.packed.packed_network import CPU_TOKENS, PackedNetwork, open_network
from simil.embedders.local.packed.packs import TokenPack, packs
from simil.embedders.local.packed.sequences import Sequences
from simil.embedders.local.token_arrays import TokenArrays
from simil.errors import ModelError
from simil.models.files.chain import UnknownChain, read_chain
from simil.models.files.model_source import EMBEDDED, ModelSource
from simil.models.files.packed_shape import read_packed_shape
from simil.models.files.tokenizer import open_tokenizer, read_tokenizer

FAMILIES = ("bert-mean", "xlm-roberta", "distilbert", "modernbert", "nomic-bert", "qwen3")


@dataclass(frozen=True, eq=False)
class Opened:
    """A model folder as the packed engine sees it, and the tokens of texts."""

    folder: Path
    tokens: TokenArrays

    def network(self, precision: str = "float32", *, raw: bool = False, device: str = "cpu") -> PackedNetwork:
        return open_network(
            ModelSource("a model", self.folder),
            read_packed_shape(self.folder),
            read_chain(self.folder),
            device=device,
            precision=precision,
            raw=raw,
            threads=1,
        )


def tokenized(folder: Path, texts: Sequence[str]) -> TokenArrays:
    data, chain = read_tokenizer(folder), read_chain(folder)
    assert data is not None
    tokenizer = open_tokenizer(data, "a model", lower_case=chain.lower_case)
    tokenizer.no_padding()
    tokenizer.enable_truncation(chain.max_tokens)
    return TokenArrays.of([encoding.ids for encoding in tokenizer.encode_batch_fast(texts)])


def run(network: PackedNetwork, pack: TokenPack, skip: int = 0) -> NDArray[np.float32]:
    import torch

    vectors: NDArray[np.float32] = network(torch.from_numpy(pack.ids), pack.lengths, skip).numpy()
    return vectors[: len(pack.rows)]


def embedded(
    network: PackedNetwork, tokens: TokenArrays, skip: int = 0, budget: int = CPU_TOKENS
) -> NDArray[np.float32]:
    made = [(pack.rows, run(network, pack, skip)) for pack in packs(tokens, budget)]
    vectors = np.concatenate([vectors for _, vectors in made])
    return vectors[np.argsort(np.concatenate([rows for rows, _ in made]))]


def shuffled(pack: TokenPack, chance: np.random.Generator) -> tuple[TokenPack, NDArray[np.intp]]:
    """Return a pack with its sequences in another order, and the place of each of its texts there."""
    order = chance.permutation(len(pack.lengths))
    moved = TokenArrays(pack.ids, pack.lengths).take(order)
    return TokenPack(order, moved.ids, moved.lengths), np.argsort(order)[: len(pack.rows)]


def theirs(folder: Path, texts: Sequence[str], **how: Any) -> NDArray[np.float32]:
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(str(folder), device="cpu", local_files_only=True).float()
    return np.asarray(model.encode(list(texts), show_progress_bar=False, **how))


@pytest.fixture(scope="module")
def build(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Path]]:
    """Make a tiny folder of an architecture, by its name among those of the benchmarks."""
    with benchmark_modules() as load:
        shapes = load("architecture_shapes")

        @cache
        def building(name: str) -> Path:
            architecture = next(item for item in shapes.ARCHITECTURES if item.name == name)
            folder: Path = shapes.build(tmp_path_factory.mktemp(name) / name, architecture)
            return folder

        yield building


@pytest.fixture(scope="module", params=FAMILIES)
def family(request: pytest.FixtureRequest, build: Callable[[str], Path], texts: list[str]) -> Opened:
    folder = build(request.param)
    return Opened(folder, tokenized(folder, [*texts, LONG]))


def test_the_vectors_are_those_of_sentence_transformers(family: Opened, texts: list[str]) -> None:
    vectors = embedded(family.network(), family.tokens)

    assert vectors.dtype == np.float32
    assert cosines(vectors, theirs(family.folder, [*texts, LONG])).min() >= 0.999999
    # Vectors that are all alike would agree in spite of errors.
    assert cosines(vectors[:-1], vectors[1:]).min() < 0.99


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_a_text_has_the_same_bits_alone_and_in_any_pack(family: Opened, precision: str) -> None:
    network = family.network(precision)
    some = family.tokens.take(range(0, 301, 4))
    chance = np.random.default_rng(7)

    for pack in packs(some, CPU_TOKENS):
        vectors = run(network, pack)
        moved, places = shuffled(pack, chance)
        np.testing.assert_array_equal(run(network, moved)[places], vectors)
        row = int(chance.integers(len(pack.rows)))
        (alone,) = packs(some.take([pack.rows[row]]), CPU_TOKENS)
        np.testing.assert_array_equal(run(network, alone)[0], vectors[row])


@pytest.mark.parametrize(
    "name",
    [
        "roberta",
        "camembert",
        "bert-prefixed",
        "bert-sharded",
        "bert-float16",
        "bert-max",
        "bert-sqrt",
        "bert-weighted",
        "bert-last",
        "bert-two",
        "bert-dense",
    ],
)
def test_poolings_dense_layers_and_forms_of_weights(
    name: str, build: Callable[[str], Path], few_texts: list[str]
) -> None:
    model = Opened(folder := build(name), tokenized(folder, few_texts))
    vectors, expected = embedded(model.network(), model.tokens), theirs(folder, few_texts)

    assert vectors.shape == expected.shape
    assert cosines(vectors, expected).min() >= 0.999999
    np.testing.assert_allclose(vectors, expected, rtol=1e-4, atol=1e-5)


def test_a_final_normalization_can_be_left_out(build: Callable[[str], Path], few_texts: list[str]) -> None:
    model = Opened(folder := build("bert-dense"), tokenized(folder, few_texts))
    raw, unit = (embedded(model.network(raw=raw), model.tokens) for raw in (True, False))

    lengths = np.linalg.norm(raw, axis=1, keepdims=True)
    assert not np.allclose(lengths, 1, atol=0.1)
    np.testing.assert_allclose(raw / lengths, unit, atol=1e-6)


def test_a_prompt_is_left_out_of_pooling(bert_folder: Path, tmp_path: Path, few_texts: list[str]) -> None:
    modes = ("cls", "max", "mean", "mean_sqrt_len_tokens", "weightedmean", "lasttoken")
    folder = tiny.sentence_model(
        tmp_path / "model", bert_folder, modes=modes, include_prompt=False, normalize=False, max_tokens=64
    )
    prompt = "find apples: "
    tokens = tokenized(folder, [prompt + text for text in few_texts])
    skip = int(tokenized(folder, [prompt]).lengths[0]) - 1
    vectors = embedded(Opened(folder, tokens).network(), tokens, skip)

    np.testing.assert_allclose(vectors, theirs(folder, few_texts, prompt=prompt), rtol=1e-4, atol=1e-5)


def test_a_padding_token_in_a_text_of_roberta_has_no_place_of_its_own(build: Callable[[str], Path]) -> None:
    texts = ["red apples", "red<pad> <pad>apples", "<pad>"]
    model = Opened(folder := build("xlm-roberta"), tokenized(folder, texts))
    assert (model.tokens.ids == 1).sum() >= 3

    # One by one: transformers takes the padding of a batch for such tokens.
    assert (
        cosines(embedded(model.network(), model.tokens), theirs(folder, texts, batch_size=1)).min()
        >= 0.999999
    )


@pytest.mark.parametrize(("precision", "bar"), [("bfloat16", 0.9999), ("float16", 0.99999)])
def test_lower_precisions_are_close_to_float32(precision: str, bar: float, few_texts: list[str]) -> None:
    model = Opened(EMBEDDED, tokenized(EMBEDDED, few_texts[::2]))
    exact = embedded(model.network(), model.tokens)

    assert cosines(embedded(model.network(precision), model.tokens), exact).min() >= bar


def test_the_kernel_for_cards_takes_what_it_is_given() -> None:
    import torch

    # Tensors without data: the kernel itself runs on cards alone.
    sequences = Sequences(np.array([1, 3], np.int32), torch.zeros(2, dtype=torch.int64, device="meta"))
    query, key = (torch.zeros(4, heads, 16, dtype=torch.float16, device="meta") for heads in (8, 2))
    for window in ((-1, -1), (-1, 0), (64, 64)):
        attended = varlen_attention(query, key, key, sequences, window, options={"num_splits": 1})
        assert attended.shape == query.shape


def plain_attention(query: Any, key: Any, value: Any, left: int, right: int) -> Any:
    """Attend within one sequence, [tokens, heads, head_size], by the formulas."""
    import torch

    size, shared = len(query), query.shape[1] // key.shape[1]
    distance = torch.arange(size)[None, :] - torch.arange(size)[:, None]
    seen = ((distance >= -left) | (left < 0)) & ((distance <= right) | (right < 0))
    scores = torch.einsum("qhd,khd->hqk", query, key.repeat_interleave(shared, 1)) / query.shape[2] ** 0.5
    shares = scores.where(seen, -torch.inf).softmax(-1)
    return torch.einsum("hqk,khd->qhd", shares, value.repeat_interleave(shared, 1))


WINDOWS = ((-1, -1), (-1, 0), (5, 5), (5, 0))


def test_attention_is_that_of_plain_formulas() -> None:
    import torch

    torch.manual_seed(0)
    sizes = np.array([70, 3, 3, 1, 12], np.int32)
    sequences = Sequences(sizes, torch.from_numpy(sizes).long())
    query, key, value = (torch.randn(89, heads, 8) for heads in (4, 2, 2))
    for window in WINDOWS:
        attended = grouped_attention(query, key, value, sequences, window)
        start = 0
        for size in sizes.tolist():
            rows, start = slice(start, start + size), start + size
            expected = plain_attention(query[rows], key[rows], value[rows], *window)
            torch.testing.assert_close(attended[rows], expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("window", WINDOWS)
def test_attention_in_a_long_text_takes_little_memory(window: tuple[int, int]) -> None:
    import torch
    from torch.utils._python_dispatch import TorchDispatchMode

    class Largest(TorchDispatchMode):
        numbers = 0

        def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            made = func(*args, **(kwargs or {}))
            if isinstance(made, torch.Tensor) and made.dtype != torch.bool:
                self.numbers = max(self.numbers, made.numel())
            return made

    torch.manual_seed(0)
    length = 1500
    sequences = Sequences(np.array([length], np.int32), torch.tensor([length]))
    parts = [torch.randn(length, 4, 8, dtype=torch.bfloat16) for _ in range(3)]
    with Largest() as largest:
        attended = grouped_attention(parts[0], parts[1], parts[2], sequences, window)

    expected = plain_attention(*(part.float() for part in parts), *window)
    torch.testing.assert_close(attended.float(), expected, rtol=0.02, atol=0.02)
    # All shares at once are 9 million numbers.
    assert largest.numbers < 7e6


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_call_takes_one_thread_wherever_it_comes_from(bert_folder: Path) -> None:
    from simil.embedders.local.workers import Workers

    model = Opened(bert_folder, tokenized(bert_folder, [LONG]))
    network, (pack, *_) = model.network("bfloat16"), packs(model.tokens, CPU_TOKENS)

    def threads_and_tasks(turn: int) -> tuple[int, int]:
        import torch

        run(network, pack)
        return torch.get_num_threads(), len([*Path("/proc/self/task").iterdir()])

    run(network, pack)
    before = len([*Path("/proc/self/task").iterdir()])
    workers = Workers(1, threads_and_tasks)
    ((threads, tasks),) = workers.start([1])
    workers.close()
    # The worker itself, and no team of its own.
    assert (threads, tasks) == (1, before + 1)


CHANGES: dict[str, tuple[str, dict[str, Any], str]] = {
    "family": ("bert-mean", {"model_type": "mpnet"}, "its attention depends on relative positions"),
    "unknown": ("bert-mean", {"model_type": "fnet"}, "its transformer is of type fnet"),
    "relative": ("bert-mean", {"position_embedding_type": "relative_key"}, "sets position_embedding_type"),
    "decoder": ("bert-mean", {"is_decoder": True}, "its transformer sets is_decoder to True"),
    "activation": ("bert-mean", {"hidden_act": "quick_gelu"}, "its activation is quick_gelu"),
    "heads": ("bert-mean", {"num_attention_heads": 5}, "is no multiple of its 5 heads"),
    "size": ("bert-mean", {"hidden_size": "32"}, "its hidden_size is '32'"),
    "epsilon": ("bert-mean", {"layer_norm_eps": 0}, "its layer_norm_eps is 0"),
    "vocabulary": ("bert-mean", {"vocab_size": 701}, "is of shape"),
    "layers": ("bert-mean", {"num_hidden_layers": 3}, "its weights lack encoder.layer.2."),
    "quantized": ("bert-mean", {"quantization_config": {"bits": 4}}, "sets quantization_config"),
    "pruned": ("bert-mean", {"pruned_heads": {"0": [1]}}, "sets pruned_heads"),
    "layerwise": ("bert-mean", {"per_layer_config": {"1": {"hidden_act": "relu"}}}, "sets per_layer_config"),
    "layers by another name": ("distilbert", {"num_hidden_layers": 1}, "sets num_hidden_layers to 1"),
    "heads by another name": ("distilbert", {"num_attention_heads": 2}, "sets num_attention_heads to 2"),
    "window by another name": ("modernbert", {"sliding_window": 3}, "sets sliding_window to 3"),
    "rotary": ("modernbert", {"rope_scaling": {"type": "linear", "factor": 2}}, "sets rope_scaling"),
    "kinds": ("modernbert", {"layer_types": ["full_attention"]}, "its layer_types are"),
    "yarn": (
        "qwen3",
        {"rope_parameters": {"rope_type": "yarn", "rope_theta": 1e4, "factor": 4.0}},
        "its rotary positions are",
    ),
    "partial": (
        "qwen3",
        {"rope_parameters": {"rope_type": "default", "rope_theta": 1e4, "partial_rotary_factor": 0.5}},
        "sets partial_rotary_factor to 0.5",
    ),
    "windows": ("qwen3", {"use_sliding_window": True}, "sets use_sliding_window to True"),
    "bidirectional": ("qwen3", {"is_causal": False}, "sets is_causal to False"),
    "shared": ("qwen3", {"num_key_value_heads": 3}, "cannot share 3 keys"),
    "biases": ("qwen3", {"attention_bias": True}, "its weights lack layers.0.self_attn.q_proj.bias"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_what_is_not_understood_is_refused(change: str, build: Callable[[str], Path], tmp_path: Path) -> None:
    name, settings, reason = CHANGES[change]
    folder = Path(shutil.copytree(build(name), tmp_path / "model"))
    config = json.loads((folder / "config.json").read_text("utf-8"))
    (folder / "config.json").write_text(json.dumps(config | settings), "utf-8")

    with pytest.raises(UnknownChain, match=re.escape(reason)):
        read_packed_shape(folder)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ("adapter", "it has an adapter"),
        ("pytorch", "it has no model.safetensors"),
        ("twice", "its weights have both embeddings.word_embeddings.weight and bert.embeddings."),
    ],
)
def test_weights_of_other_kinds_are_refused(
    change: str, reason: str, bert_folder: Path, tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(bert_folder, tmp_path / "model"))
    if change == "adapter":
        (folder / "adapter_config.json").write_text("{}", "utf-8")
    elif change == "twice":
        weights = load_file(folder / "model.safetensors")
        below_a_head = {f"bert.{name}": weight for name, weight in weights.items()}
        save_file(weights | below_a_head, folder / "model.safetensors", metadata={"format": "pt"})
    else:
        (folder / "model.safetensors").unlink()

    with pytest.raises(UnknownChain, match=re.escape(reason)):
        read_packed_shape(folder)


def test_a_shape_is_read_without_torch() -> None:
    script = (
        "import sys; from pathlib import Path; from simil.models.files.packed_shape import *;"
        "read_packed_shape(Path(sys.argv[1])); print({'torch', 'numpy', 'safetensors'} & {*sys.modules})"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(EMBEDDED)], capture_output=True, text=True, check=True
    )
    assert done.stdout == "set()\n"


def test_a_device_that_does_not_work_is_one_clear_error(bert_folder: Path) -> None:
    model = Opened(bert_folder, tokenized(bert_folder, ["apple"]))
    with pytest.raises(ModelError, match="cannot be opened on cuda:7") as raised:
        model.network(device="cuda:7")
    assert raised.value.hint == "use --device cpu"
