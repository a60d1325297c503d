"""A search made ready: the site opened, by us or by gallery-dl, behind the guard."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from ..config import GatherConfig
from ..errors import UserError
from ..jobs import Job, null_job
from .addresses import guard_for
from .gallery_dl import PLACE, GalleryDl, Missing, find_program, search_address
from .keys import read_keys, save_key
from .sites import Board, UnknownSite, is_address, known_site, open_board, root_of
from .web import Web


@dataclass(frozen=True)
class Home:
    """Where a person keeps the keys for sites, and programs that are not ours."""

    keys: Path
    programs: Path


def home_in(folder: Path) -> Home:
    """The usual places in the person's own folder."""
    return Home(folder / "keys.json", folder / "programs")


def kept_as(site: str) -> str:
    """The name that keys for a site are kept under; UserError for one that nobody knows."""
    known = known_site(site)
    if known is None and not is_address(site):
        raise UserError("This is no site that is known here", site, "Give its address.")
    return known[0] if known else root_of(site)


def keep_key(kept: str, name: str, key: str, file: Path) -> None:
    """Keep a person's login or user id and key under `kept_as(site)`; either empty: forget them."""
    keys = {"user_id": name, "login": name, "api_key": key, "password_hash": key}
    save_key(file, kept, keys if name and key else {})


def open_search(
    config: GatherConfig, home: Home, job: Job = null_job, named: bool = True
) -> tuple[Board, Web]:
    """The board that a search is meant for, and the way there.

    A site given by its address may be on this computer, if it was `named` by the person; one
    known by name may not. UserError where there is no such site, or only gallery-dl knows it and
    is not there.
    """
    own = [config.site] if named and is_address(config.site) else []
    web = Web(guard_for(own, config.allow), job, config.interval)
    if PLACE not in config.site:
        try:
            return open_board(config.site, web, home.keys), web
        except UnknownSite:
            pass
    program = find_program(home.programs)
    if program is None:
        raise Missing(config.site)
    address = search_address(config.site, program)
    parts = urlsplit(address)
    root = f"{parts.scheme}://{parts.netloc}"
    keys = read_keys(home.keys, config.site, root)
    return GalleryDl(root, address, web, program, keys), web
