# diagnosis: recursion
# bug: sorts the nodes with a recursive function
def backward(root, gy):
    order, seen = [], set()

    def visit(node):
        if node not in seen:
            seen.add(node)
            for parent in node.parents:
                visit(parent)
            order.append(node)

    visit(root)
    gradients = {root: gy}
    for node in reversed(order):
        if node.parents:
            for parent, g in zip(node.parents, node.backward(gradients[node])):
                gradients[parent] = gradients.get(parent, 0) + g
    return {node: g for node, g in gradients.items() if not node.parents}
