"""What is in deploy/ is what its readers take: Kubernetes' schemas, compose files, Procfiles."""

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from common.cli import main
from common.service import services

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
MANIFESTS = sorted((DEPLOY / "kubernetes").glob("*.yaml"))
RELEASES = ("1.29", "1.37")


def documents(path: Path) -> list[dict[str, Any]]:
    """Its objects; those of a List are said with what they have in common only once."""
    said = [each for each in yaml.safe_load_all(path.read_text()) if each]
    return [each for one in said for each in (one["items"] if one["kind"] == "List" else [one])]


def kinds() -> set[tuple[str, ...]]:
    """Every process there is, as the command says it."""
    found = {(s.name, kind) for s in services() for kind in s.group().commands}
    return found | {("schedule",)}


def exists(command: list[str]) -> bool:
    group: Any = main
    for word in command:
        group = getattr(group, "commands", {}).get(word)
    return group is not None


@pytest.mark.parametrize("release", RELEASES)
@pytest.mark.parametrize("path", MANIFESTS, ids=lambda path: path.stem)
def test_kubernetes_takes_every_manifest(path: Path, release: str) -> None:
    for document in documents(path):
        kubernetes_validate.validate(document, release, strict=True)


def test_kubernetes_runs_every_process_with_probes_and_no_rights() -> None:
    deployed = [d for path in MANIFESTS for d in documents(path) if d["kind"] == "Deployment"]
    pods = [each["spec"]["template"]["spec"] for each in deployed]

    assert {tuple(pod["containers"][0]["args"]) for pod in pods} == kinds()
    for pod in pods:
        [container] = pod["containers"]
        assert pod["securityContext"]["runAsNonRoot"]
        assert container["securityContext"]["readOnlyRootFilesystem"]
        assert container["args"] == ["schedule"] or container["livenessProbe"]
        assert ("readinessProbe" in container) == (container["args"][-1] == "web")


def test_every_budget_and_scaler_is_of_a_deployment() -> None:
    all_of = [document for path in MANIFESTS for document in documents(path)]
    labels = [d["spec"]["selector"]["matchLabels"] for d in all_of if d["kind"] == "Deployment"]
    names = [d["metadata"]["name"] for d in all_of if d["kind"] == "Deployment"]

    for document in all_of:
        if document["kind"] == "PodDisruptionBudget":
            assert document["spec"]["selector"]["matchLabels"] in labels
        if document["kind"] == "HorizontalPodAutoscaler":
            assert document["spec"]["scaleTargetRef"]["name"] in names


@pytest.mark.parametrize("name", ["one-host", "several"])
def test_compose_runs_every_process_on_what_is_named(name: str) -> None:
    parts = yaml.safe_load((DEPLOY / f"compose.{name}.yml").read_text())["services"]
    ours = {key: part for key, part in parts.items() if part.get("image") == "task-exchange"}
    known = (DEPLOY / "env.example").read_text()
    text = (DEPLOY / f"compose.{name}.yml").read_text()

    assert {tuple(part["command"]) for part in ours.values()} == kinds() | {("migrate",)}
    assert all(part["read_only"] and part["cap_drop"] == ["ALL"] for part in ours.values())
    for variable in set(re.findall(r"\$\{(\w+)\}", text)):
        assert f"\n{variable}=" in known
    for host in re.findall(r"[@,]([\w-]+):\d+", text):
        assert host in parts
    for part in parts.values():
        assert set(part.get("depends_on", ())) <= set(parts)


@pytest.mark.parametrize("path", sorted((ROOT / "procfiles").iterdir()), ids=lambda path: path.name)
def test_every_line_of_a_procfile_is_a_process(path: Path) -> None:
    for line in path.read_text().splitlines():
        name, _, command = line.partition(": exchange ")
        assert exists(command.split())
        assert name == command.replace(" ", "-")


def test_the_roles_of_hosts_run_everything_together() -> None:
    roles = [ROOT / "procfiles" / name for name in ("host-web", "host-work")]
    lines = [line for path in roles for line in path.read_text().splitlines()]

    assert sorted(lines) == sorted((ROOT / "procfiles" / "dev").read_text().splitlines())


@pytest.mark.parametrize("path", sorted(DEPLOY.rglob("*.sh")), ids=lambda path: path.name)
def test_every_script_is_one(path: Path) -> None:
    shell = path.read_text().partition("\n")[0].rpartition("/")[2]

    subprocess.run([shell, "-n", path], check=True)


def test_the_dashboard_is_one_grafana_reads() -> None:
    board = json.loads((DEPLOY / "grafana" / "exchange.json").read_text())

    assert len({panel["id"] for panel in board["panels"]}) == len(board["panels"])
    assert all(target["expr"] for panel in board["panels"] for target in panel["targets"])
