# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sphinx settings of the documentation's web pages."""

project = "netguard.lockdown"
author = "The netguard.lockdown authors"
project_copyright = f"2026, {author}"
title = html_short_title = f"{project} documentation"

extensions = ["sphinx_antsibull_ext"]
default_role = "any"
pygments_style = "ansible"
highlight_language = "YAML+Jinja"

html_theme = "sphinx_ansible_theme"
html_show_sphinx = False
html_use_smartypants = True
html_use_modindex = False
html_use_index = False
html_copy_source = False

# Pages refer to labels of Ansible's own documentation, whose inventory would have to be downloaded.
# References inside the collection are checked by antsibull-docs, as part of "make lint".
suppress_warnings = ["ref.ref"]
