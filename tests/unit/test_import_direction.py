"""Imports point down only, the halves stay apart, and importing a module does nothing."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

AUTH_SERVICE = [
    ["__main__"],
    ["commands"],
    ["main"],
    ["refused", "cors"],
    ["refusal_hints"],
    ["endpoints"],
    ["provider"],
    [
        "authorization",
        "grants",
        "registration",
        "config_file",
        "config_warnings",
        "logout_delivery",
        "status_list_publishing",
    ],
    ["refusal_log"],
    ["authentication", "tokens"],
    ["registry", "logos"],
    ["store", "pages"],
    ["migrations"],
    ["outgoing"],
    ["raster_images"],
    ["settings"],
    ["declared"],
    ["client_metadata"],
    [
        *("acr", "client_jwks", "client_names", "form", "metrics", "oidc_scopes", "password_costs", "sealing"),
        *("steady_clock", "uris"),
    ],
]
"""From the top down. What stands in one line does not import its neighbours."""

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
    ["fastapi"],
    ["bearer", "followed"],
    ["verifier"],
    ["issuer", "status_check"],
    ["status_lists"],
    ["followed_list", "status_file"],
    ["key_set", "status_list"],
    ["jwt", "issuer_metadata", "shared_fetch", "last_known_file"],
    ["issuer_http"],
    ["jwk"],
    ["errors", "refusal_warnings"],
    ["base64url", "claims", "clock", "refusal_reasons", "request_facts", "request_id", "scope", "strict_json", "urls"],
]
"""What an API needs to verify a token. `asgi`, `metrics`, `server` and `store` are for whole services."""


def modules(package: str) -> dict[str, Path]:
    """Every module of a package, by its dotted name."""
    base = ROOT / "shared" if package == "tallystick" else ROOT
    found = {}
    for file in (base / package).rglob("*.py"):
        parts = file.relative_to(base).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = file
    assert found
    return found


def imports(file: Path) -> Iterator[str]:
    """Whatever is imported, anywhere in the file. `from a import b` is `a.b`."""
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
    [("auth_service", AUTH_SERVICE), ("resource_service", RESOURCE_SERVICE), ("tallystick", TALLYSTICK)],
)
def test_imports_point_down_only(package: str, layers: list[list[str]]) -> None:
    depth = {f"{package}.{part}": level for level, layer in enumerate(layers) for part in layer}
    for module, file in modules(package).items():
        own = next((part for part in depth if is_within(module, part)), None)
        if own is None:
            assert package == "tallystick" or module == package, f"{module} stands in no layer"
            continue
        for name in imports(file):
            part = next((part for part in depth if is_within(name, part)), own)
            assert part == own or depth[part] > depth[own], f"{module} imports {name}"


def test_there_are_no_cycles() -> None:
    known = {**modules("auth_service"), **modules("resource_service"), **modules("tallystick")}

    def imported(file: Path) -> Iterator[str]:
        for name in imports(file):
            yield from {name, name.rpartition(".")[0]} & known.keys()

    TopologicalSorter({module: set(imported(file)) - {module} for module, file in known.items()}).prepare()


@pytest.mark.parametrize(
    ("importer", "others"),
    [
        ("resource_service", ["auth_service", "examples", "tests"]),
        ("auth_service", ["resource_service", "examples", "tests"]),
        ("tallystick", ["auth_service", "resource_service", "examples", "tests"]),
        ("examples", ["auth_service", "resource_service", "tests"]),
    ],
)
def test_the_halves_never_meet(importer: str, others: list[str]) -> None:
    for module, file in modules(importer).items():
        for name in imports(file):
            assert not any(is_within(name, other) for other in others), f"{module} imports {name}"


@pytest.mark.parametrize(
    ("library", "homes"),
    [
        ("jwt", ["tallystick.jwt"]),
        (
            "sqlalchemy",
            [
                *("auth_service.store", "auth_service.migrations"),
                *("resource_service.store", "resource_service.migrations", "tallystick.store"),
            ],
        ),
        ("prometheus_client", ["tallystick.metrics"]),
        ("passlib", ["auth_service.authentication.passwords"]),
        ("jinja2", ["auth_service.pages", "examples.web_app.pages"]),
    ],
)
def test_a_library_has_one_home(library: str, homes: list[str]) -> None:
    for package in ("auth_service", "resource_service", "tallystick", "examples"):
        for module, file in modules(package).items():
            if any(is_within(name, library) for name in imports(file)):
                assert any(is_within(module, home) for home in homes), f"{module} imports {library}"


def test_the_half_that_every_api_imports_needs_no_framework_and_no_database() -> None:
    for module, file in modules("tallystick").items():
        if any(is_within(module, f"tallystick.{part}") for part in ("fastapi", "asgi", "server", "store")):
            continue
        for name in imports(file):
            assert name.partition(".")[0] not in ("fastapi", "starlette", "uvicorn", "sqlalchemy"), f"{module}: {name}"


def test_nothing_is_imported_for_type_checkers_alone() -> None:
    for package in ("auth_service", "resource_service", "tallystick", "examples", "tests"):
        for module, file in modules(package).items():
            if module != __name__:
                assert "TYPE_CHECKING" not in file.read_text("utf-8"), module


def test_importing_a_module_does_nothing(tmp_path: Path) -> None:
    names = [name for package in ("auth_service", "resource_service", "tallystick") for name in modules(package)]
    program = f"""
import importlib, logging, os, signal, socket, sys, threading
sys.dont_write_bytecode = True
def refuse(event, arguments):
    if event in ("socket.bind", "socket.connect", "subprocess.Popen", "os.mkdir", "os.remove", "sqlite3.connect"):
        raise AssertionError(event)
sys.addaudithook(refuse)
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
