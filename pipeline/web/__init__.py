"""The worker's web pages: table views, health and metrics. `pages.mount(app, views)` is the way in.

Views are declared by the concepts (`pipeline/domain/<concept>/views.py`), and given by the topologies.

pages -> query (what is asked) -> answers (which partitions, whose) -> committed (local rows) or a peer
      -> the view (rows as JSON objects) -> render (JSON, CSV)
"""
