# diagnosis: writes-input
# bug: adds with += to an array that it was given
def backward(root, gy):
    uses, stack = {root: 0}, [root]
    while stack:
        for parent in stack.pop().parents:
            if parent not in uses:
                uses[parent] = 0
                stack.append(parent)
            uses[parent] += 1
    gradients, ready = {root: gy}, [root]
    while ready:
        node = ready.pop()
        if not node.parents:
            continue
        for parent, g in zip(node.parents, node.backward(gradients[node])):
            if parent in gradients:
                gradients[parent] += g
            else:
                gradients[parent] = g
            uses[parent] -= 1
            if uses[parent] == 0:
                ready.append(parent)
    return {node: g for node, g in gradients.items() if not node.parents}
