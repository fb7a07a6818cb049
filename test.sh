#!/usr/bin/env bash
# Installs what the tests need and this machine lacks, then runs them all. Arguments go to `dotnet test`.
set -euo pipefail
cd "$(dirname "$0")"

if ! command -v dotnet >/dev/null || ! dotnet --list-sdks | grep -q '^10\.'; then
  echo "test.sh: the .NET 10 SDK is missing. Install it (https://dotnet.microsoft.com/download/dotnet/10.0) and run this again." >&2
  exit 1
fi

if ! command -v chromium >/dev/null; then
  if ! command -v apt-get >/dev/null; then
    echo "test.sh: there is no chromium and no apt-get to install it with; the browser tests will be skipped." >&2
  else
    as_root=()
    [ "$(id -u)" -eq 0 ] || as_root=(sudo)
    echo "test.sh: installing chromium for the browser tests"
    "${as_root[@]}" apt-get update -qq
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium >/dev/null
  fi
fi

exec dotnet test WebhookService.sln --nologo -m:1 "$@"
