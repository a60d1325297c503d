"""`python -m lib_lora_cook VERB ...`"""

import sys

from .cli import main

sys.exit(main())
