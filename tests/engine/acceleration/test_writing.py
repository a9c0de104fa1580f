"""What is written down is the shortest list that gives the same numbers, to the last bit; who looks is refused."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torch.fx.experimental.proxy_tensor import make_fx

from tests.problems import alike
from workbench.engine.acceleration.preparing import _are_the_same
from workbench.engine.acceleration.replay import Use
from workbench.engine.acceleration.writing import recorded, script


def replayed(function: Callable[..., list[Tensor]], *tensors: Tensor) -> tuple[list[Tensor], list[str]]:
    """What a replayed function gives of tensors, and the operations that were written down of others."""
    others = [one.flip(0) + 1 for one in tensors]
    written = script(make_fx(function)(*others), others)
    return written.run()(list(tensors)), [line.operation[0].removeprefix("aten::") for line in written.lines]


def test_views_of_views_are_one_view_also_of_a_part_of_a_larger_tensor():
    def function(part: Tensor) -> list[Tensor]:
        return [part.t().unsqueeze(0).expand(2, -1, -1) * 2, part[1].view(2, 3) + 1, (part + 1)[1:].t()[2:].t() * 3]

    whole = torch.arange(24.0).reshape(4, 6)
    found, operations = replayed(function, whole[2:])
    assert all(map(torch.equal, found, function(whole[2:])))
    # One view for the first, two for the second, which begins within what is given, and one for the third.
    assert operations == ["as_strided", "mul", "select", "add", "as_strided", "add", "as_strided", "mul"]


def test_what_works_number_by_number_takes_no_views_of_whole_tensors():
    def function(one: Tensor, other: Tensor) -> list[Tensor]:
        both = one.permute(0, 2, 1).unsqueeze(0) - 0.1 * other.transpose(1, 2).unsqueeze(0)
        shifted = torch.where(both > 0, both, 2.0).squeeze(0).transpose(1, 2)
        wide = shifted.reshape(4, 3) * one.reshape(4, 3)
        return [shifted.exp(), wide, wide.view(2, 2, 3)[1] + other[1].t().t(), one.view(4, 3)[:2] + wide[:2]]

    given = torch.randn(2, 2, 3), torch.randn(2, 2, 3)
    found, operations = replayed(function, *given)
    assert all(map(torch.equal, found, function(*given)))
    assert [one.stride() for one in found] == [one.stride() for one in function(*given)]
    # Its own shape for `wide`, which is asked for; and parts of tensors, which are views whatever is done.
    assert operations.count("as_strided") + operations.count("select") == 5


def test_a_part_of_a_tensor_and_tensors_that_lie_in_other_ways_are_seen_as_they_are():
    def function(one: Tensor, other: Tensor) -> list[Tensor]:
        turned = other.t().clone(memory_format=torch.preserve_format)
        last = one.t().contiguous().t()
        wide, exact = one[:1, :1].sum(), other.double().sum()
        return [one.view(6) + other.view(6), one.t() * turned, one[:, :2].relu(), one.unsqueeze(0) + other.sum(),
                last.t().clone(memory_format=torch.contiguous_format) * 2, last.relu(), last.t() + other.t(),
                wide.view(1) * exact, wide.view(1, 1).exp(), one[:0].view(0) + 1]

    given = torch.randn(2, 3), torch.randn(2, 3)
    found, _ = replayed(function, *given)
    wanted = function(*given)
    assert all(map(torch.equal, found, wanted))
    assert [(one.stride(), one.dtype) for one in found] == [(one.stride(), one.dtype) for one in wanted]


def test_what_is_given_may_lie_elsewhere_in_a_larger_tensor_the_next_time():
    def function(part: Tensor) -> list[Tensor]:
        row = part[1]
        return [row.view(2, 3)[1] * 2, row[2:].view(2, 2)[0] + 1, *(half.sum(0) for half in part.split(1)),
                part.unbind(1)[3][1:] * 3]

    whole = torch.arange(36.0).reshape(6, 6)
    graph = make_fx(function)(whole[:2])
    run = script(graph, [whole[:2]]).run()
    for part in (whole[:2], whole[2:4], whole[4:].clone()):
        assert all(map(torch.equal, run([part]), function(part)))


def test_numbers_that_are_read_as_others_are_kept_apart():
    def function(given: Tensor) -> list[Tensor]:
        pairs = torch.view_as_complex((given * 1).view(2, 2))
        return [torch.view_as_real(pairs.conj().resolve_conj()) + 1, pairs.conj().imag + 1, pairs.imag * 2]

    given = torch.tensor([1.0, 2.0, -3.0, 4.0])
    found, _ = replayed(function, given)
    assert all(map(torch.equal, found, function(given)))


def test_what_is_written_into_stays_in_its_place():
    def function(given: Tensor) -> list[Tensor]:
        base = given * 1
        before = base[0] * 2
        base.view(-1).add_(given.view(-1))
        return [before, base[0] * 2, base]

    given = torch.arange(6.0).reshape(2, 3)
    found, _ = replayed(function, given)
    assert all(map(torch.equal, found, function(given)))
    assert torch.equal(given, torch.arange(6.0).reshape(2, 3))


def test_what_nobody_uses_is_left_out():
    def function(given: Tensor) -> list[Tensor]:
        given.exp()
        return [(given + 1).sin().cos()]

    given = torch.ones(3)
    found, operations = replayed(function, given)
    assert torch.equal(found[0], (given + 1).sin().cos())
    assert operations == ["add", "sin_", "cos_"]


def test_what_is_used_for_the_last_time_is_written_over_and_nothing_else():
    def function(given: Tensor) -> list[Tensor]:
        first = given * 2
        second = first + 1
        third = second.relu()
        part = third[0]
        fourth = third.sin()
        wide = fourth.sum(1, keepdim=True) + given
        return [first, wide.exp(), (part * 3).mul(given), torch.where(given > 0, wide, given)]

    given = torch.randn(3, 3)
    before = given.clone()
    found, operations = replayed(function, given)
    assert all(map(torch.equal, found, function(given)))
    assert torch.equal(given, before)
    # What is given or asked for, what a view looks at, what is wanted again and what is of another shape stays.
    assert operations == ["mul", "add", "relu_", "as_strided", "sin", "sum", "add", "exp", "mul", "mul", "gt", "where"]


def test_a_result_is_not_written_over_where_its_view_goes_in_as_well():
    def function(given: Tensor) -> list[Tensor]:
        doubled = given * 2
        return [doubled + doubled.t(), (given * 3).mul(given * 5)]

    given = torch.randn(3, 3)
    found, operations = replayed(function, given)
    assert all(map(torch.equal, found, function(given)))
    assert operations == ["mul", "as_strided", "add", "mul", "mul", "mul_"]


def test_what_is_seen_in_another_shape_is_written_over_where_all_of_it_is_seen_once():
    def function(given: Tensor) -> list[Tensor]:
        folded, turned = (given * 2).view(2, 3, 2), (given * 3).t()
        begun, rest, spread = (given * 4)[:2], (given * 4)[1:], (given[0] * 5).expand(3, -1)
        twice = (given * 6).view(6, 2)
        return [folded.relu(), turned.sin(), begun.relu(), rest.relu(), spread.relu(), twice.relu() + twice]

    given = torch.randn(3, 4)
    found, operations = replayed(function, given)
    assert all(map(torch.equal, found, function(given)))
    assert [one for one in operations if one.startswith(("relu", "sin"))] == ["relu_", "sin_", *["relu"] * 4]


Blank = Callable[[Tensor], Tensor]
BLANKS: dict[str, tuple[Blank, Blank, list[bool], bool]] = {
    "inputs": (lambda x: torch.empty(x.shape), lambda w: w, [True, False, False], True),
    "weight": (lambda x: x, lambda w: torch.empty(w.shape), [False, True, False], True),
    "another layout": (lambda x: torch.empty(x.shape, memory_format=torch.channels_last), lambda w: w,
                       [True, False, False], False),
    "what is read": (lambda x: torch.empty(x.shape).copy_(x), lambda w: w, [True, True, False], False)}


@pytest.mark.parametrize("which", BLANKS)
@pytest.mark.parametrize("is_kept", [True, False])
def test_where_only_a_shape_is_asked_for_no_memory_is_taken_if_another_tensor_has_it(which: str, is_kept: bool):
    instead_of_inputs, instead_of_weight, mask, is_shape = BLANKS[which]

    def function(inputs: Tensor, weight: Tensor, gradient: Tensor) -> list[Tensor]:
        x, w = inputs.relu(), weight.relu()
        found = torch.ops.aten.convolution_backward(gradient, instead_of_inputs(x), instead_of_weight(w), None, [1, 1],
                                                    [1, 1], [1, 1], False, [0, 0], 1, mask)
        return [*(one for one in found if one is not None), *([x.exp(), w.exp()] if is_kept else [])]

    tensors = torch.randn(2, 3, 5, 5), torch.randn(4, 3, 3, 3), torch.randn(2, 4, 5, 5)
    found, operations = replayed(function, *tensors)
    assert all(map(torch.equal, found, function(*tensors)))
    assert ("empty" in operations) == (not (is_shape and is_kept))


@pytest.mark.parametrize("is_used_later", [True, False])
def test_nothing_is_kept_for_its_shape_alone_where_another_tensor_has_it(is_used_later: bool):
    def function(given: Tensor) -> list[Tensor]:
        kept = given * 2
        maps = kept.neg()
        pooled, places = torch.ops.aten.max_pool2d_with_indices(maps, [2, 2])
        found = torch.ops.aten.max_pool2d_with_indices_backward(pooled, maps, [2, 2], [2, 2], [0, 0], [1, 1], False,
                                                                places)
        return [found * (maps if is_used_later else 1), kept.sin()]

    given = torch.randn(2, 3, 8, 8)
    written = script(make_fx(function)(given), [given])
    assert all(map(torch.equal, written.run()([given]), function(given)))
    (line,) = (line for line in written.lines if line.operation[0] == "aten::max_pool2d_with_indices_backward")
    kept, maps = Use(1), Use(2)
    assert line.arguments[1] == (maps if is_used_later else kept)


def test_lists_of_tensors_and_arguments_of_every_kind_go_along():
    def function(given: Tensor) -> list[Tensor]:
        first, *others = given.chunk(3)
        return [torch.cat([first, *others[::-1]]), torch.stack(given.unbind(1)), given[torch.tensor([2, 0])],
                given[:, torch.tensor([1])], given.to(torch.float64).div(3, rounding_mode="floor"),
                torch.nn.functional.gelu(given, approximate="tanh"), given.new_zeros(()), given.mean(),
                torch.clamp(given, max=2.5), given.clone(memory_format=torch.contiguous_format).relu_()]

    given = torch.arange(12.0).reshape(3, 4) - 4
    found, _ = replayed(function, given)
    wanted = function(given)
    assert all(map(torch.equal, found, wanted))
    assert [one.dtype for one in found] == [one.dtype for one in wanted]


def test_results_that_share_a_memory_are_not_written_over():
    def function(given: Tensor) -> list[Tensor]:
        doubled = given * 2
        (whole,) = torch.unsafe_split(doubled, 2)
        return [whole + 1, doubled]

    given = torch.randn(2, 3)
    found, _ = replayed(function, given)
    assert alike(found, function(given))


def test_constants_that_look_alike_are_kept_apart_and_numbers_of_a_kind_are_compared():
    near, nearer = torch.tensor(0.12345678), torch.tensor(0.12345679)
    found, _ = replayed(lambda given: [given * near, given * nearer], torch.ones(1, dtype=torch.float64))
    assert alike(found, [torch.ones(1, dtype=torch.float64) * near, torch.ones(1, dtype=torch.float64) * nearer])
    one = torch.tensor([1.0, float("nan"), float("inf")])
    assert _are_the_same(one, one.clone())
    assert not any(_are_the_same(one, other) for other in (
        one.double(), torch.tensor([1.0, 0.0, float("inf")]), torch.tensor([1.0, float("nan"), 3.4028234663852886e38])))


def test_a_constant_and_what_is_not_finite_go_along():
    known = torch.tensor([1.0, 2.0])
    found, _ = replayed(lambda given: [torch.where(given > 1, given, float("-inf")) + known], torch.tensor([0.5, 3.0]))
    assert torch.equal(found[0], torch.tensor([float("-inf"), 5.0]))


def test_who_looks_at_a_number_is_not_written_down():
    with pytest.raises(ValueError, match="the same in every replay"):
        recorded(lambda given: [given[0] * given[0].sum().item()], [torch.ones(2)])
    other = torch.ones(2)
    with pytest.raises(ValueError, match="was not given"):
        recorded(lambda given: [given[0] * other], [torch.ones(2)])
