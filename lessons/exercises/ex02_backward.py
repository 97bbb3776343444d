# %% [markdown]
# # Exercise 02: go back through a graph
#
# A computation is a graph. Every node knows its `parents` (the nodes it was computed from) and can carry a gradient
# one step back: `node.backward(gy)` returns one gradient per parent, in the order of `node.parents`.
#
# Write `backward(root, gy)`. Start at the root with the gradient `gy`, walk to the leaves, and return the gradient of
# every leaf.
#
# - A node can be used in several places. Its gradient is the sum of the gradients from all of them.
# - Call `node.backward` only when this sum is complete. So each node runs **once**, and the order matters.
# - A long computation has thousands of nodes in a row. Python allows only about 1000 nested calls.
# - Two parents may get the same array. Do not modify an array that you were given.
# - Arrays hold float64 numbers, and so must the results: nothing is rounded on the way.
#
# Check your work: `minimixer exercises check ex02`. Help: `minimixer exercises hint ex02`.


# %%
class Node:
    """A step of a computation. The checker uses its own nodes; they have the same attributes.

    `parents` is a tuple of nodes, empty for a leaf. `backward(gy)` returns one gradient per parent.
    """

    def __init__(self, parents=(), backward=None):
        self.parents = parents
        self.backward = backward


# %% nbgrader={"grade":false,"grade_id":"ex02-code-1","locked":false,"schema_version":3,"solution":true,"task":false}
def backward(root, gy):
    """Carry a gradient from the root of a graph to its leaves.

    Parameters
    ----------
    root : node
        Where to start.
    gy : array
        Gradient of the loss with respect to the root.

    Returns
    -------
    dict
        Each leaf (a node without parents) and its gradient, an array of the leaf's shape.
    """
    ### BEGIN SOLUTION
    uses = {root: 0}
    to_visit = [root]
    while to_visit:
        for parent in to_visit.pop().parents:
            if parent not in uses:
                uses[parent] = 0
                to_visit.append(parent)
            uses[parent] += 1
    gradients = {root: gy}
    ready = [root]
    leaves = {}
    while ready:
        node = ready.pop()
        arrived = gradients.pop(node)
        if not node.parents:
            leaves[node] = arrived
            continue
        for parent, gradient in zip(node.parents, node.backward(arrived), strict=True):
            gradients[parent] = gradients[parent] + gradient if parent in gradients else gradient
            uses[parent] -= 1
            if uses[parent] == 0:
                ready.append(parent)
    return leaves
    ### END SOLUTION
