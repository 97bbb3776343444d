# diagnosis: too-early
# bug: runs each node when it is first reached, before all of its gradients have arrived
def backward(root, gy):
    gradients, queue, seen = {root: gy}, [root], {root}
    for node in queue:
        if not node.parents:
            continue
        for parent, g in zip(node.parents, node.backward(gradients[node])):
            gradients[parent] = gradients[parent] + g if parent in gradients else g
            if parent not in seen:
                seen.add(parent)
                queue.append(parent)
    return {node: g for node, g in gradients.items() if not node.parents}
