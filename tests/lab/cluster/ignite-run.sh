#!/bin/busybox sh
# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Starts Ignite by the environment variables of the official image: OPTION_LIBS, CONFIG_URI, JVM_OPTS, IGNITE_QUIET.
set -eu

libs="$IGNITE_HOME/libs"
classpath="$libs/*"

if [ -n "${EXTERNAL_LIBS:-}" ]; then
    echo "EXTERNAL_LIBS downloads at the start, which this image does not do" >&2
    exit 1
fi

for option in $(echo "${OPTION_LIBS:-}" | tr ',' ' '); do
    if [ ! -d "$libs/optional/$option" ]; then
        echo "OPTION_LIBS: there is no $option in this image" >&2
        exit 1
    fi
    classpath="$classpath:$libs/optional/$option/*"
done

# The options are words, as in the official image, so they are not quoted.
# shellcheck disable=SC2086
exec "$JAVA_HOME/bin/java" "-DIGNITE_QUIET=${IGNITE_QUIET:-true}" ${JVM_OPTS:-} -cp "$classpath" \
    org.apache.ignite.startup.cmdline.CommandLineStartup ${CONFIG_URI:-}
