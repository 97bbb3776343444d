# diagnosis: gy-ignored
# bug: starts with ones at the root
import numpy as np


def in_order(root):
    found, seen, todo = [], set(), [(root, False)]
    while todo:
        node, ready = todo.pop()
        if ready:
            found.append(node)
        elif node not in seen:
            seen.add(node)
            todo.append((node, True))
            todo += [(parent, False) for parent in node.parents]
    return found[::-1]



def backward(root, gy):
    total = {root: np.ones(gy.shape)}
    for node in in_order(root):
        if node.parents:
            for parent, part in zip(node.parents, node.backward(total[node])):
                total[parent] = total.get(parent, 0) + part
    return {node: total[node] for node in total if not node.parents}
