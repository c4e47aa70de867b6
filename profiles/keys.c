/* The table of keys. The rows' texts are the manual: cofferdam.ini(5) is made from them. */
#include "profiles/keys.h"

#include "base/str.h"

#include <stdio.h>

enum {
    BOTH = KEY_IN_PROFILE | KEY_IN_WORKLOAD,
    ALL = KEY_USED_CONTAINER | KEY_USED_SANDBOX | KEY_USED_MICROVM | KEY_USED_VM,
    MACHINES = KEY_USED_MICROVM | KEY_USED_VM,
    INSIDE = KEY_USED_CONTAINER | KEY_USED_SANDBOX | KEY_USED_MICROVM, /* where PID 1 is ours */
};

#define NEEDS_MACHINE "the microvm or vm boundary"
#define NEEDS_VM "the vm boundary"
#define NEEDS_CONTAINER "the container boundary"
#define NEEDS_ALLOW_LIST "network.mode = allow-list, which this version does not have"
#define NEEDS_PUBLISH "a way in from outside, which this version does not have"
#define MIB (1024ull * 1024)
#define DAY (86400ull * 1000)

#define CAPABILITIES \
    "none|default|audit-control|audit-read|audit-write|block-suspend|bpf|checkpoint-restore|chown|" \
    "dac-override|dac-read-search|fowner|fsetid|ipc-lock|ipc-owner|kill|lease|linux-immutable|" \
    "mac-admin|mac-override|mknod|net-admin|net-bind-service|net-broadcast|net-raw|perfmon|" \
    "setfcap|setgid|setpcap|setuid|sys-admin|sys-boot|sys-chroot|sys-module|sys-nice|sys-pacct|" \
    "sys-ptrace|sys-rawio|sys-resource|sys-time|sys-tty-config|syslog|wake-alarm"

const struct key keys[KEY_COUNT] = {
    [KEY_PROFILE_DESCRIPTION] = {
        "profile", "description", KEY_TYPE_TEXT, NULL, NULL, "TEXT",
        "One line for lists: what the profile is for.",
        BOTH, ALL, NULL},
    [KEY_PROFILE_INHERIT] = {
        "profile", "inherit", KEY_TYPE_TEXT, NULL, NULL, "NAME",
        "Another profile whose values lie below this one's. It is read first, whole, with its own "
        "drop-ins; then this file is laid over it. A circle is an error.",
        KEY_IN_PROFILE, ALL, NULL},
    [KEY_PROFILE_TRUST] = {
        "profile", "trust", KEY_TYPE_WORD, "full|some|none", "none", "full|some|none",
        "How far the code inside is trusted. It limits nothing by itself: *open* recommends a "
        "profile by it, and *explain* weighs its findings by it.",
        KEY_IN_PROFILE, ALL, NULL},

    [KEY_ISOLATION_BOUNDARY] = {
        "isolation", "boundary", KEY_TYPE_WORD, "container|sandbox|microvm|vm", "container",
        "container|sandbox|microvm|vm",
        "What separates workload and host. *container*: namespaces and filters, the host's kernel "
        "is shared. *sandbox*: a user-space kernel in between. *microvm*: a kernel of its own on a "
        "minimal machine. *vm*: a whole machine. A boundary this host or this version does not "
        "have is refused; a weaker one is never taken instead.",
        BOTH, ALL, NULL},
    [KEY_ISOLATION_RUNTIME] = {
        "isolation", "runtime", KEY_TYPE_WORD,
        "auto|native|crun|runc|runsc|kata|containerd:|qemu|firecracker|cloud-hypervisor|libvirt|/PATH", "auto",
        "auto|NAME|/PATH|containerd:HANDLER",
        "The program that makes the boundary. *auto* takes the first of the boundary that works "
        "here. *native* is built in and makes containers. An absolute path is a program "
        "with the command line of OCI runtimes, as crun and runc have it; one that is called runsc "
        "makes a sandbox, and one called firecracker or cloud-hypervisor a microVM, for which auto takes firecracker, "
        "then cloud-hypervisor, where that can do what is wanted, else qemu. A whole machine is libvirt's, or where *qemu* "
        "is said QEMU's by itself, in the jail of a microVM: BIOS, one disk or an image, a serial line. "
        "*containerd:HANDLER*, for root, is a runtime of containerd's, which gets the "
        "image: *io.containerd.runc.v2*, or another; behind it may stand *,program=/PATH* (what "
        "io.containerd.runc.v2 calls) and *,address=/SOCKET*. *kata* is its io.containerd.kata.v2. Named on the command line without a boundary, a runtime of a stronger one "
        "brings that along.",
        BOTH, ALL, NULL},
    [KEY_ISOLATION_USER] = {
        "isolation", "user", KEY_TYPE_TEXT, NULL, "self", "self|root|ranges|UID",
        "Who the workload is in its user namespace. *self*: the caller's own number, inside as "
        "outside (0 inside with runc and runsc, which need one); started by root, it is 0 inside and belongs to a subordinate range outside. "
        "*root*: 0 inside, the caller's number outside, or from a subordinate range for root. *ranges*: 0 inside, with a whole "
        "subordinate range of further ids, through newuidmap(1) or written by root; package "
        "managers need this. A number: that id inside. Root inside is never root outside.",
        BOTH, INSIDE, NEEDS_CONTAINER},
    [KEY_ISOLATION_SECCOMP] = {
        "isolation", "seccomp", KEY_TYPE_WORD, "default|off", "default", "default|off",
        "The system call filter. *default* is an allow-list as strong as docker's default, minus "
        "what *open* below lists. *off* leaves every system call of the kernel in reach.",
        BOTH, KEY_USED_CONTAINER | KEY_USED_SANDBOX, NEEDS_CONTAINER},
    [KEY_ISOLATION_CAPABILITIES] = {
        "isolation", "capabilities", KEY_TYPE_LIST, CAPABILITIES, "none", "none|default|NAME…",
        "The capabilities kept, over the workload's own namespaces only. *none*; *default*, the "
        "fourteen docker gives; or names of capabilities(7) in lower case with - for \\_ and without "
        "CAP\\_, as in _net-bind-service_. Read in order: *none* drops what stands before it. They are "
        "those of root inside; the one user of *user* = self has them too.",
        BOTH, INSIDE, NEEDS_CONTAINER},
    [KEY_ISOLATION_NO_NEW_PRIVILEGES] = {
        "isolation", "no-new-privileges", KEY_TYPE_BOOL, NULL, "yes", "yes|no",
        "Programs with the set-user-id bit or file capabilities gain nothing.",
        BOTH, INSIDE, NEEDS_CONTAINER},
    [KEY_ISOLATION_APPARMOR] = {
        "isolation", "apparmor", KEY_TYPE_TEXT, NULL, NULL, "PROFILE",
        "AppArmor profile the workload is put under, which must be loaded. Refused where the "
        "kernel has no AppArmor.",
        BOTH, KEY_USED_CONTAINER, NEEDS_CONTAINER},
    [KEY_ISOLATION_SELINUX] = {
        "isolation", "selinux", KEY_TYPE_TEXT, NULL, NULL, "LABEL",
        "SELinux label the workload runs with. Refused where the kernel has no SELinux.",
        BOTH, KEY_USED_CONTAINER, NEEDS_CONTAINER},
    [KEY_ISOLATION_PLATFORM] = {
        "isolation", "platform", KEY_TYPE_WORD, "auto|systrap|ptrace|kvm", "auto",
        "auto|systrap|ptrace|kvm",
        "How gVisor catches the system calls of what runs in it. *auto* leaves it to gVisor, which "
        "takes _systrap_ since 2023 and _ptrace_, the slow one, before. *kvm* is refused unless a "
        "trial has shown that KVM runs guests here.",
        BOTH, KEY_USED_SANDBOX, "gVisor"},
    [KEY_ISOLATION_LANDLOCK] = {
        "isolation", "landlock", KEY_TYPE_WORD, "auto|yes|no", "auto", "auto|yes|no",
        "A second lock over the file system, made from the same mounts. *auto* uses it where the "
        "kernel has it; *yes* refuses to start where it has not.",
        BOTH, KEY_USED_CONTAINER, NEEDS_CONTAINER},
    [KEY_ISOLATION_READ_ONLY] = {
        "isolation", "read-only", KEY_TYPE_BOOL, NULL, "no", "yes|no",
        "The root file system takes no changes at all, instead of changes in a throw-away layer. "
        "/tmp, /run, an empty home and an image's volumes stay writable.",
        BOTH, INSIDE, NEEDS_CONTAINER},
    [KEY_ISOLATION_OPEN] = {
        "isolation", "open", KEY_TYPE_LIST,
        "keyring|core-dumps|io-uring|bpf|userfaultfd|userns|vsock|ptrace|perf", "",
        "keyring|core-dumps|io-uring|bpf|userfaultfd|userns|vsock|ptrace|perf…",
        "What is closed unless it stands here: the kernel's keyrings, core dumps, io_uring, bpf(2), "
        "userfaultfd(2), user namespaces inside, sockets of the family AF_VSOCK, tracing of "
        "processes that are not one's own children, performance counters. Each of these has been "
        "the way out of containers before.",
        BOTH, KEY_USED_CONTAINER, NEEDS_CONTAINER},
    [KEY_ISOLATION_HOSTNAME] = {
        "isolation", "hostname", KEY_TYPE_TEXT, NULL, NULL, "NAME",
        "The host name inside; the workload's name by default.",
        BOTH, ALL, NULL},

    [KEY_RESOURCES_CPUS] = {
        "resources", "cpus", KEY_TYPE_DECIMAL, NULL, NULL, "NUMBER",
        "Processor time, in processors: 1.5 is one and a half.",
        BOTH, ALL, NULL},
    [KEY_RESOURCES_MEMORY] = {
        "resources", "memory", KEY_TYPE_SIZE, NULL, NULL, "SIZE",
        "Most memory, all processes and the page cache they cause together.",
        BOTH, ALL, NULL, 4 * MIB, INT64_MAX},
    [KEY_RESOURCES_SWAP] = {
        "resources", "swap", KEY_TYPE_SIZE, NULL, "0", "SIZE",
        "Most swap beside *memory*, which must be set for it to count.",
        BOTH, ALL, NULL, 0, INT64_MAX},
    [KEY_RESOURCES_PIDS] = {
        "resources", "pids", KEY_TYPE_INTEGER, NULL, NULL, "NUMBER",
        "Most processes and threads at one time. A whole machine (*vm*) counts its own, out of none of "
        "the host's.",
        BOTH, ALL, NULL, 1, 4194304},
    [KEY_RESOURCES_DISK] = {
        "resources", "disk", KEY_TYPE_SIZE, NULL, NULL, "SIZE",
        "Size of the throw-away layer that takes the changes. It is kept in memory.",
        BOTH, ALL, NULL, 1 * MIB, INT64_MAX},
    [KEY_RESOURCES_IO_WEIGHT] = {
        "resources", "io-weight", KEY_TYPE_INTEGER, NULL, NULL, "NUMBER",
        "Share of the disks' time where others want it too; 100 is usual.",
        BOTH, ALL, NULL, 1, 10000},
    [KEY_RESOURCES_NICE] = {
        "resources", "nice", KEY_TYPE_INTEGER, NULL, "0", "NUMBER",
        "Scheduling priority, as nice(1).",
        BOTH, ALL, NULL, 0, 19},
    [KEY_RESOURCES_LIMITS] = {
        "resources", "limits", KEY_TYPE_WORD, "strict|best-effort", "strict", "strict|best-effort",
        "What happens where no cgroup can be had for a limit. *strict* refuses to start. "
        "*best-effort* uses resource limits of single processes, see setrlimit(2), as far as they "
        "go, and the report says what could not be limited.",
        BOTH, ALL, NULL},

    [KEY_NETWORK_MODE] = {
        "network", "mode", KEY_TYPE_WORD, "none|private|allow-list|host", "none",
        "none|private|allow-list|host",
        "*none*: a loopback interface of its own and nothing else. *private*: out to the network "
        "through a translator in user space, slirp4netns(1), by IPv4; nothing reaches it, and neither the "
        "host's loopback, nor the addresses the host has when it starts, nor link-local ones "
        "(169.254.0.0/16), nor the others at which clouds tell a machine its secrets "
        "(168.63.129.16, 100.100.100.200, 192.0.0.192) can be reached from it. It needs /dev/net/tun and is for containers, the "
        "sandbox and microVMs; behind gVisor no memory is kept by a snapshot of it. *allow-list*: as private, but only to what *allow* "
        "names. *host*: the host's own interfaces, its services on localhost included. This "
        "version refuses *allow-list*.",
        BOTH, ALL, NULL},
    [KEY_NETWORK_ALLOW] = {
        "network", "allow", KEY_TYPE_LIST, NULL, "", "NAME|ADDRESS[/BITS][:PORT]…",
        "Where connections may go with *mode* = allow-list.",
        BOTH, 0, NEEDS_ALLOW_LIST},
    [KEY_NETWORK_PUBLISH] = {
        "network", "publish", KEY_TYPE_LIST, NULL, "", "[ADDRESS:]PORT[:INSIDE][/udp]…",
        "Ports of the host that lead to ports inside; 127.0.0.1 unless an address is given.",
        BOTH, 0, NEEDS_PUBLISH},
    [KEY_NETWORK_DNS] = {
        "network", "dns", KEY_TYPE_LIST, NULL, "", "ADDRESS…",
        "Name servers, instead of the host's.",
        BOTH, 0, "a name server of its own, which this version does not have"},

    [KEY_FILES_IMAGE] = {
        "files", "image", KEY_TYPE_TEXT, NULL, "host", "host|dir:PATH|NAME[:TAG]|disk:PATH",
        "The root file system. *host*: this machine's own, read-only underneath, with a throw-away "
        "layer on top and homes, keys, /run and /tmp hidden. *dir:PATH*: a folder used in place, "
        "read-only underneath too. *NAME[:TAG]*: an image of the store, see *image* in cofferdam(1); a machine "
        "boots it with a kernel of its own. "
        "*disk:PATH*: a qcow2 or raw disk, never written, that the vm boundary boots: an overlay "
        "takes the changes.",
        BOTH, ALL, NULL},
    [KEY_FILES_WORKDIR] = {
        "files", "workdir", KEY_TYPE_TEXT, NULL, NULL, "PATH",
        "Absolute path inside where the command starts. By default the home folder; with *mount* = . "
        "the folder it shows.",
        BOTH, ALL, NULL},
    [KEY_FILES_MOUNT] = {
        "files", "mount", KEY_TYPE_LIST, NULL, "", "SOURCE[:TARGET][:ro|rw]…",
        "Files or folders of the host shown inside; read-only unless *rw* is said, and then "
        "changes are made on the host at once. SOURCE is an absolute path, ~ or ~/PATH for the "
        "caller's home, or . or ./PATH for the folder the command is given in. Without TARGET it "
        "has the same path inside. Set-user-id bits and device nodes in it do not count. Where root "
        "starts the workload, root's own files in it are the workload's user's, as far as the file "
        "system can do that (idmapped mounts); a writable one that cannot is refused.",
        BOTH, INSIDE, NEEDS_CONTAINER},
    [KEY_FILES_TMPFS] = {
        "files", "tmpfs", KEY_TYPE_LIST, NULL, "", "TARGET[:SIZE]…",
        "Empty folders in memory.",
        BOTH, INSIDE, NEEDS_CONTAINER},
    [KEY_FILES_COPY_IN] = {
        "files", "copy-in", KEY_TYPE_LIST, NULL, "", "SOURCE[:TARGET]…",
        "Files or folders of the host copied in before the start; SOURCE as for *mount*. Without "
        "TARGET the copy lies in the workload's home under the source's last name. The original "
        "is never touched; a place within a *mount*, which is the host's, is refused.",
        BOTH, ALL, NULL},
    [KEY_FILES_HIDE] = {
        "files", "hide", KEY_TYPE_LIST, NULL, "", "PATH…",
        "Further paths inside that appear empty.",
        BOTH, INSIDE, NEEDS_CONTAINER},
    [KEY_FILES_HOME] = {
        "files", "home", KEY_TYPE_WORD, "none|empty|read-only|overlay", "empty",
        "none|empty|read-only|overlay",
        "What the home folder holds. *none*: there is none. *empty*: an empty one, thrown away at "
        "the end. *read-only*: the caller's own, to be read in full, keys included. *overlay*: the "
        "same, with changes going to the throw-away layer.",
        BOTH, INSIDE, NEEDS_CONTAINER},

    [KEY_LIFECYCLE_KEEP] = {
        "lifecycle", "keep", KEY_TYPE_WORD, "never|on-failure|always", "never",
        "never|on-failure|always",
        "Whether the workload's files, log and report stay after its end, until *rm*. *never* "
        "leaves nothing behind.",
        BOTH, ALL, NULL},
    [KEY_LIFECYCLE_TIME_LIMIT] = {
        "lifecycle", "time-limit", KEY_TYPE_DURATION, NULL, NULL, "DURATION",
        "The workload is stopped after this time.",
        BOTH, ALL, NULL, 1, 3650 * DAY},
    [KEY_LIFECYCLE_IDLE_LIMIT] = {
        "lifecycle", "idle-limit", KEY_TYPE_DURATION, NULL, NULL, "DURATION",
        "The workload is stopped when nothing was typed into it and it said nothing for this long.",
        BOTH, ALL, NULL, 1, 3650 * DAY},
    [KEY_LIFECYCLE_RESTART] = {
        "lifecycle", "restart", KEY_TYPE_TEXT, NULL, "no", "no|on-failure[:TIMES]|always",
        "Whether the command is started again when it ends by itself. *on-failure*: when its "
        "status is not 0, at most TIMES times.",
        BOTH, ALL, NULL},
    [KEY_LIFECYCLE_STOP_SIGNAL] = {
        "lifecycle", "stop-signal", KEY_TYPE_TEXT, NULL, "TERM", "SIGNAL",
        "The signal *stop* sends first: a name of signal(7) with or without SIG "
        "(RTMIN+3 too), or a number.",
        BOTH, ALL, NULL},
    [KEY_LIFECYCLE_STOP_GRACE] = {
        "lifecycle", "stop-grace", KEY_TYPE_DURATION, NULL, "10s", "DURATION",
        "How long *stop* waits after that before it kills.",
        BOTH, ALL, NULL, 0, DAY},
    [KEY_LIFECYCLE_SNAPSHOT_ON_EXIT] = {
        "lifecycle", "snapshot-on-exit", KEY_TYPE_BOOL, NULL, "no", "yes|no",
        "Make what it changed a snapshot when it ends, as *cofferdam snapshot list* then shows. Its "
        "files lie in a folder for that, not in memory.",
        BOTH, KEY_USED_CONTAINER, NEEDS_CONTAINER},

    [KEY_CONSOLE_TERMINAL] = {
        "console", "terminal", KEY_TYPE_WORD, "auto|yes|no", "auto", "auto|yes|no",
        "Whether the command gets a terminal of its own, or three plain streams. *auto*: a "
        "terminal if *run* has one on its input and its output.",
        BOTH, ALL, NULL},
    [KEY_CONSOLE_SCROLLBACK] = {
        "console", "scrollback", KEY_TYPE_INTEGER, NULL, "2000", "LINES",
        "Lines kept after they have left the screen.",
        BOTH, ALL, NULL, 0, 1000000},
    [KEY_CONSOLE_RECORD] = {
        "console", "record", KEY_TYPE_BOOL, NULL, "no", "yes|no",
        "Keep every byte the workload writes to its console in a file of its state folder.",
        BOTH, ALL, NULL},
    [KEY_CONSOLE_DETACH_KEYS] = {
        "console", "detach-keys", KEY_TYPE_TEXT, NULL, "default",
        "default|docker|tmux|KEY KEY",
        "Two keys that leave a console without ending it. *default* is ctrl-] d, *docker* ctrl-p "
        "ctrl-q, *tmux* ctrl-b d. A key is one character or ctrl- and a letter or one of @ [ \\\\ ] "
        "^ \\_. The first one typed twice is sent once.",
        BOTH, ALL, NULL},

    [KEY_MACHINE_KERNEL] = {
        "machine", "kernel", KEY_TYPE_TEXT, NULL, NULL, "RELEASE",
        "The kernel a microVM boots, or a whole machine made from an image of the store, by its release or "
        "the beginning of it (see *image kernel* in cofferdam(1)); one that fits is found by default.",
        BOTH, MACHINES, NEEDS_MACHINE},
    [KEY_MACHINE_FIRMWARE] = {
        "machine", "firmware", KEY_TYPE_WORD, "bios|uefi|secure-boot", NULL,
        "bios|uefi|secure-boot",
        "What starts the machine.",
        BOTH, KEY_USED_VM, NEEDS_VM},
    [KEY_MACHINE_CPUS_MODEL] = {
        "machine", "cpus-model", KEY_TYPE_TEXT, NULL, NULL, "host|max|NAME",
        "The processor the guest sees.",
        BOTH, MACHINES, NEEDS_MACHINE},
    [KEY_MACHINE_NESTED] = {
        "machine", "nested", KEY_TYPE_WORD, "auto|no|yes", "auto", "auto|no|yes",
        "Whether the guest may run machines of its own on this host's KVM. That part of KVM has more often let guests "
        "out than any other. *auto*: it is kept from it (the processor it sees has neither VMX nor SVM, so KVM refuses "
        "them) where the machine's program can do that, and *explain* says where not: Cloud Hypervisor before 52. "
        "*no*: as *auto*, and refused there. *yes*: what the host allows.",
        BOTH, MACHINES, NEEDS_MACHINE},
    [KEY_MACHINE_DISK] = {
        "machine", "disk", KEY_TYPE_LIST, NULL, "", "PATH…",
        "Further disk images; like the first they are never written, an overlay takes the changes. In a "
        "microVM they are raw files, eight at most, which the guest reads as */dev/disk1* and so on, in this "
        "order, and cannot write; nothing is mounted, and there are no snapshots then.",
        BOTH, MACHINES, NEEDS_MACHINE},
    [KEY_MACHINE_CDROM] = {
        "machine", "cdrom", KEY_TYPE_LIST, NULL, "", "PATH…",
        "CD images, read-only.",
        BOTH, KEY_USED_VM, NEEDS_VM},
    [KEY_MACHINE_INSTALL] = {
        "machine", "install", KEY_TYPE_BOOL, NULL, "no", "yes|no",
        "The disk of *files.image* is not there yet: it begins empty, with *disk-size* (16 GiB if that says "
        "nothing), the CD is booted, and when the machine turns itself off or restarts the disk, a qcow2, is put "
        "in its place, with UEFI's variables beside it as *PATH.vars*. Of a machine that was killed nothing stays. "
        "What *install* does.",
        BOTH, KEY_USED_VM, NEEDS_VM},
    [KEY_MACHINE_GUEST] = {
        "machine", "guest", KEY_TYPE_WORD, "any|windows", "any", "any|windows",
        "What runs in the machine, where it wants to be told things. *windows*: the clock has local time, and "
        "behind KVM it is given the interfaces of Hyper-V (relaxed timing, its clock and timers).",
        BOTH, KEY_USED_VM, NEEDS_VM},
    [KEY_MACHINE_CARD] = {
        "machine", "card", KEY_TYPE_TEXT, NULL, "user", "user|passt|bridge:NAME",
        "What a network card leads to, where *network.mode* is _host_: a translator in QEMU (*user*), one of its "
        "own process (*passt*, where libvirt has it), or a bridge of the host's, on which the guest is a host "
        "like others.",
        BOTH, KEY_USED_VM, NEEDS_VM},
    [KEY_MACHINE_GPU] = {
        "machine", "gpu", KEY_TYPE_WORD, "none|virtio|passthrough", "none",
        "none|virtio|passthrough",
        "Graphics processor: none, an emulated one, or a real one handed over.",
        BOTH, KEY_USED_VM, NEEDS_VM},
    [KEY_MACHINE_DEVICE] = {
        "machine", "device", KEY_TYPE_LIST, NULL, "", "pci:ADDRESS|usb:VENDOR:PRODUCT…",
        "Devices of the host handed over to the machine: of PCI as root's libvirt, behind an IOMMU, and with all "
        "others of their group; of USB the only one of its kind. *plan* says which driver loses them.",
        BOTH, KEY_USED_VM, NEEDS_VM},
    [KEY_MACHINE_TPM] = {
        "machine", "tpm", KEY_TYPE_BOOL, NULL, "no", "yes|no",
        "An emulated TPM 2.0.",
        BOTH, KEY_USED_VM, NEEDS_VM},
    [KEY_MACHINE_DISPLAY] = {
        "machine", "display", KEY_TYPE_WORD, "none|window", "none", "none|window",
        "Whether the machine's screen is shown in a window.",
        BOTH, KEY_USED_VM, NEEDS_VM},
    [KEY_MACHINE_ACCEL] = {
        "machine", "accel", KEY_TYPE_WORD, "auto|kvm|tcg", "auto", "auto|kvm|tcg",
        "*kvm*: behind hardware, or not at all. *tcg*: emulation, which by QEMU's own word is no "
        "security boundary. *auto*: the hardware if it can be had (tried, not only looked for), else "
        "emulation, which *plan*, *explain* and *ps* then show.",
        BOTH, MACHINES, NEEDS_MACHINE},
    [KEY_MACHINE_TYPE] = {
        "machine", "type", KEY_TYPE_WORD, "auto|microvm|q35|pc|virt", "auto",
        "auto|microvm|q35|pc|virt",
        "The machine that is put together. *microvm* has a handful of devices; QEMU's *q35* and *pc* have a "
        "chipset, which starts more slowly and is more to attack, for what wants PCI; with more than 2 GiB such a "
        "one has no snapshots of its memory by QEMU itself. At the vm boundary it is one of these two.",
        BOTH, MACHINES, NEEDS_MACHINE},
    [KEY_MACHINE_WARM] = {
        "machine", "warm", KEY_TYPE_BOOL, NULL, "no", "yes|no",
        "Start from what the first start has kept of itself when it had booted and knew nothing yet, "
        "instead of booting. The template is for one profile and image, in the cache (*plan* says "
        "how large); each size has its own, and one of another kernel, image or program goes when there is a "
        "new one. QEMU, Firecracker and Cloud Hypervisor.",
        BOTH, MACHINES, NEEDS_MACHINE},
    [KEY_MACHINE_SCRATCH] = {
        "machine", "scratch", KEY_TYPE_WORD, "memory|disk", "memory", "memory|disk",
        "Where what a microVM changes goes: into the guest's own memory, or onto a disk of "
        "resources.disk bytes. That is a sparse file of this host without a name, which is gone with the "
        "workload and, on QEMU, goes into its snapshots; on Firecracker and Cloud Hypervisor a machine with one has "
        "none. Needs mke2fs.",
        BOTH, KEY_USED_MICROVM, "the microvm boundary"},
    [KEY_MACHINE_SHARES] = {
        "machine", "shares", KEY_TYPE_WORD, "none|9p|virtiofs", "none", "none|9p|virtiofs",
        "What becomes of read-only folders of this host in a microVM. *none*: they are refused, a copy (files.copy-in) "
        "is the stronger choice. *9p*: QEMU serves them while it runs, so that the guest speaks to code that opens "
        "this host's files. It sees those folders alone, and cannot write. There are no snapshots then. QEMU alone, "
        "and a kernel that has 9p: Debian's for clouds does not. *virtiofs*: a process of virtiofsd serves each, in a "
        "jail of its own with that folder and nothing else of this host's, where it cannot be written; it also has all "
        "of the guest's memory. What is yours there is the workload's user's in the guest. When one ends, so does the machine. QEMU and Cloud Hypervisor, a kernel that has "
        "virtiofs, and the virtiofsd that came with QEMU up to 7.2.",
        BOTH, KEY_USED_MICROVM, "the microvm boundary"},
    [KEY_MACHINE_DISK_BANDWIDTH] = {
        "machine", "disk-bandwidth", KEY_TYPE_SIZE, NULL, NULL, "SIZE",
        "Most that a microVM reads from and writes to its disk in a second, kept by the machine's program. "
        "Firecracker and Cloud Hypervisor.",
        BOTH, KEY_USED_MICROVM, "the microvm boundary", 64 * 1024, INT64_MAX},
    [KEY_MACHINE_DISK_OPERATIONS] = {
        "machine", "disk-operations", KEY_TYPE_INTEGER, NULL, NULL, "NUMBER",
        "Most reads and writes of its disk in a second. Firecracker and Cloud Hypervisor.",
        BOTH, KEY_USED_MICROVM, "the microvm boundary", 1, INT32_MAX},
    [KEY_MACHINE_CLONES] = {
        "machine", "clones", KEY_TYPE_WORD, "any|fresh", "any", "any|fresh",
        "What may be cloned with its memory. Nobody in a machine that boots its own disk tells it that it is another "
        "one now: it keeps the machine-id, host name, keys, hardware address and clock of the one it is from, and what "
        "its kernel knows of random numbers as long as that does not heed the machine's new generation id (Windows "
        "does since 8, Linux since 5.18 where it was built with VMGENID). *fresh* refuses such clones; those of "
        "images are told.",
        BOTH, MACHINES, NEEDS_MACHINE},
    [KEY_MACHINE_DISK_SIZE] = {
        "machine", "disk-size", KEY_TYPE_SIZE, NULL, NULL, "SIZE",
        "How large the first disk is to the guest, if larger than it is.",
        BOTH, KEY_USED_VM, NEEDS_VM, 512, INT64_MAX},
    [KEY_MACHINE_URI] = {
        "machine", "uri", KEY_TYPE_TEXT, NULL, NULL, "URI",
        "Which libvirt runs a whole machine: *qemu:///session* (an ordinary user's default), "
        "*qemu:///system* (root's), qemu+unix: with the socket of another one of this host, or another host's "
        "(qemu+ssh:, qemu+tls:). What a machine is made from is then copied there each time, into a storage "
        "pool of its own that goes with it; devices handed over and snapshots are refused, a window needs "
        "qemu+ssh:, and auto means kvm.",
        BOTH, KEY_USED_VM, NEEDS_VM},

    [KEY_WORKLOAD_COMMAND] = {
        "workload", "command", KEY_TYPE_LIST, NULL, "", "PROGRAM [ARGUMENT…]",
        "The command, a word an item; no shell reads it. As with every list, another file's words "
        "come behind those already there unless it empties the list first.",
        KEY_IN_WORKLOAD, ALL, NULL},
    [KEY_WORKLOAD_ENVIRONMENT] = {
        "workload", "environment", KEY_TYPE_LINES, NULL, "", "NAME=VALUE",
        "A variable of the command's environment, one a line. NAME alone takes the caller's value. "
        "Nothing else of the caller's environment gets inside.",
        KEY_IN_WORKLOAD, ALL, NULL},
    [KEY_WORKLOAD_PROFILE] = {
        "workload", "profile", KEY_TYPE_TEXT, NULL, NULL, "NAME",
        "The profile this workload runs with; its values lie below the file's own.",
        KEY_IN_WORKLOAD, ALL, NULL},
    [KEY_WORKLOAD_IMAGE] = {
        "workload", "image", KEY_TYPE_TEXT, NULL, NULL, "IMAGE",
        "As *image* of *[files]*, and stronger.",
        KEY_IN_WORKLOAD, ALL, NULL},
    [KEY_WORKLOAD_AUTOSTART] = {
        "workload", "autostart", KEY_TYPE_BOOL, NULL, "no", "yes|no",
        "Start the workload when its owner logs in.",
        KEY_IN_WORKLOAD, 0, "starting at login, which this version does not have"},
    [KEY_WORKLOAD_LABELS] = {
        "workload", "labels", KEY_TYPE_LIST, NULL, "", "NAME=VALUE…",
        "Labels to find and group workloads by.",
        KEY_IN_WORKLOAD, ALL, NULL},
};

enum key_id key_find(const char *section, const char *name)
{
    for (enum key_id i = 0; i < KEY_COUNT; i++)
        if (str_equal(keys[i].section, section) && str_equal(keys[i].name, name))
            return i;
    return KEY_COUNT;
}

/* The section whose name is nearest to an unknown one, or NULL. */
static const char *section_nearest(const char *wrong)
{
    const char *near[KEY_COUNT];
    for (enum key_id i = 0; i < KEY_COUNT; i++)
        near[i] = keys[i].section;
    return str_nearest(wrong, near, KEY_COUNT);
}

static const char *key_dotted(enum key_id i)
{
    static char dotted[80];
    snprintf(dotted, sizeof(dotted), "%s.%s", keys[i].section, keys[i].name);
    return dotted;
}

const char *key_nearest(const char *section, const char *name)
{
    const char *near[KEY_COUNT];
    enum key_id at[KEY_COUNT];
    size_t count = 0;
    for (enum key_id i = 0; i < KEY_COUNT; i++) {
        if (str_equal(keys[i].section, section)) {
            at[count] = i;
            near[count++] = keys[i].name;
        }
    }
    const char *meant = count ? NULL : section_nearest(section);
    if (meant)
        return key_find(meant, name) != KEY_COUNT ? key_dotted(key_find(meant, name))
                                                  : key_nearest(meant, name);
    /* The right key under another section: "memory" below [isolation], or below one of no name. */
    for (enum key_id i = 0; i < KEY_COUNT; i++)
        if (str_equal(keys[i].name, name))
            return key_dotted(i);
    /* Within a section that exists its own keys are meant. */
    const char *best = str_nearest(name, near, count);
    for (size_t i = 0; best && i < count; i++)
        if (near[i] == best)
            return key_dotted(at[i]);
    return NULL;
}
