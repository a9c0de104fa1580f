"""Grouped convolutions as matrix products: the patches of the inputs as columns, and one product for every group.

Which of the two ways is faster depends on the machine. cuDNN has no fast path for many groups, where a batched product
is what a GPU does best; on CPUs oneDNN's grouped convolution is mostly two to four times as fast as the columns of nine
times the numbers (measured for the layers of conv4 on an AMD EPYC with AVX-512, torch 2.13).

Gradients of weights are an exception where channels come last: columns whose channels lie together are quickly made,
and for small maps oneDNN reaches a third of the rate of a matrix product (measured on an AMD EPYC with AVX2).
"""

from __future__ import annotations

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

Pair = tuple[int, ...]

# The most memory that columns of a block of pictures take, unless it is a single one.
_BLOCK_BYTES = 3 * 2**19


def convolved(inputs: Tensor, weight: Tensor, window: tuple[Pair, Pair, Pair], groups: int) -> Tensor:
    """The convolution.

    Args:
        inputs: [n, groups · in, h, w].
        weight: [groups · out, in, kh, kw].
        window: Stride, padding and dilation.
        groups: How many.

    Returns:
        [n, groups · out, h', w'].
    """
    columns = _columns(inputs, weight.shape[2:], window, groups)
    found = torch.bmm(_rows(weight, groups), columns)
    return _maps(found, len(inputs)).reshape(len(inputs), -1, *_places(inputs, weight.shape[2:], window))


def input_gradient(gradient: Tensor, weight: Tensor, size: Pair, window: tuple[Pair, Pair, Pair], groups: int
                   ) -> Tensor:
    """What `convolved` gives back to inputs of this (height, width); the gradient is [n, groups · out, h', w']."""
    stride, padding, dilation = window
    columns = torch.bmm(_rows(weight, groups).transpose(1, 2), _products(gradient, groups))
    return F.fold(_maps(columns, len(gradient)), size, weight.shape[2:], dilation, padding, stride)


def weight_gradient(inputs: Tensor, gradient: Tensor, shape: Pair, window: tuple[Pair, Pair, Pair], groups: int
                    ) -> Tensor:
    """What `convolved` gives back to weights of this shape."""
    columns = _columns(inputs, shape[2:], window, groups)
    return torch.bmm(_products(gradient, groups), columns.transpose(1, 2)).reshape(shape)


def weight_gradient_of_last(inputs: Tensor, gradient: Tensor, shape: Pair, window: tuple[Pair, Pair, Pair], groups: int
                            ) -> Tensor:
    """The same of maps whose channels come last, a block of pictures after another."""
    stride, padding, dilation = window
    out, channels, *kernel = shape[0] // groups, *shape[1:]
    places = gradient.shape[2:]
    slopes = gradient.permute(0, 2, 3, 1).reshape(len(gradient), -1, groups, out)
    width = channels * kernel[0] * kernel[1]
    block = max(1, _BLOCK_BYTES // (groups * slopes.shape[1] * width * inputs.itemsize))
    found = None
    for first in range(0, len(inputs), block):
        maps = F.pad(inputs[first : first + block].permute(0, 2, 3, 1),
                     (0, 0, padding[1], padding[1], padding[0], padding[0]))
        picture, row, column, channel = maps.stride()
        columns = maps.as_strided(
            (groups, len(maps), *places, *kernel, channels),
            (channels * channel, picture, stride[0] * row, stride[1] * column, dilation[0] * row, dilation[1] * column,
             channel)).reshape(groups, -1, width)
        products = slopes[first : first + block].flatten(0, 1).permute(1, 2, 0), columns
        found = torch.bmm(*products) if found is None else torch.baddbmm(found, *products)
    if found is None:
        return inputs.new_zeros(shape)
    return found.view(shape[0], *kernel, channels).permute(0, 3, 1, 2)


def _places(inputs: Tensor, kernel: Pair, window: tuple[Pair, Pair, Pair]) -> Pair:
    """Height and width of what a kernel of this size makes of inputs."""
    return tuple((size + 2 * padding - dilation * (side - 1) - 1) // stride + 1
                 for size, side, stride, padding, dilation in zip(inputs.shape[2:], kernel, *window, strict=True))


def _columns(inputs: Tensor, kernel: Pair, window: tuple[Pair, Pair, Pair], groups: int) -> Tensor:
    """[groups, in · kh · kw, n · places]: every patch that the kernel sees."""
    stride, padding, dilation = window
    maps = F.pad(inputs, (padding[1], padding[1], padding[0], padding[0]))
    picture, channel, row, column = maps.stride()
    channels = inputs.shape[1] // groups
    # One copy of all pictures, where torch's own unfolding starts a GPU's kernel for each.
    return maps.as_strided(
        (groups, channels, *kernel, len(maps), *_places(inputs, kernel, window)),
        (channels * channel, channel, dilation[0] * row, dilation[1] * column, picture, stride[0] * row,
         stride[1] * column)).reshape(groups, channels * kernel[0] * kernel[1], -1)


def _products(maps: Tensor, groups: int) -> Tensor:
    """[groups, channels, n · places] of [n, groups · channels, …places]."""
    count, channels = maps.shape[:2]
    return maps.reshape(count, groups, channels // groups, -1).permute(1, 2, 0, 3).flatten(2)


def _maps(products: Tensor, count: int) -> Tensor:
    """[n, groups · channels, places] of [groups, channels, n · places]."""
    return products.reshape(*products.shape[:2], count, -1).permute(2, 0, 1, 3).flatten(1, 2)


def _rows(weight: Tensor, groups: int) -> Tensor:
    """[groups, out, in · kh · kw]."""
    return weight.reshape(groups, len(weight) // groups, -1)
