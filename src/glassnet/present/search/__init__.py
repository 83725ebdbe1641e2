"""The page of a finished search."""

from glassnet.present.search.write import search_page

__all__ = ["search_page"]
