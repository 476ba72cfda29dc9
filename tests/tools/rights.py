# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What each playbook asks the API server, as a table, and the manifests and the page that follow from it.

A right stands with the request that needs it. A new request of a module is a new entry here; a new playbook is an
entry of PLAYBOOKS with a scenario in tests/system/test_rights.py, which proves that all of it is needed and enough.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field, replace
from pathlib import Path

FOLDER = Path("roles/ignite_lockdown/files/rbac")
PAGE = Path("docs/rbac.md")
# What a user changes: the namespace of Ignite, and the name of the instance.
NAMESPACE, INSTANCE = "cache-ns", "ignite"

CLUSTER, OWN, SYSTEM = "", NAMESPACE, "kube-system"
CORE, APPS, NET, RBAC = "", "apps", "networking.k8s.io", "rbac.authorization.k8s.io"
OF_OTHERS = "policies of others that may widen or restrict ours"
FAILS = "it fails, and names the right"


@dataclass(frozen=True)
class Right:
    """Verbs on one resource, or several with a comma between: where, why, and what a run does without them.

    `when` says in which case it is needed at all; empty means always. `tells` is what the result says without it,
    where it does not fail.
    """

    group: str
    resource: str
    verbs: tuple[str, ...]
    where: str
    why: str
    names: tuple[str, ...] = ()
    when: str = ""
    without: str = FAILS
    tells: str = ""

    @property
    def key(self) -> tuple[str, ...]:
        return self.where, self.group, self.resource, *self.names, self.without


@dataclass(frozen=True)
class Playbook:
    """What runs it, in one sentence, and the rights that it needs."""

    does: str
    rights: tuple[Right, ...]
    notes: tuple[str, ...] = field(default=())

    def merged(self) -> list[Right]:
        """The rights with the verbs of one resource in one rule."""
        found: dict[tuple[str, ...], Right] = {}
        for right in self.rights:
            known = found.get(right.key)
            found[right.key] = _joined(known, right) if known else right
        return list(found.values())


def _joined(known: Right, more: Right) -> Right:
    verbs = known.verbs + tuple(verb for verb in more.verbs if verb not in known.verbs)
    why = known.why if more.why in known.why else f"{known.why}; {more.why}"
    when = known.when if known.when == more.when else ""
    return replace(known, verbs=verbs, why=why, when=when)


def _foreign(group: str, resource: str, where: str, tells: str = "the right to list") -> Right:
    return Right(
        group,
        resource,
        ("list",),
        where,
        OF_OTHERS,
        when=f"the cluster serves {group}",
        without="what that kind does to our pods is inconclusive, a warning",
        tells=tells,
    )


FOREIGN_CLUSTERWIDE = (
    ("policy.networking.k8s.io", "adminnetworkpolicies, baselineadminnetworkpolicies, clusternetworkpolicies"),
    ("cilium.io", "ciliumclusterwidenetworkpolicies"),
    ("crd.projectcalico.org", "globalnetworkpolicies"),
    ("projectcalico.org", "globalnetworkpolicies"),
    ("crd.antrea.io", "clusternetworkpolicies"),
    ("networking.k8s.aws", "clusternetworkpolicies"),
)
FOREIGN_NAMESPACED = (
    ("cilium.io", "ciliumnetworkpolicies"),
    ("crd.projectcalico.org", "networkpolicies"),
    ("projectcalico.org", "networkpolicies"),
    ("crd.antrea.io", "networkpolicies"),
    ("k8s.ovn.org", "egressfirewalls"),
    ("networking.k8s.aws", "applicationnetworkpolicies"),
    ("networking.gke.io", "fqdnnetworkpolicies"),
)

_RECORD = f"netguard-lockdown-{INSTANCE}"
_SERVERS = f"netguard-{INSTANCE}-allow-servers"

# Every module: which cluster this is.
IDENTITY = (Right(CORE, "namespaces", ("get",), CLUSTER, "identity of the cluster", names=("kube-system", NAMESPACE)),)

# Module cluster_network_info.
RESOLVE = (
    *IDENTITY,
    Right(CORE, "nodes", ("list",), CLUSTER, "pod ranges and node addresses"),
    Right(APPS, "daemonsets", ("list",), CLUSTER, "the policy engine's agents"),
    Right(CORE, "services", ("get", "list"), CLUSTER, "the API server's Service and the DNS Service"),
    Right("discovery.k8s.io", "endpointslices", ("list",), CLUSTER, "the endpoints of the API server and of the DNS"),
    Right(CORE, "pods", ("list",), CLUSTER, "the pods of Ignite, of its clients and of the DNS"),
    Right(
        CORE,
        "configmaps",
        ("get",),
        SYSTEM,
        "the cluster DNS address; pod ranges where nodes have none; settings of Cilium and EKS where they are there",
        names=("kubelet-config", "kubeadm-config", "cilium-config", "amazon-vpc-cni"),
    ),
)

# Module network_policies, as far as it only reads.
COMPARE = (
    Right(NET, "networkpolicies", ("list",), OWN, "the policies that stand"),
    *(_foreign(group, resource, CLUSTER) for group, resource in FOREIGN_CLUSTERWIDE),
    *(_foreign(group, resource, OWN) for group, resource in FOREIGN_NAMESPACED),
)
PEERS = (
    Right(CORE, "namespaces", ("list",), CLUSTER, "the namespaces that clients match", when="something is to change"),
)

# The same where it writes.
_LEASE = (
    Right("coordination.k8s.io", "leases", ("create",), OWN, "one run at a time", when="something is to change"),
    Right(
        "coordination.k8s.io",
        "leases",
        ("get", "update"),
        OWN,
        "the Lease of another run, which is waited for, and taken over once it has expired",
        names=(_RECORD,),
        when="something is to change",
    ),
    Right(
        "coordination.k8s.io",
        "leases",
        ("delete",),
        OWN,
        "a run that is over leaves no Lease behind",
        names=(_RECORD,),
        when="something is to change",
        without="the Lease stays until it expires, and the next run waits for that",
        tells="the Lease stays",
    ),
)
_RECORD_READ = Right(CORE, "configmaps", ("get",), OWN, "the undo record", names=(_RECORD,))
_RECORD_WRITTEN = Right(CORE, "configmaps", ("get", "update"), OWN, "the undo record", names=(_RECORD,))
_RECORD_CREATED = Right(CORE, "configmaps", ("create",), OWN, "the undo record, which a first run makes")
_CREATE = Right(NET, "networkpolicies", ("create", "patch"), OWN, "our policies")
_DELETE = Right(NET, "networkpolicies", ("delete",), OWN, "policies that the instance no longer has or was handed")
_CILIUM = Right(
    "cilium.io",
    "ciliumnetworkpolicies",
    ("get", "create", "patch", "delete"),
    OWN,
    "the policy that names the API server where it runs on a node",
    when="the engine is Cilium",
)

# Modules flow_probe and ignite_topology_info.
PROBE = (
    Right(CORE, "namespaces", ("list",), CLUSTER, "the namespaces that clients match"),
    Right(CORE, "pods", ("get",), OWN, "whether a pod is still the same after an attempt that failed"),
    Right(CORE, "pods/exec", ("get", "create"), OWN, "open sockets, and connections from within (create since 1.35)"),
    Right(CORE, "pods/log", ("get",), OWN, "Ignite's topology"),
)

# Modules policy_audit_info and reachability_info.
_AUDIT_DNS = ("coredns", "rke2-coredns-rke2-coredns")
AUDIT = (
    Right(CORE, "namespaces", ("list",), CLUSTER, "the places that policies name"),
    Right(NET, "networkpolicies", ("list",), CLUSTER, "policies of both ends"),
    *(
        _foreign(group, resource, CLUSTER, "could not be read")
        for group, resource in (*FOREIGN_CLUSTERWIDE, *FOREIGN_NAMESPACED)
    ),
    Right(
        RBAC,
        "roles, rolebindings, clusterroles, clusterrolebindings",
        ("list",),
        CLUSTER,
        "what the ServiceAccount of a pod may do",
        without="the blast radius says that it is not known",
        tells="'known': False",
    ),
    Right(
        CORE,
        "configmaps",
        ("get",),
        SYSTEM,
        "whether the cluster's DNS asks servers outside",
        names=_AUDIT_DNS,
        without="the blast radius says that it is not known",
        tells="cluster's DNS was not read",
    ),
)
ANCHOR = (
    Right(
        CORE,
        "configmaps",
        ("get", "update"),
        OWN,
        "the head of the chain of evidence",
        names=(_RECORD,),
        when="ignite_lockdown_evidence_anchor is on",
    ),
    Right(
        CORE,
        "configmaps",
        ("create",),
        OWN,
        "the same, where nothing was locked down yet",
        when="ignite_lockdown_evidence_anchor is on",
    ),
)

# Module kube_objects with the objects of entry point deploy.
_APPLIED = (
    (CORE, "serviceaccounts", ("get", "patch"), (INSTANCE,), "the account of the pods"),
    (RBAC, "roles, rolebindings", ("get", "patch"), (INSTANCE,), "what the account of the pods may do"),
    (CORE, "configmaps", ("get", "patch"), (f"{INSTANCE}-config",), "Ignite's configuration"),
    # They may be read in the whole cluster, for the targets.
    (CORE, "services", ("patch",), (INSTANCE, f"{INSTANCE}-client"), "the Services for discovery and clients"),
    ("policy", "poddisruptionbudgets", ("get", "patch"), (INSTANCE,), "the PodDisruptionBudget"),
    (APPS, "statefulsets", ("get", "patch"), (INSTANCE,), "the StatefulSet, and how far it is rolled out"),
)
WORKLOAD = (
    *(Right(group, resource, verbs, OWN, what, names=names) for group, resource, verbs, names, what in _APPLIED),
    *(
        Right(group, resource, ("create",), OWN, what, when="it does not exist yet")
        for group, resource, _verbs, _names, what in _APPLIED
    ),
    Right(
        CORE, "endpoints", ("get",), OWN, "the Role grants this, and nobody may grant what he lacks", names=(INSTANCE,)
    ),
    Right(
        CORE,
        "events, persistentvolumeclaims",
        ("list",),
        OWN,
        "what pods that do not become ready wait for",
        without="the failure tells less",
        tells="cannot be listed with these rights",
    ),
)

_ELSEWHERE = (
    "To try the connections of clients and of a control pod, bind the rules on pods of the Role in their namespaces, "
    "too; without that those connections are inconclusive."
)
_CANARY = "With the canary, bind the Role of rbac-canary.yml to this account, too."
_RESTORE = "With ignite_lockdown_on_failure: restore the account needs rollback.yml as well."
_ALIVE = (
    "Without a control pod the API server can prove that a target is alive; that needs get on pods/proxy and "
    "nodes/proxy, which are left out on purpose: nodes/proxy opens the kubelets of all nodes."
)

PLAYBOOKS: dict[str, Playbook] = {
    "plan": Playbook(
        "Playbook drift, and playbook lockdown in check mode with ignite_lockdown_server_dry_run: false, so that "
        "nothing is even tried",
        (
            *RESOLVE,
            *COMPARE,
            *PEERS,
            replace(_RECORD_READ, when="ignite_lockdown_expected_digest is set, or in playbook drift"),
        ),
    ),
    "lockdown": Playbook(
        "Playbook lockdown",
        (*RESOLVE, *COMPARE, *PEERS, _CREATE, _DELETE, _CILIUM, _RECORD_CREATED, _RECORD_WRITTEN, *_LEASE),
        (_CANARY,),
    ),
    "verify": Playbook(
        "Playbook verify. It opens connections from within pods: whoever holds these rights can run anything in them",
        (*RESOLVE, *COMPARE, *PROBE, _RECORD_WRITTEN, *_LEASE),
        (_ELSEWHERE, _RESTORE, _ALIVE),
    ),
    "rollback": Playbook(
        "Playbook rollback",
        (
            *IDENTITY,
            *COMPARE,
            *PEERS,
            Right(CORE, "pods", ("list",), CLUSTER, "the pods of Ignite and of its clients"),
            replace(_CREATE, why="our policies, and those that had been handed over"),
            _DELETE,
            _CILIUM,
            _RECORD_WRITTEN,
            *_LEASE,
        ),
    ),
    "remove": Playbook(
        "Playbook remove",
        (
            *IDENTITY,
            *COMPARE,
            *PEERS,
            Right(CORE, "pods", ("list",), OWN, "the pods that lose their policies"),
            _DELETE,
            replace(_CILIUM, verbs=("delete",)),
            _RECORD_CREATED,
            _RECORD_WRITTEN,
            *_LEASE,
        ),
    ),
    "audit": Playbook(
        "Playbook audit. With ignite_lockdown_evidence_anchor: false it writes nothing, and the rules on configmaps of "
        f"namespace {NAMESPACE} can go",
        (*RESOLVE, *AUDIT, *ANCHOR),
    ),
    "refresh": Playbook(
        "Playbook refresh, which changes the policy of the servers and no other one",
        (
            *RESOLVE,
            *COMPARE,
            *PEERS,
            Right(
                NET, "networkpolicies", ("patch",), OWN, "the rule for the API server and the DNS", names=(_SERVERS,)
            ),
            _RECORD_WRITTEN,
            *_LEASE,
        ),
    ),
    "deploy": Playbook(
        "Playbook deploy into a namespace that exists. Whoever holds these rights can run anything in its pods",
        (
            *RESOLVE,
            *COMPARE,
            *PROBE,
            _CREATE,
            _DELETE,
            _CILIUM,
            _RECORD_CREATED,
            _RECORD_WRITTEN,
            *_LEASE,
            *WORKLOAD,
        ),
        (_ELSEWHERE, _ALIVE),
    ),
}

# What an account that has rbac.yml needs besides.
ADDITIONS: dict[str, Playbook] = {
    "rbac-deploy": Playbook(
        "What playbook deploy needs beyond rbac.yml and rbac-verify.yml for the workload, in a namespace that exists",
        WORKLOAD,
    )
}

_HEADER = """# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""
_NOTE = "Generated from tests/tools/rights.py by make generate: change it there."
_WIDTH = 116
_EMPTY = '""'
_INTRODUCTION = f"""# Rights of each playbook

<!-- {_NOTE} -->

One account for each playbook, each with exactly the rights that it uses:
NAMES.

Every file is complete in itself. Change the namespace `{NAMESPACE}` and the instance `{INSTANCE}` in it to yours:

```shell
sed -e 's/{NAMESPACE}/my-namespace/g' -e 's/\\b{INSTANCE}\\b/my-instance/g' lockdown.yml |
    kubectl apply -f -
```

Playbooks `render` and, without the anchor, `verify_evidence` ask no API server. One account for everything has
`rbac.yml` and its additions `rbac-*.yml` beside this folder. A right that is missing is named in the error, with the
rule to add. The tests run every playbook with its file, and what it does once more without each single verb.
"""


def files() -> dict[Path, str]:
    """Every file that follows from the table."""
    manifests = {FOLDER / f"{name}.yml": manifest(name, playbook) for name, playbook in PLAYBOOKS.items()}
    additions = {
        FOLDER.parent / f"{name}.yml": manifest(name, playbook, account="netguard-lockdown")
        for name, playbook in ADDITIONS.items()
    }
    return {**manifests, **additions, PAGE: page()}


def manifest(name: str, playbook: Playbook, *, account: str = "") -> str:
    """The objects for an account; one of its own, unless it is another file's."""
    role = f"netguard-lockdown-{name.removeprefix('rbac-')}"
    intro = (
        f"{playbook.does}: all that it needs, and no more. kubectl apply -f {name}.yml, after you changed the "
        f"namespace {NAMESPACE} and the instance {INSTANCE} to yours. {_NOTE}"
    )
    parts = ["---\n", _HEADER, *(_comment(text, "") for text in (intro, *playbook.notes))]
    parts.append("apiVersion: v1\nkind: List\nitems:\n")
    blank = ""
    if not account:
        parts.append(_item("v1", "ServiceAccount", role, NAMESPACE))
        blank = "\n"
    rights = playbook.merged()
    for where in dict.fromkeys(right.where for right in rights):
        kind = "Role" if where else "ClusterRole"
        parts += [blank, _item(f"{RBAC}/v1", kind, role, where), "    rules:\n"]
        blank = "\n"
        parts += [_rule(right) for right in rights if right.where == where]
        parts += ["\n", _item(f"{RBAC}/v1", f"{kind}Binding", role, where), _binding(kind, role, account or role)]
    return "".join(parts)


def _item(api_version: str, kind: str, name: str, namespace: str) -> str:
    place = f"      namespace: {namespace}\n" if namespace else ""
    return f"  - apiVersion: {api_version}\n    kind: {kind}\n    metadata:\n      name: {name}\n{place}"


def _binding(kind: str, role: str, account: str) -> str:
    return (
        f"    roleRef:\n      apiGroup: {RBAC}\n      kind: {kind}\n      name: {role}\n"
        f"    subjects:\n      - kind: ServiceAccount\n        name: {account}\n        namespace: {NAMESPACE}\n"
    )


def _rule(right: Right) -> str:
    when = f" (if {right.when})" if right.when else ""
    text = _comment(f"{right.why[:1].upper()}{right.why[1:]}{when}.", "      ")
    lines = [f"      - apiGroups: [{right.group or _EMPTY}]", f"        resources: [{right.resource}]"]
    if right.names:
        lines.append(f"        resourceNames: [{', '.join(right.names)}]")
    lines.append(f"        verbs: [{', '.join(right.verbs)}]")
    return text + "\n".join(lines) + "\n"


def _comment(text: str, indent: str) -> str:
    lines, line = [], f"{indent}#"
    for word in text.split():
        if len(line) + len(word) + 1 > _WIDTH:
            lines.append(line)
            line = f"{indent}#"
        line += f" {word}"
    return "\n".join([*lines, line]) + "\n"


def page() -> str:
    """The page for people: who needs what, why, and what happens without it."""
    names = ",\n".join(f"[{name}]({_link(name)})" for name in PLAYBOOKS)
    parts = ["<!--\n" + _HEADER.replace("# ", "") + "-->\n\n", _INTRODUCTION.replace("NAMES", names)]
    for name, playbook in PLAYBOOKS.items():
        parts.append(f"\n## {name}\n\n{playbook.does}.\n\n")
        parts += [f"{note}\n\n" for note in playbook.notes]
        parts.append("| verbs | resource | where | why | without it |\n| --- | --- | --- | --- | --- |\n")
        parts += [_row(right) for right in playbook.merged()]
    return "".join(parts)


def _link(name: str) -> str:
    return f"../{(FOLDER / name).as_posix()}.yml"


def _row(right: Right) -> str:
    resource = ", ".join(f"`{name}`" for name in right.resource.split(", ")) + (
        f" of `{right.group}`" if right.group else ""
    )
    named = f", only {', '.join(f'`{name}`' for name in right.names)}" if right.names else ""
    when = f", if {right.when}" if right.when else ""
    cells = (", ".join(right.verbs), resource + named, right.where or "cluster", right.why + when, right.without)
    return f"| {' | '.join(cells)} |\n"


def granted(name: str) -> t.Iterator[tuple[Right, str, str]]:
    """Each verb on each resource that a playbook's account has, with its rule."""
    for right in PLAYBOOKS[name].merged():
        for resource in right.resource.split(", "):
            for verb in right.verbs:
                yield right, resource, verb
