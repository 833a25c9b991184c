"""Find a data set's files, or download them from their publisher; check that they are the declared ones."""

import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

from customerlab.data.catalog import DataSet, Form, Source
from customerlab.data.project import DigestCache, data_folders, relative, written_aside
from customerlab.errors import DataError

# What zipfile says of an archive that is damaged, has a password, or is packed in a way that it does not know.
DAMAGED = (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, NotImplementedError)
CHUNK = 1 << 16  # bytes; what a broken connection loses of the download is at most one chunk


def digests(root: Path) -> DigestCache:
    """The project's memory of file digests."""
    return DigestCache(root / "data" / "cache" / "digests.json")


def locate(root: Path, source: Source) -> tuple[Form, list[Path]] | None:
    """Find the files of a source without downloading anything.

    Folders are searched in order (`data/raw/`, `data/`, the folder in `CUSTOMERLAB_DATA`), and in each the forms in
    the order of the catalogue. A downloaded file lives in `data/raw/`, so it is found like any other.

    Returns
    -------
    (Form, list of Path) or None
        The form found and its files in the order of their names; None where there is none.
    """
    for folder in data_folders(root):
        for form in source.forms:
            if "*" in form.path:
                pattern = form.path.replace("[", "[[]").replace("?", "[?]")  # the star is the only wildcard
                paths = sorted(p for p in folder.glob(pattern) if p.is_file())
            else:
                paths = [folder / form.path] if (folder / form.path).is_file() else []
            if paths:
                return form, paths
    return None


def obtainable(root: Path, source: Source) -> bool:
    """Whether the files of a source are on this machine, have an address, or are a table of the run's engine."""
    return source.table is not None or any(form.url for form in source.forms) or locate(root, source) is not None


def fetch(root: Path, data_set: DataSet, source: Source, *, progress: bool = True) -> list[Path]:
    """Return the files of a source, downloaded first where they are not on this machine, checksums checked.

    Raises
    ------
    DataError
        If a file is missing and cannot be downloaded, or is not the declared one.
    """
    found = locate(root, source)
    if found is None:
        form = next((form for form in source.forms if form.url), None)
        if form is None:
            raise missing(root, data_set, source)
        found = form, [download(root, data_set, form, progress=progress)]
    form, paths = found
    if form.sha256:
        check_digest(root, data_set, form, paths[0])
    return paths


def missing(root: Path, data_set: DataSet, source: Source) -> DataError:
    """The error for a source that is on none of the folders and has no address."""
    names = " or ".join(form.path for form in source.forms)
    return DataError(
        f"the file of data set {data_set.name!r} is missing: {names}",
        where=", then ".join(dict.fromkeys(_shown(root, folder) for folder in data_folders(root))),
        expected="the file in one of these folders",
        do=data_set.how_to_get or f"put it into data/raw/, or mend the path in data/catalog.yml, {data_set.name}",
    )


def _shown(root: Path, folder: Path) -> str:
    inside = folder.resolve().is_relative_to(root.resolve())
    return relative(folder, root) + "/" if inside else f"the folder in CUSTOMERLAB_DATA ({folder})"


def check_digest(root: Path, data_set: DataSet, form: Form, path: Path) -> None:
    """Raise unless the file has the checksum that the catalogue declares."""
    digest = digests(root).digest(path)
    if digest != form.sha256:
        raise DataError(
            f"the checksum of {form.path} is wrong: the file is damaged, or another edition",
            where=f"{relative(path, root)} (data/catalog.yml, {data_set.name})",
            expected=f"sha256 {form.sha256}, found {digest}",
            do="get the file again; if the change is meant, put the new checksum into the catalogue",
        )


class ResumingDownload:
    """A downloader for pooch that goes on where a broken download stopped.

    What has arrived is kept in `part` until it is whole. pooch then checks the checksum and puts the file in place.

    Parameters
    ----------
    part : Path
        Where the bytes are kept between attempts.
    progress : bool
        Draw a progress bar on standard error.
    """

    def __init__(self, part: Path, *, progress: bool) -> None:
        self.part, self.progress = part, progress

    def __call__(self, url: str, output_file: str, _: object) -> None:
        """Download `url`, from the first byte that is not in `part`, to `output_file`."""
        import requests
        from tqdm import tqdm

        self.part.parent.mkdir(parents=True, exist_ok=True)
        have = self.part.stat().st_size if self.part.exists() else 0
        headers = {"Range": f"bytes={have}-"} if have else {}
        with requests.get(url, headers=headers, stream=True, timeout=60) as response:
            if response.status_code == requests.codes.requested_range_not_satisfiable:
                # the whole file had arrived before; its checksum decides whether it is the right one
                self.part.replace(output_file)
                return
            response.raise_for_status()
            resumed = response.status_code == requests.codes.partial_content
            left = response.headers.get("Content-Length")
            total = int(left) + (have if resumed else 0) if left else None
            with (
                self.part.open("ab" if resumed else "wb") as handle,
                tqdm(
                    total=total, initial=have if resumed else 0, unit="B", unit_scale=True, desc=self.part.stem,
                    disable=not self.progress,
                ) as bar,
            ):  # fmt: skip
                for chunk in response.iter_content(CHUNK):
                    handle.write(chunk)
                    bar.update(len(chunk))
        if total is not None and self.part.stat().st_size < total:
            raise requests.ConnectionError(f"{self.part.stat().st_size:,} of {total:,} bytes arrived")
        self.part.replace(output_file)


def download(root: Path, data_set: DataSet, form: Form, *, progress: bool = True) -> Path:
    """Download one form of a source into `data/raw/`; a broken download goes on at the next try.

    Raises
    ------
    DataError
        If the publisher cannot be reached, or what arrives is not what the catalogue declares.
    """
    import pooch
    import requests

    assert form.url is not None
    cache = root / "data" / "cache"
    target = root / "data" / "raw" / form.path
    name = Path(form.url).name
    # the checksum is that of the file itself; a zip around it has none, the member is checked after unpacking
    known = f"sha256:{form.sha256}" if form.sha256 and not form.member else None
    downloader: Callable[..., None] = ResumingDownload(cache / f"{data_set.name}-{name}.part", progress=progress)
    pooch.get_logger().setLevel("WARNING")
    try:
        arrived = Path(
            pooch.retrieve(form.url, known, fname=f"{data_set.name}-{name}", path=cache, downloader=downloader)
        )
        with written_aside(target) as aside:
            if form.member:
                with zipfile.ZipFile(arrived) as archive, archive.open(form.member) as member:
                    _copy(member, aside)
            else:
                with arrived.open("rb") as handle:
                    _copy(handle, aside)
        arrived.unlink()
    except (requests.RequestException, OSError, ValueError, KeyError, *DAMAGED) as error:
        (cache / f"{data_set.name}-{name}").unlink(missing_ok=True)
        kept = (
            "; what has arrived is kept, and the next try goes on from there"
            if isinstance(error, requests.RequestException)
            else ""
        )
        raise DataError(
            f"the download of {data_set.name!r} failed: {' '.join(str(error).split())}",
            where=form.url,
            expected=f"{form.member or name}" + (f" with sha256 {form.sha256}" if form.sha256 else ""),
            do=f"try again later{kept}; or put {form.path} into data/raw/ yourself",
        ) from None
    return target


def _copy(source: "object", target: Path) -> None:
    import shutil

    with target.open("wb") as handle:
        shutil.copyfileobj(source, handle, CHUNK)  # type: ignore[arg-type, type-var]
