# diagnosis: backward-of-leaf
# bug: runs leaves like all other nodes
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
    total = {root: gy}
    for node in in_order(root):
        parts = node.backward(total[node])
        for parent, part in zip(node.parents, parts):
            total[parent] = total[parent] + part if parent in total else part
    return {node: g for node, g in total.items() if not node.parents}
