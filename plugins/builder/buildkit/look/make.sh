#!/bin/sh
# Makes ../look_programs.ts of look.c. Needs gcc, for the other architecture the cross compiler of Debian
# (gcc-aarch64-linux-gnu or gcc-x86-64-linux-gnu).
set -eu
cd "$(dirname "$0")"
out=../look_programs.ts
{
  echo '/** The program look/look.c for each architecture, made by look/make.sh: gzip, base64. */'
  echo 'export const PROGRAMS: Readonly<Record<string, string>> = {'
  for row in amd64:x86_64-linux-gnu arm64:aarch64-linux-gnu; do
    "${row#*:}-gcc" -Os -static -nostdlib -ffreestanding -fno-builtin -fno-stack-protector -fno-pic -no-pie \
      -fno-asynchronous-unwind-tables -fno-tree-loop-distribute-patterns \
      -Wl,--build-id=none -Wl,-z,norelro -Wl,-z,noseparate-code -Wl,-z,noexecstack -s -o look look.c
    echo "  ${row%%:*}: \`"
    gzip -9n <look | base64 -w 108
    echo '`,'
    rm look
  done
  echo '};'
} >"$out"
