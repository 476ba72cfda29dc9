# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Event source for Event-Driven Ansible: tells when what policies are rendered from, or the policies, really change."""

from __future__ import annotations

import importlib
import sys
import typing as t
import warnings
from pathlib import Path

if t.TYPE_CHECKING:
    import asyncio

DOCUMENTATION = r"""
module: network_targets
short_description: Tell when the API server, the DNS or the lockdown's policies of a Kubernetes cluster change
version_added: 0.1.0
description:
  - Watches the EndpointSlices of C(default/kubernetes), the DNS Service with its EndpointSlices, and the policies of
    one instance, and resolves them as a run of C(netguard.lockdown.refresh) would.
  - An event is told only when the resolved targets or the meaning of a policy differ from what was told before.
    Streams that are cut, versions that expire and API servers that restart make none.
  - Connection options and their environment variables are those of the collection's modules. What is empty is not set.
  - Ends with an error where going on makes no sense - wrong options, another cluster than the pinned one, or a
    credential or right that is missing. One that has worked before must be missing for 30 seconds.
  - Needs the rights of C(rbac.yml) to read, and those of C(rbac-watch.yml), both in the role's C(files).
options:
  namespace:
    description: Namespace of the policies.
    type: str
    required: true
  instance:
    description: Name of the instance whose policies these are.
    type: str
    default: ignite
  initial:
    description: Whether to tell the state at the start, as an event of type C(initial).
    type: bool
    default: true
  debounce_seconds:
    description: Seconds without a further change after which it is looked at; after four times as many in any case.
    type: float
    default: 0.3
  interval_seconds:
    description:
      - Seconds between an event and the next look. Of a flood of changes the first one is told at once, the others
        together as their outcome.
    type: float
    default: 5.0
  resync_seconds:
    description: Seconds after which everything is read again though nothing has changed.
    type: float
    default: 300.0
  cluster_uid:
    description: The uid of the namespace C(kube-system) of the cluster that is meant.
    type: str
  form:
    description: As in module C(netguard.lockdown.cluster_network_info), as are the seven options after this one.
    type: str
    choices: [auto, endpoints, service, both, entity]
  accept_unenforced:
    description: Go on where the cluster is known to enforce no network policy.
    type: bool
    default: false
  extra_api_slices:
    description: Names of further EndpointSlices of the Service C(default/kubernetes) to believe.
    type: list
    elements: str
  allowed_api_cidrs:
    description: CIDR blocks that every address of the API server must lie in.
    type: list
    elements: str
  api_server_addresses:
    description: Addresses of the API servers, in place of those that the EndpointSlice holds.
    type: list
    elements: raw
  resolve_dns:
    description: Whether to resolve the cluster's DNS; switch it off for profile C(minimal).
    type: bool
    default: true
  dns:
    description: The cluster's DNS, where it cannot be found or more than one could be meant.
    type: dict
  inspect_dns:
    description: Whether to read the configuration of CoreDNS.
    type: bool
    default: false
  grace_seconds:
    description:
      - Seconds for which a refresh keeps an endpoint that is gone. After them an event C(grace_over) asks for
        another refresh. 0 tells none.
    type: int
    default: 300
  kubeconfig:
    description: Path of a kubeconfig file.
    type: path
  context:
    description: Context of the kubeconfig.
    type: str
  host:
    description: URL of the API server.
    type: str
  api_key:
    description: Bearer token.
    type: str
  username:
    description: User name for basic authentication.
    type: str
  password:
    description: Password for basic authentication.
    type: str
  client_cert:
    description: Path of the client certificate.
    type: path
  client_key:
    description: Path of the client certificate's key.
    type: path
  ca_cert:
    description: Path of the CA that signed the API server's certificate.
    type: path
  validate_certs:
    description:
      - Whether to verify the API server's certificate. Only this option can switch it off, and a warning is logged at
        the start then.
    type: bool
  proxy:
    description: URL of an HTTP proxy.
    type: str
  no_proxy:
    description: Comma-separated hosts that are reached without the proxy.
    type: str
  impersonate_user:
    description: User to act as.
    type: str
  impersonate_groups:
    description: Groups to act as.
    type: list
    elements: str
  connect_timeout:
    description: Seconds until a connection to the API server must stand.
    type: float
    default: 3.0
  request_timeout:
    description: Seconds that the API server may stay silent while it answers one request.
    type: float
    default: 6.0
author:
  - The netguard.lockdown authors (@netguard)
"""

EXAMPLES = r"""
- name: Follow the API server
  hosts: all
  sources:
    - netguard.lockdown.network_targets:
        namespace: cache-ns
        kubeconfig: /etc/lockdown/kubeconfig
  rules:
    - name: Refresh the policies
      condition: event.type == "targets_changed"
      action:
        run_playbook:
          name: netguard.lockdown.refresh
"""

_UTILS = "ansible_collections.netguard.lockdown.plugins.module_utils"


def _find_collection() -> None:
    """Make the collection importable: this file is run by its path, in a program that knows no collections."""
    root = Path(__file__).absolute().parents[7]
    if str(root) not in sys.path:
        sys.path.insert(0, str(root))
    # Where a package of that name is installed, it hides the folder.
    package = importlib.import_module("ansible_collections")
    if str(root / "ansible_collections") not in package.__path__:
        package.__path__.append(str(root / "ansible_collections"))


async def main(queue: asyncio.Queue[t.Any], args: dict[str, t.Any]) -> None:
    """Put events into the queue until it is cancelled; an error that ends it says what to do."""
    _find_collection()
    settings = importlib.import_module(f"{_UTILS}._core.watch.settings")
    contract = importlib.import_module(f"{_UTILS}._module.contract")
    watch_run = importlib.import_module(f"{_UTILS}._kube.watch_run")
    options = settings.WatchOptions.from_args(args)
    session = await watch_run.in_thread(lambda: contract.open_session(options.params))
    if session.insecure:
        # The library below would say so again for every request, for as long as the rulebook runs.
        warnings.filterwarnings("ignore", "Unverified HTTPS request")
        watch_run.LOG.warning("%s", contract.insecure_warning(session.host))
    await watch_run.NetworkWatch(session, options, queue.put).run()
