# diagnosis: too-early
# bug: takes the node that was discovered last, ready or not
def backward(root, gy):
    total, stack, seen = {root: gy}, [root], {root}
    while stack:
        node = stack.pop()
        if node.parents:
            for parent, part in zip(node.parents, node.backward(total[node])):
                total[parent] = total[parent] + part if parent in total else part
                if parent not in seen:
                    seen.add(parent)
                    stack.append(parent)
    return {node: g for node, g in total.items() if not node.parents}
