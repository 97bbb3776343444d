import copy
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import minimixer as mm
from minimixer import advice
from minimixer.backend import to_device, to_numpy
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


def test_comparisons_are_plain_arrays_as_those_of_arrays_and_sets_know_tensors_by_identity(device):
    x, y = (Tensor(to_device(np.array([1.0, 2.0]), device)) for _ in range(2))
    for comparison in (x == y, x == y.data, y.data == x, x == 2.0, x != [1.0, 3.0], x == (5.0, 2.0), x > 1, x > 1,
                       x >= [2.0, 2.0], x.data < 3 * x, y.data + 1 >= 1 + x):
        assert type(comparison) is type(x.data)
        assert to_numpy(comparison).dtype == bool
        assert to_numpy(comparison).tolist()[1] is True
    assert to_numpy(x < 2).tolist() == [True, False]
    assert x != None                                            # noqa: E711
    assert len({x, y, x}) == 2
    assert {x: 1, y: 2}[y] == 2
    assert x.node != x
    with pytest.raises(TypeError, match="'<' not supported"):
        x < None                                                # noqa: B015
    if device != "cpu":
        with pytest.raises(mm.backend.DeviceError, match="two devices"):
            x == np.array([1.0, 2.0])                           # noqa: B015


def test_one_element_decides_an_if_and_is_written_as_a_number():
    loss = Tensor(np.float32(1.2345), requires_grad=True) * 1.0
    assert loss < 2
    assert not loss >= 2
    assert min(loss, Tensor(3.0)) is loss
    assert (f"{loss:.2f}", f"{loss:.2e}", f"{loss:8.1f}") == ("1.23", "1.23e+00", "     1.2")
    assert f"{loss}" == str(loss)
    assert (int(Tensor([3.7])), round(loss), round(loss, 1)) == (3, 1, pytest.approx(1.2))
    with pytest.raises(ValueError, match=r"item\(\) needs a one-element Tensor, this one has shape \(2,\)"):
        f"{Tensor([1.0, 2.0]):.4f}"


def test_gradients_that_add_up_stay_arrays():
    x = Tensor(np.float32(2), requires_grad=True)
    for _ in range(3):
        (x * 3).backward()
    assert type(x.grad) is np.ndarray
    assert x.grad == 9
    mm.optim.AdamW([x]).step()


@pytest.mark.parametrize(("dtype", "size"), [("f4", 1e20), ("f4", 1e-23), ("f8", 1e200)])
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


@pytest.mark.parametrize(("call", "message"), [
    (lambda x: np.asarray(x), "lose its history"),
    (lambda x: np.exp(x), r"np\.exp was handed a Tensor.*write x\.exp\(\), or np\.exp of the bare array"),
    (lambda x: np.sum(x), r"np\.sum .*write x\.sum\(\)"),
    (lambda x: np.amax(x), r"write x\.max\(\)"),
    (lambda x: np.sin(x), r"write minimixer\.functional\.sin"),
    (lambda x: np.concatenate([x, x]), r"write minimixer\.functional\.concatenate"),
    (lambda x: np.array_equal(x, x), "np.array_equal was handed a Tensor.*own operators"),
    (lambda x: np.arctan(x), "np.arctan was handed a Tensor.*own operators"),
    (lambda x: np.add(x, 1.0), "np.add was handed a Tensor"),
    (lambda x: np.ones(1).__iadd__(x), r"cannot be written into an array: write array = array \+ x"),
])
def test_functions_of_numpy_say_what_to_write_instead(call, message):
    with pytest.raises(TypeError, match=message):
        call(Tensor([1.0]))


def test_what_is_said_to_be_written_instead_exists():
    assert all(callable(getattr(Tensor, name)) for name in advice.METHODS)
    assert all(callable(getattr(mm.functional, name)) for name in advice.FUNCTIONS)


@pytest.mark.parametrize("op", [
    lambda a, b: a + b, lambda a, b: a - b, lambda a, b: a * b, lambda a, b: a / b, lambda a, b: a**b,
    lambda a, b: a @ b])
def test_an_array_on_the_left_meets_the_operator_of_the_tensor(op, device):
    a, b = np.array([[1.0, 2.0], [3.0, 4.0]]), np.array([[2.0, 0.5], [1.0, 3.0]])
    y = op(to_device(a, device), Tensor(to_device(b, device), requires_grad=True))
    assert isinstance(y, Tensor)
    assert y.node
    assert np.allclose(y.numpy(), op(a, b))


@pytest.mark.parametrize(("call", "error", "message"), [
    (lambda x: x + None, TypeError, "an operand is None, expected a Tensor, an array or a number"),
    (lambda x: x * "2", TypeError, "an operand is '2', expected"),
    (lambda x: x.softmax, AttributeError, r"has no attribute 'softmax': write minimixer\.functional\.softmax"),
    (lambda x: x.sum().backward(1.0), TypeError, r"start from is a float, expected an array of shape \(\)"),
    (lambda x: x.backward(Tensor([1.0])), TypeError, r"is a Tensor, expected .*bare array, gradient\.data"),
    (lambda x: list(x.sum()), TypeError, r"shape \(\) has no rows to iterate over"),
    (lambda x: sum(x.sum()), TypeError, r"shape \(\) has no rows to iterate over"),
    (lambda x: setattr(x * 2.0, "requires_grad", False), RuntimeError, r"of a result cannot be set.*\.detach\(\)"),
    (lambda x: setattr(x * 2.0, "requires_grad", True), RuntimeError, "of a result cannot be set"),
    (lambda x: setattr(Tensor([1]), "requires_grad", True), TypeError, "floating-point data, not int"),
    (lambda x: Tensor(np.zeros(2, np.float16)), TypeError, "float32 or float64, not in float16.*astype"),
    (lambda x: x.squeeze(0).squeeze(0), ValueError, "axis 0 does not exist|longer than 1"),
])
def test_edges_get_a_sentence(call, error, message):
    with pytest.raises(error, match=message):
        call(Tensor([1.0], requires_grad=True))


def test_numbers_of_a_foreign_byte_order_are_converted():
    x = Tensor(np.array([1.0, 2.0], ">f4"), requires_grad=True)
    (x * x).sum().backward()
    assert x.dtype == x.grad.dtype == np.float32
    assert x.dtype.isnative
    assert x.grad.tolist() == [2, 4]


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))])
def test_copies_of_leaves_are_leaves_and_copies_of_results_have_no_history(copied):
    x = Tensor(np.array([1.0, 2.0]), requires_grad=True)
    (x * x).sum().backward()
    twin = copied(x)
    assert (twin.requires_grad, twin.is_parameter, twin.node) == (True, True, None)
    assert np.array_equal(twin.data, x.data)
    assert np.array_equal(twin.grad, x.grad)
    assert (copied is copy.copy) == (twin.data is x.data)
    result = copied(x * 3.0)
    assert result.data.tolist() == [3, 6]
    assert (result.requires_grad, result.node) == (False, None)
    frozen = Tensor([1.0], requires_grad=True)
    frozen.requires_grad = False
    assert copied(frozen).is_parameter
    tied = copied([x, x]) if copied is not copy.copy else [x, x]
    assert tied[0] is tied[1]


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))])
def test_copies_of_a_model_compute_the_same_and_are_trained_alone(copied, rng):
    model = mm.nn.mixer("pico").eval()
    images = Tensor(rng.random((2, 32, 32, 3), np.float32))
    twin = copied(model)
    assert np.array_equal(twin(images).data, model(images).data)
    before = model.state_dict()
    twin(images).sum().backward()
    mm.optim.SGD(twin.parameters(), 0.1).step()
    assert all(np.array_equal(a, before[name]) for name, a in model.state_dict().items())


@pytest.mark.parametrize("reduce", ["sum", "mean", "max", "min"])
def test_reductions_of_a_number(reduce, device):
    x = Tensor(to_device(np.array(3.0), device), requires_grad=True)
    for y in (getattr(x, reduce)(), getattr(x, reduce)(keepdims=True), getattr(x, reduce)(axis=())):
        assert (y.item(), y.shape) == (3, ())
        assert to_numpy(mm.grad(y, [x])[0]) == 1
    with pytest.raises(ValueError, match=r"shape \(\), axis = 0.*does not exist"):
        x.sum(axis=0)
    assert x.var().item() == 0
    assert x.argmax() == 0


@pytest.mark.parametrize(("make", "message"), [
    (lambda x: x + np.zeros(4), r"Add of shape \(2, 3\), \(4,\).*compared from the right"),
    (lambda x: x @ np.zeros((2, 5)), r"MatMul of shape \(2, 3\), \(2, 5\).*swapaxes"),
    (lambda x: x @ 2.0, r"MatMul of shape \(2, 3\), 2.0.*use \*"),
    (lambda x: x.reshape(4, 2), r"Reshape of shape \(2, 3\), shape = \(4, 2\).*as many elements"),
    (lambda x: x.swapaxes(0, 2), r"SwapAxes of shape \(2, 3\).*two axes that exist"),
    (lambda x: x.transpose(0, 0), r"Transpose of shape \(2, 3\).*every axis once"),
    (lambda x: x.sum(axis=2), r"Sum of shape \(2, 3\), axis = 2.*does not exist"),
    (lambda x: x[5], r"Slice of shape \(2, 3\).*ints inside the shape"),
    (lambda x: x["a"], "Slice.*str is not a basic index"),
    (lambda x: x[[0, 2]], r"Take of shape \(2, 3\).*out of bounds.*ints inside the shape"),
    (lambda x: x[[0.5, 1]], "Take.*not ints"),
    (lambda x: x[np.zeros(3, bool)], "Take.*masks of the shape"),
    (lambda x: x[True], "Slice.*bool is not a basic index"),
])
def test_errors_name_the_op_the_shapes_and_what_was_expected(make, message):
    with pytest.raises((ValueError, IndexError), match=message):
        make(Tensor(np.zeros((2, 3))))


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


def test_names_that_tensors_do_not_have_are_not_offered_and_say_what_to_write():
    x = Tensor([1.0])
    assert {"abs", "sum", "squeeze", "data"} <= set(dir(x))
    for name in advice.ELSEWHERE.keys() - dir(Tensor([1.0])):
        assert not hasattr(x, name)
        with pytest.raises(AttributeError, match=f"has no attribute '{name}': "):
            getattr(x, name)
    assert not {"view", "relu", "clip"} & set(dir(x))
    with pytest.raises(AttributeError, match="'Tensor' object has no attribute 'foo'"):
        x.foo           # noqa: B018
