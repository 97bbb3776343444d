# diagnosis: overwrites
# bug: replaces a node's first gradient by the second
def backward(root, gy):
    order, seen = [], set()
    stack = [(root, False)]
    while stack:
        node, done = stack.pop()
        if done:
            order.append(node)
        elif node not in seen:
            seen.add(node)
            stack.append((node, True))
            stack.extend((parent, False) for parent in node.parents)
    gradients = {root: gy}
    for node in reversed(order):
        if node.parents:
            for parent, g in zip(node.parents, node.backward(gradients[node])):
                gradients[parent] = g
    return {node: g for node, g in gradients.items() if not node.parents}
