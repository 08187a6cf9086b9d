"""Every module of benchmarks is a command that says what it is, or serves one."""

import pkgutil
import sys
from importlib import import_module

import pytest

from groupshot import benchmarks

NAMES = [module.name for module in pkgutil.iter_modules(benchmarks.__path__)]


@pytest.mark.parametrize("name", NAMES)
def test_its_help_names_its_command(name, monkeypatch, capsys):
    module = import_module(f"groupshot.benchmarks.{name}")
    if not hasattr(module, "main"):
        assert "python -m" not in (module.__doc__ or "")
        return
    monkeypatch.setattr(sys, "argv", [name, "--help"])
    with pytest.raises(SystemExit, match="0"):
        module.main()
    told = " ".join(capsys.readouterr().out.split())
    assert f"python -m groupshot.benchmarks.{name}" in told
