"""The worker's web pages: table views, health and metrics. `pages.mount(app, views)` puts them on an app.

The views are declared by the concepts (`pipeline/domain/<concept>/views.py`) and passed in by the topologies.

request -> pages -> query (checked parameters) -> answers (partitions and their owners)
        -> committed (local rows) or a peer -> the view (rows as JSON objects) -> render (JSON, CSV)
"""
