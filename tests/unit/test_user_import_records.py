"""What a row of Django, CSV or JSON becomes, and why a row is refused."""

from typing import Any

import pytest

from auth_service.user_import.records import Record, RecordReader, Refused, check_columns
from auth_service.user_import.rows import Row, Unreadable

BCRYPT = "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW"
DIGEST = "YlZ2Vggtqdc61YjArZuoApoBh9JNGYoDRBUGu6tcJQo="
ARGON2_END = "$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc"


def read(values: dict[str, Any], **options: Any) -> Record | Refused | None:
    return RecordReader(**options).read(Row(1, values))


def refusal(values: dict[str, Any], **options: Any) -> str:
    record = read(values, **options)
    assert isinstance(record, Refused)
    return record.reason


def record(values: dict[str, Any], **options: Any) -> Record:
    found = read(values, **options)
    assert isinstance(found, Record), found
    return found


def django(model: str = "auth.user", pk: object = 17, **fields: Any) -> dict[str, Any]:
    defaults = {
        "password": BCRYPT,
        "username": "grace",
        "first_name": "Grace",
        "last_name": "Hopper",
        "email": "Grace@Example.com",
        "is_active": True,
        "is_staff": False,
        "is_superuser": True,
        "groups": [],
        "date_joined": "2024-01-01T00:00:00Z",
    }
    return {"model": model, "pk": pk, "fields": defaults | fields}


def test_row_of_dumpdata_is_a_user_with_its_names() -> None:
    found = record(django())
    assert found.old_id == "17"
    assert found.user.email == "Grace@Example.com"
    assert found.user.email_key == "grace@example.com"
    assert found.user.password_hash == BCRYPT
    assert (found.user.sub, found.user.roles, found.user.is_disabled) == (None, [], False)
    assert found.user.claims == {
        "name": "Grace Hopper",
        "given_name": "Grace",
        "family_name": "Hopper",
        "preferred_username": "grace",
    }


def test_flags_become_roles_only_where_the_operator_says_so() -> None:
    assert record(django(is_staff=True)).user.roles == []
    found = record(django(is_staff=True), staff_role="staff", superuser_role="admin")
    assert found.user.roles == ["staff", "admin"]


def test_inactive_user_is_disabled_and_unusable_password_is_none() -> None:
    found = record(django(is_active=False, password="!abcdefgh"))
    assert found.user.is_disabled
    assert found.user.password_hash is None
    assert record(django(password="")).user.password_hash is None


def test_groups_are_roles_by_name_or_by_a_group_before_the_user() -> None:
    assert record(django(groups=[["editors"]])).user.roles == ["editors"]
    reader = RecordReader()
    assert reader.read(Row(1, {"model": "auth.group", "pk": 3, "fields": {"name": "editors"}})) is None
    found = reader.read(Row(2, django(groups=[3, 3])))
    assert isinstance(found, Record)
    assert found.user.roles == ["editors"]
    assert "group" in refusal(django(groups=[3]))
    assert "groups" in refusal(django(groups="editors"))


def test_model_is_detected_by_its_fields_or_given() -> None:
    reader = RecordReader()
    assert reader.read(Row(1, {"model": "sites.site", "pk": 1, "fields": {"domain": "x"}})) is None
    assert isinstance(reader.read(Row(2, django("accounts.member"))), Record)
    other = reader.read(Row(3, django("legacy.user")))
    assert isinstance(other, Refused)
    assert "--model" in other.reason
    given = RecordReader(model="Legacy.User")
    assert isinstance(given.read(Row(1, django("legacy.user"))), Record)
    assert "password" in refusal({"model": "a.b", "pk": 1, "fields": {"email": "a@b"}}, model="a.b")


def test_email_field_may_have_another_name_and_keys_may_be_text() -> None:
    fields = {"password": BCRYPT, "mail": "a@example.com", "full_name": "A B"}
    row = {"model": "accounts.user", "pk": "7d1c-uuid", "fields": fields}
    assert read(row) is None
    found = record(row, email_field="mail", keep_ids=True)
    assert (found.old_id, found.user.sub, found.user.claims) == ("7d1c-uuid", "7d1c-uuid", {"name": "A B"})


def test_fields_of_csv_are_text() -> None:
    found = record(
        {
            "email": "a@example.com",
            "password_hash": "",
            "id": "9",
            "sub": "user-9",
            "roles": "editor; admin;",
            "email_verified": "TRUE",
            "disabled": "0",
            "name": "",
            "tshirt": "L",
        },
        ignored=["tshirt"],
    )
    assert (found.old_id, found.user.sub, found.user.roles) == ("9", "user-9", ["editor", "admin"])
    assert (found.user.claims, found.user.is_disabled) == ({"email_verified": True}, False)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"email": None}, "no email address"),
        ({"email": "ada"}, "no valid email"),
        ({"email": "a@b@c"}, "no valid email"),
        ({"email": "a\0@example.com"}, "no valid email"),
        ({"email": "a" * 250 + "@example.com"}, "no valid email"),
        ({"email": ["a@example.com"]}, "no valid email"),
        ({"name": "a\u202eb"}, "no valid name"),
        ({"name": "x" * 201}, "no valid name"),
        ({"name": 5}, "no valid name"),
        ({"roles": ["a"] * 101}, "no valid roles"),
        ({"roles": {"a": 1}}, "no valid roles"),
        ({"sub": "with space"}, "no valid sub"),
        ({"sub": "x" * 256}, "no valid sub"),
        ({"sub": "é"}, "no valid sub"),
        ({"id": ["x"]}, "an id"),
        ({"id": True}, "an id"),
        ({"id": "x" * 201}, "an id"),
        ({"disabled": "perhaps"}, "no valid disabled"),
        ({"tshirt": "L"}, "unknown field 'tshirt'"),
        ({"password": "hunter2 hunter2"}, "plain passwords are not imported"),
        ({"password_hash": 5}, "no valid password_hash"),
        ({"password_hash": "hunter2 hunter2"}, "unknown kind"),
        ({"password_hash": "md5$salt$0cc175b9c0f1b6a831c399e269772661"}, "too weak"),
        ({"password_hash": "sha1$salt$86f7e437faa5a7fce15d1ddcb9eaea377667b8"}, "too weak"),
        ({"password_hash": "$2a$15$" + BCRYPT[7:]}, "takes too long"),
        ({"password_hash": "$2a$31$" + BCRYPT[7:]}, "far too long"),
        ({"password_hash": f"pbkdf2_sha256$3000001$seasalt${DIGEST}"}, "takes too long"),
        ({"password_hash": f"$argon2id$v=19$m=262145,t=1,p=1{ARGON2_END}"}, "takes too long"),
        ({"password_hash": f"$argon2id$v=19$m=131072,t=9,p=1{ARGON2_END}"}, "takes too long"),
        ({"password_hash": f"$argon2id$v=19$m=19456,t=2,p=99{ARGON2_END}"}, "takes too long"),
        ({"password_hash": "scrypt$1048576$salt$8$1$" + "A" * 86 + "=="}, "unknown kind"),
        ({"password_hash": "scrypt$16384$salt$8$5$AAAA"}, "malformed"),
        ({"password_hash": "$2a$05$short"}, "malformed"),
        ({"password_hash": BCRYPT + "x" * 1024}, "unknown kind"),
    ],
)
def test_reason_of_a_refusal_names_the_field_and_shows_no_value(changes: dict[str, Any], reason: str) -> None:
    shown = refusal({"email": "ada@example.com", "password_hash": BCRYPT} | changes)
    assert reason in shown
    for value in changes.values():
        if isinstance(value, str) and len(value) > 8:
            assert value not in shown


@pytest.mark.parametrize(
    "password_hash",
    [
        BCRYPT,
        "bcrypt$" + BCRYPT,
        f"pbkdf2_sha256$1200000$seasalt${DIGEST}",
        f"argon2$argon2id$v=19$m=102400,t=2,p=8{ARGON2_END}",
        "scrypt$16384$salt$8$5$" + "A" * 86 + "==",
    ],
)
def test_costs_of_current_systems_are_within_the_bounds(password_hash: str) -> None:
    assert record({"email": "a@example.com", "password_hash": password_hash}).user.password_hash == password_hash


@pytest.mark.parametrize(
    ("columns", "reason"),
    [(["name"], "email"), (["email", "pasword_hash"], "pasword_hash"), (["email", "password"], "plain passwords")],
)
def test_csv_header_with_a_typing_error_is_refused_as_a_whole(columns: list[str], reason: str) -> None:
    with pytest.raises(Unreadable, match=reason):
        check_columns(columns, [])
    check_columns(["email", "tshirt"], ["tshirt"])
