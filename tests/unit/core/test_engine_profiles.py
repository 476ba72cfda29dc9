# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How the audit judges on the engine that the resolver found: one detection for both."""

from __future__ import annotations

from builders import cilium, daemon_set, detect

from ansible_collections.netguard.lockdown.plugins.module_utils._core.reach import profile


def test_an_unknown_engine_is_judged_as_the_api_describes() -> None:
    assert profile.of_engine(detect()) == profile.STANDARD
    assert profile.doubts(detect()) == []


def test_cilium_matches_no_pod_and_nodes_only_where_its_settings_say_so() -> None:
    assert profile.of_engine(cilium()) == profile.CILIUM
    assert profile.of_engine(cilium(policy_cidr_match_mode="nodes")) == profile.CILIUM_NODES


def test_an_engine_that_judges_by_address_is_the_standard() -> None:
    assert profile.of_engine(detect(daemon_set("calico-node"))) == profile.STANDARD


def test_an_engine_that_judges_before_translation_is_known_as_such() -> None:
    container = {"name": "aws-eks-nodeagent", "args": ["--enable-network-policy=true"]}
    found = detect(daemon_set("aws-node", container))
    assert profile.of_engine(found) == profile.BEFORE_TRANSLATION


def test_an_engine_that_enforces_nothing_makes_a_verdict_inconclusive() -> None:
    found = detect(daemon_set("kube-flannel-ds", namespace="kube-flannel"))
    assert profile.doubts(found) == [
        "flannel enforces no network policy, so whatever the policies say, everything is allowed"
    ]


def test_an_engine_whose_side_of_the_translation_is_unknown_makes_a_verdict_inconclusive() -> None:
    assert "before or after" in " ".join(profile.doubts(detect(daemon_set("kube-router"))))


def test_engines_side_by_side_that_judge_in_different_ways_make_a_verdict_inconclusive() -> None:
    container = {"name": "aws-eks-nodeagent", "args": ["--enable-network-policy=true"]}
    calico, aws = daemon_set("calico-node"), daemon_set("aws-node", container)
    assert "calico and aws-vpc-cni are installed side by side" in " ".join(profile.doubts(detect(calico, aws)))
    assert profile.doubts(detect(calico, daemon_set("antrea-agent"))) == []
