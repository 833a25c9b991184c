"""Find a data set's files, or download them from their publisher; check that they are the declared ones."""

from pathlib import Path
from urllib.parse import urlsplit

from customerlab.data.catalog import DataSet
from customerlab.data.project import DigestCache, data_folders, file_digest, read_json, relative, written_aside
from customerlab.data.secrets import masked
from customerlab.data.sources import Form, Source
from customerlab.errors import DataError


def digests(root: Path) -> DigestCache:
    """The project's memory of file digests."""
    return DigestCache(root / "data" / "cache" / "digests.json")


def locate(root: Path, source: Source) -> tuple[Form, list[Path]] | None:
    """Find the form of a source that is here and its files, in the order of names, without downloading; None for none.

    Folders are searched in order (`data/raw/`, where downloads live, `data/`, the folder in `CUSTOMERLAB_DATA`), and in
    each the forms in the order of the catalogue.
    """
    for folder in data_folders(root):
        for form in source.forms:
            if "*" in form.path:
                pattern = form.path.replace("[", "[[]").replace("?", "[?]")  # the star is the only wildcard
                paths = sorted(p for p in folder.glob(pattern) if p.is_file())
            else:
                paths = [folder / form.path] if (folder / form.path).is_file() else []
            odd = next((path.name for path in paths if not path.name.isprintable()), None)
            if odd is not None:  # bytes that are no UTF-8, or a line end
                raise DataError(
                    f"the name of a file cannot be written: {odd!a}", where="the data folders",
                    expected="a name in UTF-8, without line ends", do="rename the file",
                )  # fmt: skip
            if paths:
                return form, paths
    return None


def obtainable(root: Path, source: Source) -> bool:
    """Whether the files of a source are on this machine, have an address, or are a table of the run's engine."""
    return source.table is not None or any(form.url for form in source.forms) or locate(root, source) is not None


def fetch(root: Path, data_set: DataSet, source: Source, *, progress: bool = True) -> list[Path]:
    """Return the files of a source, downloaded first where they are not on this machine, checksums checked.

    A DataError where a file is missing and cannot be downloaded, or is not the declared one.
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
    folders = [
        f"{relative(folder, root)}/" if folder.resolve().is_relative_to(root.resolve())
        else f"the folder in CUSTOMERLAB_DATA ({folder})" for folder in data_folders(root)
    ]  # fmt: skip
    return DataError(
        f"the file of data set {data_set.name!r} is missing: {names}",
        where=", then ".join(dict.fromkeys(folders)),
        expected="the file in one of these folders",
        do=data_set.how_to_get or f"put it into data/raw/, or fix the path in data/catalog.yml, {data_set.name}",
    )


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


def download(root: Path, data_set: DataSet, form: Form, *, progress: bool = True) -> Path:
    """Download one form of a source into `data/raw/`; a broken download goes on at the next try where it can.

    A DataError where the publisher cannot be reached, or what arrives is not what the catalogue declares.
    """
    from customerlab.data import download as web

    assert form.url is not None
    cache = root / "data" / "cache"
    target = root / "data" / "raw" / form.path
    name = Path(urlsplit(form.url).path).name or form.path
    # a checksum is that of the file itself, and where there is one it decides what is data
    arriving = web.Resumed(
        cache / f"{data_set.name}-{name}.part", progress=progress, html=bool(form.sha256 and not form.member)
    )
    kept = False
    try:
        try:
            arriving.download(form.url)
        except web.FAILED as error:
            # what a server breaks off is kept where there is a mark of the edition beside it
            broken = not isinstance(error, web.Refused) or error.kept
            kept = broken and bool((read_json(arriving.known) or {}).get("validator"))
            raise
        with written_aside(target) as aside:
            if form.member and not form.path.lower().endswith(".zip"):
                web.unpack(arriving.part, form.member, aside)
            else:
                arriving.part.replace(aside)
            web.check_kind(aside, form.path, form.path if form.path.lower().endswith(".zip") else form.member or name)
            digest = file_digest(aside) if form.sha256 else None
            if digest != form.sha256:
                raise web.Refused(f"what arrived has sha256 {digest}")
    except (*web.FAILED, OSError, ValueError) as error:
        raise DataError(
            f"the download of {data_set.name!r} failed: {masked(' '.join(str(error).split()))[:400]}", where=form.url,
            expected=f"{form.member or name}" + (f" with sha256 {form.sha256}" if form.sha256 else ""),
            do=f"try again later{'; what has arrived is kept, and the next try goes on from there' if kept else ''}; "
            f"or put {form.path} into data/raw/ yourself",
        ) from None  # fmt: skip
    finally:
        if not kept:
            arriving.forget()
    return target
