import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import minimixer as mm
from minimixer.backend import to_device
from minimixer.tensor import Tensor

BINARY = {"+": lambda a, b: a + b, "-": lambda a, b: a - b, "*": lambda a, b: a * b, "/": lambda a, b: a / b}


@given(hnp.mutually_broadcastable_shapes(num_shapes=2, max_dims=4, max_side=4), st.sampled_from(sorted(BINARY)),
       st.integers(0, 2**32 - 1))
def test_operators_broadcast_like_numpy_and_gradients_have_the_shapes_of_the_operands(shapes, sign, seed):
    rng = np.random.default_rng(seed)
    a, b = (rng.uniform(0.5, 2, shape) * rng.choice([-1, 1], shape) for shape in shapes.input_shapes)
    op = BINARY[sign]
    x, y = Tensor(a, requires_grad=True), Tensor(b, requires_grad=True)
    result = op(x, y)
    assert np.array_equal(result.data, op(a, b))
    assert np.array_equal(op(x, b).data, op(a, b))
    assert np.array_equal(op(a, y).data, op(a, b))
    v = rng.standard_normal(result.shape)
    result.backward(v)
    # The slope along one direction through both operands tells whether the sums went over the right axes.
    da, db = rng.standard_normal(a.shape), rng.standard_normal(b.shape)
    slope = ((op(a + 1e-6 * da, b + 1e-6 * db) - op(a - 1e-6 * da, b - 1e-6 * db)) * v).sum() / 2e-6
    assert x.grad.shape == a.shape
    assert y.grad.shape == b.shape
    assert (x.grad * da).sum() + (y.grad * db).sum() == pytest.approx(slope, rel=1e-4, abs=1e-6)


def test_data_is_taken_as_it_is_and_lists_become_float32():
    array = np.zeros((2, 3), np.float64)
    assert Tensor(array).data is array
    assert Tensor([1.0, 2.0]).dtype == np.float32
    assert Tensor([1, 2]).dtype.kind == "i"
    with pytest.raises(TypeError, match="Tensor already"):
        Tensor(Tensor([1.0]))
    with pytest.raises(TypeError, match="holds numbers"):
        Tensor(["a"])
    with pytest.raises(TypeError, match="floating-point"):
        Tensor([1, 2], requires_grad=True)


def test_attributes():
    x = Tensor(np.zeros((2, 3), np.float32))
    assert (x.shape, x.ndim, x.size, len(x), x.device) == ((2, 3), 2, 6, 2, "cpu")
    assert x.numpy() is x.data
    assert "float32" in repr(x)
    assert "made by Multiply" in repr(Tensor([1.0], requires_grad=True) * 2.0)


def test_one_element_becomes_a_number():
    assert Tensor([[2.5]]).item() == float(Tensor(2.5)) == 2.5
    assert bool(Tensor([1.0]))
    with pytest.raises(ValueError, match=r"shape \(2,\)"):
        Tensor([1.0, 2.0]).item()


def test_numbers_of_numpy_are_as_good_as_those_of_python():
    x = Tensor(np.arange(6, dtype=np.float32).reshape(2, 3), requires_grad=True)
    one, tenth = np.int64(1), np.float64(0.1)
    assert x[one].shape == (3,)
    assert x.sum(one).shape == x.sum(axis=one).shape == (2,)
    assert x.reshape(np.int64(6)).shape == x.reshape(np.prod(x.shape)).shape == (6,)
    for y in (mm.functional.cross_entropy(x, np.array([0, 1]), label_smoothing=tenth),
              mm.nn.Dropout(tenth).train().rate * x.sum(), (x * tenth).sum()):
        y.backward()
        assert y.dtype == x.grad.dtype == np.float32
    assert mm.optim.clip_by_global_norm([x.data], tenth)[0][0].dtype == np.float32
    assert type(float(Tensor([3]))) is float


def test_comparing_with_numbers_is_refused_and_identity_stays(device):
    x, y = (Tensor(to_device(np.array([1.0, 2.0]), device)) for _ in range(2))
    for compare in (lambda: x == [1.0, 2.0], lambda: x == (1.0, 2.0), lambda: x == 1.0, lambda: np.float32(1) == x,
                    lambda: y.data == x, lambda: x == y.data, lambda: x != 1.0):
        with pytest.raises(TypeError, match=r"compare the bare array, x\.data == y"):
            compare()
    assert x == x
    assert x != y
    assert x != None                                            # noqa: E711
    assert len({x, y, x}) == 2
    assert [x, y].index(y) == 1
    z = Tensor(x.data, requires_grad=True)
    assert x not in (z * z * z).node.edges                      # Nodes among them


def test_gradients_that_add_up_stay_arrays():
    x = Tensor(np.float32(2), requires_grad=True)
    for _ in range(3):
        (x * 3).backward()
    assert type(x.grad) is np.ndarray
    assert x.grad == 9
    mm.optim.AdamW([x]).step()


@pytest.mark.parametrize(("dtype", "size"), [("f4", 1e20), ("f4", 1e-23), ("f2", 300), ("f8", 1e200)])
def test_the_gradient_of_a_quotient_stays_in_range_where_it_can(dtype, size):
    a, b = (Tensor(np.full(1, size, dtype), requires_grad=True) for _ in range(2))
    (a / b).backward()
    assert b.grad == pytest.approx(-1 / float(b.data[0]), rel=2e-3)
    assert (a / 3.0).node is not None


@pytest.mark.parametrize("change", [
    "x += 1", "x -= 1", "x *= 2", "x /= 2", "x **= 2", "x @= x", "x[0] = 1"])
def test_changes_in_place_are_refused(change):
    with pytest.raises(TypeError, match=r"not changed in place.*write x = x \+ y"):
        exec(change, {"x": Tensor([[1.0]])})


def test_numpy_functions_refuse_a_tensor():
    x = Tensor([1.0])
    with pytest.raises(TypeError, match="lose its history"):
        np.asarray(x)
    with pytest.raises(TypeError):
        np.exp(x)


@pytest.mark.parametrize(("make", "message"), [
    (lambda x: x + np.zeros(4), r"Add of shape \(2, 3\), \(4,\).*compared from the right"),
    (lambda x: x @ np.zeros((2, 5)), r"MatMul of shape \(2, 3\), \(2, 5\).*swapaxes"),
    (lambda x: x @ 2.0, r"MatMul of shape \(2, 3\), 2.0.*use \*"),
    (lambda x: x.reshape(4, 2), r"Reshape of shape \(2, 3\), shape = \(4, 2\).*as many elements"),
    (lambda x: x.swapaxes(0, 2), r"SwapAxes of shape \(2, 3\).*two axes that exist"),
    (lambda x: x.transpose(0, 0), r"Transpose of shape \(2, 3\).*every axis once"),
    (lambda x: x.sum(axis=2), r"Sum of shape \(2, 3\), axis = 2.*does not exist"),
    (lambda x: x[5], r"Slice of shape \(2, 3\).*ints inside the shape"),
    (lambda x: x[np.array([0, 1])], "Slice.*ndarray is not a basic index.*mask"),
    (lambda x: x[True], "Slice.*bool is not a basic index"),
])
def test_errors_name_the_op_the_shapes_and_what_was_expected(make, message):
    with pytest.raises((ValueError, IndexError), match=message):
        make(Tensor(np.zeros((2, 3))))


def test_a_tensor_as_exponent_is_refused():
    with pytest.raises(TypeError, match=r"Python number.*\.log\(\)"):
        Tensor([2.0]) ** Tensor([2.0])


def test_max_shares_the_gradient_of_ties():
    x = Tensor(np.array([[1.0, 3.0, 3.0], [5.0, 0.0, 1.0]]), requires_grad=True)
    x.max(axis=1).sum().backward()
    assert x.grad.tolist() == [[0, 0.5, 0.5], [1, 0, 0]]


def test_power_zero_has_gradient_zero_even_at_zero():
    x = Tensor(np.array([0.0, 2.0]), requires_grad=True)
    (x**0).sum().backward()
    assert x.grad.tolist() == [0, 0]


def test_swapaxes_copies_nothing():
    x = Tensor(np.zeros((2, 3, 4)))
    assert np.shares_memory(x.swapaxes(1, 2).data, x.data)


def test_iterating_gives_rows():
    assert [row.data.tolist() for row in Tensor(np.arange(4.0).reshape(2, 2))] == [[0, 1], [2, 3]]


def test_to_an_unknown_device_is_refused():
    with pytest.raises(mm.backend.DeviceError, match="unknown device 'tpu'"):
        Tensor([1.0]).to("tpu")


def test_to_the_gpu_without_one_is_one_sentence_with_the_way_out(monkeypatch):
    if mm.backend.gpu_problem() is None:
        pytest.skip("this machine has a GPU")
    with pytest.raises(mm.backend.DeviceError, match=r"device 'gpu' cannot be used: .*gpu-cuda12.*gpu-cuda13"):
        Tensor([1.0]).to("gpu")
