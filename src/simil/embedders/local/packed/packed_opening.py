"""Opens the packed engine: the model's tokenizer, and its network on each device."""

from __future__ import annotations

from simil.config import Settings
from simil.embedders.local.base import LocalModel
from simil.embedders.local.cores import physical_cores
from simil.embedders.local.engine_choice import EngineChoice
from simil.embedders.local.packed.packed_embedder import PackedEmbedder
from simil.embedders.local.packed.packed_network import CPU_TOKENS, GPU_TOKENS, PackedNetwork, open_network
from simil.embedders.local.packed.packed_runner import PackedRunner
from simil.embedders.local.torch import torch_devices
from simil.models.files.chain import Chain
from simil.models.files.model_source import ModelSource
from simil.models.files.tokenizer import open_tokenizer
from simil.models.graphs.prepared_tokenizer import prepared_tokenizer
from simil.models.torch_libraries import require_torch

__all__ = ["open_packed"]


def open_packed(
    source: ModelSource, choice: EngineChoice, model: LocalModel, settings: Settings, *, raw: bool
) -> PackedEmbedder:
    """Return the embedder of a model for which the packed engine is the `choice`.

    `raw` leaves out a final normalization. Raises `ExtraMissing` without torch, `ModelError` if a device
    cannot be used or the model not be opened.
    """
    require_torch("the packed engine")
    chain, shape = choice.chain, choice.shape
    assert isinstance(chain, Chain) and shape is not None
    tokenizer = open_tokenizer(
        prepared_tokenizer(source, settings.cache_dir), model.stamp, lower_case=chain.lower_case
    )

    def network(device: str) -> PackedNetwork:
        return open_network(
            source, shape, chain, device=device, precision=choice.precision, raw=raw, threads=settings.threads
        )

    networks = [(device, network(device)) for device in torch_devices(choice.device)]
    on_gpu = choice.device.is_gpu
    return PackedEmbedder(
        model,
        tokenizer,
        chain,
        PackedRunner(
            model.stamp,
            [lane for lane in networks for _ in range(lane[1].workers)],
            GPU_TOKENS if on_gpu else CPU_TOKENS,
        ),
        vocabulary=shape.vocabulary,
        raw=raw,
        # One core is for this process.
        processes=(settings.threads or physical_cores()) - 1 if on_gpu else None,
    )
