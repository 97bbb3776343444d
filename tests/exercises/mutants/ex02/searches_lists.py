# diagnosis: visits-nodes
# bug: looks for the next ready node by a search through all nodes
def backward(root, gy):
    waiting = [root]
    for node in waiting:
        waiting.extend(parent for parent in dict.fromkeys(node.parents) if parent not in waiting)
    total, result = {root: gy}, {}
    while waiting:
        node = next(n for n in waiting if not any(n in other.parents for other in waiting if other is not n))
        waiting.remove(node)
        if not node.parents:
            result[node] = total[node]
        else:
            for parent, part in zip(node.parents, node.backward(total[node])):
                total[parent] = total.get(parent, 0) + part
    return result
