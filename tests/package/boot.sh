#!/usr/bin/env bash
# Becomes the first process of a small machine: systemd on a layer over this machine's files. Runs in
# namespaces of its own (tests/package.sh makes them); $1 is a directory for the layer, which lives in
# memory and goes with the last process, $2 is shown there as /mnt, wherever it lies here.
set -euo pipefail

layer=$1
mount -t tmpfs tmpfs "$layer"
mkdir "$layer"/upper "$layer"/work "$layer"/root
mount -t overlay overlay -o "lowerdir=/,upperdir=$layer/upper,workdir=$layer/work" "$layer"/root
cd "$layer"/root

mount -t proc proc proc
# The kernel is the other machine's too: its settings are not for this systemd to change.
mount --bind proc/sys proc/sys
mount -o remount,bind,ro proc/sys
mount -t sysfs -o ro sysfs sys
mount -t cgroup2 cgroup2 sys/fs/cgroup
mount -t tmpfs -o mode=755 tmpfs dev
mkdir dev/pts dev/shm dev/net
for device in null zero full random urandom tty net/tun; do
  touch "dev/$device"
  mount --bind "/dev/$device" "dev/$device"
done
mount -t devpts -o newinstance,ptmxmode=0666 devpts dev/pts
ln -s pts/ptmx dev/ptmx
ln -s /proc/self/fd dev/fd
mount -t tmpfs tmpfs dev/shm
mount -t tmpfs -o mode=755 tmpfs run
mount -t tmpfs tmpfs tmp
mount --bind "$2" mnt
mount -o remount,bind,ro mnt

# A machine of its own, that starts what a package asks it to start, and nothing of a hub.
: >etc/machine-id
rm -f usr/sbin/policy-rc.d
rm -rf etc/iwas-wg var/lib/iwas-wg etc/wireguard
for unit in systemd-udevd.service systemd-modules-load.service systemd-sysctl.service; do
  ln -sf /dev/null "etc/systemd/system/$unit"
done

mkdir -p .outside
pivot_root . .outside
umount -l /.outside
exec env -i container=other PATH=/usr/sbin:/usr/bin:/sbin:/bin /lib/systemd/systemd --unit=basic.target
