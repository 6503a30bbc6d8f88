"""Data sets of the Hugging Face Hub as rows, by the library datasets.

Repositories that hold a loading script (all of ``llm-book/*``) cannot be loaded any more; the Hub keeps a copy of most
of them as parquet files under the revision ``refs/convert/parquet``, which is read instead (book.md P3).
"""

from __future__ import annotations

import random
import re
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import Any

from core.data.rows import Row, Table, make_table
from core.errors import AppError, InvalidInput, ServiceError
from core.libraries import import_transformers

CONVERTED = "refs/convert/parquet"
_PATIENCE = 20.0  # seconds to wait for the Hub's first answer
_MANY_ROWS = 200_000  # from here on, a limit is drawn before the rows become Python objects
_OFFLINE = threading.Lock()  # two visits that change the library's switch together would leave it changed
_NAME = re.compile(r"[A-Za-z0-9][\w.-]*(/[A-Za-z0-9][\w.-]*)?", re.ASCII)
_SPLITS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "train": ("train",),
        "validation": ("validation", "valid", "dev", "val", "test"),
        "test": ("test", "validation"),
    }
)


def read_hub(name: str, *, configuration: str = "", split: str = "", part: str, limit: int = 0, seed: int) -> Table:
    """The rows of one split of a data set of the Hub; labels stored as numbers come under their names.

    Args:
        name: ``owner/name``.
        configuration: '' for the only one.
        split: '' for the one that suits the part.
        part: ``train``, ``validation`` or ``test``.
        limit: at most about so many rows are wanted, 0 for all; drawn by the seed.

    Raises:
        InvalidInput: ``error.data.hub_unknown``, ``.hub_gated``, ``.hub_configuration`` and ``.hub_split`` (with the
            ``known`` ones), ``.hub_script`` (a script, and no parquet copy), each with ``source``.
        ServiceError: ``error.data.hub_offline``, ``error.data.hub``.
    """
    if not _NAME.fullmatch(name) or ".." in name:
        raise InvalidInput("error.data.hub_unknown", source=name[:80])
    import_transformers()
    try:
        data = _load(name, configuration, split, part)
    except AppError:
        raise
    except Exception as error:  # the library lets through whatever its own libraries raise
        raise _explain(error, name) from error
    if limit and len(data) > max(_MANY_ROWS, limit):
        data = data.select(sorted(random.Random(seed).sample(range(len(data)), min(2 * limit, len(data)))))
    return make_table(f"hub:{name}", [Row(number, row) for number, row in enumerate(_name_labels(data), start=1)])


def _load(name: str, configuration: str, split: str, part: str) -> Any:
    import datasets
    import httpx2
    from huggingface_hub.utils import disable_progress_bars

    datasets.disable_progress_bars()
    disable_progress_bars()
    try:
        files = _list_files(name, "main")
    except (ConnectionError, httpx2.TransportError):
        copy = _find_copy(name, folder="*", local=True)
        if copy is not None:
            paths = [path.relative_to(copy).as_posix() for path in copy.glob("*/*/*.parquet")]
            return _load_converted(name, paths, configuration, split, part, local=True)
        with _without_hub():
            return _load_ordinary(name, configuration, split, part)
    # Looked for before datasets sees it, which turns from a script to whatever it finds in its cache.
    if f"{name.rpartition('/')[2]}.py" in files:
        return _load_converted(name, _list_converted(name), configuration, split, part, local=False)
    return _load_ordinary(name, configuration, split, part)


def _load_ordinary(name: str, configuration: str, split: str, part: str) -> Any:
    import datasets

    chosen = _choose_configuration(datasets.get_dataset_config_names(name), configuration, name)
    splits = datasets.get_dataset_split_names(name, chosen)
    return datasets.load_dataset(name, chosen, split=_choose_split(splits, split, part, name))


def _load_converted(name: str, paths: Sequence[str], configuration: str, split: str, part: str, *, local: bool) -> Any:
    """The same from the Hub's own copy: ``<configuration>/<split>/0000.parquet``."""
    import datasets

    folders: dict[str, dict[str, str]] = {}
    for path in sorted(paths):
        parts = path.split("/")
        if len(parts) == 3 and path.endswith(".parquet"):
            # Of a very large data set only the beginning is converted.
            folders.setdefault(parts[0], {})[parts[1].removeprefix("partial-")] = f"{parts[0]}/{parts[1]}"
    if not folders:
        raise InvalidInput("error.data.hub_script", source=name)
    chosen = _choose_configuration(list(folders), configuration, name)
    folder = folders[chosen][_choose_split(list(folders[chosen]), split, part, name)]
    copy = _find_copy(name, folder=folder, local=local)
    return datasets.Dataset.from_parquet(sorted(map(str, copy.glob(f"{folder}/*.parquet"))) if copy else [])


def _list_files(name: str, revision: str) -> list[str]:
    """The files of a repository: one request, which gives up at once where the library's others try six times."""
    from huggingface_hub import HfApi

    information = HfApi().dataset_info(name, revision=revision, timeout=_PATIENCE)
    return [file.rfilename for file in information.siblings or ()]


def _list_converted(name: str) -> list[str]:
    from huggingface_hub.errors import RevisionNotFoundError

    try:
        return _list_files(name, CONVERTED)
    except RevisionNotFoundError:
        raise InvalidInput("error.data.hub_script", source=name) from None


def _find_copy(name: str, *, folder: str, local: bool) -> Path | None:
    """Where the converted copy lies on this disk, one folder of it downloaded unless it has to be local already."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import LocalEntryNotFoundError

    try:
        return Path(
            snapshot_download(
                name,
                repo_type="dataset",
                revision=CONVERTED,
                allow_patterns=[f"{folder}/*.parquet"],
                local_files_only=local,
            )
        )
    except LocalEntryNotFoundError:
        if local:
            return None
        raise


@contextmanager
def _without_hub() -> Iterator[None]:
    """Let datasets look into its cache at once instead of trying to reach the Hub for minutes."""
    import datasets

    with _OFFLINE:
        before = datasets.config.HF_HUB_OFFLINE
        datasets.config.HF_HUB_OFFLINE = True
        try:
            yield
        finally:
            datasets.config.HF_HUB_OFFLINE = before


def _choose_configuration(known: Sequence[str], configuration: str, name: str) -> str:
    """The configuration of that name in any case; without one the default, or the only one."""
    wanted = configuration or ("default" if "default" in known else "")
    if not wanted and len(known) == 1:
        return known[0]
    found = next((one for one in known if one.lower() == wanted.lower()), None)
    if found is None:
        raise InvalidInput("error.data.hub_configuration", source=name, known=", ".join(known)[:200])
    return found


def _choose_split(known: Sequence[str], split: str, part: str, name: str) -> str:
    if split in known:
        return split
    found = None if split else next((usual for usual in _SPLITS[part] if usual in known), None)
    if found is None:
        raise InvalidInput("error.data.hub_split", source=name, known=", ".join(known)[:200])
    return found


def _name_labels(data: Any) -> list[dict[str, Any]]:
    import datasets

    names = {
        column: feature.names for column, feature in data.features.items() if isinstance(feature, datasets.ClassLabel)
    }
    # Choices are told by number: JCommonsenseQA's labels are called choice0 to choice4.
    names = {column: values for column, values in names.items() if not all(re.match(r"choice\d", v) for v in values)}
    rows: list[dict[str, Any]] = data.to_list()
    for row in rows:
        for column, values in names.items():
            if isinstance(row[column], int) and 0 <= row[column] < len(values):
                row[column] = values[row[column]]
    return rows


def _explain(error: Exception, name: str) -> AppError:
    import datasets
    import httpx2
    from huggingface_hub.errors import GatedRepoError, HfHubHTTPError, OfflineModeIsEnabled, RepositoryNotFoundError

    causes: list[BaseException] = [error]
    while (cause := causes[-1].__cause__ or causes[-1].__context__) is not None and cause not in causes:
        causes.append(cause)
    if any(isinstance(cause, GatedRepoError) for cause in causes) or "is a gated dataset" in str(error):
        return InvalidInput("error.data.hub_gated", source=name)
    if any(
        isinstance(cause, OfflineModeIsEnabled | ConnectionError | TimeoutError | httpx2.TransportError)
        for cause in causes
    ):
        return ServiceError("error.data.hub_offline", source=name)
    unknown = datasets.exceptions.DatasetNotFoundError | RepositoryNotFoundError
    if any(isinstance(cause, unknown) for cause in causes):
        return InvalidInput("error.data.hub_unknown", source=name)
    status = next((cause.response.status_code for cause in causes if isinstance(cause, HfHubHTTPError)), 0)
    return ServiceError("error.data.hub", source=name, reason=str(status or type(error).__name__))
