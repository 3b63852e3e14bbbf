"""The master key: where it comes from, and what it protects."""

import stat
from pathlib import Path

import pytest

from auth_service.keys.master_key import MasterKey, WrongMasterKey

KEY = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"
OTHER = "HxAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHg"


def test_what_was_sealed_can_be_opened_under_its_name() -> None:
    master_key = MasterKey.load(KEY, may_create=False)
    assert master_key.open(master_key.seal(b"secret", name="form_key"), name="form_key") == b"secret"


def test_the_same_secret_is_never_sealed_alike() -> None:
    master_key = MasterKey.load(KEY, may_create=False)
    assert master_key.seal(b"secret", name="form_key") != master_key.seal(b"secret", name="form_key")


@pytest.mark.parametrize(("key", "name"), [(OTHER, "form_key"), (KEY, "refresh_key")])
def test_neither_another_key_nor_another_name_opens_it(key: str, name: str) -> None:
    sealed = MasterKey.load(KEY, may_create=False).seal(b"secret", name="form_key")
    with pytest.raises(WrongMasterKey, match=name):
        MasterKey.load(key, may_create=False).open(sealed, name=name)


def test_nothing_that_was_altered_or_cut_is_opened() -> None:
    master_key = MasterKey.load(KEY, may_create=False)
    sealed = master_key.seal(b"secret", name="form_key")
    for damaged in (sealed[:-1] + bytes([sealed[-1] ^ 1]), sealed[:20], b""):
        with pytest.raises(WrongMasterKey):
            master_key.open(damaged, name="form_key")


def test_a_missing_file_is_made_for_its_owner_alone_and_kept(tmp_path: Path) -> None:
    path = tmp_path / "var" / "master.key"
    sealed = MasterKey.load(f"file:{path}", may_create=True).seal(b"secret", name="form_key")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert [child.name for child in path.parent.iterdir()] == ["master.key"]
    assert MasterKey.load(f"file:{path}", may_create=True).open(sealed, name="form_key") == b"secret"


def test_a_missing_file_is_an_error_for_those_who_only_read(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="does not exist"):
        MasterKey.load(f"file:{tmp_path / 'master.key'}", may_create=False)
    assert not list(tmp_path.iterdir())


def test_the_environment_and_the_value_itself_may_hold_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("THE_MASTER_KEY", f"{KEY}=\n")
    sealed = MasterKey.load("env:THE_MASTER_KEY", may_create=False).seal(b"secret", name="form_key")
    assert MasterKey.load(KEY, may_create=False).open(sealed, name="form_key") == b"secret"


@pytest.mark.parametrize(
    "value", ["", "short", KEY[:-2], KEY + "AAAA", f"{KEY[:-1]}!", "env:NOT_SET_ANYWHERE", "file:/"]
)
def test_a_malformed_key_is_refused_without_being_repeated(value: str) -> None:
    with pytest.raises(ValueError, match=r"^master_key: ") as refusal:
        MasterKey.load(value, may_create=False)
    assert KEY[:20] not in str(refusal.value)


def test_of_two_first_starts_both_have_the_key_of_one(tmp_path: Path) -> None:
    path = tmp_path / "master.key"
    first, second = (MasterKey.load(f"file:{path}", may_create=True) for _ in range(2))
    assert second.open(first.seal(b"secret", name="form_key"), name="form_key") == b"secret"


@pytest.mark.parametrize("between", ["\n", "\n\n", " ", ",", ", ", "=\r\n"])
def test_several_may_stand_there_the_first_seals_and_all_open(tmp_path: Path, between: str) -> None:
    path = tmp_path / "master.key"
    path.write_text(f"{KEY}{between}{OTHER}\n")
    for source in (f"file:{path}", f"{KEY}{between}{OTHER}"):
        both = MasterKey.load(source, may_create=False)
        alone, other = (MasterKey.load(key, may_create=False) for key in (KEY, OTHER))
        assert alone.open(both.seal(b"secret", name="form_key"), name="form_key") == b"secret"
        assert both.open(other.seal(b"secret", name="form_key"), name="form_key") == b"secret"
        assert both.opens_with_the_first(alone.seal(b"secret", name="form_key"), name="form_key")
        assert not both.opens_with_the_first(other.seal(b"secret", name="form_key"), name="form_key")


@pytest.mark.parametrize("second", ["short", f"{OTHER[:-1]}!", f"{OTHER}{OTHER}"])
def test_a_malformed_second_one_is_refused_without_being_repeated(tmp_path: Path, second: str) -> None:
    path = tmp_path / "master.key"
    path.write_text(f"{KEY}\n{second}\n")
    with pytest.raises(ValueError, match="number 2 of the 2 keys") as refusal:
        MasterKey.load(f"file:{path}", may_create=False)
    assert second not in str(refusal.value)


def test_the_file_is_read_again_and_what_was_known_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "master.key"
    path.write_text(KEY)
    running = MasterKey.load(f"file:{path}", may_create=False)
    assert not running.read_again()
    path.write_text(OTHER)
    assert running.read_again()
    for key in (KEY, OTHER):
        sealed = MasterKey.load(key, may_create=False).seal(b"secret", name="form_key")
        assert running.open(sealed, name="form_key") == b"secret"
    path.write_text("nonsense")
    with pytest.raises(ValueError, match="32 bytes"):
        running.read_again()
    assert not MasterKey.load(KEY, may_create=False).read_again()
