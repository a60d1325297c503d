"""Every text of the page: labels, help, messages. English; a host's localisation replaces them."""

from __future__ import annotations

from typing import Literal

TITLE = "LoRA Cook"
GATHER, CLEAN, TAG, COOK, TASTE = "Gather", "Clean", "Tag", "Cook", "Taste"

# The dataset, and what every step shares
DATASET = "The dataset"
DATASET_HELP = "A folder of pictures; every step works on it. A new name makes a new one."
NO_DATASET = "No dataset is chosen"
NO_DATASET_TO_DO = "Give a folder at the top of the page."
NOTHING_TO_DO = "Nothing to do"
GO_ON = "Go on to {step}"
AND_MORE = " and {count} more"
FIRST_GATHER = "There are no pictures yet: Gather comes first."
UNREAD = "{count} cannot be read: {names}."

# Gather
GATHER_HELP = (
    "Twenty to a hundred good pictures are enough; many looks, poses and places are worth more "
    "than many pictures. What was fetched once is never fetched again."
)
GATHER_EMPTY = "The dataset is empty: search a site, or bring pictures of this computer."
GATHER_FOUND = "{pictures}, {captions} with a caption."
DRAW_TOY = "Draw the toy world's pictures, to learn the way"
DRAWING = "Drawing pictures"
DRAWN = "The toy world's pictures are drawn; some of them are spoilt on purpose."
SEARCH_SITE = "Search a site"
QUERY = "Tags"
QUERY_HELP = "As the site takes them: kafka_(honkai:_star_rail) solo"
SITE = "Site"
SITE_HELP = "{names}; or the address of another"
LIMIT = "At most"
LIMIT_HELP = "Pictures; empty takes all"
BLACKLIST = "Without"
BLACKLIST_HELP = "One tag a line leaves it out; of several on a line, posts with all of them"
RATING = "Only these ratings"
RATING_HELP = "Empty: any"
MIN_SIZE = "Shorter side at least"
MIN_SIZE_HELP = "Pixels; empty: any"
CATEGORIES = "Tags for captions"
CATEGORIES_HELP = "Which of the site's tags become the caption"
RATING_TAG = "The rating stands in the caption too"
PREVIEW_BUTTON = "Show what it finds"
GET = "Get the pictures"
PREVIEW = "{total} posts in all; these are the first {count} that fit."
UNKNOWN_TOTAL = "An unknown number of"
CHOOSE = "Click pictures to fetch those alone; else all that fit, up to the limit."
CHOSEN = "# chosen: these alone are fetched."
POSTS = "What the search finds"
ASKING = "Asking for {query}"
MORE_SITES = "Keys and further sites"
KEY_NAME = "Your name or user id there"
KEY_NAME_HELP = "Some sites, Gelbooru among them, ask for one; empty: forget it"
KEY = "Your key"
KEY_HELP = "From your account's settings; kept in a file that only you can read"
KEEP_KEY = "Keep the key for this site"
KEY_KEPT, KEY_GONE = "The key for {site} is kept.", "There is no key for {site} now."
GALLERY_DL = (
    "gallery-dl, a program of its own, knows hundreds of sites more. All else works without it."
)
GALLERY_DL_THERE = "gallery-dl is there: give the address of a page of the site, or its name."
INSTALL_SURE = "Yes, fetch it with pip into a folder of its own; the WebUI's packages stay"
INSTALL = "Install gallery-dl"
INSTALL_FIRST = "Tick the line beside the button first."
INSTALLING = "Installing gallery-dl"
INSTALLED = "gallery-dl is there now."
GET_GALLERY_DL = "gallery-dl may know it: install it under Keys and further sites."
REFETCH = "Fetch the tags of the pictures at hand again"
REFETCHED = "{count} changed; {failed} pictures are not known to a site."
NO_QUERY = "Nothing says what to search for"
NO_QUERY_TO_DO = "Give tags as the site takes them."
GATHERING = "Gathering {query}"
GATHERED = "{found} found, {saved} saved, {skipped} left out, {failed} could not be had."
LEFT_OUT = "{count} left out: {why}"
BRING_FOLD = "Bring pictures of this computer"
DROP = "Drop pictures with their captions, or a zip, here"
SOURCES = "Or folders, zip or tar files on this computer"
SOURCES_HELP = "One a line; captions come along, prompts of generations become captions"
OWN_FOLD = "Bring your own generations"
OWN_HELP = (
    "Only your best: a LoRA learns a wrong hand as readily as a right one. Look at hands, eyes and "
    "edges, and throw away what you would not show. The prompt becomes the caption."
)
WORDS = "With these words in the prompt"
WORDS_HELP = "Between commas; empty: any"
OWN_MODEL = "Drawn with this model"
OWN_MODEL_HELP = "A part of its name, or its hash; empty: any"
OWN_FOLDERS = "From {folders}"
BRING_OWN = "Bring those"
NO_OUTPUTS = "There is no output folder yet: draw pictures first."
BRING = "Bring them"
BRINGING = "Bringing pictures"
NO_SOURCE = "Nothing was dropped, and no folder is named: give one a line."
SEND_WHERE = "Give a folder at the top of the LoRA Cook tab."
SENT = "Sent to {folder}, {pictures} now. Only your best: look at hands, eyes and edges."
SENT_BEFORE = "This picture is in {folder} already."

# Clean
CLEAN_HELP = (
    "Copies count twice, small pictures teach blur, transparency turns black. Whatever is mended "
    "here can be taken back, byte for byte."
)
LOOK_OVER = "Look {count} over"
LOOKING = "Looking the dataset over"
LOOKED = "{count} findings."
CLEAN_NOTHING = "Nothing is wrong here."
CLEAN_FOUND = "{count}. What is ticked is mended, one entry of the history each."
BY_HAND, BY_TAG = "for you to decide", "the step Tag"
FINDING_HEADS = ("Finding", "Pictures", "Why", "Mending it")
TICKS = "Mend"
TICKS_HELP = "Each can be undone by itself"
MEND = "Mend what is ticked"
MENDING = "Mending"
MENDED = "{count} files mended; {left} findings are left."
LOOK_AGAIN_CLEAN = "Look again"
UNDO = "Undo the last change"
NOTHING_TO_UNDO = "There is nothing to undo."
TOOLS = "Tools: format, transparency, sizes"
BELOW = "Least side in pixels"
BELOW_HELP = "Pictures with a shorter side are too small"
BACKGROUND = "Colour under transparency"
BACKGROUND_HELP = "A name, or #rrggbb"
TO = "Format"
TO_HELP = "What other formats become; JPEG stays as it is"
UPSCALER = "Upscaler"
UPSCALER_HELP = "Enlarges small pictures up to the least side"
CONVERT = "Convert all"
FLATTEN = "Transparency onto the colour"
SET_ASIDE = "Set small ones aside"
ENLARGE = "Enlarge small ones"
TOOL_BUTTONS = (CONVERT, FLATTEN, SET_ASIDE, ENLARGE)
CHANGED = "{what}: {count}."
CROP_BOXES = "Boxes"
CROP_HINT = "left,top,right,bottom; …"
CROP, CROP_COPY = "Cut", "Cut and keep the whole"
ERASE, TOLERANCE, CLEAR = "Erase a region by a click", "Tolerance", "Start again"
CUT = "{name} is cut into {count}."
NO_BOX = "A box is four whole numbers"
NO_BOX_TO_DO = "Write left,top,right,bottom."
NO_BOX_DRAWN = "There is no box"
NO_BOX_DRAWN_TO_DO = "Draw one on the picture."
NO_FLOOD = "A region is a point and a tolerance of 0 to 255"
NO_FLOOD_TO_DO = "Click the picture."
NO_PICTURE = "There is no such picture in the dataset"
NO_PICTURE_TO_DO = "Give its name without a folder."
HISTORY = "History of the dataset"
HISTORY_HEADS = ("What", "When (UTC)", "Files", "")
UNDONE, NEWEST = "taken back", "as it is now"
BACK_TO, BACK_TO_START = "Back to here", "Back to the very beginning"
TRASH = "{files}, {size}, are kept in the trash, so that all can be taken back."
TRASH_EMPTY = "The trash is empty."
EMPTY_TRASH = "Empty the trash"
SURE = "Yes, for good: what was thrown away or changed cannot be taken back then"
NOT_SURE = "Tick the line beside the button first: this cannot be taken back."
TRASH_EMPTIED = "The trash is empty now, {size} are free."
NO_HISTORY = "Nothing has been changed yet."

# Tag
TAG_HELP = (
    "Captions say what the pictures show, so that the trigger comes to mean only what they do not "
    "say. A character's own traits are pruned into the trigger; clothes and poses stay."
)
CAPTION_TAGGER_HELP = "Of several the probabilities are averaged"
AT_HAND = "At hand: {there}. The others are fetched when they are first used."
NONE_AT_HAND = "No tagger is at hand: the one you choose is fetched when it is first used."
FETCH = "Fetch it now"
FETCHING, FETCHED = "Fetching {names}", "At hand now: {names}."
NOTHING_TO_FETCH = "There is nothing to fetch: those chosen are at hand."
NO_TAGGER_CHOSEN = "No tagger is chosen"
NO_TAGGER_CHOSEN_TO_DO = "Choose one or more."
FINER = "More about tagging"
CHARACTER_THRESHOLD = "Threshold of characters"
CHARACTER_THRESHOLD_HELP = "0 to 1; empty: the tagger's own; none: no characters' names"
FURTHER = "Further categories"
FURTHER_HELP = "With a threshold each: copyright=0.5, artist=0.5"
RATING_PLACE = "Rating"
RATING_PLACE_HELP = "Where its tag goes"
TAG_LEAVE_OUT = "Leave out"
TAG_LEAVE_OUT_HELP = "Tags with commas that are never taken"
MCUT = "Thresholds from the largest gap (MCut)"
CHARACTERS_FIRST = "Characters before the other tags"
EXPAND = "name (series) as name, series"
UNDERSCORES = "long_hair, not long hair"
NO_CATEGORY = "No such category of tags"
THRESHOLD = "Threshold"
THRESHOLD_HELP = "0 to 1, of general tags; empty: the tagger's own. 0.35 is usual, less says more"
WHEN = "Where captions are there"
WHEN_HELP = "empty: left alone; append, prepend: tags are added; overwrite: replaced"
KIND = "What is learnt"
KIND_HELP = "Decides which tags belong to the trigger"
TRIGGER = "Trigger"
TRIGGER_HELP = "An invented word that no model knows yet; it stands first in every caption"
NO_TRIGGER = "There is no trigger: give an invented word, which comes to mean what is learnt."
TRIGGER_GOOD = "{trigger}: nothing speaks against it; it is no tag and no word that tags use."
NO_TRIGGER_YET = "a trigger, which is not given yet"
BARE = "{count} without a caption: {names}."
ALL_TAGGED = "All {count} pictures have a caption, {first} begin with {trigger}."
TAG_THEM = "Tag {count} with {tagger}"
TAGGING = "Tagging"
TAGGED = "{tagged} pictures tagged, {skipped} left alone."
TAG_AGAIN = "Tag all again"
NO_THRESHOLD = "A threshold goes from 0 to 1"
NO_THRESHOLD_TO_DO = "Write 0.35, or leave it empty."
PROPOSAL_HEADS = ("Tag", "Share", "Proposed", "What it means")
PRUNE_IT, KEEP_IT = "prune", "keep"
PRUNE_TICKS = "Prune"
PRUNE_TICKS_HELP = "Taken out of every caption; the trigger comes to mean them"
PRUNE_BUTTON = "Prune {count} and put {trigger} first"
PRUNING = "Pruning captions"
PRUNED_WHAT = "prune, trigger first"
PRUNED = "{count} captions changed; they begin with {trigger}."
OTHER = "Captions from and to other files"
OTHER_HELP = "Captions are .txt files beside the pictures. Here others come in and go out."
OTHER_THERE = "There are .caption files: under “Captions from and to other files” they are read."
OTHER_KIND = "Kind"
OTHER_KIND_HELP = "Reading in heeds “Where captions are there” above"
OTHER_ENDING, OTHER_METADATA = ".caption files", "kohya's metadata (JSON)"
OTHER_NAMES = "the pictures' names"
OTHER_FILE = "File of the metadata"
OTHER_FILE_HELP = "Empty: metadata.json in the dataset"
OTHER_READ, OTHER_WRITE = "Read captions in", "Write captions out"
OTHER_NOTHING = "Nothing about these pictures in {kind}"
OTHER_NO_NAMES = "Captions cannot be written into names"
OTHER_NO_NAMES_TO_DO = "Choose another kind."
OTHER_OUTSIDE = "Metadata is written into the folder of the dataset"
OTHER_OUTSIDE_TO_DO = "Give a name such as metadata.json."
OTHER_WRITTEN = "{count} written into {file}."

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
MORE_HELP = {
    "image_dir": "a folder of folders makes each of them a subset",
    "num_repeats": "one number for all subsets, or one each: 5, 3, 1, 2",
}
"""What the page adds to a setting's own help."""
SUBSET_HEADS = ("Folder", "Pictures", "Repeats", "Proposed", "Seen in an epoch", "Leave out")
REPEATS_COUNT = "num_repeats has {count} numbers, and there are {folders} folders with pictures"
ONE_FOR_ALL = "{name} differs between the subsets: the page has the first one's for all"
USE_PLAN = "Use these numbers"
PLAN_EMPTY = "Give a folder of pictures, and its repeats and epochs are proposed here."
PLAN_NO_FOLDER = "There is no folder {folder} yet: Gather comes first."
PLAN = "{images} pictures, {captions} with a caption."
PLAN_OWN = "These settings: {sum}."
PLAN_GUIDE = "The guide's: {sum}."
LEAVE_OUT = "{folder}: {count} over {left}, so that the repeats come out even without {names}."
LEAVE_OUT_WHICH = "Those are the smallest. Leaving them out can be undone in Clean."
LEAVE_OUT_BUTTON = "Leave them out"
LEFT_OUT_WHAT = "leave out the smallest"
BUCKET_USE = (
    "{width}×{height}: {count} pictures, {mean} cut off in the mean, at most {most}, of {name}"
)
MORE_BUCKETS = "and {count} more sizes with fewer pictures."
MEASURE = "Measure time and memory"
MEASURING = "Measuring {name}"
MEASURED = "{steps} steps of {each:.2f} s take {time} in all, and {memory:.1f} GB of memory"
PLAN_UNREAD = "{count} pictures cannot be read, the first is {name} ({why})."

# Pictures
PICTURES = "Pictures"
SHOW_PICTURES = "Show the pictures"
COPIES = "Copies side by side"
SHOW_COPIES = "Show the copies"
SHOW_FINDINGS = "With one of these findings"
SHOW_FINDINGS_HELP = "As Look over found them; empty: any"
SIDE_FROM, SIDE_TO = "Shorter side from", "Shorter side under"
SIDE_HELP = "Pixels; empty: any"
ASPECT = "Shape"
ASPECT_HELP = "Width by height"
SITE_RATING = "Rating of the site"
SITE_RATING_HELP = "As the site has it; empty: any"
STARS = "Stars at least"
STARS_HELP = "Keys 1 to 5 give them"
HAVING, LACKING = "With these tags", "Without these tags"
HAVING_HELP, LACKING_HELP = "All of them, with commas", "None of them, with commas"
NO_PICTURES_SHOWN = "There are no such pictures."
GALLERY = "Pictures of the dataset"
GALLERY_PAGE = "Page {page} of {pages}, {count} pictures"
PREVIOUS, NEXT, CLOSE = "Previous page", "Next page", "Close"
KEYS = "Keys: arrows move, k keeps, d drops into the trash, u takes back, 1 to 5 rate, z zooms."
ZOOM_KEYS = "draw boxes to cut; the dashed frame is what the trainer keeps; Escape closes"
BUCKET = ", trained as {width}×{height}, {cut} cut off"
KEPT = "kept"
DROPPED = "{name} is in the trash; u or Undo brings it back."
STAYS, GOES = "{name} stays, {size}", "{name} goes, {size}"
KEEP_THIS, NOT_A_COPY = "Keep the other one", "Not a copy"
KEEPER_IS = "{name} stays now."
DISTINCT = "{name} and {other} count as two pictures from now on."
COPY_KINDS = {
    "exact": "The same, pixel for pixel.",
    "near": "A copy: resized, recompressed, cut or recoloured.",
    "variant": "Another version of the same drawing. Both stay.",
}
DIFFERENCE = "what differs"
NO_COPIES = "There are no copies."
COPIES_PAGE = "Page {page} of {pages}, {count}"
FIRST_LOOK = "Look the dataset over first."

# The caption editor
EDITOR = "Caption editor"
EDIT_HAVING, EDIT_ANY, EDIT_LACKING = "With all of these", "With any of these", "With none of these"
EDIT_HAVING_HELP = "Tags with commas; a click on a tag below puts it here"
EDIT_ANY_HELP = "Tags with commas, in any spelling"
EDIT_LACKING_HELP = "Tags with commas: captions that are missing them"
EDIT_PATTERN = "Where this expression"
EDIT_PATTERN_HELP = "A regular expression; empty: everywhere"
EDIT_WHERE = "… is found"
EDIT_WHERE_HELP = "For the expression"
WHERE: dict[str, tuple[Literal["tag", "caption"], bool]] = {
    "in a tag": ("tag", True), "in the caption": ("caption", True),
    "in no tag": ("tag", False), "not in the caption": ("caption", False),
}  # fmt: skip
EDIT_ONLY = "Only those selected below"
EDIT_ORDER = "Order of the tags"
EDIT_ORDER_HELP = "Of those shown below"
ORDERS: dict[str, Literal["frequency", "name", "length"]] = {
    "the most frequent first": "frequency", "by name": "name", "the shortest first": "length",
}  # fmt: skip
EDIT_SEARCH = "Find a tag"
EDIT_SEARCH_HELP = "A part of it"
EDIT_OPERATION = "What to do"
EDIT_OPERATION_HELP = "With every caption that is meant"
DO_PREPEND, DO_APPEND, DO_REMOVE = "put tags first", "add tags at the end", "remove tags"
DO_RENAME, DO_REPLACE = "rename a tag", "replace in every tag"
DO_REPLACE_ALL = "replace in the whole caption"
DO_SORT, DO_DEDUPE = "sort, the first tag stays", "each tag once"
DO_TRUNCATE = "cut to so many tokens"
EDIT_FIRST = "Tags, text or tokens"
EDIT_FIRST_HELP = "What to put, remove, rename or replace; 75, 150 or 225 tokens"
EDIT_SECOND = "By"
EDIT_SECOND_HELP = "For rename and replace; may be empty"
EDIT_REGEX = "The text to replace is a regular expression"
EDIT_OPEN, EDIT_LOOK, EDIT_APPLY = "Show captions", "Show the difference", "Do it"
EDIT_UNDO, EDIT_REDO, EDIT_SAVE = "Undo", "Redo", "Save"
EDITOR_HEAD = "{rows} of {all}; {selected} selected, {unsaved} not saved yet."
EDITOR_PAGE = "Page {page} of {pages}"
MORE_TAGS = "and {count} more"
NO_CAPTIONS = "There are no such captions."
SELECT, SELECT_ALL, SELECT_NONE = "Select", "Select all of these", "Select none"
WOULD_CHANGE = "{count} would change; nothing is changed yet."
EDITED = "{count} changed in memory; Save writes them."
UNDID, REDID, NOTHING_MORE = "Taken back: {what}.", "Made again: {what}.", "There is nothing more."
SAVED = "{count} written."
SAVING = "Saving captions"
CHANGED_ON_DISK = (
    "Another program has changed {count} of these captions meanwhile ({names}). Yours are not "
    "written there."
)
TAKE_THEIRS, KEEP_OURS = "Take what is on the disk", "Write mine over it"
TOOK_THEIRS = "{count} as on the disk now; Undo brings yours back."
NO_TEXT = "There is no tag in this"
NO_TEXT_TO_DO = "Give one or more."
NO_OPERATION = "There is no such thing to do"

# Recipes, other trainers' files, the queue
AS_OPENED = "as the page opened"
ANY_CARD = "any"
PARTS = {
    "kind": "What is cooked",
    "base": "Base",
    "network": "Network",
    "optimizer": "Optimizer",
    "card": "Graphics card",
}
PART_HELP = {
    "kind": "A character, a style, ...",
    "base": "What the checkpoint was made from; once it is given, the other choices count",
    "network": "The kind of adapter",
    "optimizer": "How it learns",
    "card": "Its memory: what to change so that the run fits",
}
PUT_BACK = "Differs from the recipe; press to put back"
PUT_ALL_BACK = "Put all settings back"
WHY_FOLD = "Why these settings"
WHY_HEADS = ("Setting", "Value", "Why")
IMPORT_FOLD = "Take over the settings of another trainer's file"
IMPORT_PATH = "File"
IMPORT_PATH_HELP = (
    "Of kohya_ss, sd-scripts, Easy Training Scripts, OneTrainer, a notebook; or a LoRA"
)
IMPORT = "Read it"
IMPORTED = "The settings above are now those of the file."
NOT_HERE = "not here: {name}"
QUEUE_FOLD = "Queue: runs that are cooked one after another"
QUEUE_RUN = "A run of the queue"
QUEUE_RUN_HELP = "It can be moved and removed while others cook"
EARLIER, LATER, REMOVE = "Earlier", "Later", "Remove"
QUEUE_STATES = {"waiting": "waits", "cooking": "cooks", "done": "done", "failed": "failed"}
KEPT_FOLD = "Earlier runs: compare two, or cook one again"
KEPT_ONE, KEPT_OTHER = "One run", "Another"
KEPT_ONE_HELP, KEPT_OTHER_HELP = "Of the LoRA folder, newest first", "To lay beside it"
COMPARE = "What differs between the two"
RUN_AGAIN = "Take over the settings of the one"
RUN_AGAIN_TOLD = "The settings above are those of {name}: change what you like, and start."
TWO_RUNS = "Choose two runs."
SAME_RUNS = "The two runs have the same settings."
QUEUE_ADD = "Add this run to the queue"
QUEUE_START = "Cook what waits"
QUEUE_HEADS = ("Number", "Run", "State", "")
QUEUE_EMPTY = "Nothing waits."
QUEUE_TITLE = "Cooking the queue"
QUEUE_DONE = "{done} of {count} runs in the queue are done."
STOPPED = "stopped"
PAUSE, RESUME, DISCARD = "Pause", "Go on", "Stop and discard"
PAUSED = "{title}: paused"
CURVE = "Loss over {steps} steps, from {first:.3f} to {last:.3f} smoothed."
LOWEST = "Lowest near step 800 or the last one: {loss:.3f} at step {step}, the line."
MERIT = "merit of the epoch"
SAMPLES_AT = "epoch {epoch}"
SAMPLES_STEP = "step {step}"

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
SHEET_AFTER = "Draw it by itself when a run ends"
SHEET_AFTER_HELP = "At these weights and seeds, by the prompts that decide; Stop ends it"
MORE_SWEEP = "More about the pictures"
PICK = "The pick: {lora} at weight {weight:g}. Write <lora:{lora}:{weight:g}> in a prompt."
BASE = "without a LoRA"
CELL = "{row}, weight {weight}"
OVER = "{one} over {other}"
SLIDE = "How much of the upper picture is seen"
PICKED = "the pick"
SHEET_FOLD = "The sheet as one picture, to save"
SHEET_KEYS = "Press a cell to see it large; there the arrows go to the next one."
PARAMETERS = "Prompt and settings, to copy"
LAY_OVER = "Lay another one over it"
PRESS_OTHER = "Now press the cell that is to lie over {cell}."
TO_TXT2IMG = "Send to txt2img"
KEEP_EPOCH = "Keep this epoch, throw the others away"
EPOCH_KEPT = "{name} stays; the others ({count}) are in the folder lora_cook_trash beside it."
TAKE_BACK, TAKEN_BACK = "Take it back", "All are back."
PROPOSE_PROMPTS = "Propose prompts that test it"
LOOKING_AT_TRAINING = "looking at the training pictures"
UNSURE_PICK = (
    "Cannot tell for certain; the pick: {lora} at weight {weight:g}, as <lora:{lora}:{weight:g}>."
)
PICK_WHY = "Why: {why}."
NO_PICK = "Nothing was scored, so nothing was picked: choose by eye."
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
