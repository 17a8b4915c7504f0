#!/bin/sh
# Kotae を取り除く。データは残す。 / Removes Kotae and keeps your data. Tried with dash and bash on Debian 13 only.
exec sh "$(dirname -- "$0")/install.sh" --uninstall "$@"
