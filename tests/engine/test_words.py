"""Which errors say that memory ran out."""

from __future__ import annotations

import pytest
import torch

from tests.engine.hungry import TOO_MANY
from workbench.engine.words import is_out_of_memory


def test_what_torch_says_of_too_little_memory_is_understood():
    with pytest.raises(RuntimeError, match="DefaultCPUAllocator") as caught:
        torch.empty(TOO_MANY, dtype=torch.uint8)
    assert is_out_of_memory(caught.value)
    assert is_out_of_memory(MemoryError())
    assert is_out_of_memory(RuntimeError("could not create a primitive"))
    assert is_out_of_memory(RuntimeError("MPS backend out of memory (MPS allocated: 9.05 GB, max allowed: 9.07 GB)"))
    assert is_out_of_memory(torch.OutOfMemoryError("CUDA out of memory"))
    assert not is_out_of_memory(RuntimeError("shapes do not match"))
