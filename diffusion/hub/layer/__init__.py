"""Layers that several networks of the Diffusers format share."""
