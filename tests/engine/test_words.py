"""Errors as sentences, and which of them say that memory ran out."""

from __future__ import annotations

import pytest
import torch

from tests.engine.hungry import TOO_MANY
from workbench.engine.words import in_words, is_out_of_memory


def test_what_torch_says_of_too_little_memory_is_understood():
    with pytest.raises(RuntimeError, match="DefaultCPUAllocator") as caught:
        torch.empty(TOO_MANY, dtype=torch.uint8)
    assert is_out_of_memory(caught.value)
    assert is_out_of_memory(MemoryError())
    assert is_out_of_memory(RuntimeError("could not create a primitive"))
    assert is_out_of_memory(RuntimeError("MPS backend out of memory (MPS allocated: 9.05 GB, max allowed: 9.07 GB)"))
    assert is_out_of_memory(torch.OutOfMemoryError("CUDA out of memory"))
    assert not is_out_of_memory(RuntimeError("shapes do not match"))


def test_an_error_is_told_without_where_in_its_source_a_library_was():
    told = "[/__w/third_party/transport/tcp/pair.cc:537] Connection closed by peer [127.0.0.1]:4000. It may be gone."
    assert in_words(RuntimeError(told)) == "Connection closed by peer [127.0.0.1]:4000. It may be gone."
    assert in_words(RuntimeError("[1, 2] is no shape\nand more")) == "[1, 2] is no shape"
    assert in_words(RuntimeError()) == "RuntimeError"
