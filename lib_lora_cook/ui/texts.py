"""Every text of the page: labels, help, messages. English; a host's localisation replaces them."""

from __future__ import annotations

TITLE = "LoRA Cook"
COOK, TASTE = "Cook", "Taste"

# What is going on
IDLE = "Nothing is cooking."
STATES = {
    "idle": IDLE,
    "running": "{title}",
    "stopping": "{title}: stopping after this step",
    "done": "{title}: done",
    "stopped": "{title}: stopped, what was reached is kept",
    "failed": "{title}: ended by an error",
}
PROGRESS_LABEL = "Progress"
TIME_LEFT = "{clock} left"
TIME_TAKEN = "{clock} in all"
EACH = "{seconds:.1f} s each"
PACE = "{rate:.1f}/s"
LOG = "Log: the last 100 lines, to copy into a bug report"
DETAILS = "Details for a bug report"
STOP = "Stop"

# Cook
START = "Start cooking"
START_HELP = "A LoRA file is written after every epoch; Stop keeps what was reached."
MAIN_SETTINGS = "The run"
MORE_SETTINGS = "Every other setting, under kohya's names"
SEARCH = "Find a setting"
SEARCH_HINT = "a name or a word of its help: noise, bucket, dropout"
GROUPS = {
    "model": "Model",
    "subset": "Pictures and captions",
    "bucket": "Sizes",
    "network": "Adapters",
    "optimizer": "Optimizer and learning rates",
    "loss": "Noise and loss",
    "loop": "Steps and memory",
    "save": "Files",
    "sample": "Pictures while it cooks",
    "sweep": "Sheet",
}
NOT_SET = "empty: not set"
USE_PLAN = "Use these numbers"
PLAN_EMPTY = "Give a folder of pictures, and its repeats and epochs are proposed here."
PLAN = (
    "{images} pictures, {captions} with a caption. Proposed: {repeats} repeats and {epochs} epochs,"
    " which is {steps} steps of {batch} pictures."
)
PLAN_UNREAD = "{count} pictures cannot be read, the first is {name} ({why})."

# Taste
RUN = "The run"
RUN_HELP = "Runs found in the LoRA folder, newest first"
NO_RUNS = "There is no run in the LoRA folder yet. Cook one first."
EPOCHS = "LoRA files"
EPOCHS_HELP = "One row of the sheet each; the last one has no number"
LOOK_AGAIN = "Look for runs again"
TAGS = "Tags that should show"
TAGS_HELP = "As in captions, with commas; with them each picture is scored, and one is picked"
TAGGER = "Tagger"
TAGGER_HELP = "Looks for the tags in the pictures"
NO_TAGGER = "none"
DRAW = "Draw the sheet"
SHEET = "Epoch × weight"
MORE_SWEEP = "More about the pictures"
PICK = "The pick: {lora} at weight {weight:g}. Write <lora:{lora}:{weight:g}> in a prompt."
PICK_WHY = "Why: {why}."
NO_PICK = "No tags were asked for, so nothing was picked: choose by eye."
COOKING, TASTING = "Cooking {name}", "Tasting {name}"

# What a job leaves behind
COOKED = "{count} LoRA files after {steps} steps, in {folder}"
TASTED = "{count} cells, the sheet is {path}"

# The standalone page
NO_GRADIO = "The page needs gradio, which is not installed"
NO_GRADIO_TO_DO = "Install it with pip install 'lora-cook[ui]'."
NO_ASSET = "A file of the page is missing"
NO_ASSET_TO_DO = "Install LoRA Cook again."

# Mistakes
PROBLEMS = "Before this can start:"
BUSY = "Something is already going on"
BUSY_TO_DO = "Wait for it, or stop it first."
UNEXPECTED = "The program failed ({kind}: {first}). The log below tells where; please report it."
OUT_OF_MEMORY = (
    "The memory is full. Lower train_batch_size or resolution, or turn gradient_checkpointing on."
)
DISK_FULL = "The disk is full. Free some room, or choose another output_dir."
NO_FOLDER = "image_dir is empty: give the folder of your pictures"
NOT_A_FOLDER = "image_dir is {folder}, and there is no such folder"
BAD_NAME = "{name} is {value!r}, and must be a plain name without a folder"
IS_NOT = "{name} is {value!r}, and should be {wanted}"
IS_EMPTY = "{name} is empty, and should be {wanted}"
OUTSIDE = "{name} lies outside the folders that requests may use"
NO_LORAS = "no LoRA file is chosen"
NO_PROMPTS = "prompts is empty: give at least one prompt"
NO_WEIGHTS = "weights is empty: give at least one weight"
NO_TAGGER_FOR_TAGS = "tags can only be looked for by a tagger, and none is chosen"
WANTED = {
    "whole": "a whole number",
    "number": "a number",
    "sizes": "one number, or width and height: 512,768",
    "numbers": "numbers separated by commas",
    "wholes": "whole numbers separated by commas",
    "list": "key=value pairs separated by spaces",
    "choice": "one of its choices",
    "text": "a text",
    "lines": "one text a line",
    "tick": "on or off",
}
