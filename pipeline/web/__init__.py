"""The worker's web pages: table views, health and metrics. `pages.mount(app)` is the way in.

pages -> query (what is asked) -> answers (which partitions, whose) -> committed (local rows) or a peer
      -> views (rows as JSON objects) -> render (JSON, CSV)
"""
