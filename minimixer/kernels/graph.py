from minimixer.gpu.graph import CapturedStep as Repeated, Graph, GraphError, graph_bytes  # noqa
