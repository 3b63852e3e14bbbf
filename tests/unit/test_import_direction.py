"""Imports go to lower layers only, the services do not import each other, and importing a module does nothing."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

from tallystick import jwt

ROOT = Path(__file__).parents[2]

AUTH_SERVICE = [
    ["__main__"],
    ["commands"],
    ["main"],
    ["middleware"],
    ["endpoints"],
    ["composition"],
    ["authorization", "grants", "registration", "configuration", "backchannel_logout", "user_import"],
    ["authentication", "tokens"],
    ["status_list", "clients"],
    ["keys", "telemetry"],
    ["limits", "pages", "outgoing"],
    ["store"],
    ["migrations", "settings"],
    ["http"],
    ["client_metadata"],
    ["vocabulary"],
]
"""From the top down. A package imports packages of lower rows only, and none of its own row except itself."""

RESOURCE_SERVICE = [
    ["__main__"],
    ["main"],
    ["endpoints"],
    ["openapi", "cross_origin"],
    ["problems"],
    ["store", "settings", "metrics"],
    ["migrations"],
]

TALLYSTICK = [
    ["drf"],
    ["django", "fastmcp"],
    ["mcp"],
    ["fastapi", "flask", "starlette", "client"],
    ["protected_api"],
    ["verifier"],
    ["token_decision"],
    ["remote", "access_token_request"],
    ["token_checker", "refusal_warnings", "legacy", "messages"],
    ["status_list"],
    ["jwt", "key_files"],
    ["errors", "jwk"],
    ["base64url", "claims", "clock", "refusal_reasons", "request_id", "scope", "strict_json", "urls"],
]
"""The library that an API imports to verify access tokens."""

TALLYSTICK_SERVICE = [
    ["server"],
    ["metrics"],
    ["asgi", "tasks"],
    ["settings"],
    ["store"],
    ["urls"],
]
"""The library that the services share."""


PACKAGES = ("auth_service", "resource_service", "tallystick", "tallystick_service")


def modules(package: str) -> dict[str, Path]:
    """Every module of a package, by its dotted name."""
    base = ROOT / "shared" if package in ("tallystick", "tallystick_service") else ROOT
    found = {}
    for file in (base / package).rglob("*.py"):
        parts = file.relative_to(base).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = file
    assert found
    return found


def imports(file: Path) -> Iterator[str]:
    """Every import in the file, at any level. `from a import b` is `a.b`."""
    for node in ast.walk(ast.parse(file.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file} imports relatively"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def is_within(name: str, package: str) -> bool:
    return name == package or name.startswith(f"{package}.")


@pytest.mark.parametrize(
    ("package", "layers"),
    [
        ("auth_service", AUTH_SERVICE),
        ("resource_service", RESOURCE_SERVICE),
        ("tallystick", TALLYSTICK),
        ("tallystick_service", TALLYSTICK_SERVICE),
    ],
)
def test_imports_go_to_lower_layers_only(package: str, layers: list[list[str]]) -> None:
    depth = {f"{package}.{part}": level for level, layer in enumerate(layers) for part in layer}
    for module, file in modules(package).items():
        own = next((part for part in depth if is_within(module, part)), None)
        if own is None:
            assert module == package, f"{module} is in no row"
            continue
        for name in imports(file):
            part = next((part for part in depth if is_within(name, part)), own)
            assert part == own or depth[part] > depth[own], f"{module} imports {name}"


def test_there_are_no_cycles() -> None:
    known = {name: file for package in PACKAGES for name, file in modules(package).items()}

    def imported(file: Path) -> Iterator[str]:
        for name in imports(file):
            yield from {name, name.rpartition(".")[0]} & known.keys()

    TopologicalSorter({module: set(imported(file)) - {module} for module, file in known.items()}).prepare()


@pytest.mark.parametrize(
    ("importer", "others"),
    [
        ("resource_service", ["auth_service", "examples", "tests"]),
        ("auth_service", ["resource_service", "examples", "tests"]),
        ("tallystick", ["tallystick_service", "auth_service", "resource_service", "examples", "tests"]),
        ("tallystick_service", ["auth_service", "resource_service", "examples", "tests"]),
        ("examples", ["auth_service", "resource_service", "tests"]),
        ("bench", ["tests"]),
        ("deploy", ["tests", "bench"]),
    ],
)
def test_packages_do_not_import_packages_that_must_stay_separate(importer: str, others: list[str]) -> None:
    for module, file in modules(importer).items():
        for name in imports(file):
            assert not any(is_within(name, other) for other in others), f"{module} imports {name}"


@pytest.mark.parametrize(
    ("library", "allowed"),
    [
        ("jwt", ["tallystick.jwt"]),
        (
            "sqlalchemy",
            [
                *("auth_service.store", "auth_service.migrations"),
                *("resource_service.store", "resource_service.migrations", "tallystick_service.store"),
            ],
        ),
        ("prometheus_client", ["tallystick_service.metrics"]),
        (
            "passlib",
            ["auth_service.authentication.users.passwords", "auth_service.authentication.users.django_scrypt"],
        ),
        ("jinja2", ["auth_service.pages", "examples.web_app.pages"]),
    ],
)
def test_a_library_is_imported_only_where_it_is_allowed(library: str, allowed: list[str]) -> None:
    for package in (*PACKAGES, "examples"):
        for module, file in modules(package).items():
            if any(is_within(name, library) for name in imports(file)):
                assert any(is_within(module, part) for part in allowed), f"{module} imports {library}"


ADAPTERS = {
    "tallystick.django": {"django", "asgiref"},
    "tallystick.drf.spectacular": {"drf_spectacular"},
    "tallystick.drf": {"django", "rest_framework"},
    "tallystick.fastapi": {"fastapi", "starlette"},
    "tallystick.fastmcp": {"fastmcp", "starlette"},
    "tallystick.flask": {"flask"},
    "tallystick.mcp": {"mcp", "starlette"},
    "tallystick.starlette": {"starlette"},
}
"""The packages that an adapter imports, besides those of the library: its framework."""


def adapter_of(module: str) -> str | None:
    return next((adapter for adapter in ADAPTERS if is_within(module, adapter)), None)


def test_the_library_imports_its_three_dependencies_and_frameworks_in_their_adapters_only() -> None:
    for module, file in modules("tallystick").items():
        frameworks = ADAPTERS.get(adapter_of(module) or "", set())
        allowed = {"tallystick", "jwt", "cryptography", "pydantic", "httpx", *frameworks}
        for name in imports(file):
            root = name.partition(".")[0]
            assert root in allowed or root in sys.stdlib_module_names, f"{module} imports {name}"


def test_only_remote_client_and_the_adapters_do_io() -> None:
    doing_io = ("tallystick.remote", "tallystick.client")
    for module, file in modules("tallystick").items():
        if adapter_of(module) is None and not any(is_within(module, part) for part in doing_io):
            names = {name.partition(".")[0] for name in imports(file)}
            assert names.isdisjoint({"asyncio", "httpx", "socket", "ssl"}), module


def test_shared_secrets_are_for_messages_and_legacy_issuers_only() -> None:
    """Each party that verifies an HMAC can make one, so no other token may be signed with it (RFC 8725 §3.2)."""
    allowed = {"tallystick.jwk", "tallystick.jwt", "tallystick.legacy", "tallystick.messages"}
    for package in PACKAGES:
        for module, file in modules(package).items():
            assert module in allowed or "SharedSecret" not in file.read_text("utf-8"), module
    hmac = {name for name, value in vars(jwt).items() if isinstance(value, jwt.Profile) and "HS256" in value.algorithms}
    assert hmac == {"MESSAGE"}


def test_nothing_is_imported_for_type_checkers_only() -> None:
    for package in (*PACKAGES, "examples", "tests"):
        for module, file in modules(package).items():
            if module != __name__:
                assert "TYPE_CHECKING" not in file.read_text("utf-8"), module


def test_importing_a_module_does_nothing(tmp_path: Path) -> None:
    names = [name for package in PACKAGES for name in modules(package)]
    program = f"""
import importlib, logging, os, signal, socket, sys, threading
sys.dont_write_bytecode = True
def refuse(event, arguments):
    if event in ("socket.bind", "socket.connect", "subprocess.Popen", "os.mkdir", "os.remove", "sqlite3.connect"):
        raise AssertionError(event)
sys.addaudithook(refuse)
def configure_django():  # its models need it, and it sets TZ
    import django
    from django.conf import settings
    apps = ["auth", "contenttypes"]
    installed = [*(f"django.contrib.{{app}}" for app in apps), "tallystick.django.users"]
    settings.configure(INSTALLED_APPS=installed, USE_TZ=True)
    django.setup()
configure_django()
before = dict(os.environ)
for name in {names!r}:
    importlib.import_module(name)
assert os.environ == before
assert threading.active_count() == 1, threading.enumerate()
assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
assert not logging.getLogger().handlers
"""
    search = {"PYTHONPATH": f"{ROOT}:{ROOT / 'shared'}"}
    done = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, env=search, capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert not list(tmp_path.iterdir())
