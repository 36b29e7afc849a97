# shellcheck shell=sh
# Hosts for the benchmark: each an sshd with a key and an address of its own, whose sessions see a root of their own.
#
# Runs as the first process of its own mount and PID namespaces, so its end is the end of all that it makes. A host's
# root is a copy-on-write view of this machine's: what is written there stays in memory, and nothing else is touched.
# FOLDER has `hosts` (a name in each line), `sshd/NAME` (configurations) and `stand-ins` (see farm.py).
set -eu
folder=$1

mount -t tmpfs -o mode=0755 tmpfs /run
mount -t tmpfs -o mode=0755 tmpfs /mnt
mkdir /run/sshd
cp -R -- "$folder/stand-ins" /mnt/stand-ins
while read -r name; do
    host=/mnt/$name
    mkdir -p "$host/upper" "$host/work" "$host/root"
    mount -t overlay -o "lowerdir=/mnt/stand-ins:/,upperdir=$host/upper,workdir=$host/work" overlay "$host/root"
    mount --bind /dev "$host/root/dev"
    for file in /proc/uptime /proc/sys/kernel/random/boot_id; do mount --bind "$file" "$host/root$file"; done
    /usr/sbin/sshd -f "$folder/sshd/$name" -E "$folder/log"
done <"$folder/hosts"
echo ready >"$folder/ready"
while sleep 1; do :; done
