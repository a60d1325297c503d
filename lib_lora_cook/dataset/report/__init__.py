"""The dataset doctor: what is wrong with a folder, and the changes that mend it.

captions, triggers, pictures, folders: each check looks at values and gives findings; nothing here
writes.
"""

from .plan import CHECKS, FIXABLE, check_fixes, findings, plan_fixes

__all__ = ["CHECKS", "FIXABLE", "check_fixes", "findings", "plan_fixes"]
