# diagnosis: keys-are-no-nodes
# bug: uses id(node) as key
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
    total = {id(root): gy}
    for node in in_order(root):
        if node.parents:
            for parent, part in zip(node.parents, node.backward(total[id(node)])):
                total[id(parent)] = total.get(id(parent), 0) + part
    return {id(node): total[id(node)] for node in in_order(root) if not node.parents}
