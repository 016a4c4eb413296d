#!/bin/sh
# Installs the Debian packages of apt-packages.txt, and those named as arguments, as far as they are missing.
set -eu
cd "$(dirname "$0")"

missing=""
for package in $(sed -e 's/#.*//' -e 's/ .*//' apt-packages.txt) "$@"; do
  case "$(dpkg-query -W -f '${Status}' "$package" 2>/dev/null)" in
    *" installed") ;;
    *) missing="$missing $package" ;;
  esac
done
[ -n "$missing" ] || exit 0

echo "installing:$missing"
export DEBIAN_FRONTEND=noninteractive
apt-get update -q
# shellcheck disable=SC2086 -- a list of words
apt-get install -q -y --no-install-recommends $missing
