"""The list of taggers that can be fetched."""

import re

import pytest

from lib_lora_cook.captioning.known import KNOWN


@pytest.mark.parametrize("name", KNOWN)
def test_each_brings_the_files_that_its_spec_opens(name: str) -> None:
    known = KNOWN[name]
    assert {file.name for file in known.files} == {known.spec.model_file, known.spec.label_file}
    assert re.fullmatch(r"[\w.-]+/[\w.-]+", known.repo_id)
    assert all(re.fullmatch(r"([0-9a-f]{64})?", file.sha256) for file in known.files)
    assert all(file.size or not file.sha256 for file in known.files)
    assert known.revision == "main" or all(file.sha256 for file in known.files)
