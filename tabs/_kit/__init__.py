"""What the tabs share that knows Gradio: an exhibit's frame, wiring and pictures, the page, the server."""
