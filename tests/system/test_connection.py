# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which cluster, as whom, and for how long: the ways into a cluster, tried with a module that only reads."""

from __future__ import annotations

import json
import stat
import sys
import time
import typing as t
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from fake_servers import Answer, answering, silent
from harness import Modules, Outcome, run_playbook

from lab import objects
from lab.control_plane import ControlPlane
from lab.environment import scrubbed_env
from lab.ports import free_port
from lab.question import arrange_question

Json = dict[str, t.Any]

FIRST_ERROR_SECONDS = 10.0
READS = [
    objects.rule(["get"], ["namespaces", "services", "configmaps", "endpoints"]),
    objects.rule(["list"], ["nodes", "services", "pods"]),
    objects.rule(["list"], ["endpointslices"], "discovery.k8s.io"),
    objects.rule(["list"], ["daemonsets"], "apps"),
]
OK_BODY = b'{"kind": "Namespace", "metadata": {"name": "kube-system", "uid": "1", "resourceVersion": "1"}}'
VERSION_BODY = b'{"gitVersion": "v1.36.3"}'
NO_NODES = b'{"kind": "NodeList", "apiVersion": "v1", "metadata": {"resourceVersion": "1"%s}, "items": %s}'


@pytest.fixture(scope="module")
def question(plane_of_our_own: ControlPlane) -> ControlPlane:
    arrange_question(plane_of_our_own)
    return plane_of_our_own


@pytest.fixture(scope="module")
def plane_of_our_own() -> Iterator[ControlPlane]:
    with ControlPlane() as plane:
        yield plane


@pytest.fixture(scope="module")
def reader_token(question: ControlPlane) -> str:
    """A bearer token that may read what the module reads."""
    question.grant("system:serviceaccount:default:reader", READS)
    return question.token("reader")


@pytest.fixture
def home(tmp_path: Path) -> Path:
    folder = tmp_path / "home"
    folder.mkdir()
    return folder


def ask(options: Json | None = None, /, *, home: Path, **environment: str) -> Outcome:
    """Run the module with these options and variables, and no other way to a cluster."""
    return Modules(None, {"HOME": str(home), **environment}).run("cluster_network_info", options)


def write(folder: Path, text: str, name: str = "config") -> str:
    path = folder / name
    path.write_text(text)
    return str(path)


def edited(question: ControlPlane, folder: Path, **cluster: t.Any) -> str:
    """The admin's kubeconfig with other fields of its cluster; None takes a field away."""
    config = yaml.safe_load(question.kubeconfig.read_text())
    fields = {**config["clusters"][0]["cluster"], **cluster}
    config["clusters"][0]["cluster"] = {key: value for key, value in fields.items() if value is not None}
    return write(folder, yaml.safe_dump(config))


class TestKubeconfig:
    def test_none_at_all(self, home: Path) -> None:
        failure = ask(home=home).failure
        assert failure["code"] == "unusable_kubeconfig"
        assert "kubeconfig" in failure["next_step"]

    @pytest.mark.parametrize("text", ["", "{", "just text", "clusters: 7", "apiVersion: v1\nkind: Config\n"])
    def test_one_that_is_none(self, home: Path, text: str) -> None:
        path = write(home, text)
        failure = ask({"kubeconfig": path}, home=home).failure
        assert failure["code"] == "unusable_kubeconfig"
        assert path in failure["what"]

    def test_a_broken_one_does_not_show_its_token(self, home: Path) -> None:
        path = write(home, "users: [{user: {token: very-secret-token}}\n  }]")
        outcome = ask({"kubeconfig": path}, home=home)
        assert outcome.failure["code"] == "unusable_kubeconfig"
        assert "very-secret-token" not in outcome.output

    def test_one_that_is_not_there(self, home: Path) -> None:
        failure = ask({"kubeconfig": str(home / "nowhere")}, home=home).failure
        assert failure["code"] == "unusable_kubeconfig"
        assert "nowhere" in failure["what"]

    def test_an_unknown_context(self, question: ControlPlane, home: Path) -> None:
        options = {"kubeconfig": str(question.kubeconfig), "context": "elsewhere"}
        failure = ask(options, home=home).failure
        assert failure["code"] == "unusable_kubeconfig"
        assert "elsewhere" in failure["what"]

    def test_the_option_the_variable_and_the_default_file_lead_in(self, question: ControlPlane, home: Path) -> None:
        path = str(question.kubeconfig)
        for options, environment in (
            ({"kubeconfig": path, "context": "lab"}, {}),
            ({}, {"K8S_AUTH_KUBECONFIG": path}),
            ({}, {"KUBECONFIG": path}),
        ):
            found = ask(options, home=home, **environment)
            assert found["cluster"]["uid"] == question.kube_system_uid
        (home / ".kube").mkdir()
        write(home / ".kube", question.kubeconfig.read_text())
        assert ask(home=home)["cluster"]["uid"] == question.kube_system_uid

    def test_an_exec_plugin_gives_the_token(self, question: ControlPlane, home: Path, reader_token: str) -> None:
        credential = {
            "apiVersion": "client.authentication.k8s.io/v1",
            "kind": "ExecCredential",
            "status": {"token": reader_token},
        }
        plugin = Path(write(home, f"#!{sys.executable}\nprint('''{json.dumps(credential)}''')\n", "plugin"))
        plugin.chmod(stat.S_IRWXU)
        config = yaml.safe_load(question.kubeconfig.read_text())
        spec = {"apiVersion": credential["apiVersion"], "command": str(plugin), "interactiveMode": "Never"}
        config["users"][0]["user"] = {"exec": spec}
        found = ask({"kubeconfig": write(home, yaml.safe_dump(config))}, home=home)
        assert found["cluster"]["uid"] == question.kube_system_uid

    def test_a_failing_exec_plugin_is_an_error(self, question: ControlPlane, home: Path) -> None:
        config = yaml.safe_load(question.kubeconfig.read_text())
        spec = {
            "apiVersion": "client.authentication.k8s.io/v1",
            "command": "/nowhere/plugin",
            "interactiveMode": "Never",
        }
        config["users"][0]["user"] = {"exec": spec}
        outcome = ask({"kubeconfig": write(home, yaml.safe_dump(config))}, home=home)
        assert outcome.failure["code"] in ("unusable_kubeconfig", "api_unauthorized", "api_forbidden")
        assert "Traceback" not in outcome.output


class TestContradictions:
    @pytest.mark.parametrize(
        ("options", "environment", "named"),
        [
            ({"kubeconfig": "/a"}, {"K8S_AUTH_KUBECONFIG": "/b"}, "K8S_AUTH_KUBECONFIG"),
            ({"kubeconfig": "/a"}, {"K8S_AUTH_HOST": "https://h", "K8S_AUTH_API_KEY": "some-token"}, "K8S_AUTH_HOST"),
        ],
    )
    def test_they_are_named_and_nothing_is_asked(
        self, home: Path, options: Json, environment: dict[str, str], named: str
    ) -> None:
        failure = ask(options, home=home, **environment).failure
        assert failure["code"] == "contradicting_auth"
        assert named in failure["why"]


class TestTls:
    def test_the_environment_cannot_switch_it_off(self, question: ControlPlane, home: Path) -> None:
        environment = {"K8S_AUTH_KUBECONFIG": str(question.kubeconfig), "K8S_AUTH_VERIFY_SSL": "False"}
        failure = ask(home=home, **environment).failure
        assert failure["code"] == "tls_verification_off"
        assert "K8S_AUTH_VERIFY_SSL" in failure["why"]
        for word in (True, False):
            assert not ask({"validate_certs": word}, home=home, **environment).failed

    def test_the_kubeconfig_cannot_either(self, question: ControlPlane, home: Path) -> None:
        fields = {"insecure-skip-tls-verify": True, "certificate-authority-data": None}
        path = edited(question, home, **fields)
        failure = ask({"kubeconfig": path}, home=home).failure
        assert failure["code"] == "tls_verification_off"
        assert "insecure-skip-tls-verify" in failure["why"]
        assert not ask({"kubeconfig": path, "validate_certs": False}, home=home).failed

    def test_plain_http_is_refused(self, home: Path) -> None:
        failure = ask({"host": "http://127.0.0.1:8080", "api_key": "some-token"}, home=home).failure
        assert failure["code"] == "tls_verification_off"

    def test_another_authority_is_an_error(self, question: ControlPlane, home: Path, tmp_path: Path) -> None:
        with answering(tmp_path, (200, {}, OK_BODY)) as fake:
            stranger = yaml.safe_load(fake.kubeconfig.read_text())["clusters"][0]["cluster"]
        path = edited(question, home, **{"certificate-authority-data": stranger["certificate-authority-data"]})
        failure = ask({"kubeconfig": path}, home=home).failure
        assert failure["code"] == "api_tls"
        assert "ca_cert" in failure["next_step"]


class TestReach:
    """The first error comes within ten seconds, with the default time-outs."""

    def timed(self, options: Json, home: Path) -> tuple[Json, float]:
        started = time.monotonic()
        failure = ask(options, home=home).failure
        return failure, time.monotonic() - started

    def test_a_closed_port(self, home: Path) -> None:
        host = f"https://127.0.0.1:{free_port(['127.0.0.1'])}"
        failure, seconds = self.timed({"host": host, "api_key": "some-token"}, home)
        assert failure["code"] == "api_unreachable"
        assert host in failure["what"]
        assert seconds < FIRST_ERROR_SECONDS

    @pytest.mark.parametrize("handshake", [False, True])
    def test_a_server_that_hangs(self, home: Path, tmp_path: Path, handshake: bool) -> None:
        with silent(handshake=handshake, folder=tmp_path) as server:
            failure, seconds = self.timed({"kubeconfig": str(server.kubeconfig)}, home)
        assert failure["code"] == "api_timeout"
        assert seconds < FIRST_ERROR_SECONDS

    def test_a_shorter_time_out_is_obeyed(self, home: Path, tmp_path: Path) -> None:
        options = {"connect_timeout": 0.5, "request_timeout": 0.5}
        with silent(handshake=True, folder=tmp_path) as server:
            failure, seconds = self.timed({"kubeconfig": str(server.kubeconfig), **options}, home)
        assert failure["code"] == "api_timeout"
        assert seconds < FIRST_ERROR_SECONDS - 4

    @pytest.mark.parametrize("option", ["connect_timeout", "request_timeout"])
    def test_a_time_out_of_nothing_is_an_error(self, question: ControlPlane, home: Path, option: str) -> None:
        failure = ask({"kubeconfig": str(question.kubeconfig), option: 0}, home=home).failure
        assert (failure["code"], option in failure["what"]) == ("invalid_option", True)

    def test_a_proxy_that_is_not_there(self, question: ControlPlane, home: Path) -> None:
        proxy = f"http://127.0.0.1:{free_port(['127.0.0.1'])}"
        failure = ask({"kubeconfig": str(question.kubeconfig), "proxy": proxy}, home=home).failure
        assert failure["code"] == "api_unreachable"
        around = {"proxy": proxy, "no_proxy": "127.0.0.1"}
        assert not ask({"kubeconfig": str(question.kubeconfig), **around}, home=home).failed

    def test_something_else_than_kubernetes(self, home: Path, tmp_path: Path) -> None:
        with answering(tmp_path, (200, {"Content-Type": "text/html"}, b"<html>Log in</html>")) as fake:
            failure = ask({"kubeconfig": str(fake.kubeconfig)}, home=home).failure
        assert failure["code"] == "api_not_kubernetes"

    @pytest.mark.parametrize(
        "lost",
        [
            b"",
            b"{}",
            b'{"kind": "Status", "status": "Success"}',
            b'{"kind": "NodeList", "metadata": {"resourceVersion": "1"}}',
            b'{"kind": "NodeList", "items": []}',
            NO_NODES % (b"", b"null"),
            NO_NODES % (b"", b"[{}]"),
            # The same page for ever, for whoever answers does not look at what is asked.
            NO_NODES % (b', "continue": "more"', b"[]"),
        ],
    )
    def test_an_answer_that_lost_its_content_is_not_an_empty_list(
        self, home: Path, tmp_path: Path, lost: bytes
    ) -> None:
        with answering(tmp_path, (200, {}, OK_BODY), (200, {}, VERSION_BODY), (200, {}, lost)) as fake:
            failure = ask({"kubeconfig": str(fake.kubeconfig)}, home=home).failure
        assert (failure["code"], failure["details"]["path"]) == ("api_not_kubernetes", "/api/v1/nodes")

    @pytest.mark.parametrize(
        ("page", "code"),
        [(b"<html>default backend - 404</html>", "api_not_kubernetes"), (b"404 page not found\n", "api_not_found")],
    )
    def test_a_page_of_a_proxy_does_not_say_that_there_is_no_object(
        self, home: Path, tmp_path: Path, page: bytes, code: str
    ) -> None:
        found: list[Answer] = [(200, {}, body) for body in (OK_BODY, VERSION_BODY, NO_NODES % (b"", b"[]"))]
        with answering(tmp_path, *found, (404, {}, page)) as fake:
            failure = ask({"kubeconfig": str(fake.kubeconfig)}, home=home).failure
        path = "/api/v1/namespaces/kube-system/configmaps/kubeadm-config"
        assert (failure["code"], failure["details"]["path"]) == (code, path)

    @pytest.mark.parametrize("date", ["yesterday", "Mon, 99 Nov 2026", ""])
    def test_a_date_that_is_none_is_left_alone(self, home: Path, tmp_path: Path, date: str) -> None:
        with answering(tmp_path, (200, {"Date": date}, OK_BODY)) as fake:
            pin = {"cluster_uid": "another"}
            assert ask({"kubeconfig": str(fake.kubeconfig), **pin}, home=home).failure["code"] == "wrong_cluster"

    def test_a_redirect_is_not_followed(self, home: Path, tmp_path: Path) -> None:
        with answering(tmp_path, (302, {"Location": "https://127.0.0.1:1/"}, b"")) as fake:
            assert ask({"kubeconfig": str(fake.kubeconfig)}, home=home).failed
            assert len(fake.asked) == 1

    @pytest.mark.parametrize("seconds", ["0", "-1"])
    def test_a_throttled_request_is_tried_again_a_few_times(self, home: Path, tmp_path: Path, seconds: str) -> None:
        busy = (429, {"Retry-After": seconds}, b'{"message": "too many requests"}')
        with answering(tmp_path, busy, busy, (200, {}, OK_BODY)) as fake:
            pin = {"cluster_uid": "another"}
            assert ask({"kubeconfig": str(fake.kubeconfig), **pin}, home=home).failure["code"] == "wrong_cluster"
            assert len(fake.asked) == 3
        with answering(tmp_path, busy) as fake:
            assert ask({"kubeconfig": str(fake.kubeconfig)}, home=home).failure["code"] == "api_failed"
            assert len(fake.asked) == 3


class TestRights:
    def direct(self, question: ControlPlane, folder: Path, token: str) -> Json:
        ca_cert = write(folder, question.authority.decode(), "ca.crt")
        return {"host": question.urls[0], "api_key": token, "ca_cert": ca_cert}

    def test_a_bearer_token_by_options(self, question: ControlPlane, home: Path, reader_token: str) -> None:
        found = ask(self.direct(question, home, reader_token), home=home)
        assert found["cluster"]["uid"] == question.kube_system_uid

    def test_a_bearer_token_by_variables(self, question: ControlPlane, home: Path, reader_token: str) -> None:
        given = self.direct(question, home, reader_token)
        found = ask(
            home=home,
            K8S_AUTH_HOST=given["host"],
            K8S_AUTH_API_KEY=given["api_key"],
            K8S_AUTH_SSL_CA_CERT=given["ca_cert"],
            K8S_AUTH_VERIFY_SSL="true",
        )
        assert found["cluster"]["uid"] == question.kube_system_uid

    def test_a_bearer_token_by_kubeconfig(self, question: ControlPlane, home: Path, reader_token: str) -> None:
        assert reader_token
        found = ask({"kubeconfig": str(question.token_kubeconfig("reader"))}, home=home)
        assert found["cluster"]["uid"] == question.kube_system_uid

    def test_a_token_that_nobody_knows(self, question: ControlPlane, home: Path) -> None:
        outcome = ask(self.direct(question, home, "unknown-secret-token"), home=home)
        assert outcome.failure["code"] == "api_unauthorized"
        assert "unknown-secret-token" not in outcome.output

    @pytest.mark.parametrize(
        "odd", ["unknown-secret-token\n", "unknown-secret\ntoken", "unknown-secret-t\u00f6ken\u2026"]
    )
    def test_a_token_that_no_header_can_hold_is_not_shown(
        self, question: ControlPlane, home: Path, odd: str, tmp_path: Path
    ) -> None:
        by_options = ask(self.direct(question, home, odd), home=home)
        config = yaml.safe_load(question.kubeconfig.read_text())
        config["users"][0]["user"] = {"token": odd}
        by_file = ask({"kubeconfig": write(tmp_path, yaml.safe_dump(config), "config")}, home=home)
        for outcome in (by_options, by_file):
            assert outcome.failure["code"] == "unusable_credential"
            assert "a line break" in outcome.failure["why"]
            assert "unknown-secret" not in outcome.output

    def test_the_missing_right_is_named_as_a_rule(self, question: ControlPlane, home: Path) -> None:
        failure = ask({"kubeconfig": str(question.user_kubeconfig("nobody"))}, home=home).failure
        assert failure["code"] == "api_forbidden"
        assert failure["details"]["verb"] == "get"
        assert failure["details"]["rbac_rule"] == {
            "apiGroups": [""],
            "resources": ["namespaces"],
            "verbs": ["get"],
            "resourceNames": ["kube-system"],
        }
        assert "ClusterRole" in failure["next_step"]

    def test_following_the_advice_step_by_step_ends_well(self, question: ControlPlane, home: Path) -> None:
        user = "learner"
        path = str(question.user_kubeconfig(user))
        for _ in range(12):
            outcome = ask({"kubeconfig": path}, home=home)
            if not outcome.failed:
                break
            details = outcome.failure["details"]
            (*_, kind) = [word for word in ("Role in namespace", "ClusterRole") if word in outcome.failure["next_step"]]
            namespace = "" if kind == "ClusterRole" else details["path"].split("/namespaces/")[1].split("/")[0]
            question.grant(user, [details["rbac_rule"]], namespace)
        assert not outcome.failed

    def test_acting_as_someone_else(self, question: ControlPlane, home: Path) -> None:
        admin = {"kubeconfig": str(question.kubeconfig)}
        failure = ask({**admin, "impersonate_user": "someone"}, home=home).failure
        assert failure["code"] == "api_forbidden"
        assert "someone" in failure["why"]
        groups = {"impersonate_user": "someone", "impersonate_groups": ["one", "system:masters"]}
        assert not ask({**admin, **groups}, home=home).failed


class TestController:
    """What the Kubernetes credential of an automation controller puts into a job's environment."""

    def injected(self, question: ControlPlane, folder: Path, token: str, *, authority: bool = True) -> dict[str, str]:
        found = {"K8S_AUTH_HOST": question.urls[0], "K8S_AUTH_API_KEY": token, "K8S_AUTH_VERIFY_SSL": "False"}
        if authority:
            path = write(folder, question.authority.decode(), "injected-ca")
            found |= {"K8S_AUTH_VERIFY_SSL": "True", "K8S_AUTH_SSL_CA_CERT": path}
        return found

    def test_a_service_accounts_token(self, question: ControlPlane, home: Path, reader_token: str) -> None:
        found = ask(home=home, **self.injected(question, home, reader_token))
        assert found["cluster"]["uid"] == question.kube_system_uid
        assert reader_token not in found.output

    def test_no_authority_no_connection(self, question: ControlPlane, home: Path, reader_token: str) -> None:
        """Without a CA the controller switches verification off, even where its credential says "verify"."""
        environment = self.injected(question, home, reader_token, authority=False)
        outcome = ask(home=home, **environment)
        assert outcome.failure["code"] == "tls_verification_off"
        assert "AWX does so when its credential holds no CA" in outcome.failure["why"]
        assert reader_token not in outcome.output
        authority = write(home, question.authority.decode(), "ca.crt")
        assert not ask({"ca_cert": authority, "validate_certs": True}, home=home, **environment).failed

    def test_accepting_that_is_told_loudly(self, question: ControlPlane, home: Path, reader_token: str) -> None:
        environment = self.injected(question, home, reader_token, authority=False)
        outcome = ask({"validate_certs": False}, home=home, **environment)
        assert f"The certificate of {question.urls[0]} was not verified" in str(outcome["warnings"])

    @pytest.mark.parametrize("option", ["kubeconfig", "context"])
    def test_beside_a_kubeconfig_of_the_inventory_it_is_refused(
        self, question: ControlPlane, home: Path, reader_token: str, option: str
    ) -> None:
        options = {"kubeconfig": str(question.kubeconfig), "context": "lab"}
        outcome = ask({option: options[option]}, home=home, **self.injected(question, home, reader_token))
        assert outcome.failure["code"] == "contradicting_auth"
        assert f"option {option}" in outcome.failure["why"]
        assert "K8S_AUTH_HOST" in outcome.failure["why"]

    def test_two_credentials_are_refused(self, question: ControlPlane, home: Path, reader_token: str) -> None:
        both = {**self.injected(question, home, reader_token), "K8S_AUTH_KUBECONFIG": str(question.kubeconfig)}
        assert ask(home=home, **both).failure["code"] == "contradicting_auth"

    def test_one_that_holds_nothing_is_refused(self, question: ControlPlane, home: Path) -> None:
        (home / ".kube").mkdir()
        write(home / ".kube", question.kubeconfig.read_text())
        nothing = {"K8S_AUTH_HOST": "", "K8S_AUTH_API_KEY": "", "K8S_AUTH_VERIFY_SSL": "True"}
        assert ask(home=home, **nothing).failure["code"] == "contradicting_auth"


class TestAnsible:
    """Through ansible-playbook, as users run it."""

    def play(self, folder: Path, *tasks: Json, **keywords: t.Any) -> Path:
        play = {"hosts": "localhost", "gather_facts": False, **keywords, "tasks": list(tasks)}
        return Path(write(folder, json.dumps([play]), "play.json"))

    def test_a_token_is_never_shown(self, question: ControlPlane, home: Path, reader_token: str) -> None:
        module = "netguard.lockdown.cluster_network_info"
        wrong = f"{reader_token[:-8]}AAAAAAAA"
        ca_cert = write(home, question.authority.decode(), "ca.crt")
        options = {"host": question.urls[0], "ca_cert": ca_cert}
        playbook = self.play(
            home,
            {"name": "good", module: {**options, "api_key": "{{ good }}"}, "register": "found"},
            {"name": "show", "ansible.builtin.debug": {"var": "found"}},
            {"name": "bad", module: {**options, "api_key": "{{ bad }}"}, "register": "failed", "ignore_errors": True},
            {"name": "show", "ansible.builtin.debug": {"var": "failed"}},
        )
        secrets = Path(write(home, json.dumps({"good": reader_token, "bad": wrong}), "secrets.json"))
        env = {**scrubbed_env(""), "HOME": str(home)}
        del env["K8S_AUTH_KUBECONFIG"]
        done = run_playbook(playbook, {}, env, "-vvv", "-e", f"@{secrets}")
        output = done.stdout + done.stderr
        assert done.returncode == 0, output
        assert question.kube_system_uid in output
        assert "api_unauthorized" in output
        assert reader_token not in output
        assert wrong not in output

    def test_module_defaults_of_the_group_reach_it(self, question: ControlPlane, home: Path) -> None:
        playbook = self.play(
            home,
            {"netguard.lockdown.cluster_network_info": {}, "register": "found"},
            {"ansible.builtin.assert": {"that": [f"found.cluster.uid == '{question.kube_system_uid}'"]}},
            module_defaults={"group/netguard.lockdown.all": {"kubeconfig": str(question.kubeconfig)}},
        )
        env = {**scrubbed_env(""), "HOME": str(home)}
        del env["K8S_AUTH_KUBECONFIG"]
        done = run_playbook(playbook, {}, env)
        assert done.returncode == 0, done.stdout + done.stderr

    def test_a_missing_library_names_the_interpreter(self, home: Path) -> None:
        broken = home / "site" / "kubernetes"
        broken.mkdir(parents=True)
        write(broken, "raise ImportError('not here')\n", "__init__.py")
        modules = Modules(None, {"HOME": str(home)})
        path = f"{home / 'site'}:{modules.env()['PYTHONPATH']}"
        outcome = ask({"host": "https://127.0.0.1:1", "api_key": "some-token"}, home=home, PYTHONPATH=path)
        assert outcome.failure["code"] == "missing_library"
        assert sys.executable in outcome.result["msg"]
