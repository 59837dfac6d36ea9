#!/usr/bin/env bash
# Puts prometheus and promtool into FOLDER/bin: those on PATH, else those of Debian's package, which is
# downloaded and unpacked there. Nothing is installed and no service is started.
set -euo pipefail

folder=${1:?usage: prometheus.sh FOLDER}
tools=(prometheus promtool)

works() { # works PATH-OF-THE-TOOLS/
    for tool in "${tools[@]}"; do
        "$1$tool" --version >/dev/null 2>&1 || return 1
    done
}

works "$folder/bin/" && exit 0
rm -rf "$folder"
mkdir -p "$folder/bin"

if works ""; then
    for tool in "${tools[@]}"; do
        ln -s "$(command -v "$tool")" "$folder/bin/$tool"
    done
    exit 0
fi

give_up() {
    echo "missing: ${tools[*]} - $1; or install Prometheus 2.42 or later, so that both are on PATH" >&2
    exit 1
}
for needed in apt-get dpkg-deb; do
    command -v "$needed" >/dev/null 2>&1 || give_up "without $needed Debian's package cannot be had"
done
# apt-get downloads into the folder it runs in.
download() { (cd "$folder" && apt-get --quiet --quiet download prometheus); }
update() {
    if [ "$(id -u)" = 0 ]; then
        apt-get --quiet --quiet update
    else
        sudo apt-get --quiet --quiet update
    fi
}
echo "downloading Debian's package prometheus into $folder"
# It fails where the lists of packages are missing, or too old for what the mirror has.
download 2>/dev/null || { update && download; } || give_up "apt-get could not download the package prometheus"

dpkg-deb --extract "$folder"/prometheus_*.deb "$folder/unpacked"
rm "$folder"/prometheus_*.deb
for tool in "${tools[@]}"; do
    ln -s "../unpacked/usr/bin/$tool" "$folder/bin/$tool"
done
works "$folder/bin/" || give_up "those of Debian's package do not run here"
