"""The command `python -m pagedkv_nb.sizing MODEL --gpu NAME`."""
from .budget import main

raise SystemExit(main())
