# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Property tests judge what is true, not how fast a busy machine is."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("netguard", deadline=None)
settings.load_profile("netguard")
