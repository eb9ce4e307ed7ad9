"""A server of llama.cpp of a tiny model made here, whose answers mean nothing.

    llama.py (chat|embed) DIR PORT [KEY]

What the server does around a model is real: its APIs, keys, tokens counted, limits, JSON Schemas enforced.
"""

from __future__ import annotations

import sys
import threading
from pathlib import Path

import gguf
import numpy as np
import xllamacpp

CONTEXT = 2048
_WIDTH, _HIDDEN, _HEADS, _BLOCKS = 64, 128, 4, 2


def write_model(path: Path) -> None:
    """A model of the architecture of Llama with random weights and a token for each byte and each ASCII character."""
    letters = ["\u2581", *map(chr, range(33, 127))]
    tokens = [b"<unk>", b"<s>", b"</s>", *(b"<0x%02X>" % byte for byte in range(256)), *map(str.encode, letters)]
    kind = gguf.TokenType
    types = [kind.UNKNOWN, kind.CONTROL, kind.CONTROL, *[kind.BYTE] * 256, *[kind.NORMAL] * len(letters)]
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_context_length(CONTEXT)
    writer.add_embedding_length(_WIDTH)
    writer.add_block_count(_BLOCKS)
    writer.add_feed_forward_length(_HIDDEN)
    writer.add_head_count(_HEADS)
    writer.add_head_count_kv(_HEADS)
    writer.add_rope_dimension_count(_WIDTH // _HEADS)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_vocab_size(len(tokens))
    writer.add_tokenizer_model("llama")
    writer.add_token_list(tokens)
    writer.add_token_scores([0.0] * len(tokens))
    writer.add_token_types(types)
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    random = np.random.default_rng(7)

    def add(name: str, *shape: int) -> None:
        weights = np.ones(shape) if "norm" in name else random.standard_normal(shape) * 0.1
        writer.add_tensor(f"{name}.weight", weights.astype(np.float32))

    add("token_embd", len(tokens), _WIDTH)
    add("output_norm", _WIDTH)
    add("output", len(tokens), _WIDTH)
    for block in range(_BLOCKS):
        for name in ("attn_norm", "ffn_norm"):
            add(f"blk.{block}.{name}", _WIDTH)
        for name in ("attn_q", "attn_k", "attn_v", "attn_output"):
            add(f"blk.{block}.{name}", _WIDTH, _WIDTH)
        for name in ("ffn_gate", "ffn_up"):
            add(f"blk.{block}.{name}", _HIDDEN, _WIDTH)
        add(f"blk.{block}.ffn_down", _WIDTH, _HIDDEN)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def main(use: str, folder: str, port: str, *keys: str) -> None:
    path = Path(folder, "tiny.gguf")
    write_model(path)
    params = xllamacpp.CommonParams()
    params.model.path = str(path)
    params.hostnames = ["127.0.0.1"]
    params.port = int(port)
    params.api_keys = list(keys)
    params.n_parallel = 4
    params.n_ctx = CONTEXT * params.n_parallel
    params.cpuparams.n_threads = 1
    params.kv_unified = True  # else a text that is split over several steps has another vector
    params.warmup = False
    params.use_jinja = True
    if use == "embed":
        params.embedding = True
        params.pooling_type = xllamacpp.llama_pooling_type.LLAMA_POOLING_TYPE_MEAN
        params.n_batch = params.n_ubatch = CONTEXT
    server = xllamacpp.Server(params)
    assert server.listening_address
    threading.Event().wait()


if __name__ == "__main__":
    main(*sys.argv[1:])
