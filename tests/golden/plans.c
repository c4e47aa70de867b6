/*
 * Fixed facts and settings → the plan as JSON, what is found wrong with it, what it leaves open:
 * each compared with a file of expected/, byte for byte. `--update` writes the files anew instead.
 */
#include "app/plan/plan.h"
#include "backends/libvirt/domain_xml.h"
#include "backends/microvm/qemu_argv.h"
#include "base/fd.h"
#include "base/file.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

/* An image as the store knows it. */
static char *const stored_layers[] = {"/data/images/layers/self/aa/fs",
                                      "/data/images/layers/self/bb/fs", NULL};
static char *const stored_env[] = {"PATH=/opt/bin:/bin", "MODE=image", "NAKED", NULL};
static char *const stored_entrypoint[] = {"/sbin/web", "--serve", NULL};
static char *const stored_command[] = {"--port", "80", NULL};
static char *const stored_volumes[] = {"/data", NULL};
static char *const stored_labels[] = {"by=them", "kind=web", NULL};
static const uint32_t stored_groups[] = {33, 44};
static const struct plan_image stored = {
    .layers = stored_layers,
    .env = stored_env,
    .entrypoint = stored_entrypoint,
    .command = stored_command,
    .volumes = stored_volumes,
    .labels = stored_labels,
    .workdir = "/var//www/",
    .stop_signal = "SIGQUIT",
    .uid = 33,
    .gid = 33,
    .groups = stored_groups,
    .groups_count = 2,
    .user_name = "www",
    .home = "/var/www",
};

/* What machines are put together from. */
static char *const vmm_files[] = {"/lib/ld.so", "/lib/libglib.so",
                                  "/usr/share/qemu/bios-microvm.bin", NULL};
static const struct plan_parts parts_kvm = {
    .program = "/usr/bin/qemu-system-x86_64",
    .version = "7.2.22",
    .files = vmm_files,
    .tsc_khz = 2700000,
    .kernel = "/cache/vmlinux/k.vmlinux",
    .release = "6.1.0-1-cloud-amd64",
    .initramfs = "/cache/initramfs/i.cpio",
    .root = "/cache/disks/d.squashfs",
    .root_type = "squashfs",
    .blank = "/cache/blanks/1.ext4",
};
static char *const served_files[] = {"/lib64/ld-linux-x86-64.so.2",
                                     "/lib/x86_64-linux-gnu/libcap-ng.so.0", NULL};
static const struct plan_parts parts_served = {
    .program = "/usr/bin/qemu-system-x86_64",
    .version = "7.2.22",
    .files = vmm_files,
    .kernel = "/cache/vmlinux/k.vmlinux",
    .release = "6.1.0-1-cloud-amd64",
    .initramfs = "/cache/initramfs/i.cpio",
    .root = "/cache/disks/d.squashfs",
    .root_type = "squashfs",
    .virtiofsd = "/usr/lib/qemu/virtiofsd",
    .virtiofsd_files = served_files,
};
static const struct plan_parts parts_bare = {
    .program = "/usr/bin/qemu-system-x86_64",
    .version = "7.2.22",
    .files = vmm_files,
    .no_kvm = "/dev/kvm: Permission denied",
    .no_kernel = "no kernel of this machine can be read",
    .tsc_khz = 2700000,
    .root = "/cache/disks/d.squashfs",
    .root_type = "squashfs",
};

/* Where whole machines are made. */
static char *const client_env[] = {"PATH=/usr/bin:/bin", "HOME=/home/ann",
                                   "XDG_RUNTIME_DIR=/run/user/1000", NULL};
static const struct plan_parts parts_vm = {
    .program = "/usr/bin/qemu-system-x86_64",
    .version = "7.2.22",
    .uri = "qemu:///session",
    .client = client_env,
    .folder = "/home/ann/.local/state/cofferdam/machines",
    .sockets = "/run/user/1000/cofferdam",
    .loader = "/usr/share/OVMF/OVMF_CODE_4M.fd",
    .vars = "/usr/share/OVMF/OVMF_VARS_4M.fd",
};
static const struct plan_parts parts_vm_image = {
    .program = "/usr/bin/qemu-system-x86_64",
    .version = "7.2.22",
    .uri = "qemu+unix:///system?socket=/run/lv",
    .client = client_env,
    .folder = "/home/ann/.local/state/cofferdam/machines",
    .sockets = "/run/user/1000/cofferdam",
    .tsc_khz = 2700000,
    .kernel = "/cache/vmlinux/k.vmlinux",
    .release = "6.1.0-1-cloud-amd64",
    .initramfs = "/cache/initramfs/i.cpio",
    .root = "/cache/disks/d & e.squashfs",
    .root_type = "squashfs",
};
/* A disk of somebody's, on QEMU by itself. */
static const struct plan_parts parts_disk = {
    .program = "/usr/bin/qemu-system-x86_64",
    .version = "7.2.22",
    .runtime = "qemu",
    .files = vmm_files,
    .tsc_khz = 2700000,
    .blank = "/cache/blanks/1073741824.qcow2",
    .disk_format = "qcow2",
    .disk_size = 1 << 30,
};
static const struct plan_parts parts_no_disk = {
    .program = "/usr/bin/qemu-system-x86_64",
    .version = "7.2.22",
    .runtime = "qemu",
    .files = vmm_files,
    .no_kvm = "/dev/kvm: Permission denied",
    .no_blank = "disk /d.vmdk: it is a VMware disk (vmdk): qemu-img convert -O qcow2 makes one to use",
};
/* Root's libvirt, where QEMU is an account of its own. */
static const struct plan_parts parts_vm_system = {
    .program = "/usr/bin/qemu-system-x86_64",
    .version = "7.2.22",
    .uri = "qemu:///system",
    .client = client_env,
    .folder = "/var/lib/cofferdam-libvirt/machines",
    .away = true,
    .sockets = "/run/cofferdam",
    .kernel = "/cache/vmlinux/k.vmlinux",
    .release = "6.1.0-1-cloud-amd64",
    .initramfs = "/cache/initramfs/i.cpio",
};
static const struct plan_parts parts_vm_system_image = {
    .program = "/usr/bin/qemu-system-x86_64",
    .version = "7.2.22",
    .uri = "qemu:///system",
    .client = client_env,
    .folder = "/var/lib/cofferdam-libvirt/machines",
    .away = true,
    .sockets = "/run/cofferdam",
    .kernel = "/cache/vmlinux/k.vmlinux",
    .release = "6.1.0-1-cloud-amd64",
    .initramfs = "/cache/initramfs/i.cpio",
    .root = "/cache/disks/d.squashfs",
    .root_type = "squashfs",
};
/* Another host's. */
static const struct plan_parts parts_vm_far = {
    .program = "/usr/bin/qemu-system-x86_64",
    .version = "7.2.22",
    .uri = "qemu+ssh://ann@big.example/system?keyfile=/k",
    .client = client_env,
    .folder = "/var/lib/libvirt/images",
    .sockets = "/run/user/1000/cofferdam",
};
static const struct plan_parts parts_vm_far_image = {
    .program = "/usr/bin/qemu-system-x86_64",
    .version = "7.2.22",
    .uri = "qemu+tls://big.example/session",
    .client = client_env,
    .folder = "/var/tmp",
    .sockets = "/run/user/1000/cofferdam",
    .kernel = "/cache/vmlinux/k.vmlinux",
    .release = "6.1.0-1-cloud-amd64",
    .initramfs = "/cache/initramfs/i.cpio",
    .root = "/cache/disks/d.squashfs",
    .root_type = "squashfs",
};
static const struct plan_parts parts_vm_far_open = {
    .uri = "qemu+tcp://big.example/system?socket=/s&no_verify=1",
    .client = client_env,
    .folder = "/var/lib/libvirt/images",
    .sockets = "/run/user/1000/cofferdam",
};
/* With a card and its sound, alone in their group. */
static char *const card_notes[] = {"pci:0000:01:00.0 is taken from its driver nouveau while the machine runs, and "
                                   "given to vfio-pci", NULL};
static char *const card_no[] = {"pci:0000:01:00.0: IOMMU group 7 has others in it, which could write into what has "
                                "it: hand over these too, or none: pci:0000:01:00.1", NULL};
static const struct plan_parts parts_vm_card = {
    .program = "/usr/bin/qemu-system-x86_64",
    .version = "7.2.22",
    .uri = "qemu:///system",
    .client = client_env,
    .folder = "/var/lib/cofferdam-libvirt/machines",
    .away = true,
    .sockets = "/run/cofferdam",
    .loader = "/usr/share/OVMF/OVMF_CODE_4M.fd",
    .vars = "/usr/share/OVMF/OVMF_VARS_4M.fd",
    .iommu = true,
    .device_notes = card_notes,
};
static const struct plan_parts parts_vm_half_a_card = {
    .program = "/usr/bin/qemu-system-x86_64",
    .version = "7.2.22",
    .no_kvm = "/dev/kvm: Permission denied",
    .uri = "qemu:///session",
    .client = client_env,
    .folder = "/home/ann/.local/state/cofferdam/machines",
    .sockets = "/run/user/1000/cofferdam",
    .iommu = true,
    .no_devices = card_no,
};
static const struct plan_parts parts_vm_bare = {
    .no_kvm = "/dev/kvm: Permission denied",
    .uri = "qemu:///system",
    .folder = "/var/lib/cofferdam/machines",
    .sockets = "/run/cofferdam",
};

/* As whoever asks. */
static const struct domain_host qemu_here;
static const struct domain_host qemu_away = {.other = true, .uid = 64055, .gid = 64055};

struct golden_case {
    const char *name;
    const struct plan_host *(*host)(void);
    const char *settings[20]; /* SECTION.KEY=VALUE, ends with NULL */
    const char *argv[8];      /* empty: none given */
    const char *env[4];
    const char *label; /* the workload's name, NULL: made up */
    bool terminal;
    const char *scratch;
    const struct plan_image *image; /* what the store has, NULL: nothing */
    const struct plan_parts *parts; /* of machines */
    const char *entrypoint;
};

/* --- facts --------------------------------------------------------------------------------------
 */

static struct plan_host_entry entries[] = {
    {"/bin",          "usr/bin",   false},
    {"/boot",         NULL,        false},
    {"/etc",          NULL,        false},
    {"/home",         NULL,        false},
    {"/lib",          "usr/lib",   false},
    {"/lib64",        "usr/lib64", false},
    {"/opt",          NULL,        false},
    {"/sbin",         "usr/sbin",  false},
    {"/usr",          NULL,        false},
    {"/data",         NULL,        false},
    {"/var/lib/dpkg", NULL,        false},
    {"/home/ann",     NULL,        false},
};
static struct plan_host_entry split_entries[] = {
    {"/bin",      NULL, false},
    {"/etc",      NULL, true },
    {"/lib",      NULL, false},
    {"/nix",      NULL, true },
    {"/usr",      NULL, false},
    {"/gnu",      NULL, false},
    {"/home/ann", NULL, true },
};
static char *device_names[] = {"null", "zero", "full", "random", "urandom", "tty", NULL};
static char *controllers[] = {"cpu", "io", "memory", "pids", NULL};
static char *few_controllers[] = {"memory", "pids", NULL};

static struct plan_host workstation = {
    .uid = 1000,
    .gid = 1000,
    .user = "ann",
    .home = "/home/ann",
    .hostname = "desk",
    .shell = "/bin/bash",
    .subuid = 100000,
    .subuid_count = 65536,
    .subgid = 100000,
    .subgid_count = 65536,
    .newuidmap = true,
    .entries = entries,
    .entries_count = ARRAY_SIZE(entries),
    .devices = device_names,
    .cgroup = PLAN_CGROUP_SYSTEMD,
    .cgroup_controllers = controllers,
    .landlock_abi = 6,
    .userns = true,
    .timens = true,
    .kernel = "6.12.0",
    .arch = "x86_64",
    .cpus = 8,
    .memory = 16ull << 30,
    .resolv_conf = "nameserver 192.0.2.53\n",
};

static const struct plan_host *host_desk(void)
{
    return &workstation;
}

/* A member of more groups than one. */
static const struct plan_host *host_grouped(void)
{
    static struct plan_host h;
    h = workstation;
    h.groups = "4 27 999";
    return &h;
}

static const struct plan_host *host_root(void)
{
    static struct plan_host h;
    h = workstation;
    h.uid = h.gid = 0;
    h.user = "root";
    h.home = "/root";
    h.cgroup = PLAN_CGROUP_V1;
    return &h;
}

/* An old kernel, no control groups, no ranges, a restrictive distribution. */
static const struct plan_host *host_bare(void)
{
    static struct plan_host h;
    h = workstation;
    h.subuid_count = h.subgid_count = 0;
    h.newuidmap = false;
    h.cgroup = PLAN_CGROUP_NONE;
    h.cgroup_controllers = NULL;
    h.landlock_abi = 0;
    h.timens = false;
    return &h;
}

static const struct plan_host *host_closed(void)
{
    static struct plan_host h;
    h = *host_bare();
    h.userns = false;
    return &h;
}

static const struct plan_host *host_few(void)
{
    static struct plan_host h;
    h = workstation;
    h.cgroup = PLAN_CGROUP_V2;
    h.cgroup_controllers = few_controllers;
    return &h;
}

/* Things mounted below /etc and the home folder, stores of two package managers, no /usr merge. */
static const struct plan_host *host_split(void)
{
    static struct plan_host h;
    h = workstation;
    h.entries = split_entries;
    h.entries_count = ARRAY_SIZE(split_entries);
    return &h;
}

/* --- cases --------------------------------------------------------------------------------------
 */

// clang-format off
static const struct golden_case cases[] = {
    {"host", host_desk, {NULL}, {"make", "test"}},
    {"host-grouped", host_grouped, {NULL}, {"make", "test"}},
    {"ranges-grouped", host_grouped, {"isolation.user=ranges"}, {"true"}},
    {"host-shell", host_desk, {NULL}, {NULL}, .terminal = true, .label = "play"},
    {"host-root", host_root, {NULL}, {"id"}},
    {"host-root-uid", host_root, {"isolation.user=1234"}, {"id"}},
    {"host-read-only", host_desk, {"isolation.read-only=yes", "resources.disk=64M"}, {"true"}},
    {"host-split", host_split, {NULL}, {"true"}},
    {"host-split-home", host_split, {"files.home=overlay"}, {"true"}},
    {"dir", host_desk, {"files.image=dir:/srv/roots/alpine", "isolation.user=root"}, {"/bin/sh", "-c", "id"}},
    {"dir-read-only", host_desk, {"files.image=dir:~/alpine", "isolation.read-only=yes"}, {"id"}},
    {"limits", host_desk,
     {"resources.memory=1G", "resources.pids=64", "resources.cpus=1.5", "resources.disk=256M",
      "resources.swap=128M", "resources.io-weight=50", "resources.nice=5"}, {"true"}},
    {"limits-strict-bare", host_bare, {"resources.memory=1G", "resources.pids=64"}, {"true"}},
    {"limits-best-effort-bare", host_bare,
     {"resources.memory=1G", "resources.pids=64", "resources.cpus=2", "resources.limits=best-effort"}, {"true"}},
    {"limits-few-controllers", host_few, {"resources.memory=1G", "resources.cpus=2"}, {"true"}},
    {"ranges", host_desk, {"isolation.user=ranges", "isolation.capabilities=default"}, {"apt", "update"}},
    {"ranges-bare", host_bare, {"isolation.user=ranges"}, {"true"}},
    {"closed", host_closed, {NULL}, {"true"}},
    {"network-host", host_desk, {"network.mode=host"}, {"curl", "https://example.org"}},
    {"network-private", host_desk, {"network.mode=private", "network.publish=8080:80"}, {"true"}},
    {"copy-in", host_desk,
     {"files.copy-in=~/Downloads/setup.run", "files.copy-in=./data:/srv/data/", "files.copy-in=/etc/hosts:/tmp/hosts"},
     {"./setup.run"}},
    {"mounts", host_desk,
     {"files.mount=.:rw", "files.mount=~/ref:/ref:ro", "files.tmpfs=/big:1G", "files.hide=/usr/share/doc",
      "files.home=read-only"}, {"make"}},
    {"mounts-root", host_root, {"files.mount=/srv/shared:rw", "files.home=overlay"}, {"make"}},
    {"mount-below-proc", host_desk, {"files.mount=/tmp:/proc/x"}, {"true"}},
    {"copy-onto-mount", host_desk, {"files.mount=/srv:/src:rw", "files.copy-in=.:/src/x"}, {"true"}},
    {"copy-around-mount", host_desk, {"files.mount=/srv:/src/x:rw", "files.copy-in=.:/src"}, {"true"}},
    {"mount-display", host_desk, {"files.mount=/tmp/.X11-unix"}, {"true"}},
    {"opened", host_desk,
     {"isolation.open=userns bpf core-dumps", "isolation.seccomp=off", "isolation.capabilities=sys-admin net-raw",
      "isolation.no-new-privileges=no", "isolation.landlock=no"}, {"true"}},
    {"labels", host_bare,
     {"isolation.apparmor=box", "isolation.selinux=box_t", "isolation.landlock=yes", "lifecycle.snapshot-on-exit=yes",
      "machine.tpm=yes"}, {"true"}},
    {"life", host_desk,
     {"lifecycle.keep=always", "lifecycle.time-limit=1h30m", "lifecycle.idle-limit=5m", "lifecycle.restart=on-failure:3",
      "lifecycle.stop-signal=INT", "lifecycle.stop-grace=2s", "console.scrollback=10", "console.record=yes",
      "workload.labels=team=red"}, {"daemon"}, .scratch = "/state/scratch"},
    {"keep-and-disk", host_desk, {"lifecycle.keep=always", "resources.disk=1G"}, {"true"}, .scratch = "/state/scratch"},
    {"environment", host_desk, {"workload.environment=EDITOR"}, {"env"}, {"LANG=de_DE.UTF-8", "PASSED", "ABSENT"}},
    {"bytes", host_desk, {NULL}, {"printf", "\xff\x80 \"q\" \\ \n \x01 \xc3\xa9 \xf4\x8f\xbe\x80"}},
    {"image-of-store", host_desk, {"files.image=debian:12"}, {"true"}},
    {"stored", host_desk, {"files.image=web:1"}, {NULL}, .image = &stored},
    {"stored-overridden", host_desk,
     {"files.image=web:1", "isolation.user=7", "isolation.read-only=yes", "files.workdir=/srv",
      "lifecycle.stop-signal=TERM", "workload.labels=by=me", "workload.environment=MODE=own"},
     {"sh", "-c", "id"}, {"PATH=/mine"}, .image = &stored, .entrypoint = ""},
    {"stored-ranges", host_desk, {"files.image=web:1", "isolation.user=ranges"}, {"--verbose"}, .image = &stored},
    {"microvm", host_desk, {"isolation.boundary=microvm", "isolation.user=root"}, {"true"}},
    {"microvm-stored", host_desk, {"isolation.boundary=microvm", "files.image=web:1", "resources.memory=256M",
     "resources.cpus=1.5", "resources.disk=64M"}, {NULL}, .image = &stored, .parts = &parts_kvm},
    {"microvm-emulated", host_root, {"isolation.boundary=microvm", "files.image=web:1"}, {"id"},
     .image = &stored, .parts = &parts_bare},
    {"microvm-kvm-or-nothing", host_desk, {"isolation.boundary=microvm", "files.image=web:1",
     "machine.accel=kvm"}, {"id"}, .image = &stored, .parts = &parts_bare},
    {"microvm-scratch", host_desk, {"isolation.boundary=microvm", "files.image=web:1", "machine.scratch=disk",
     "resources.disk=2G"}, {"id"}, .image = &stored, .parts = &parts_kvm},
    {"microvm-chipset", host_desk, {"isolation.boundary=microvm", "files.image=web:1", "machine.type=q35"}, {"id"},
     .image = &stored, .parts = &parts_kvm},
    {"microvm-disks", host_desk, {"isolation.boundary=microvm", "files.image=web:1", "machine.scratch=disk",
     "resources.disk=2G", "machine.disk=/data.img /b,c.img"}, {"id"}, .image = &stored, .parts = &parts_kvm},
    {"microvm-disks-refused", host_desk, {"isolation.boundary=microvm", "files.image=web:1", "machine.warm=yes",
     "isolation.runtime=firecracker", "machine.disk=/1 /2 /3 /4 /5 /6 /7 /8 /9"}, {"id"}, .image = &stored,
     .parts = &parts_kvm},
    {"microvm-shares", host_desk, {"isolation.boundary=microvm", "files.image=web:1", "machine.shares=9p",
     "files.mount=.:/src:ro"}, {"id"}, .image = &stored, .parts = &parts_kvm},
    {"microvm-shares-refused", host_desk, {"isolation.boundary=microvm", "files.image=web:1", "machine.shares=9p",
     "machine.warm=yes", "files.mount=.:/src:rw"}, {"id"}, .image = &stored, .parts = &parts_kvm},
    {"microvm-served", host_root, {"isolation.boundary=microvm", "files.image=web:1", "machine.shares=virtiofs",
     "resources.memory=256M", "files.mount=.:/src:ro /srv:/srv:ro"}, {"id"}, .image = &stored, .parts = &parts_served},
    {"microvm-served-refused", host_desk, {"isolation.boundary=microvm", "files.image=web:1", "machine.shares=virtiofs",
     "machine.warm=yes", "files.mount=.:/src:rw"}, {"id"}, .image = &stored, .parts = &parts_bare},
    {"microvm-served-not", host_desk, {"isolation.boundary=microvm", "files.image=web:1", "machine.shares=virtiofs",
     "isolation.runtime=firecracker", "files.mount=.:/src:ro"}, {"id"}, .image = &stored, .parts = &parts_kvm},
    {"microvm-shares-9p-not", host_desk, {"isolation.boundary=microvm", "files.image=web:1", "machine.shares=9p",
     "isolation.runtime=cloud-hypervisor", "files.mount=.:/src:ro"}, {"id"}, .image = &stored, .parts = &parts_kvm},
    {"microvm-shares-hidden", host_desk, {"isolation.boundary=microvm", "files.image=web:1", "machine.shares=9p",
     "files.mount=.:/src:ro", "files.hide=/src/.env"}, {"id"}, .image = &stored, .parts = &parts_kvm},
    {"microvm-no-shares", host_desk, {"isolation.boundary=microvm", "files.image=web:1", "files.mount=.:/src:ro"},
     {"id"}, .image = &stored, .parts = &parts_kvm},
    {"microvm-network", host_desk, {"isolation.boundary=microvm", "files.image=web:1", "network.mode=private"}, {"id"},
     .image = &stored, .parts = &parts_kvm},
    {"microvm-network-tap", host_desk, {"isolation.boundary=microvm", "files.image=web:1", "network.mode=private",
     "isolation.runtime=firecracker"}, {"id"}, .image = &stored, .parts = &parts_kvm},
    {"microvm-scratch-refused", host_desk, {"isolation.boundary=microvm", "files.image=web:1",
     "machine.scratch=disk", "resources.disk="}, {"id"}, .image = &stored, .parts = &parts_kvm},
    {"microvm-warm-refused", host_desk, {"isolation.boundary=microvm", "files.image=web:1", "machine.type=q35",
     "machine.warm=yes", "resources.memory=3G"}, {"id"}, .image = &stored, .parts = &parts_kvm},
    {"microvm-nested", host_desk, {"isolation.boundary=microvm", "files.image=web:1", "machine.nested=yes"}, {"id"},
     .image = &stored, .parts = &parts_kvm},
    {"microvm-mount", host_desk, {"isolation.boundary=microvm", "files.image=web:1", "files.mount=.:/src:rw",
     "files.copy-in=./x:/y", "network.mode=host", "machine.accel=tcg"}, {"id"}, .image = &stored, .parts = &parts_kvm},
    {"vm", host_desk, {"isolation.boundary=vm", "files.image=disk:./d & e.qcow2", "resources.memory=1G",
     "resources.cpus=2"}, {NULL}, .parts = &parts_vm, .label = "web.1"},
    {"vm-old", host_desk, {"isolation.boundary=vm", "files.image=disk:/d.img", "machine.type=pc", "machine.firmware=bios",
     "machine.display=window", "machine.cdrom=/cd.iso", "network.mode=host", "machine.disk-size=4G"}, {NULL},
     .parts = &parts_vm_bare},
    {"vm-uefi", host_desk, {"isolation.boundary=vm", "files.image=disk:/d.img", "machine.firmware=secure-boot",
     "machine.tpm=yes", "machine.disk=/data.qcow2", "machine.cdrom=/cd.iso", "machine.gpu=virtio",
     "machine.cpus-model=max", "machine.accel=tcg"}, {NULL}, .parts = &parts_vm, .scratch = "/state/w/scratch"},
    {"vm-system", host_root, {"isolation.boundary=vm", "files.image=disk:/d.img", "machine.cdrom=/cd.iso",
     "machine.display=window", "lifecycle.keep=always"}, {NULL}, .parts = &parts_vm_system, .scratch = "/state/w/scratch"},
    {"vm-system-image", host_root, {"isolation.boundary=vm", "files.image=web:1", "resources.memory=256M"},
     {NULL}, .image = &stored, .parts = &parts_vm_system_image},
    {"vm-card", host_root, {"isolation.boundary=vm", "files.image=disk:/d.img", "machine.gpu=passthrough",
     "machine.device=pci:01:00.0 pci:0000:01:00.1 usb:046d:c52b", "machine.firmware=uefi"}, {NULL}, .parts = &parts_vm_card},
    {"vm-card-refused", host_desk, {"isolation.boundary=vm", "files.image=disk:/d.img", "machine.device=pci:01:00.0"},
     {NULL}, .parts = &parts_vm_half_a_card},
    {"vm-refused", host_desk, {"isolation.boundary=vm", "files.image=disk:/d.img", "machine.type=microvm",
     "machine.gpu=passthrough", "machine.firmware=uefi", "network.mode=private", "resources.cpus=0.5"}, {"id"},
     .parts = &parts_vm_bare},
    {"vm-windows", host_desk, {"isolation.boundary=vm", "files.image=disk:/w.qcow2", "machine.cdrom=/w.iso /virtio-win.iso",
     "machine.guest=windows", "machine.firmware=secure-boot", "machine.tpm=yes", "machine.install=yes",
     "machine.card=bridge:br0", "network.mode=host"}, {NULL}, .parts = &parts_vm},
    {"vm-passt", host_desk, {"isolation.boundary=vm", "files.image=disk:/w.qcow2", "machine.guest=windows", "machine.accel=tcg",
     "machine.card=passt", "network.mode=host"}, {NULL}, .parts = &parts_vm},
    {"vm-card-unknown", host_desk, {"isolation.boundary=vm", "files.image=disk:/w.qcow2", "machine.card=bridge:"}, {NULL},
     .parts = &parts_vm},
    {"vm-install", host_desk, {"isolation.boundary=vm", "files.image=disk:/new.qcow2", "machine.cdrom=/cd.iso",
     "machine.install=yes"}, {NULL}, .parts = &parts_vm},
    {"vm-install-refused", host_desk, {"isolation.boundary=vm", "files.image=disk:/new.qcow2", "machine.install=yes"},
     {NULL}, .parts = &parts_vm_far},
    {"vm-far", host_desk, {"isolation.boundary=vm", "files.image=disk:/d & e.img", "machine.disk=/data.qcow2",
     "machine.cdrom=/cd.iso", "machine.firmware=secure-boot", "machine.tpm=yes", "resources.cpus=32",
     "machine.disk-size=4G", "network.mode=host"}, {NULL}, .parts = &parts_vm_far, .scratch = "/state/w/scratch"},
    {"vm-far-image", host_desk, {"isolation.boundary=vm", "files.image=web:1", "resources.memory=256M",
     "machine.accel=tcg"}, {"id"}, .image = &stored, .parts = &parts_vm_far_image},
    {"vm-far-window", host_desk, {"isolation.boundary=vm", "files.image=disk:/d.img", "machine.display=window"}, {NULL},
     .parts = &parts_vm_far},
    {"vm-far-refused", host_desk, {"isolation.boundary=vm", "files.image=disk:/d.img", "machine.display=window",
     "machine.device=usb:046d:c52b", "lifecycle.keep=always"}, {NULL}, .parts = &parts_vm_far_open},
    {"vm-image", host_desk, {"isolation.boundary=vm", "files.image=web:1", "resources.memory=256M",
     "resources.disk=64M", "files.tmpfs=/scratch:8M", "machine.accel=tcg"}, {NULL}, .image = &stored, .parts = &parts_vm_image},
    {"vm-image-refused", host_desk, {"isolation.boundary=vm", "files.image=web:1", "machine.firmware=uefi",
     "machine.disk=/d.img", "machine.cdrom=/cd.iso", "machine.tpm=yes", "network.mode=host", "files.mount=.:/src"}, {"id"},
     .image = &stored, .parts = &parts_vm_image},
    {"vm-qemu", host_desk, {"isolation.boundary=vm", "isolation.runtime=qemu", "files.image=disk:./d & e.qcow2",
     "resources.memory=1G", "resources.cpus=2", "resources.disk="}, {NULL}, .parts = &parts_disk},
    {"vm-qemu-old", host_root, {"isolation.boundary=vm", "isolation.runtime=qemu", "files.image=disk:/d.qcow2",
     "machine.type=pc", "machine.accel=tcg", "machine.clones=fresh", "network.mode=private", "lifecycle.keep=always"},
     {NULL}, .parts = &parts_disk, .scratch = "/state/w/scratch"},
    {"vm-qemu-refused", host_desk, {"isolation.boundary=vm", "isolation.runtime=qemu", "files.image=disk:/d.vmdk",
     "machine.type=microvm", "machine.firmware=uefi", "machine.disk=/data.qcow2", "machine.cdrom=/cd.iso",
     "machine.install=yes", "machine.guest=windows", "machine.card=passt", "machine.gpu=virtio",
     "machine.device=usb:046d:c52b", "machine.tpm=yes", "machine.display=window", "machine.uri=qemu:///session",
     "machine.warm=yes", "files.copy-in=./x:/y", "network.mode=host", "lifecycle.restart=always"}, {"id"},
     .parts = &parts_no_disk},
    {"vm-qemu-image", host_desk, {"isolation.boundary=vm", "isolation.runtime=qemu", "files.image=web:1",
     "resources.memory=256M", "resources.disk=64M", "machine.warm=yes"}, {"id"}, .image = &stored, .parts = &parts_kvm},
    {"vm-host", host_desk, {"isolation.boundary=vm"}, {"id"}, .parts = &parts_vm},
    {"wrong-runtime", host_desk, {"isolation.runtime=qemu"}, {"true"}},
    {"wrong-name", host_desk, {NULL}, {"true"}, .label = "../up"},
};
// clang-format on

/* --- running them --------------------------------------------------------------------------------
 */

static void golden_settings(const struct golden_case *c, struct settings *s)
{
    struct error e;
    settings_init(s);
    for (size_t i = 0; c->settings[i]; i++) {
        if (settings_assign(s, c->settings[i], "golden.ini:1", &e) < 0) {
            fprintf(stderr, "%s: %s: %s\n", c->name, c->settings[i], e.text);
            exit(99);
        }
    }
}

static void golden_findings(const struct plan *p, const struct plan_host *h, struct buf *to)
{
    struct plan_finding *found = NULL;
    size_t count = 0;
    struct error e;
    bool good = plan_check(p, h, &found, &count, &e) == 0;
    buf_printf(to, "check: %s\n", good ? "may start" : e.text);
    for (size_t i = 0; i < count; i++)
        buf_printf(to, "  %s: %s\n    mend: %s\n",
                   found[i].weight == PLAN_REFUSES ? "refuses" : "warns", found[i].text,
                   found[i].mend ? found[i].mend : "-");
    plan_findings_free(found, count);
}

static void golden_reach(const struct plan *p, struct buf *to)
{
    struct plan_reach *reach;
    size_t count;
    plan_explain(p, &reach, &count);
    buf_puts(to, "explain:\n");
    for (size_t i = 0; i < count; i++)
        buf_printf(to, "  %3u %s: %s\n      close: %s\n", reach[i].badness, reach[i].subject,
                   reach[i].text, reach[i].close ? reach[i].close : "-");
    plan_reach_free(reach, count);
}

/* Who serves its first folder. */
static void golden_served(const struct plan *p, struct buf *to)
{
    autostrv char **argv = vmm_serving_argv(p);
    autofree char *words = strv_join(argv, " ");
    struct plan *jail = vmm_jail_serving(p, 0);
    autofree char *json = plan_to_json(jail, true);
    buf_printf(to, "\nwho serves: %s\nits jail:\n%s", words, json);
    plan_free(jail);
}

/* What a machine's plan becomes: the program's arguments, and all it can see. */
static void golden_machine(const struct plan *p, struct buf *to)
{
    if (p->boundary == PLAN_VM && (plan_boots_disk(p) || plan_boots_image(p)) && p->machine.uri) {
        autofree char *xml = domain_xml(
            p, strstr(p->machine.folder ? p->machine.folder : "", "-libvirt/") ? &qemu_away
                                                                               : &qemu_here);
        buf_printf(to, "domain:\n%s", xml);
        return;
    }
    bool whole = plan_boots_disk(p) ? p->machine.disk_format != NULL
                                    : p->machine.kernel && p->machine.initramfs;
    if (!p->machine.program || !whole)
        return;
    autostrv char **argv = qemu_argv(p);
    buf_puts(to, "arguments:");
    for (size_t i = 0; argv[i]; i++)
        buf_printf(to, "%s%s", argv[i][0] == '-' ? "\n  " : " ", argv[i]);
    struct plan *jail = vmm_jail_leading_out(p);
    autofree char *json = plan_to_json(jail, true);
    buf_printf(to, "\njail:\n%s", json);
    plan_free(jail);
    if (p->machine.virtiofsd)
        golden_served(p, to);
}

/* Compares, or writes. 0 or 1. */
static int golden_file(int dir, const char *name, const char *end, const char *text, bool update)
{
    autofree char *file = str_format("%s.%s", name, end);
    if (update)
        return file_write_whole(dir, file, text, strlen(text), 0644, false) < 0;
    autofree char *expected = NULL;
    size_t size = 0;
    if (file_read(dir, file, 1u << 20, &expected, &size) < 0) {
        printf("# %s is missing: run this with --update and look at it\n", file);
        return 1;
    }
    if (str_equal(expected, text))
        return 0;
    size_t at = 0, line = 1;
    while (text[at] && text[at] == expected[at])
        line += text[at++] == '\n';
    while (at > 0 && text[at - 1] != '\n')
        at--;
    printf("# %s differs at line %zu\n# expected: %.*s\n# is:       %.*s\n", file, line,
           (int)strcspn(expected + at, "\n"), expected + at, (int)strcspn(text + at, "\n"),
           text + at);
    return 1;
}

static int golden_run(int dir, const struct golden_case *c, bool update)
{
    struct settings s;
    golden_settings(c, &s);
    static char *const caller_env[] = {"EDITOR=vi", "PASSED=yes=1", "SECRET=x", NULL};
    struct plan_request r = {
        .id = "0123456789ab",
        .name = c->label,
        .profile = "golden",
        .argv = c->argv[0] ? (char *const *)c->argv : NULL,
        .env = (char *const *)c->env,
        .terminal_wanted = c->terminal,
        .cwd = "/home/ann/project",
        .caller_env = caller_env,
        .scratch = c->scratch,
        .image = c->image,
        .parts = c->parts,
        .entrypoint = c->entrypoint,
    };
    struct plan *p = NULL;
    struct error e;
    autobuf text = {0};
    int failed = 0;
    if (plan_build(&s, &r, c->host(), &p, &e) < 0) {
        buf_printf(&text, "build: %s\n", e.text);
    } else {
        autofree char *json = plan_to_json(p, true);
        failed = golden_file(dir, c->name, "json", json, update);
        golden_findings(p, c->host(), &text);
        golden_reach(p, &text);
        golden_machine(p, &text);
    }
    failed |= golden_file(dir, c->name, "txt", text.data, update);
    plan_free(p);
    settings_done(&s);
    return failed;
}

int main(int argc, char **argv)
{
    bool update = argc > 2 && strcmp(argv[2], "--update") == 0;
    autoclose int dir = argc > 1 ? open(argv[1], O_RDONLY | O_DIRECTORY | O_CLOEXEC) : FD_NONE;
    if (dir < 0) {
        fprintf(stderr, "usage: %s FOLDER [--update]\n", argv[0]);
        return 99;
    }
    int failed = 0;
    printf("1..%zu\n", ARRAY_SIZE(cases));
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        int one = golden_run(dir, &cases[i], update);
        printf("%sok %zu - %s\n", one ? "not " : "", i + 1, cases[i].name);
        failed += one;
    }
    return failed ? 1 : 0;
}
