"""Decks of 1280 x 720, with the reveal.js that npm has put into build/js, or else that of a CDN."""
from pathlib import Path

HERE = Path(__file__).parent

c = get_config()  # noqa: F821
c.TagRemovePreprocessor.enabled = True
c.TagRemovePreprocessor.remove_input_tags = {"slide-output"}
c.SlidesExporter.template_file = str(HERE / "slides.html.j2")
c.SlidesExporter.embed_images = True
c.SlidesExporter.exclude_input_prompt = True
c.SlidesExporter.exclude_output_prompt = True
c.SlidesExporter.reveal_number = "c/t"
c.SlidesExporter.reveal_theme = "white"
c.SlidesExporter.reveal_transition = "none"
c.SlidesExporter.reveal_width = "1280"
c.SlidesExporter.reveal_height = "720"
if (HERE.parent / "build" / "js" / "node_modules" / "requirejs").is_dir():
    c.SlidesExporter.reveal_url_prefix = "../js/node_modules/reveal.js"
    c.SlidesExporter.require_js_url = "../js/node_modules/requirejs/require.js"
else:
    c.SlidesExporter.reveal_url_prefix = "https://cdn.jsdelivr.net/npm/reveal.js@4.6.1"
    c.SlidesExporter.require_js_url = "https://cdn.jsdelivr.net/npm/requirejs@2.3.7/require.js"
