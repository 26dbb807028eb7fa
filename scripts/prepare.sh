# Sourced by ./run and ./test: installs what is missing and builds. Everything it says goes to stderr.
# shellcheck shell=bash

hearth_root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

# wanted_packages SECTION…: the packages of these sections of packages.txt that this machine needs, one a line.
wanted_packages() {
  local line section=
  while IFS= read -r line; do
    line=${line%%#*}
    line=${line//[[:space:]]/}
    if [[ $line == ?*\[*\] ]]; then
      [[ $line == *"[$(dpkg --print-architecture)]" ]] || continue
      line=${line%%\[*}
    fi
    case $line in
      '') ;;
      \[*\]) section=${line:1:-1} ;;
      *=*) [[ " $* " == *" $section "* ]] && ! command -v "${line%%=*}" >/dev/null && echo "${line#*=}" ;;
      *) [[ " $* " == *" $section "* ]] && echo "$line" ;;
    esac
  done <"$hearth_root/packages.txt"
}

# install_packages SECTION…: asks dpkg what is missing, and apt-get for exactly that.
install_packages() {
  local wanted missing=() package
  mapfile -t wanted < <(wanted_packages "$@")
  declare -A installed=()
  while read -r package; do installed[$package]=1; done < <(
    dpkg-query -W -f='${db:Status-Abbrev} ${Package}\n' "${wanted[@]}" 2>/dev/null | sed -n 's/^ii  *//p')
  for package in "${wanted[@]}"; do [[ ${installed[$package]-} ]] || missing+=("$package"); done
  ((${#missing[@]})) || return 0

  local as_root=()
  if ((EUID != 0)); then
    if ! command -v sudo >/dev/null; then
      echo "These packages are missing, and only root can install them: apt-get install ${missing[*]}" >&2
      return 1
    fi
    as_root=(sudo)
  fi
  echo "Installing ${missing[*]}" >&2
  local log
  log=$(mktemp)
  if ! { "${as_root[@]}" apt-get update -q && "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
      apt-get install -q -y --no-install-recommends -o DPkg::Lock::Timeout=300 "${missing[@]}"; } >"$log" 2>&1; then
    tail -n 20 "$log" >&2
    echo "The packages could not be installed; the whole log is $log" >&2
    return 1
  fi
  rm -f "$log"
}

# build PRESET [TARGET…]: configures once, then builds what changed; silent where nothing did.
build() {
  local preset=$1 log
  shift
  mkdir -p "$hearth_root/build"
  log=$hearth_root/build/$preset.log
  if [[ ! -f $hearth_root/build/$preset/build.ninja ]]; then
    echo "Configuring ($preset)" >&2
    (cd "$hearth_root" && cmake --preset "$preset") >"$log" 2>&1 || { tail -n 30 "$log" >&2; return 1; }
  fi
  if ninja -C "$hearth_root/build/$preset" -n "$@" 2>/dev/null | grep -q 'no work to do'; then return 0; fi
  if [[ -t 2 ]]; then
    ninja -C "$hearth_root/build/$preset" "$@" >&2
  else
    echo "Building ($preset)" >&2
    ninja -C "$hearth_root/build/$preset" "$@" >"$log" 2>&1 || { tail -n 60 "$log" >&2; return 1; }
  fi
}
