# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Connection options that every module of this collection takes."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  kubeconfig:
    description:
      - Path of a kubeconfig file.
      - Without it the environment variable E(K8S_AUTH_KUBECONFIG) is used, then E(KUBECONFIG) or the default
        file, then the ServiceAccount of the pod that runs the module.
      - Kubeconfig options (O(kubeconfig), O(context)) and direct ones (O(host), O(api_key), ...) exclude each
        other, and a task's option and its environment variable may not differ. This is an error here, because
        the silent winner could be the wrong cluster.
    type: path
  context:
    description: Context of the kubeconfig, E(K8S_AUTH_CONTEXT) in the environment.
    type: str
  host:
    description: URL of the API server, E(K8S_AUTH_HOST) in the environment.
    type: str
  api_key:
    description: Bearer token, E(K8S_AUTH_API_KEY) in the environment. Needs O(host).
    type: str
  username:
    description: User name for basic authentication, E(K8S_AUTH_USERNAME) in the environment.
    type: str
  password:
    description: Password for basic authentication, E(K8S_AUTH_PASSWORD) in the environment.
    type: str
  client_cert:
    description: Path of the client certificate, E(K8S_AUTH_CERT_FILE) in the environment.
    type: path
  client_key:
    description: Path of the client certificate's key, E(K8S_AUTH_KEY_FILE) in the environment.
    type: path
  ca_cert:
    description: Path of the CA that signed the API server's certificate, E(K8S_AUTH_SSL_CA_CERT) in the environment.
    type: path
    aliases: [ssl_ca_cert]
  validate_certs:
    description:
      - Whether to verify the API server's certificate. Verified when not set.
      - Only the task can switch this off, which is a warning. Where E(K8S_AUTH_VERIFY_SSL) or the kubeconfig does,
        the module fails.
    type: bool
    aliases: [verify_ssl]
  proxy:
    description: URL of an HTTP proxy, E(K8S_AUTH_PROXY) in the environment.
    type: str
  no_proxy:
    description: Comma-separated hosts that are reached without the proxy, E(K8S_AUTH_NO_PROXY) in the environment.
    type: str
  impersonate_user:
    description: User to act as, E(K8S_AUTH_IMPERSONATE_USER) in the environment.
    type: str
  impersonate_groups:
    description: Groups to act as, comma-separated in E(K8S_AUTH_IMPERSONATE_GROUPS) of the environment.
    type: list
    elements: str
  connect_timeout:
    description: Seconds until a connection to the API server must stand, the TLS handshake included.
    type: float
    default: 3.0
  request_timeout:
    description: Seconds that the API server may stay silent while it answers one request.
    type: float
    default: 6.0
requirements:
  - python >= 3.10
  - kubernetes >= 28.1.0, not 36.0 (which sends no bearer token)
"""
