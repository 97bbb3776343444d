"""The seven rules of minimixer/autograd.py, in their order."""

import gc
import threading
import time
import weakref

import numpy as np
import pytest

import minimixer as mm
from minimixer.autograd import grad_enabled
from minimixer.ops.op import Op
from minimixer.tensor import Tensor, apply


def leaf(*numbers, dtype=np.float64):
    return Tensor(np.array(numbers, dtype), requires_grad=True)


# 1. By a loop, never by recursion

def test_twenty_thousand_chained_ops_take_less_than_a_second():
    x = y = leaf(1.0)
    start = time.thread_time()          # a busy machine does not count
    for _ in range(20_000):
        y = y + 1.0
    y.backward()
    del y
    assert time.thread_time() - start < 1
    assert x.grad == 1


def test_forty_doubled_diamonds_are_walked_once_not_two_to_the_fortieth_times():
    x = y = leaf(1.0)
    start = time.thread_time()
    for _ in range(40):
        y = y + y
    y.backward()
    assert time.thread_time() - start < 1
    assert x.grad == 2.0**40


# 2. Nothing that was given or saved is written to: tests/ops/test_ops.py freezes the arrays of every op


# 3. Only the engine adds gradients up

def test_a_gradient_that_is_handed_to_two_leaves_is_not_shared():
    a, b = leaf(1.0, 2.0), leaf(3.0, 4.0)
    (a + b).sum().backward()
    a.grad += 1
    assert b.grad.tolist() == [1, 1]


def test_contributions_are_added_without_writing_to_any_of_them():
    class Fan(Op):
        handed_out = None

        @staticmethod
        def forward(xp, a, b, c):
            return a + b + c, ()

        @staticmethod
        def backward(xp, gy):
            Fan.handed_out = gy.copy()
            Fan.handed_out.flags.writeable = False
            return Fan.handed_out, Fan.handed_out, Fan.handed_out

    x = leaf(1.0, 2.0)
    apply(Fan, x, x, x).sum().backward()
    assert x.grad.tolist() == [3, 3]


# 4. Saved arrays are dropped, and there are no cycles

def test_without_the_garbage_collector_the_graph_is_freed():
    gc.collect()
    gc.disable()
    try:
        x = leaf(1.0, 2.0)
        y = mm.functional.gelu(x * x)
        z = y.sum()
        nodes = [weakref.ref(t.node) for t in (y, z)]
        del y, z                                                # never walked
        assert [node() for node in nodes] == [None, None]
        z = mm.functional.gelu(x * x).sum()
        node = weakref.ref(z.node)
        z.backward()
        del z                                                   # walked
        assert node() is None
    finally:
        gc.enable()


def test_what_a_node_saved_is_freed_by_its_backward_while_the_result_lives_on():
    x = leaf(1.0, 2.0)
    y = x.exp()
    saved = weakref.ref(y.node.saved[0])
    assert saved() is y.data
    z = (x * 3.0).exp()
    kept = weakref.ref(z.node.saved[0])
    node = z.node
    z.sum().backward()
    del z
    assert node.saved is None
    assert kept() is None


# 5. Shapes and dtypes of gradients

@pytest.mark.parametrize(("returned", "message"), [
    (lambda gy: gy[:1], r"Bad\.backward .* shape \(1,\) .* argument 'x'.* shape \(2,\)"),
    (lambda gy: gy.astype(np.float32), r"Bad\.backward .* dtype float32 .* dtype float64"),
    (lambda gy: None, r"Bad\.backward returned no gradient for its argument 'x'"),
])
def test_a_wrong_gradient_is_named(returned, message):
    class Bad(Op):
        @staticmethod
        def forward(xp, x):
            return 2 * x, ()

        @staticmethod
        def backward(xp, gy):
            return returned(gy)

    with pytest.raises(TypeError, match=message):
        apply(Bad, leaf(1.0, 2.0)).sum().backward()


# 6. backward, grad, no_grad

def test_backward_adds_into_grad_of_the_leaves_only():
    x = leaf(1.0, 2.0)
    y = x * 3.0
    y.sum().backward()
    (x * x).sum().backward()
    assert x.grad.tolist() == [5, 7]
    assert y.grad is None


def test_grad_returns_arrays_and_touches_no_grad():
    x, w, unused = leaf(1.0, 2.0), leaf(3.0, 4.0), leaf(5.0)
    gx, gunused = mm.grad((x * w).sum(), [x, unused])
    assert gx.tolist() == [3, 4]
    assert gunused.tolist() == [0]
    assert x.grad is w.grad is unused.grad is None


def test_grad_refuses_what_is_not_a_leaf():
    x = leaf(1.0)
    with pytest.raises(ValueError, match=r"params\[1\].*not a leaf"):
        mm.grad(x * 2.0, [x, x * 3.0])
    with pytest.raises(ValueError, match=r"params\[0\].*not a leaf"):
        mm.grad(x * 2.0, [Tensor([1.0])])


def test_backward_of_several_elements_needs_a_gradient_to_start_from():
    x = leaf(1.0, 2.0)
    with pytest.raises(ValueError, match=r"one-element Tensor, this one has shape \(2,\)"):
        (x * 2.0).backward()
    with pytest.raises(ValueError, match=r"expected those of the Tensor, \(2,\)"):
        (x * 2.0).backward(np.ones(3))
    (x * 2.0).backward(np.array([1.0, 10.0]))
    assert x.grad.tolist() == [2, 20]


def test_a_leaf_can_be_the_root():
    x = leaf(3.0)
    x.backward()
    assert x.grad.tolist() == [1]


def test_a_second_walk_through_a_freed_node_is_refused():
    y = (leaf(1.0) * 2.0).exp()
    y.backward()
    with pytest.raises(RuntimeError, match=r"Exp a second time.*run the forward pass again"):
        y.backward()


def test_backward_without_anything_to_differentiate_says_so():
    with pytest.raises(RuntimeError, match="requires_grad=True"):
        Tensor([1.0]).backward()


def test_no_grad_nests_and_ends_with_an_exception():
    x = leaf(1.0)
    with mm.no_grad():
        with mm.no_grad():
            assert not (x * 2.0).requires_grad
        assert not (x * 2.0).requires_grad
    with pytest.raises(KeyError), mm.no_grad():
        raise KeyError
    assert (x * 2.0).requires_grad

    @mm.no_grad()
    def decorated():
        return x * 2.0

    assert not decorated().requires_grad
    assert grad_enabled()


def test_detach_stops_the_gradient():
    x = leaf(2.0)
    (x * (x * x).detach()).backward()
    assert x.grad.tolist() == [4]
    assert x.detach().data is x.data


def test_eight_threads_mixing_no_grad_and_grad_do_not_disturb_each_other():
    w = leaf(*range(1, 101))
    barrier = threading.Barrier(8)
    wrong = []

    def work(number):
        barrier.wait()
        for i in range(200):
            if (i + number) % 2:
                with mm.no_grad():
                    if (w * 2.0).requires_grad:
                        wrong.append("recorded under no_grad")
            else:
                factor = float(number + i)
                (g,) = mm.grad((w * w * factor).sum(), [w])
                if not np.array_equal(g, 2 * factor * w.data):
                    wrong.append("wrong gradient")

    threads = [threading.Thread(target=work, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
    assert w.grad is None


def test_a_generator_function_is_without_gradients_while_it_runs_and_its_user_is_not():
    x = leaf(1.0)
    seen = []

    @mm.no_grad()
    def numbers():
        while True:
            try:
                sent = yield (x * 2.0).requires_grad
            except KeyError:
                seen.append((x * 2.0).requires_grad)
                sent = None
            if sent == "stop":
                return "done"

    generator = numbers()
    assert grad_enabled()
    assert next(generator) is False
    assert grad_enabled()
    assert next(generator) is False
    assert generator.throw(KeyError) is False
    assert seen == [False]
    with pytest.raises(StopIteration, match="done"):
        generator.send("stop")
    assert grad_enabled()
    with pytest.raises(TypeError, match="which is async"):
        @mm.no_grad()
        async def later():
            pass


# 7. float32 stays float32

@pytest.mark.parametrize("scalar", [2, 2.5, np.float64(2.5), np.float32(2.5), np.int64(3)])
@pytest.mark.parametrize("op", [
    lambda x, s: x + s, lambda x, s: s + x, lambda x, s: x - s, lambda x, s: s - x, lambda x, s: x * s,
    lambda x, s: s * x, lambda x, s: x / s, lambda x, s: s / x, lambda x, s: x**s, lambda x, s: -x])
def test_scalars_do_not_promote(op, scalar):
    x = leaf(1.5, 2.5, dtype=np.float32)
    y = op(x, scalar)
    y.sum().backward()
    assert y.dtype == x.grad.dtype == np.float32


def test_a_whole_training_step_stays_in_float32(rng):
    model = mm.nn.mixer("pico", stochastic_depth=0.1, dropout=0.1)
    images = Tensor(rng.random((2, 32, 32, 3), np.float32))
    loss = mm.functional.cross_entropy(model(images), np.array([1, 2]), label_smoothing=0.1)
    loss.backward()
    optimizer = mm.optim.AdamW(model.parameters())
    optimizer.step()
    arrays = [loss.data, *(p.data for p in model.parameters()), *(p.grad for p in model.parameters()),
              *(a for arrays in optimizer.state.values() for a in arrays)]
    assert {a.dtype for a in arrays} == {np.dtype(np.float32)}


# 8. Overwritten numbers

def overwrite_by_step(model, x):
    mm.optim.SGD(model.parameters(), 0.1).step([np.ones_like(p.data) for p in model.parameters()])


def overwrite_by_loading(model, x):
    model.load_state_dict({name: 2 * a for name, a in model.state_dict().items()})


def overwrite_by_operator(model, x):
    model.weight.data -= 0.1


def overwrite_by_moving(model, x):
    model.to("standin")


@pytest.mark.parametrize("overwrite", [overwrite_by_step, overwrite_by_loading, overwrite_by_operator,
                                       overwrite_by_moving])
def test_a_parameter_that_is_overwritten_between_forward_and_backward_is_an_error(overwrite):
    model = mm.nn.Linear(3, 2)
    x = Tensor(np.ones((4, 3), np.float32))
    loss = (model(x) * model(x)).sum()
    overwrite(model, x)
    with pytest.raises(RuntimeError, match=r"parameter of shape \(3, 2\) was changed in place after the forward pass"):
        loss.backward()
    assert model.weight.grad is None
    x = x.to(model.device)
    model(x).sum().backward()                   # a new forward pass is as good as ever
    assert model.weight.grad is not None


def test_a_view_of_an_overwritten_parameter_and_the_gradient_by_grad_are_errors_too():
    w = leaf(1.0, 2.0)
    loss = (w.reshape(2, 1) @ w.reshape(1, 2)).sum()
    w.data *= 2
    with pytest.raises(RuntimeError, match="changed in place"):
        mm.grad(loss, [w])


def test_changes_that_no_graph_has_seen_are_fine():
    w, other = leaf(1.0, 2.0), leaf(5.0)
    w.data += 1                                 # before the forward pass
    loss = (w * w).sum()
    other.data += 1                             # another parameter
    loss.backward()
    assert w.grad.tolist() == [4, 6]
    loss = (w * w).sum()
    w.data = w.data - 1                         # the graph keeps the old array
    w.grad = None
    loss.backward()
    assert w.grad.tolist() == [4, 6]
    model = mm.nn.Linear(2, 2)
    loss = model(Tensor(np.ones((1, 2), np.float32))).sum()
    model.to("cpu")                             # it is there already
    loss.backward()


def test_means_that_a_graph_has_seen_may_not_move_before_its_backward():
    w = leaf(1.0, 2.0)
    ema = mm.optim.EMA([w], 0.5)
    with ema.in_place_of_parameters():
        loss = (w * w).sum()
    ema.update(100)
    with pytest.raises(RuntimeError, match="changed in place"):
        loss.backward()
