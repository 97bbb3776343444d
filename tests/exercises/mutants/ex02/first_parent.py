# diagnosis: first-parent-only
# bug: follows the first parent of each node only
def backward(root, gy):
    node = root
    while node.parents:
        gy = node.backward(gy)[0]
        node = node.parents[0]
    return {node: gy}
