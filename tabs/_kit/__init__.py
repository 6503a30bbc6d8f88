"""Everything the tabs share that knows Gradio: the frame of an exhibit, its wiring, its pictures, the page, the server."""
