#!/bin/bash
# Looks for what was sent, and makes what has to come back. $1: the stage directory, as the job sees it.
expect() { [ "$(cat "$1" 2>&1)" = "$2" ] || echo "lacking: $1"; }
expect .hidden hidden
expect "with space" space
expect ünïcode unicode
expect "tree/a+b[1].txt" special
expect link followed
[ -f empty ] && [ ! -s empty ] || echo "lacking: empty"
[ -d "empty dir/deeper" ] || echo "lacking: empty dir"
[ -x run.sh ] || echo "lacking: executable bit"
[ "$1" -ef . ] || echo "lacking: $1 is not where the job runs"
mkdir -p "made/col:on ü" && echo colon > "made/col:on ü/file"
mkdir -p made/deep "made/nothing in it"
echo made > made/deep/result
echo space > "made/with space"
echo unicode > "made/ünïcode+[1]"
: > made/empty
ln -s deep/result made/link
printf '#!/bin/sh\n' > made/tool && chmod 755 made/tool
printf 9876543210 > rewritten
echo arrived
