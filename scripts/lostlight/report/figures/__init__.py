"""The pictures of the report: each function gives one chart as SVG, or one image as PNG, ready for the page."""
