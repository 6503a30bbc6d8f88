"""A folder with models of the Hub, for a classroom without a network: filled, checked, and carried there.

The folder is laid out as a cache of the Hub's client, but without links between its files, which neither a memory stick
nor a shared folder keeps: ``app.py --hub FOLDER`` takes models from it. Beside them lies ``SHA256SUMS``, as the program
``sha256sum`` writes it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from huggingface_hub import HfApi, constants, hf_hub_url, snapshot_download
from huggingface_hub.file_download import http_get
from huggingface_hub.utils import build_hf_headers

from core.downloads.pins import write_pin
from core.downloads.plans import SHELVES, Plan, Purpose, Wanted, make_plan, require_disk
from core.errors import InvalidInput, ModelUnavailable
from core.models.loading import telling_by_key

SUMS = "SHA256SUMS"
LARGE = 1_000_000  # bytes
BEGUN = ".begun"  # ends the name of a file of which a part is here
# A name stands on several shelves; what a model takes holds its tokenizer too.
ORDER: tuple[Purpose, ...] = ("encoder", "decoder", "seq2seq", "task", "tokenizer")


@dataclass(frozen=True, slots=True)
class Stored:
    """A model that is in the folder, at which commit, and how many of its files agree with the Hub."""

    source: str
    commit: str
    files: int


def use_folder(folder: Path) -> None:
    """From here on, this process keeps what it fetches in `folder`, as plain files, and goes on with files begun."""
    constants.HF_HUB_CACHE = str(folder.expanduser().resolve())
    constants.HF_HUB_DISABLE_SYMLINKS = True
    constants.HF_HUB_DISABLE_XET = True


def list_catalogue(*, newer: bool = False) -> tuple[Wanted, ...]:
    """Everything of the catalogue that lies on the Hub, each once."""
    found: dict[str, Wanted] = {}
    for purpose in ORDER:
        for preset in SHELVES[purpose]:
            if not preset.bundled:
                found.setdefault(preset.id, Wanted(preset.source, purpose, newer))
    return tuple(found.values())


def choose(names: Sequence[str], *, newer: bool = False) -> list[Wanted]:
    """What these names of the catalogue stand for.

    Raises:
        InvalidInput: ``error.prefetch.name`` (name): the catalogue has none of that name on the Hub.
    """
    offered = {wanted.source: wanted for wanted in list_catalogue(newer=newer)}
    if unknown := [name for name in names if name not in offered]:
        raise InvalidInput("error.prefetch.name", name=unknown[0])
    return [offered[name] for name in dict.fromkeys(names)]


def make_plans(wanted: Sequence[Wanted]) -> tuple[Plan, ...]:
    """What the Hub says of each, once it is known that all of it fits onto the disk.

    Raises:
        ModelUnavailable: as `core.downloads.plans.make_plan` and `require_disk`.
        ServiceError: as `make_plan`.
    """
    plans = tuple(map(make_plan, wanted))
    require_disk(plans)
    return plans


def fill(plans: Sequence[Plan]) -> Iterator[Stored]:
    """Fetch what is missing and compare every file with the Hub's own hash; tells of each model that is whole.

    Interrupted, it goes on where it was. A file that differs is fetched once more.

    Raises:
        ModelUnavailable: ``error.prefetch.damaged`` (source, files): it differs again; or the Hub cannot be reached.
        ServiceError: the Hub refused for a reason of its own.
    """
    for plan in plans:
        source = plan.wanted.source
        with telling_by_key(source):
            selection = plan.wanted.selection | {"revision": plan.commit}
            damaged: list[str] = []
            for _ in range(2):
                _fetch_large(plan)
                place = Path(snapshot_download(**selection))
                damaged = _remove_damaged(source, plan.commit)
                if not damaged:
                    break
        if damaged:
            raise ModelUnavailable("error.prefetch.damaged", source=source, files=", ".join(damaged))
        hashes = _sum_up(place)
        _write_sums(hashes, place)
        write_pin(source, plan.commit, plan.wanted.branch)
        yield Stored(source, plan.commit, len(hashes))


def check(folder: Path) -> tuple[int, list[str]]:
    """Compare every file with ``SHA256SUMS``, without a network: how many there are, and which are not as they were.

    Raises:
        InvalidInput: ``error.prefetch.no_sums`` (folder): nothing was prefetched there.
    """
    sums = _read_sums(folder)
    if not sums:
        raise InvalidInput("error.prefetch.no_sums", folder=str(folder))
    return len(sums), [
        name for name, expected in sums.items() if not (folder / name).is_file() or _hash(folder / name) != expected
    ]


def _fetch_large(plan: Plan) -> None:
    """Fetch the large files in a way that can go on another day: the client begins a file anew in each process."""
    selection = plan.wanted.selection | {"revision": plan.commit}
    for file in snapshot_download(**selection, dry_run=True):
        if not file.will_download or (file.file_size or 0) < LARGE:
            continue
        target = Path(file.local_path)
        begun = target.with_name(f"{target.name}{BEGUN}")
        target.parent.mkdir(parents=True, exist_ok=True)
        with begun.open("ab") as content:
            url = hf_hub_url(plan.wanted.source, file.filename, revision=plan.commit)
            http_get(
                url,
                content,
                resume_size=content.tell(),
                headers=build_hf_headers(),
                expected_size=file.file_size,
                displayed_filename=file.filename,
            )
        begun.replace(target)


def _remove_damaged(source: str, commit: str) -> list[str]:
    """Names of the files whose hash is not the one that the Hub tells; they are gone then."""
    found = HfApi().verify_repo_checksums(source, revision=commit)
    for mismatch in found.mismatches:
        path = found.verified_path / mismatch["path"]
        path.resolve().unlink()
        path.unlink(missing_ok=True)  # a link to it, in a cache that has some
    return [mismatch["path"] for mismatch in found.mismatches]


def _sum_up(place: Path) -> dict[str, str]:
    """SHA-256 by name of all files below `place`, the names as seen from the folder."""
    folder = Path(constants.HF_HUB_CACHE)
    files = sorted(path for path in place.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): _hash(path) for path in files}


def _hash(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _read_sums(folder: Path) -> dict[str, str]:
    try:
        lines = (folder / SUMS).read_text(encoding="utf-8").splitlines()
    except OSError:
        return {}
    return {name: digest for digest, _, name in (line.partition("  ") for line in lines) if name}


def _write_sums(hashes: Mapping[str, str], place: Path) -> None:
    """Put the hashes of one snapshot in the place of those that were there."""
    folder = Path(constants.HF_HUB_CACHE)
    inside = place.relative_to(folder).as_posix() + "/"
    kept = {name: digest for name, digest in _read_sums(folder).items() if not name.startswith(inside)}
    lines = [f"{digest}  {name}\n" for name, digest in sorted((kept | dict(hashes)).items())]
    fresh = folder / f"{SUMS}.new"
    fresh.write_text("".join(lines), encoding="utf-8", newline="\n")
    fresh.replace(folder / SUMS)
