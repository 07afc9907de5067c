"""Downloads from a local server that breaks off, misreports, and sends unsafe zips."""

from __future__ import annotations

import hashlib
import http.server
import io
import json
import re
import stat
import struct
import sys
import threading
import types
import unicodedata
import zipfile
from dataclasses import replace

import pytest
from toys import TONES

from harness import (
    Archive,
    Corpus,
    DataError,
    StoreError,
    Utterance,
    hookimpl,
)
from harness.data.download import download
from harness.data.download.archive import unpack
from harness.data.download.remote import RemoteArchive, fetch, remote_archives


class Server(http.server.ThreadingHTTPServer):
    """Serves ``content`` at any path; ``faults`` change the first answers to GET."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.content = b""
        self.pages = {}
        self.faults = []
        self.ranges = True
        self.asked = []

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_port}"

    def handle_error(self, request, client_address):
        """Accept that a client breaks off; print every other error."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class Handler(http.server.BaseHTTPRequestHandler):
    server: Server

    def do_HEAD(self):
        self.send_response(200)
        self.send_header("Content-Length", str(len(self.server.content)))
        self.end_headers()

    def do_GET(self):
        server = self.server
        server.asked.append(self.headers.get("Range"))
        fault = server.faults.pop(0) if server.faults else None
        if fault == "gone":
            return self.send_error(404, "Not Found")
        body = server.pages.get(self.path, server.content)
        tag = f'"{hashlib.md5(body).hexdigest()}"'
        match = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        same = self.headers.get("If-Range", tag) == tag
        first = int(match[1]) if match and server.ranges and same else 0
        if first and first >= len(body):
            return self.send_error(416)
        rest = body[first:]
        length = len(rest)
        if fault == "reports too much":
            length += 1000
        if fault == "reports too little":
            length //= 2
        if fault == "breaks off":
            rest = rest[: len(rest) // 2]
        if fault == "endless":
            rest, length = rest * 9, len(rest) * 9
        self.send_response(206 if first else 200)
        if first:
            total = len(body)
            self.send_header("Content-Range", f"bytes {first}-{total - 1}/{total}")
        self.send_header("Content-Length", str(length))
        self.send_header("ETag", tag)
        self.end_headers()
        self.wfile.write(rest)

    def log_message(self, *arguments):
        pass


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setattr("harness.data.download.remote.WAIT", 0.0)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    served = Server()
    thread = threading.Thread(target=served.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield served
    served.shutdown()
    served.server_close()
    thread.join()


def zipped(files):
    """Pack names or ZipInfos with their bytes, in order."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in files:
            archive.writestr(name, content)
    return buffer.getvalue()


@pytest.fixture
def content(tones, server):
    """The tones as an archive, which the server has."""
    files = [(f"Tones/{path.name}", path.read_bytes()) for path in tones.glob("*")]
    server.content = zipped(files)
    return server.content


@pytest.fixture
def remote(server, content):
    digest = "sha256:" + hashlib.sha256(content).hexdigest()
    url = f"{server.url}/tones.zip"
    return RemoteArchive(url=url, name="tones.zip", size=len(content), digest=digest)


@pytest.fixture
def load(remote, tmp_path):
    def load(**changes):
        folder = tmp_path / "downloads"
        folder.mkdir(exist_ok=True)
        return fetch(replace(remote, **changes), folder).read_bytes()

    return load


# ---------------------------------------------------------------- fetching


def test_a_file_is_fetched_whole(load, content):
    assert load() == content


def test_a_file_of_unknown_size_and_digest_is_fetched_whole(load, content):
    assert load(size=0, digest="") == content


def test_a_download_that_broke_off_is_resumed(load, content, server):
    server.faults = ["breaks off", "breaks off"]
    assert load() == content
    assert server.asked[0] is None
    second, third = (int(asked[6:-1]) for asked in server.asked[1:])
    assert 0 < second <= len(content) // 2 < third


def test_a_download_that_broke_off_too_often_is_kept_for_the_next_time(
    load, content, server
):
    server.faults = ["breaks off"] * 5
    with pytest.raises(DataError, match=r"broke off 5 times .* resumes it"):
        load()
    server.asked.clear()
    assert load() == content
    assert server.asked[0].startswith("bytes=")


def test_a_file_that_changed_meanwhile_starts_anew(load, server, content):
    server.faults = ["breaks off"] * 5
    with pytest.raises(DataError, match="broke off"):
        load(size=0, digest="")
    server.content = zipped([("new", b"x" * len(content))])
    assert load(size=0, digest="") == server.content


def test_a_server_without_ranges_starts_anew(load, content, server):
    server.ranges = False
    server.faults = ["breaks off"]
    assert load() == content


def test_a_size_that_the_server_reports_too_large_is_an_error(load, server):
    server.faults = ["reports too much"] * 9
    with pytest.raises(DataError, match="broke off"):
        load(size=0, digest="")


def test_a_size_that_the_server_reports_too_small_is_an_error(load, server, tmp_path):
    server.faults = ["reports too little"] * 9
    with pytest.raises(DataError, match="no zip archive"):
        load(size=0, digest="")
    assert list((tmp_path / "downloads").glob("*.part")) == []


def test_a_server_that_sends_more_than_it_should_is_stopped(load, server):
    server.faults = ["endless"]
    with pytest.raises(DataError, match="sends more than"):
        load()


def test_other_bytes_of_the_same_length_are_deleted(load, tmp_path, server):
    server.content = bytes(len(server.content))
    with pytest.raises(DataError, match=r"its sha256 is .* instead of"):
        load()
    assert list((tmp_path / "downloads").glob("*.part")) == []


def test_a_web_page_is_no_archive(load, server):
    server.content = b"<html>Log in</html>"
    with pytest.raises(DataError, match="perhaps a web page"):
        load(size=0, digest="")


def test_an_address_that_moved_is_reported(load, server):
    server.faults = ["gone"]
    with pytest.raises(DataError, match="answers 404 Not Found"):
        load()


def test_a_server_that_is_not_there_is_reported(load):
    with pytest.raises(DataError, match="Cannot reach http://127"):
        load(url="http://127.0.0.1:1/tones.zip")


# ---------------------------------------------------------------- asking


def test_a_plain_address_is_asked_for_its_size(server, content):
    (one,) = remote_archives([Archive(url=f"{server.url}/a%20b.zip?dl=1")])
    assert (one.name, one.size, one.digest) == ("a b.zip", len(content), "")


def test_a_size_that_is_not_reported_is_unknown():
    (one,) = remote_archives([Archive(url="http://127.0.0.1:1/a.zip")])
    assert one.size == 0


def record(server, *names):
    files = [
        {
            "key": name,
            "size": 9,
            "checksum": "md5:00",
            "links": {"self": f"{server.url}/{name}"},
        }
        for name in names
    ]
    server.pages["/api/records/1"] = json.dumps({"files": files}).encode()
    return f"{server.url}/api/records/1"


def test_a_record_of_zenodo_lists_its_files(server):
    url = record(server, "A_48k.zip", "A_192k.zip", "readme.txt")
    (one,) = remote_archives([Archive(url=url, only=r"A_48k\.zip")])
    assert one == RemoteArchive(
        url=f"{server.url}/A_48k.zip", name="A_48k.zip", size=9, digest="md5:00"
    )


def test_a_record_without_the_file_is_reported(server):
    with pytest.raises(DataError, match="has no file"):
        remote_archives([Archive(url=record(server, "readme.txt"))])


@pytest.mark.parametrize("page", [b"no", b"{}", b'{"files": [{"key": "a"}]}'])
def test_a_record_of_another_form_is_reported(server, page):
    server.pages["/api/records/1"] = page
    with pytest.raises(DataError, match="does not list files"):
        remote_archives([Archive(url=f"{server.url}/api/records/1")])


# ---------------------------------------------------------------- unpacking


@pytest.fixture
def unpacked(tmp_path):
    """Unpack an archive of some files; return the names that are there then."""

    def unpacked(files):
        packed = tmp_path / "unsafe.zip"
        packed.write_bytes(files if isinstance(files, bytes) else zipped(files))
        folder = tmp_path / "deep" / "folder"
        folder.mkdir(parents=True)
        unpack(packed, folder)
        return sorted(
            path.relative_to(folder).as_posix()
            for path in folder.rglob("*")
            if path.is_file()
        )

    return unpacked


def entry(name, *, mode=stat.S_IFREG | 0o644):
    info = zipfile.ZipInfo(name)
    info.external_attr = mode << 16
    return info


def test_folders_and_files_are_unpacked(unpacked):
    names = ["a/b/c.wav", "a/d.wav"]
    assert unpacked([("a/", b""), *((name, b"x") for name in names)]) == names


def test_what_a_mac_adds_is_left_out(unpacked):
    assert unpacked([("a.wav", b"x"), ("__MACOSX/._a.wav", b"x")]) == ["a.wav"]


@pytest.mark.parametrize(
    "name", ["../a", "a/../../b", "/etc/a", "C:/a", "..\\a", "C:\\a", "\\a"]
)
def test_a_path_that_leads_out_is_refused(unpacked, tmp_path, name):
    with pytest.raises(DataError, match="leads out of the folder"):
        unpacked([("good.wav", b"x"), (name, b"x")])
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == [
        "unsafe.zip"
    ]


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFIFO, stat.S_IFCHR])
def test_a_link_or_a_device_is_refused(unpacked, kind):
    with pytest.raises(DataError, match="is a link or a device"):
        unpacked([(entry("a", mode=kind | 0o777), b"/etc/passwd")])


def test_a_name_with_a_line_break_is_refused(unpacked):
    with pytest.raises(DataError, match="unprintable characters in its name"):
        unpacked([("a\nb.wav", b"x")])


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("second", ["a.wav", "A.WAV", "b/../a.wav"])
def test_a_name_that_occurs_twice_is_refused(unpacked, second):
    with pytest.raises(DataError, match=r"occurs twice|leads out"):
        unpacked([("a.wav", b"x"), (second, b"y")])


def test_a_file_in_a_folders_place_is_refused(unpacked):
    with pytest.raises(DataError, match="a file and a folder at once"):
        unpacked([("a", b"x"), ("a/b", b"y")])


def test_a_zip_bomb_is_refused(unpacked):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("zeros.wav", bytes(10_000_000))
    with pytest.raises(DataError, match="far more than speech can be"):
        unpacked(buffer.getvalue())


def test_a_zip_bomb_that_misstates_its_size_is_refused(unpacked):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("zeros.wav", bytes(10_000_000))
    size = struct.pack("<L", 10_000_000)
    misstated = buffer.getvalue().replace(size, struct.pack("<L", 1000))
    with pytest.raises(DataError, match="damaged"):
        unpacked(misstated)


@pytest.mark.parametrize("limit", ["MAX_FILES", "MAX_BYTES"])
def test_too_many_files_or_bytes_are_refused(unpacked, monkeypatch, limit):
    monkeypatch.setattr(f"harness.data.download.archive.{limit}", 2)
    with pytest.raises(DataError, match=r"it holds 3 files of 0 MB"):
        unpacked([(name, b"x") for name in "abc"])


def test_a_disk_without_space_is_reported(unpacked, monkeypatch):
    full = types.SimpleNamespace(free=0)
    monkeypatch.setattr("shutil.disk_usage", lambda folder: full)
    with pytest.raises(StoreError, match="Free some space"):
        unpacked([("a.wav", b"x")])


def test_a_damaged_archive_is_reported(unpacked):
    good = zipped([("a.wav", b"a text that is found")])
    with pytest.raises(DataError, match="damaged"):
        unpacked(good.replace(b"a text that", b"A TEXT THAT"))


def test_an_encrypted_entry_is_refused(unpacked):
    locked = bytearray(zipped([("a.wav", b"x")]))
    locked[6] |= 1
    locked[locked.index(b"PK\x01\x02") + 8] |= 1
    with pytest.raises(DataError, match="is encrypted"):
        unpacked(bytes(locked))


def raw_named(name):
    """Pack a file whose name is these bytes, without the flag of UTF-8."""
    placeholder = "x" * len(name)
    return zipped([(placeholder, b"")]).replace(placeholder.encode(), name)


@pytest.mark.parametrize("encoding", ["cp437", "utf-8"])
def test_a_name_without_the_flag_is_decoded(unpacked, encoding):
    assert unpacked(raw_named("Dégoût".encode(encoding))) == ["Dégoût"]


def test_a_name_with_the_flag_is_kept(unpacked):
    decomposed = unicodedata.normalize("NFD", "Oréau/é.wav")
    assert unpacked([(decomposed, b"x")]) == ["Oréau/é.wav"]


# ---------------------------------------------------------------- all of it


@pytest.fixture
def corpus(server, content, listed) -> Corpus:
    known = {id: replace(file, sha256="") for id, file in listed.items()}

    def deeper(root):
        for folder in root.rglob("Tones"):
            below = folder.relative_to(root).as_posix()
            for one in TONES.read(folder):
                yield replace(one, path=f"{below}/{one.path}")

    return replace(
        TONES,
        name="packed",
        read=deeper,
        files=lambda: known,
        archives=(Archive(url=f"{server.url}/tones.zip"),),
    )


@pytest.fixture
def place(tmp_path):
    return tmp_path / "fresh" / "packed"


def fetched(corpus, place, tmp_path):
    return download(corpus, remote_archives(corpus.archives), place, tmp_path)


def test_a_corpus_appears_complete_and_nothing_else_is_left(corpus, place, tmp_path):
    passport = fetched(corpus, place, tmp_path)
    assert passport.verdict.startswith("complete: all 40 files")
    assert len(list(place.rglob("*.wav"))) == 40
    assert [path.name for path in place.parent.iterdir()] == ["packed"]
    left = {path.suffix for path in (tmp_path / "downloads").iterdir()}
    assert left <= {".lock"}


def test_an_incomplete_corpus_does_not_appear(corpus, place, tmp_path, server):
    server.content = zipped([("Tones/s0_low_0.wav", b"RIFF")])
    with pytest.raises(DataError, match=r"was kept\. different: .*39 missing"):
        fetched(corpus, place, tmp_path)
    assert list(place.parent.iterdir()) == []
    assert list((tmp_path / "downloads").glob("*.zip")) == []


def test_an_archive_of_something_else_does_not_appear(corpus, place, tmp_path, server):
    server.content = zipped([("readme.txt", b"Hello")])
    with pytest.raises(DataError, match="holds nothing of Tones"):
        fetched(corpus, place, tmp_path)
    assert list(place.parent.iterdir()) == []


def test_an_unsafe_archive_leaves_nothing(corpus, place, tmp_path, server):
    server.content = zipped([("../evil.wav", b"x")])
    with pytest.raises(DataError, match="not safe"):
        fetched(corpus, place, tmp_path)
    assert list(place.parent.iterdir()) == []
    assert list((tmp_path / "downloads").glob("*.zip")) == []


def test_a_folder_that_is_not_empty_is_not_touched(corpus, place, tmp_path):
    place.mkdir(parents=True)
    (place / "mine.txt").touch()
    with pytest.raises(DataError, match="is not empty"):
        fetched(corpus, place, tmp_path)
    assert [path.name for path in place.iterdir()] == ["mine.txt"]


def test_a_variant_that_is_there_is_not_disturbed(corpus, place, tmp_path):
    place.mkdir(parents=True)
    (place / "s0_low_0.flac").touch()

    def read(root):
        for path in root.glob("*.flac"):
            yield Utterance(id=path.name, path=path.name, label="low", speaker="s0")

    variant = replace(corpus, name="packed@flac", read=read)
    files = remote_archives(corpus.archives)
    download(corpus, files, place, tmp_path / "d", siblings=[variant])
    assert sorted(path.name for path in place.iterdir()) == ["packed", "s0_low_0.flac"]


def test_an_empty_folder_is_filled(corpus, place, tmp_path):
    place.mkdir(parents=True)
    assert fetched(corpus, place, tmp_path).is_sound


@pytest.fixture
def program(harness, manager, corpus):
    """Run the program with the corpus that can be downloaded."""

    class Offer:
        @hookimpl
        def harness_corpora(self):
            return (corpus,)

    manager.register(Offer(), name="packed")
    return harness


DOWNLOAD = ("corpus", "download", "packed")


def test_the_licence_is_printed_and_may_be_accepted_beforehand(program, tmp_path):
    code, out, _ = program(*DOWNLOAD, "--accept-licence")
    assert code == 0
    assert "licence   CC0-1.0" in out
    assert "kB" in out
    assert "complete: all 40 files" in out
    assert (tmp_path / "data" / "packed" / "Tones" / "s0_low_0.wav").exists()


@pytest.mark.parametrize("answer", ["n\n", ""])
def test_without_a_yes_nothing_is_downloaded(
    program, tmp_path, server, monkeypatch, answer
):
    monkeypatch.setattr("sys.stdin", io.StringIO(answer))
    code, _, err = program(*DOWNLOAD)
    assert code == 2
    assert "Nothing was downloaded" in err
    assert server.asked == []
    assert not (tmp_path / "data" / "packed").exists()


def test_with_a_yes_it_is_downloaded(program, tmp_path, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO("y\n"))
    code, _, err = program(*DOWNLOAD)
    assert code == 0
    assert "accept the licence" in err
    assert (tmp_path / "data" / "packed").exists()


def test_a_corpus_that_is_there_is_not_downloaded_again(program, server):
    program(*DOWNLOAD, "--accept-licence")
    server.asked.clear()
    code, out, _ = program(*DOWNLOAD)
    assert code == 0
    assert "complete at" in out
    assert server.asked == []


def test_a_corpus_behind_a_form_prints_instructions(program):
    code, _, err = program("corpus", "download", "demos", "--accept-licence")
    assert code == 2
    assert "Sign its agreement at https://zenodo.org/records/2544829" in err


@pytest.fixture
def archive(content, tmp_path):
    path = tmp_path / "browser.zip"
    path.write_bytes(content)
    return path


def test_an_archive_that_the_user_has_is_unpacked_and_kept(
    program, archive, server, tmp_path
):
    code, out, _ = program(*DOWNLOAD, "--from", str(archive))
    assert code == 0
    assert "complete: all 40 files" in out
    assert (tmp_path / "data" / "packed" / "Tones" / "s0_low_0.wav").exists()
    assert archive.exists()
    assert server.asked == []


def test_an_archive_of_something_else_is_refused_and_kept(program, archive, tmp_path):
    archive.write_bytes(zipped([("readme.txt", b"Hello")]))
    code, _, err = program(*DOWNLOAD, "--from", str(archive))
    assert code == 2
    assert "holds nothing of Tones" in err
    assert archive.exists()
    assert not (tmp_path / "data" / "packed").exists()


@pytest.mark.parametrize(
    ("content", "sentence"), [(None, "does not exist"), (b"Rar!", "is no zip archive")]
)
def test_what_is_no_archive_is_reported(program, tmp_path, content, sentence):
    path = tmp_path / "EYASE.rar"
    if content:
        path.write_bytes(content)
    code, _, err = program(*DOWNLOAD, "--from", str(path))
    assert code == 2
    assert sentence in err


def test_a_mirror_may_be_named(program, server, tmp_path):
    mirror = f"{server.url}/mirror/tones.zip"
    code, out, _ = program(*DOWNLOAD, "--from", mirror, "--accept-licence")
    assert code == 0
    assert f"from      {mirror}" in out
    assert (tmp_path / "data" / "packed").exists()
