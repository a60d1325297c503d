"""The taggers that can be fetched by name: where they lie, and what their files must be.

Sizes and SHA-256 are those that the repositories publish; "" where only the size was at hand, and
0 where neither: then the hub's own check has to do.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from .spec import CAMIE_1, CAMIE_2, CL, PIXAI, WD, WD_TIMM, TaggerSpec


class Remote(NamedTuple):
    """A file of a repository; `name` is what it is called in the tagger's folder."""

    path: str
    size: int = 0
    sha256: str = ""

    @property
    def name(self) -> str:
        """The path's last part."""
        return self.path.rpartition("/")[2]


@dataclass(frozen=True)
class Known:
    """A repository on Hugging Face with a tagger; revision "main" is whatever is newest."""

    repo_id: str
    files: tuple[Remote, ...]
    spec: TaggerSpec = WD
    revision: str = "main"


_WD_3_TAGS = Remote(
    "selected_tags.csv", 308468, "298633d94d0031d2081c0893f29c82eab7f0df00b08483ba8f29d1e979441217"
)


def _wd3(name: str, revision: str, size: int, sha256: str) -> Known:
    files = (Remote("model.onnx", size, sha256), _WD_3_TAGS)
    return Known(f"SmilingWolf/{name}", files, WD, revision)


def _wd14(name: str) -> Known:
    return Known(f"SmilingWolf/{name}", (Remote("model.onnx"), Remote("selected_tags.csv")))


KNOWN: dict[str, Known] = {
    "wd-eva02-large-tagger-v3": _wd3(
        "wd-eva02-large-tagger-v3", "b25b82a03f7282e41aa2f257a52c7583b710bd1c", 1260435999,
        "9e768793060c7939b277ccb382783e8670e8a042d29d77aa736be0c8cc898bfc",
    ),
    "wd-vit-large-tagger-v3": _wd3(
        "wd-vit-large-tagger-v3", "ae469aa2e4706a3af08d3673cf73a11d1add314c", 1260645673,
        "e4c8001b000a6c98f2db10794f7c406daa79873d071d6ca924330fa053fa1845",
    ),
    "wd-swinv2-tagger-v3": _wd3(
        "wd-swinv2-tagger-v3", "627aef95638667ddcaa3ac8ae625e88ea5b02f51", 467460978,
        "e6774bff34d43bd49f75a47db4ef217dce701c9847b546523eb85ff6dbba1db1",
    ),
    "wd-convnext-tagger-v3": _wd3(
        "wd-convnext-tagger-v3", "d39e46de298d27340111b64965e20b8185c407e6", 394990732,
        "1b8a7abf13d9b8368267df47501d523789c4aeae66b2296ad98483239dfa32eb",
    ),
    "wd-vit-tagger-v3": _wd3(
        "wd-vit-tagger-v3", "7f6b584d0bd3f55c4531f14ba3d4761b2bccdc0f", 378536310,
        "35f23693620b668f4d53fd3c62bf65e40af739bc52c7eb0fbc49258b58d065b6",
    ),
    "wd-v1-4-moat-tagger-v2": Known(
        "SmilingWolf/wd-v1-4-moat-tagger-v2",
        (
            Remote("model.onnx", 326197340,
                   "b8cef913be4c9e8d93f9f903e74271416502ce0b4b04df0ff1e2f00df488aa03"),
            Remote("selected_tags.csv", 253906,
                   "8c8750600db36233a1b274ac88bd46289e588b338218c2e4c62bbc9f2b516368"),
        ),
        WD,
        "8452cddf280b952281b6e102411c50e981cb2908",
    ),
    **{
        name: _wd14(name)
        for name in (
            "wd-v1-4-swinv2-tagger-v2", "wd-v1-4-vit-tagger-v2", "wd-v1-4-convnext-tagger-v2",
            "wd-v1-4-convnextv2-tagger-v2", "wd-v1-4-vit-tagger", "wd-v1-4-convnext-tagger",
        )
    },
    "wd-eva02-tagger-2026-canary": Known(
        "Misaka41Z/wd-eva02-tagger-2026-canary-onnx-v2",
        (
            Remote("model.onnx", 1309248037,
                   "fd78fbdf9390cbd163e4dd28f754a5bbf83bc7a111c4d20270f22415a0f66c95"),
            Remote("selected_tags.csv", 467782,
                   "3f78c28ee0d50779edb320733f76aeaf4184694cbd09c631deef6889865f9178"),
        ),
        WD_TIMM,
        "0a86acfa093b33b8818667820e52fc5eccf27ff8",
    ),
    "cl_tagger_1_02": Known(
        "cella110n/cl_tagger",
        (
            Remote("cl_tagger_1_02/model.onnx", 1425860192,
                   "1459e946ffc083159015e0eb26239016349ddd36c3daecfeb70bfa4ccf38b944"),
            Remote("cl_tagger_1_02/tag_mapping.json", 4088861,
                   "9611988482f1bf9a174622c0067d0baa88fda69c0a855cc500411426e77832ec"),
        ),
        CL,
        "0b6e9b4e145b1423bfd1715119074a24a301b471",
    ),
    "pixai-tagger-v0.9": Known(
        "deepghs/pixai-tagger-v0.9-onnx",
        (
            Remote("model.onnx", 1271365854,
                   "a8d479098b5e23f253543c93df42391736abbb77c21c2efd3a513b9cda7b3657"),
            Remote("selected_tags.csv", 596868,
                   "76b5dd39354a7a4d9baefb94d63b44a09a4934ee15303b7eb86c38f2128eb68a"),
        ),
        PIXAI,
        "d8cf666911a2c3d10d586d7823259192313c7eb7",
    ),
    "camie-tagger": Known(
        "Camais03/camie-tagger",
        (Remote("model_initial.onnx"), Remote("model_initial_metadata.json")),
        CAMIE_1,
    ),
    "camie-tagger-v2": Known(
        "Camais03/camie-tagger-v2",
        (Remote("camie-tagger-v2.onnx"), Remote("camie-tagger-v2-metadata.json")),
        CAMIE_2,
    ),
}  # fmt: skip
