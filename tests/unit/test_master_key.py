"""The master key: its sources, and the encryption of stored secrets."""

import stat
from pathlib import Path

import pytest

from auth_service.keys.master_key import MasterKey, WrongMasterKey

KEY = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"
OTHER = "HxAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHg"


def test_a_value_is_decrypted_under_its_name() -> None:
    master_key = MasterKey.load(KEY, may_create=False)
    assert master_key.decrypt(master_key.encrypt(b"secret", name="form_key"), name="form_key") == b"secret"


def test_two_encryptions_of_one_secret_differ() -> None:
    master_key = MasterKey.load(KEY, may_create=False)
    assert master_key.encrypt(b"secret", name="form_key") != master_key.encrypt(b"secret", name="form_key")


@pytest.mark.parametrize(("key", "name"), [(OTHER, "form_key"), (KEY, "refresh_key")])
def test_another_key_or_another_name_does_not_decrypt(key: str, name: str) -> None:
    encrypted = MasterKey.load(KEY, may_create=False).encrypt(b"secret", name="form_key")
    with pytest.raises(WrongMasterKey, match=name):
        MasterKey.load(key, may_create=False).decrypt(encrypted, name=name)


def test_an_altered_or_truncated_value_is_not_decrypted() -> None:
    master_key = MasterKey.load(KEY, may_create=False)
    encrypted = master_key.encrypt(b"secret", name="form_key")
    for damaged in (encrypted[:-1] + bytes([encrypted[-1] ^ 1]), encrypted[:20], b""):
        with pytest.raises(WrongMasterKey):
            master_key.decrypt(damaged, name="form_key")


def test_a_missing_file_is_created_for_its_owner_only_and_then_reused(tmp_path: Path) -> None:
    path = tmp_path / "var" / "master.key"
    encrypted = MasterKey.load(f"file:{path}", may_create=True).encrypt(b"secret", name="form_key")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert [child.name for child in path.parent.iterdir()] == ["master.key"]
    assert MasterKey.load(f"file:{path}", may_create=True).decrypt(encrypted, name="form_key") == b"secret"


def test_a_missing_file_is_an_error_without_may_create(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="does not exist"):
        MasterKey.load(f"file:{tmp_path / 'master.key'}", may_create=False)
    assert not list(tmp_path.iterdir())


def test_the_key_may_stand_in_the_environment_or_in_the_value(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("THE_MASTER_KEY", f"{KEY}=\n")
    encrypted = MasterKey.load("env:THE_MASTER_KEY", may_create=False).encrypt(b"secret", name="form_key")
    assert MasterKey.load(KEY, may_create=False).decrypt(encrypted, name="form_key") == b"secret"


@pytest.mark.parametrize(
    "value", ["", "short", KEY[:-2], KEY + "AAAA", f"{KEY[:-1]}!", "env:NOT_SET_ANYWHERE", "file:/"]
)
def test_the_error_for_a_malformed_key_does_not_quote_it(value: str) -> None:
    with pytest.raises(ValueError, match=r"^master_key: ") as refusal:
        MasterKey.load(value, may_create=False)
    assert KEY[:20] not in str(refusal.value)


def test_two_first_starts_use_the_same_created_file(tmp_path: Path) -> None:
    path = tmp_path / "master.key"
    first, second = (MasterKey.load(f"file:{path}", may_create=True) for _ in range(2))
    assert second.decrypt(first.encrypt(b"secret", name="form_key"), name="form_key") == b"secret"


@pytest.mark.parametrize("separator", ["\n", "\n\n", " ", ",", ", ", "=\r\n"])
def test_of_several_keys_the_first_encrypts_and_all_decrypt(tmp_path: Path, separator: str) -> None:
    path = tmp_path / "master.key"
    path.write_text(f"{KEY}{separator}{OTHER}\n")
    for source in (f"file:{path}", f"{KEY}{separator}{OTHER}"):
        both = MasterKey.load(source, may_create=False)
        alone, other = (MasterKey.load(key, may_create=False) for key in (KEY, OTHER))
        assert alone.decrypt(both.encrypt(b"secret", name="form_key"), name="form_key") == b"secret"
        assert both.decrypt(other.encrypt(b"secret", name="form_key"), name="form_key") == b"secret"
        assert both.is_encrypted_with_first_key(alone.encrypt(b"secret", name="form_key"), name="form_key")
        assert not both.is_encrypted_with_first_key(other.encrypt(b"secret", name="form_key"), name="form_key")


@pytest.mark.parametrize("second", ["short", f"{OTHER[:-1]}!", f"{OTHER}{OTHER}"])
def test_the_error_for_a_malformed_second_key_does_not_quote_it(tmp_path: Path, second: str) -> None:
    path = tmp_path / "master.key"
    path.write_text(f"{KEY}\n{second}\n")
    with pytest.raises(ValueError, match="number 2 of the 2 keys") as refusal:
        MasterKey.load(f"file:{path}", may_create=False)
    assert second not in str(refusal.value)


def test_a_reload_reads_the_file_again_and_keeps_the_known_keys(tmp_path: Path) -> None:
    path = tmp_path / "master.key"
    path.write_text(KEY)
    running = MasterKey.load(f"file:{path}", may_create=False)
    assert not running.reload()
    path.write_text(OTHER)
    assert running.reload()
    for key in (KEY, OTHER):
        encrypted = MasterKey.load(key, may_create=False).encrypt(b"secret", name="form_key")
        assert running.decrypt(encrypted, name="form_key") == b"secret"
    path.write_text("nonsense")
    with pytest.raises(ValueError, match="32 bytes"):
        running.reload()
    assert not MasterKey.load(KEY, may_create=False).reload()
