#!/bin/sh
# npm test: installs what is missing, builds, and passes every test. The last line is "N passed, N failed".
set -eu
cd "$(dirname "$0")/.."

if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
  sh scripts/install-packages.sh || echo "npm test: not everything could be installed; tests say what they lack" >&2
fi
[ -x node_modules/.bin/bun ] || npm ci || npm install --no-save

node_modules/.bin/bun scripts/build.ts
node_modules/.bin/bun scripts/build.ts --test
exec node_modules/.bin/bun scripts/run-tests.ts "$@"
