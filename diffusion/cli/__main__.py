"""`python -m diffusion.cli`."""

from . import main

main()
