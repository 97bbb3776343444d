# diagnosis: state-on-nodes
# bug: stores gradients on the nodes, and adds to what is there
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
    nodes = in_order(root)
    root.g = getattr(root, "g", 0) + gy
    for node in nodes:
        for parent, part in zip(node.parents, node.backward(node.g) if node.parents else ()):
            parent.g = getattr(parent, "g", 0) + part
    return {node: node.g for node in nodes if not node.parents}
