"""The browser front end and the command line."""

from app import gradio_quiet as gradio_quiet  # Before anything can import Gradio.
