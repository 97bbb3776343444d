# diagnosis: visits-paths
# bug: follows every path from the root to a leaf separately
def backward(root, gy):
    leaves, stack = {}, [(root, gy)]
    while stack:
        node, g = stack.pop()
        if not node.parents:
            leaves[node] = leaves[node] + g if node in leaves else g
        else:
            stack.extend(zip(node.parents, node.backward(g)))
    return leaves
