# diagnosis: root-is-leaf
# bug: takes for granted that the root has a backward
def backward(root, gy):
    uses, todo = {root: 0}, [root]
    while todo:
        for parent in todo.pop().parents:
            if parent not in uses:
                todo.append(parent)
            uses[parent] = uses.get(parent, 0) + 1
    total, ready, result = {root: gy}, [root], {}
    while ready:
        node = ready.pop()
        for parent, part in zip(node.parents, node.backward(total[node])):
            total[parent] = total.get(parent, 0) + part
            uses[parent] -= 1
            if not uses[parent]:
                if parent.parents:
                    ready.append(parent)
                else:
                    result[parent] = total[parent]
    return result
