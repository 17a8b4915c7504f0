"""The recipes for Windows, macOS and the server that builds: they were never run, so what can be read of them is."""

import importlib.util
import plistlib
import re
import subprocess
from pathlib import PureWindowsPath
from xml.etree import ElementTree

import pytest
import yaml  # here through huggingface_hub

from app import DESKTOP_ID, __version__
from tests.dev_scripts import ROOT

WINDOWS, MACOS = ROOT / "packaging/windows", ROOT / "packaging/macos"
WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yml"))
MADE = "dist/Kotae/"  # by packaging/bundle.py


# --- Windows --------------------------------------------------------------------------------------------------


def installer():
    """The sections of the script for Inno Setup: their lines without comments."""
    sections, name = {}, ""
    for line in (WINDOWS / "kotae.iss").read_text(encoding="utf-8-sig").splitlines():
        if line.startswith("["):
            name = line.strip("[]")
        elif line.strip() and not line.startswith((";", "#")):
            sections.setdefault(name, []).append(line)
    return sections


def settings():
    return dict(line.split("=", 1) for line in installer()["Setup"])


def values(section, key):
    return [found[1] for line in installer()[section] if (found := re.search(rf'\b{key}: "([^"]*)"', line))]


def test_the_installer_has_its_sections_and_its_mark_of_utf8():
    assert {"Setup", "Languages", "CustomMessages", "Files", "Icons", "Run", "InstallDelete"} <= set(installer())
    assert (WINDOWS / "kotae.iss").read_bytes()[:3] == b"\xef\xbb\xbf"


def test_the_installer_needs_no_administrator_and_sees_a_running_kotae():
    found = settings()
    assert found["PrivilegesRequired"] == "lowest"
    assert found["AppMutex"] == DESKTOP_ID
    assert found["CloseApplications"] == "yes"
    assert found["AppVersion"] == "{#Version}"
    assert re.fullmatch(r"\{\{[0-9A-F-]{36}\}", found["AppId"])


def test_every_file_of_the_installer_exists_or_is_made():
    for name in values("Files", "Source"):
        path = PureWindowsPath(name).as_posix()
        assert path.startswith(MADE) or (ROOT / path).exists(), name
    programs = {PureWindowsPath(name).name for name in values("Icons", "Filename") + values("Run", "Filename")}
    assert programs == {"Kotae.exe"}
    assert 'program("Kotae"' in (ROOT / "packaging/kotae.spec").read_text(encoding="utf-8")


def test_the_installer_deletes_nothing_of_the_users():
    assert values("InstallDelete", "Name") == [r"{app}\_internal"]
    assert "UninstallDelete" not in installer()
    assert settings()["DefaultDirName"] == r"{autopf}\Kotae"  # with its own rights: %LOCALAPPDATA%\Programs


def test_the_installer_speaks_both_languages():
    assert values("Languages", "Name") == ["en", "ja"]
    words = [line.partition("=")[0].split(".") for line in installer()["CustomMessages"]]
    assert sorted(name for language, name in words if language == "ja") == sorted(
        name for language, name in words if language == "en"
    )


def test_the_programs_take_long_paths_and_names_in_utf8():
    root = ElementTree.parse(WINDOWS / "kotae.manifest").getroot()
    found = {element.tag.rpartition("}")[2]: element.text for element in root.iter()}
    assert found["longPathAware"] == "true"
    assert found["activeCodePage"] == "UTF-8"


def test_the_script_for_windows_is_whole():
    """Its words only: quotes, braces, and what it names. It was never run."""
    text = (WINDOWS / "build.ps1").read_bytes().decode("ascii")  # PowerShell 5 would read anything else wrongly
    code = "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("#"))
    plain = re.sub(r"'[^']*'|\"(?:`.|[^\"`])*\"", "''", code)
    for opened, closed in ("{}", "()", "[]"):
        assert plain.count(opened) == plain.count(closed)
    assert not set(plain) & set('"`')
    for script in re.findall(r"packaging\\[\w\\]+\.\w+", code):
        assert (ROOT / PureWindowsPath(script).as_posix()).exists(), script
    assert {"/DVersion", "/DIcon", "/DSign"} <= set(re.findall(r"/D\w+", code))
    assert text.count("NEVER RUN") == 1


# --- macOS ----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def bundle_info():
    spec = importlib.util.spec_from_file_location("bundle_info", MACOS / "bundle_info.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_macos_is_told_the_version_and_both_languages(bundle_info):
    found = plistlib.loads(plistlib.dumps(bundle_info.INFO))
    assert found["CFBundleShortVersionString"] == __version__
    assert found["CFBundleIdentifier"] == bundle_info.IDENTIFIER == DESKTOP_ID
    assert found["CFBundleLocalizations"] == ["ja", "en"]
    assert found["NSHighResolutionCapable"] is True
    assert found["LSBackgroundOnly"] is False  # else it would have no window: PyInstaller says so for a console
    assert f"MACOSX_DEPLOYMENT_TARGET={found['LSMinimumSystemVersion']}\n" in (MACOS / "build.sh").read_text("utf-8")


def test_every_reason_of_macos_is_given_in_both_languages(bundle_info, tmp_path):
    files = bundle_info.write_localisations(tmp_path)
    assert [file.parent.name for file in files] == ["ja.lproj", "en.lproj"]
    found = [dict(re.findall(r'^"(\w+)" = "([^"\\]+)";$', file.read_text("utf-8"), re.MULTILINE)) for file in files]
    assert set(found[0]) == set(found[1])
    assert {key for key in found[0] if key.endswith("UsageDescription")} == {
        key for key in bundle_info.INFO if key.endswith("UsageDescription")
    }
    assert "ダウンロードフォルダ" in found[0]["NSDownloadsFolderUsageDescription"]


def test_the_entitlements_allow_callbacks_and_nothing_else():
    found = plistlib.loads((MACOS / "entitlements.plist").read_bytes())
    assert found == {"com.apple.security.cs.allow-unsigned-executable-memory": True}


def test_the_script_for_macos_is_read_by_the_shell():
    assert subprocess.run(["sh", "-n", MACOS / "build.sh"], check=False).returncode == 0
    text = (MACOS / "build.sh").read_text(encoding="utf-8")
    for path in re.findall(r"packaging/[\w/]+\.\w+", text):
        assert (ROOT / path).exists(), path
    assert text.count("NEVER RUN") == 1
    assert "codesign --deep" not in text  # which would give every part the same entitlements


# --- the server that builds -----------------------------------------------------------------------------------


@pytest.mark.parametrize("file", WORKFLOWS, ids=lambda file: file.name)
def test_a_workflow_may_only_read_and_takes_exact_versions(file):
    text = file.read_text(encoding="utf-8")
    found = yaml.safe_load(text)
    assert found["permissions"] == {"contents": "read"}
    assert "secrets." not in text
    assert "Never run so far" in text
    for job in found["jobs"].values():
        assert job["timeout-minutes"] <= 120
        assert "permissions" not in job
        for step in job["steps"]:
            if "uses" in step:
                assert re.fullmatch(r"actions/[\w-]+@v\d+\.\d+\.\d+", step["uses"])
    for path in re.findall(r"packaging[/\\][\w/\\]+\.\w+", text):
        assert (ROOT / PureWindowsPath(path).as_posix()).exists(), path


def test_all_three_systems_are_built_and_what_is_made_is_kept():
    assert [file.name for file in WORKFLOWS] == ["bundle.yml", "check.yml"]
    jobs = yaml.safe_load(WORKFLOWS[0].read_text(encoding="utf-8"))["jobs"]
    assert set(jobs) == {"linux", "windows", "macos"}
    assert {machine["machine"] for machine in jobs["macos"]["strategy"]["matrix"]["include"]} == {"arm64", "x86_64"}
    for job in jobs.values():
        assert job["steps"][-1]["uses"].startswith("actions/upload-artifact@")
        assert job["steps"][-1]["with"]["if-no-files-found"] == "error"
