#!/bin/bash
# Debian's Lmod and a hierarchical tree of modules, for jobs only: below one directory, which no PATH names and
# no package of the machine knows.
#
#   modules.sh DIRECTORY    make it (idempotent); a job then says: source DIRECTORY/init.sh
set -euo pipefail

die() { echo "modules.sh: $*" >&2; exit 1; }

[ $# = 1 ] || die "usage: modules.sh DIRECTORY"
mkdir -p "$1"
prefix=$(cd "$1" && pwd)
packages=(lmod lua5.3 liblua5.3-0 lua-filesystem lua-json lua-lpeg lua-posix lua-term)

unpack_lmod() {
    [ -e /etc/debian_version ] || die "this is not Debian"
    local download log
    download=$(mktemp -d)
    log=$download/log
    (
        cd "$download"
        apt-get download "${packages[@]}" || { apt-get update && apt-get download "${packages[@]}"; }
    ) > "$log" 2>&1 || die "apt-get failed: $(grep -m 1 '^E:' "$log"), see $log"
    local package
    for package in "$download"/*.deb; do dpkg -x "$package" "$prefix/root"; done
    rm -rf "$download"
    # Lmod's programs name files of the packages and the interpreter by absolute paths.
    grep -rlE '/usr/(share/(lmod|lua)|lib|bin/lua5\.3)' "$prefix/root/usr/share/lmod" | while read -r file; do
        sed -i -E "s#/usr/(share/(lmod|lua)|lib/[^/]*/lua)#$prefix/root&#g; s#/usr/bin/lua5\.3#$prefix/lua#g" "$file"
    done
}

write_lua() {
    printf '%s\n' '#!/bin/bash' "export LD_LIBRARY_PATH=$(echo "$prefix"/root/usr/lib/*-linux-gnu)" \
        "exec $prefix/root/usr/bin/lua5.3 \"\$@\"" > "$prefix/lua"
    chmod 755 "$prefix/lua"
}

write_init() {
    cat > "$prefix/init.sh" <<EOF
export MODULEPATH=$prefix/modules/Core LMOD_SYSTEM_DEFAULT_MODULES=
. $prefix/root/usr/share/lmod/lmod/init/bash
EOF
}

# module_file NAME LINES...
module_file() {
    mkdir -p "$prefix/modules/$(dirname "$1")"
    printf '%s\n' "${@:2}" > "$prefix/modules/$1.lua"
}

# Each compiler makes the programs visible that were built with it.
write_tree() {
    rm -rf "$prefix/modules"
    local compiler
    for compiler in gcc/12.2 gcc/13.1 clang/15.0; do
        module_file "Core/$compiler" "prepend_path('MODULEPATH', '$prefix/modules/$compiler')" \
            "conflict('$([ "${compiler%%/*}" = gcc ] && echo clang || echo gcc)')" "setenv('COMPILER', '$compiler')"
    done
    module_file Core/cmake/3.25 "setenv('CMAKE', '3.25')"
    module_file gcc/12.2/fftw/3.3 "setenv('FFTW', 'gcc-12.2')"
    module_file gcc/13.1/fftw/3.4 "setenv('FFTW', 'gcc-13.1')"
    module_file gcc/13.1/openblas/0.3 "setenv('OPENBLAS', 'gcc-13.1')"
    module_file clang/15.0/fftw/3.3 "setenv('FFTW', 'clang-15.0')"
}

[ -x "$prefix/lua" ] || unpack_lmod
write_lua
write_init
write_tree
chmod -R a+rX "$prefix"
echo "Lmod is in $prefix"
